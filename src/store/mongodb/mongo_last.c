/*
 * mongo_last: the last message of a thread that this process has added to, so that the next one
 * need not ask for it. It holds for one rev of the thread: whoever adds to a thread changes that
 * first, so nobody came in between. Should it be wrong in spite of that, the unique index refuses.
 */
#include "mongo_room.h"

#include "base/table.h"
#include <stdio.h>

static struct mongo_last *place_of(struct mongo *mongo, const char *thread_id)
{
	return &mongo->lasts[table_hash_text(thread_id) % MONGO_LASTS];
}

bool mongo_last_known(struct mongo *mongo, const char *thread_id, int64_t rev, int64_t *seq,
		      char id[ID_MAX + 1])
{
	const struct mongo_last *last = place_of(mongo, thread_id);
	bool is_it;

	*seq = 0;
	*id = '\0';
	if (rev == 0) /* nothing was ever said */
		return true;
	pthread_mutex_lock(&mongo->lock);
	is_it = last->rev == rev && strcmp(last->thread_id, thread_id) == 0;
	if (is_it) {
		*seq = last->seq;
		memcpy(id, last->id, sizeof last->id);
	}
	pthread_mutex_unlock(&mongo->lock);
	return is_it;
}

void mongo_last_note(struct mongo *mongo, int64_t rev, const struct message *message)
{
	struct mongo_last *last = place_of(mongo, message->thread_id);

	pthread_mutex_lock(&mongo->lock);
	last->rev = rev;
	last->seq = message->seq;
	snprintf(last->thread_id, sizeof last->thread_id, "%s", message->thread_id);
	snprintf(last->id, sizeof last->id, "%s", message->id);
	pthread_mutex_unlock(&mongo->lock);
}
