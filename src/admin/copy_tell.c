/* copy_tell: how far a copy is, for who watches; pages and rounds both say it. */
#include "copy_room.h"

void copy_begin(struct copy *copy, const char *doing, int64_t whole)
{
	copy->doing = doing;
	copy->whole = whole;
	atomic_store(&copy->done, 0);
	atomic_store(&copy->messages, 0);
}

void copy_tell(struct copy *copy)
{
	const struct watch *watch = copy->pair.from->watch;
	const struct watch_step step = { .doing = copy->doing,
					 .done = atomic_load(&copy->done),
					 .whole = copy->whole,
					 .unit = "threads",
					 .messages = atomic_load(&copy->messages) };

	watch->step(watch->ctx, &step);
}
