/*
 * store_ops: what a store implements. store.c keeps the mark of a store that is down, counts
 * errors, and is the only caller. Meanings and errors are those of store/store.h; `self` is the
 * maker's.
 */
#ifndef STORE_OPS_H
#define STORE_OPS_H

#include "store/store.h"

struct store_ops {
	const char *kind;
	bool (*ping)(void *self, struct error *err);
	void (*free)(void *self);
	bool (*thread_insert)(void *self, const struct thread *thread, struct error *err);
	bool (*thread_get)(void *self, const char *id, struct arena *arena, struct thread *out,
			   struct error *err);
	bool (*thread_list)(void *self, const struct thread_filter *filter, struct arena *arena,
			    struct thread_list *out, struct error *err);
	bool (*thread_update)(void *self, const char *id, const struct thread_patch *patch,
			      struct arena *arena, struct thread *out, struct error *err);
	bool (*thread_delete)(void *self, const char *id, int64_t now_ms, struct error *err);
	bool (*claim)(void *self, const struct claim *claim, struct arena *arena,
		      struct claim_result *out, struct error *err);
	bool (*claim_release)(void *self, const char *thread_id, const char *run_id,
			      struct error *err);
	bool (*next_seq)(void *self, const char *thread_id, int64_t now_ms, int64_t *out,
			 struct error *err);
	bool (*message_insert)(void *self, const struct message *messages, size_t count,
			       struct error *err);
	bool (*message_get)(void *self, const char *thread_id, const char *id, struct arena *arena,
			    struct message *out, struct error *err);
	bool (*message_by_run)(void *self, const char *run_id, struct arena *arena,
			       struct message *out, struct error *err);
	bool (*message_by_key)(void *self, const char *thread_id, const char *key,
			       struct arena *arena, struct message *out, struct error *err);
	bool (*message_list)(void *self, const struct message_filter *filter, struct arena *arena,
			     struct message_list *out, struct error *err);
	bool (*message_update)(void *self, const char *thread_id, const char *id,
			       const struct message_patch *patch, struct arena *arena,
			       struct message *out, struct error *err);
	bool (*finish)(void *self, const struct finish *finish, bool *applied, struct error *err);
	bool (*node_beat)(void *self, const char *node, int64_t now_ms, struct error *err);
	bool (*claims_of_dead)(void *self, int64_t seen_before_ms, size_t limit,
			       struct arena *arena, struct claim_list *out, struct error *err);
	bool (*sweep)(void *self, int64_t seen_before_ms, int64_t deleted_before_ms,
		      struct error *err);
};

/* Makers. The address part of the URI is theirs to read. */
void *store_mongo_open(const char *uri, const struct store_ops **ops, struct error *err);
bool store_mongo_check(const char *uri, struct error *err);
void *store_sqlite_open(const char *uri, const struct store_ops **ops, struct error *err);
bool store_sqlite_check(const char *uri, struct error *err);
bool store_mongo_try_write(const char *uri, const char **how, struct error *err);
bool store_sqlite_try_write(const char *uri, const char **how, struct error *err);

#endif
