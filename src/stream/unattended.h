/* unattended: an answer that nobody follows goes on, since its reader may come back; but one user
 * may not have any number of them running, for each costs money. */
#ifndef STREAM_UNATTENDED_H
#define STREAM_UNATTENDED_H

#include "config/config.h"
#include "stream/board.h"

/* Asks the oldest runs of this user that nobody has followed for C1D_UNATTENDED_MS to stop, as many
 * as are over C1D_UNATTENDED_MAX. */
void unattended_hold(const struct board *board, const struct config *config, const char *user_key,
		     int64_t now_ms, void (*ask_stop)(void *ctx, const char *run_id), void *ctx);

#endif
