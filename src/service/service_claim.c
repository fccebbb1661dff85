/* service_claim: what a visitor had before signing in becomes the user's. */
#include "service_room.h"

#include "base/clock.h"

#define STEP     50    /* threads, which any store changes well within the time of one call */
#define CLAIM_MS 20000 /* of a request; web servers wait for longer than that */

/* What is left when the time is up is taken along by the next try: nothing is in between. */
bool service_claim(struct service *service, const struct caller *caller, const char *visitor_id,
		   size_t *claimed, struct error *err)
{
	int64_t until_ms = clock_mono_ms() + CLAIM_MS;
	size_t all = 0, taken = 0;
	bool more = true;

	for (; more; all += taken)
		if (clock_mono_ms() >= until_ms)
			return error_set(err, ERROR_OVERLOADED,
					 "There is more than can be taken along at once; ask "
					 "again for the rest.");
		else if (!store_threads_take(service->store, visitor_id, caller->user_id, STEP,
					     &taken, &more, err))
			return false;
	*claimed = all;
	return true;
}
