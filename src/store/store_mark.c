/* store_mark: whoever of the pool changes a mark says so; the others keep silent. */
#include "store_mark.h"

#include "base/clock.h"
#include "base/log.h"

#define PROBE_EVERY_MS 500

void mark_init(struct mark *mark, const char *kind, struct shm *shm)
{
	*mark = (struct mark){ .kind = kind };
	mark->down_since_ms = shm ? &shm->store_down_since_ms : &mark->own[0];
	mark->up_ms = shm ? &shm->store_up_ms : &mark->own[1];
	mark->full_since_ms = shm ? &shm->store_full_since_ms : &mark->own[2];
	mark->probe_ms = shm ? &shm->store_probe_ms : &mark->own[3];
	mark->returns = shm ? &shm->store_returns : &mark->own[4];
	atomic_store(&mark->seen, atomic_load(mark->returns));
}

bool mark_is_down(const struct mark *mark)
{
	return atomic_load(mark->down_since_ms) != 0;
}

bool mark_is_full(const struct mark *mark)
{
	return atomic_load(mark->full_since_ms) != 0;
}

void mark_down(struct mark *mark, int64_t began_ms, enum error_code why)
{
	int64_t up = 0;

	if (began_ms >= atomic_load(mark->up_ms) &&
	    atomic_compare_exchange_strong(mark->down_since_ms, &up, clock_mono_ms()))
		log_error("store down", LOG_T("store", mark->kind),
			  LOG_T("reason", error_word(why)));
}

void mark_up(struct mark *mark, int64_t began_ms)
{
	int64_t last_ms = atomic_load(mark->up_ms), since_ms;

	while (last_ms < began_ms && !atomic_compare_exchange_weak(mark->up_ms, &last_ms, began_ms))
		;
	if (mark_is_down(mark)) /* counted first: who sees it up sees this */
		atomic_fetch_add(mark->returns, 1);
	since_ms = atomic_exchange(mark->down_since_ms, 0);
	if (since_ms != 0)
		log_notice("store is back", LOG_T("store", mark->kind),
			   LOG_I("down_ms", clock_mono_ms() - since_ms));
}

bool mark_came_back(struct mark *mark)
{
	int64_t returns = atomic_load(mark->returns);

	return atomic_load(&mark->seen) != returns &&
	       atomic_exchange(&mark->seen, returns) != returns;
}

void mark_full(struct mark *mark, bool is_full)
{
	int64_t room = 0, since_ms;

	if (is_full) {
		if (atomic_compare_exchange_strong(mark->full_since_ms, &room, clock_mono_ms()))
			log_error("store full: nothing can be saved", LOG_T("store", mark->kind));
	} else if (mark_is_full(mark) &&
		   (since_ms = atomic_exchange(mark->full_since_ms, 0)) != 0) {
		log_notice("store has room again", LOG_T("store", mark->kind),
			   LOG_I("full_ms", clock_mono_ms() - since_ms));
	}
}

bool mark_may_probe(struct mark *mark)
{
	int64_t now_ms = clock_mono_ms(), last_ms = atomic_load(mark->probe_ms);

	return now_ms - last_ms >= PROBE_EVERY_MS &&
	       atomic_compare_exchange_strong(mark->probe_ms, &last_ms, now_ms);
}
