/* unattended: see unattended.h. */
#include "unattended.h"

#include "base/log.h"

#define AT_ONCE 16 /* the next one that is left alone finds the rest */

void unattended_hold(const struct board *board, const struct config *config, const char *user_key,
		     int64_t now_ms, void (*ask_stop)(void *ctx, const char *run_id), void *ctx)
{
	struct board_entry oldest[AT_ONCE];
	size_t count =
		board_unattended(board, user_key, now_ms - config->unattended_ms, oldest, AT_ONCE);
	size_t allowed = (size_t)config->unattended_max;

	for (size_t i = 0; i < AT_ONCE && count > allowed; i++, count--) {
		log_notice("run stopped: nobody follows it and its user has others",
			   LOG_T("run", oldest[i].run_id));
		ask_stop(ctx, oldest[i].run_id);
	}
}
