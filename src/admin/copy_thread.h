/* copy_thread: threads of one store put into another, and the two compared. Private to admin/. */
#ifndef ADMIN_COPY_THREAD_H
#define ADMIN_COPY_THREAD_H

#include "admin/place.h"
#include "admin/record.h"

struct pair {
	struct place *from, *to;
};

/* Threads and messages on their way: what was read is put when it is enough for a request. */
struct batch;
struct batch *batch_open(const struct pair *pair, struct error *err);
void batch_free(struct batch *batch);
/* thread has to live until it is put. One that is gone meanwhile is left out. *messages counts on.
 */
bool batch_add(struct batch *batch, const struct thread *thread, int64_t *messages,
	       struct error *err);
bool batch_put(struct batch *batch, struct error *err); /* all that waits */

/* All of a thread as each side has it; one that is gone there leaves its sum as it was. */
bool pair_sums(const struct pair *pair, const struct thread *from, const struct thread *to,
	       struct record_sum *source, struct record_sum *target, struct error *err);
/* Once more, as it stands at the source now, without what the target has besides. One that is gone
 * at the source stays as it is. */
bool pair_mend(const struct pair *pair, const char *thread_id, struct error *err);

#endif
