/*
 * unattended: an answer that nobody follows goes on, since its reader may come back; but one user
 * may not have any number of them running, for each costs money.
 */
#include "service_room.h"

#include "base/log.h"
#include <pthread.h>
#include <stdlib.h>

/* --- runs whose last follower has gone: to be looked after, off the engine's thread --- */

struct left {
	struct left *next;
	struct spool *spool;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all_left */
static struct left *all_left;

void unattended_add(struct spool *spool)
{
	struct left *one = malloc(sizeof *one);

	if (!one) {
		spool_unref(spool);
		return;
	}
	pthread_mutex_lock(&lock);
	*one = (struct left){ all_left, spool };
	all_left = one;
	pthread_mutex_unlock(&lock);
}

/* --- of one user --- */

struct unattended {
	char run_id[ID_MAX + 1];
	int64_t created_ms;
};

struct gather {
	const char *user_id;
	struct unattended *items;
	size_t count, room;
};

static void gather_one(void *ctx, const struct spool_record *record)
{
	struct gather *gather = ctx;
	struct unattended *items;

	if (record->status != STATUS_STREAMING || strcmp(record->user_id, gather->user_id) != 0)
		return;
	if (gather->count == gather->room) {
		gather->room = gather->room ? gather->room * 2 : 16;
		if (!(items = realloc(gather->items, gather->room * sizeof *items))) {
			gather->room = gather->count;
			return;
		}
		gather->items = items;
	}
	items = &gather->items[gather->count++];
	memcpy(items->run_id, record->run_id, sizeof items->run_id);
	items->created_ms = record->created_ms;
}

static bool is_unattended(struct service *service, const char *run_id)
{
	struct spool *spool = spool_open(service->spools, run_id, NULL);
	bool yes = spool && spool_record(spool)->status == STATUS_STREAMING &&
		   !spool_is_followed(spool);

	spool_unref(spool);
	return yes;
}

static int newest_first(const void *a, const void *b)
{
	const struct unattended *x = a, *y = b;

	if (x->created_ms != y->created_ms)
		return x->created_ms < y->created_ms ? 1 : -1;
	return strcmp(y->run_id, x->run_id);
}

static void check_user(struct service *service, const char *user_id)
{
	struct gather gather = { .user_id = user_id };
	int64_t allowed = service->config->unattended_max;

	spool_each(service->spools, gather_one, &gather);
	if ((int64_t)gather.count > allowed)
		qsort(gather.items, gather.count, sizeof *gather.items, newest_first);
	else
		gather.count = 0;
	for (size_t i = 0; i < gather.count; i++)
		if (is_unattended(service, gather.items[i].run_id) && allowed-- <= 0) {
			log_notice("run stopped: nobody follows it and its user has others",
				   LOG_T("run", gather.items[i].run_id));
			spool_ask_stop(service->spools, gather.items[i].run_id, NULL);
		}
	free(gather.items);
}

/* Many leave at once when a page or a web server goes: one look a user is enough. */
void unattended_look(struct service *service)
{
	struct left *one, *next;

	pthread_mutex_lock(&lock);
	one = all_left;
	all_left = NULL;
	pthread_mutex_unlock(&lock);
	for (; one; one = next) {
		const char *user_id = spool_record(one->spool)->user_id;

		next = one->next;
		if (!next || strcmp(spool_record(next->spool)->user_id, user_id) != 0)
			check_user(service, user_id);
		spool_unref(one->spool);
		free(one);
	}
}
