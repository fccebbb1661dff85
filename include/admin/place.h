/*
 * place: a store as long work sees it: a call that fails for a moment (down, too slow, busy) is
 * made again for a minute before the work gives up, for each of these may be repeated. Any thread.
 */
#ifndef ADMIN_PLACE_H
#define ADMIN_PLACE_H

#include "admin/watch.h"
#include "store/store.h"
#include <stdatomic.h>

#define PLACE_PATIENCE_MS 60000
#define PLACE_NAME_SIZE   128

enum place_for {
	PLACE_READ,  /* it has to be there; no cache stands before it */
	PLACE_WRITE, /* it has to be there; what caches hold of it is known to be changed */
	PLACE_MAKE,  /* the same, and it is made where it is not there */
};

struct place {
	struct store *store;
	struct config config; /* that it was opened with; what it points to is another's */
	const struct watch *watch;
	char name[PLACE_NAME_SIZE]; /* its address for people: no user, password or query */
	_Atomic size_t step;        /* messages a request, as many as it takes in time */
};

/* A cache is of the settings' store alone, and holds nothing of another one. ERROR_NOT_FOUND: it
 * would have to be made; ERROR_CONFIG: the address; ERROR_STORE_DOWN: it cannot be reached. config
 * has to outlive it. */
bool place_open(struct place *place, const char *uri, const struct config *config,
		enum place_for what, const struct watch *watch, struct error *err);
void place_close(struct place *place); /* a zeroed one is fine */

/* store.h tells of each. The arenas are the call's alone: a repetition begins with an empty one. */
bool place_scan(struct place *place, const char *after, size_t limit, struct arena *arena,
		struct thread_list *out, struct error *err);
/* ERROR_NOT_FOUND: it is gone. */
bool place_thread(struct place *place, const char *id, struct arena *arena, struct thread *out,
		  struct error *err);
bool place_list(struct place *place, const struct thread_filter *filter, struct arena *arena,
		struct thread_list *out, struct error *err);
/* Of a thread, oldest first, behind `after` (NULL: from the first); 4 MiB of content a page, but
 * one message in any case. ERROR_NOT_FOUND: it is gone. */
bool place_messages(struct place *place, const char *thread_id, const char *after,
		    struct arena *arena, struct message_list *out, struct error *err);
bool place_counts(struct place *place, const char *user_id, struct store_counts *out,
		  struct error *err);
bool place_put(struct place *place, const struct thread *threads, size_t thread_count,
	       const struct message *messages, size_t message_count, struct error *err);
bool place_drop(struct place *place, const char *thread_id, const char *const *ids, size_t count,
		struct error *err);
/* A thread with all its messages. One that is not there is fine: *was_there (may be NULL). */
bool place_delete(struct place *place, const char *thread_id, bool *was_there,
		  void (*gone)(void *ctx, const struct thread_deleted *deleted), void *ctx,
		  struct error *err);

#endif
