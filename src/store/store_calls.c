/*
 * store_calls: every call of a store goes through here: refused at once while it is down or no
 * place is free, else asked and looked at. An error's words for clients stand here alone.
 */
#include "store_front.h"

#include "base/clock.h"
#include "base/metrics.h"

#define LARGE (256 << 10) /* of a message: more than a question may have */

/* --- words for clients, here alone --- */

static const char *const not_found[] = {
	[THREAD] = "There is no such thread.",
	[MESSAGE] = "There is no such message in this thread.",
	[RUN] = "There is no such run.",
};

static const struct words {
	enum error_code code;
	int retry_after_s;
	const char *text;
} words[] = {
	{ ERROR_CONFLICT, 0, "This id exists already." },
	{ ERROR_PRECONDITION, 0, "The thread has changed meanwhile; read it again." },
	{ ERROR_NOT_SAVED, 1, "The answer is not saved yet; try again in a moment." },
	{ ERROR_STORE_DOWN, 1, "The store is unavailable; try again in a moment." },
	{ ERROR_STORE_FULL, 60, "The store has no room left; what is in it can be read." },
	{ ERROR_STORE_TIMEOUT, 0, "The store did not answer in time; it may be done or not." },
	{ ERROR_STORE, 0, "The store failed the request; the log says why." },
	{ ERROR_CORRUPT, 0, "What is stored there is damaged; the log says more." },
	{ ERROR_TOO_LARGE, 0,
	  "This is larger than the store keeps in one piece; make it shorter." },
	{ ERROR_OVERLOADED, 1,
	  "There is no memory for so much in one answer; ask for less, or try again in a moment." },
};

bool store_say(struct error *err, enum error_code code, enum store_subject subject)
{
	const struct words *w = words;

	if (code == ERROR_NOT_FOUND)
		return error_set(err, code, "%s", not_found[subject]);
	if (code == ERROR_ACCESS_DENIED)
		return error_denied(err);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (words[i].code == code)
			w = &words[i];
	error_set(err, code, "%s", w->code == code ? w->text : error_title(code));
	if (err && code == ERROR_CONFLICT)
		strcpy(err->field, "id");
	if (err && w->code == code)
		err->retry_after_s = w->retry_after_s;
	return false;
}

void store_count(enum error_code code)
{
	if (code == ERROR_STORE_DOWN)
		metrics_add(M_STORE_ERRORS, METRIC_STORE_down, 0, 1);
	else if (code == ERROR_STORE_TIMEOUT)
		metrics_add(M_STORE_ERRORS, METRIC_STORE_timeout, 0, 1);
	else if (code == ERROR_STORE_FULL)
		metrics_add(M_STORE_ERRORS, METRIC_STORE_full, 0, 1);
	else if (code == ERROR_STORE || code == ERROR_CORRUPT)
		metrics_add(M_STORE_ERRORS, METRIC_STORE_failed, 0, 1);
}

/* --- calls: refused at once while it is down or no place is free, else asked and looked at --- */

struct visit {
	struct store *store;
	int64_t began_ms;
	bool is_write, is_long;
};

/* The lines that a process kept through an outage are dead, and it has not noticed when another one
 * met it: one goes with a ping, and the driver with it lets go of all, before they cost a change
 * that may not be sent twice. */
static void renew_lines(struct store_core *core)
{
	struct error ignored;

	core->ops->ping(core->self, &ignored);
}

/* One that may last takes a place among its like, too. */
static bool enter_gates(struct visit *visit)
{
	if (visit->is_long && !gate_enter(&visit->store->core->long_calls))
		return false;
	if (gate_enter(&visit->store->gate))
		return true;
	if (visit->is_long)
		gate_leave(&visit->store->core->long_calls);
	return false;
}

static bool enter(struct visit *visit, struct error *err)
{
	if (mark_is_down(&visit->store->core->mark))
		return store_say(err, ERROR_STORE_DOWN, THREAD);
	if (enter_gates(visit)) {
		if (mark_came_back(&visit->store->core->mark))
			renew_lines(visit->store->core);
		visit->began_ms = clock_mono_ms();
		return true;
	}
	metrics_add(M_STORE_ERRORS, METRIC_STORE_busy, 0, 1);
	error_set(err, ERROR_OVERLOADED, "The store is busy; try again in a moment.");
	if (err)
		err->retry_after_s = 1;
	return false;
}

static bool leave(const struct visit *visit, enum error_code code, enum store_subject subject,
		  struct error *err)
{
	struct mark *mark = &visit->store->core->mark;

	gate_leave(&visit->store->gate);
	if (visit->is_long)
		gate_leave(&visit->store->core->long_calls);
	if (code == ERROR_STORE_DOWN)
		mark_down(mark, visit->began_ms, code);
	if (visit->is_write && (code == ERROR_NONE || code == ERROR_STORE_FULL))
		mark_full(mark, code == ERROR_STORE_FULL);
	store_count(code);
	return code == ERROR_NONE || store_say(err, code, subject);
}

#define CALL(writes, lasts, subject, op, ...)                                                      \
	struct visit visit = { .store = store, .is_write = (writes), .is_long = (lasts) };         \
	return enter(&visit, err) &&                                                               \
	       leave(&visit, store->core->ops->op(store->core->self, __VA_ARGS__), subject, err)
#define ASK(...)  CALL(false, false, __VA_ARGS__)
#define TELL(...) CALL(true, false, __VA_ARGS__)

bool store_thread_insert(struct store *store, const struct thread *thread, struct error *err)
{
	TELL(THREAD, thread_insert, thread);
}

bool store_thread_get(struct store *store, const char *owner, const char *id, struct arena *arena,
		      struct thread *out, struct error *err)
{
	ASK(THREAD, thread_get, owner, id, arena, out);
}

static bool list_threads(struct store *store, const struct thread_page *page, struct arena *arena,
			 struct thread_list *out, struct error *err)
{
	CALL(false, page->q != NULL, THREAD, thread_list, page, arena, out);
}

bool store_thread_list(struct store *store, const struct thread_filter *filter, struct arena *arena,
		       struct thread_list *out, struct error *err)
{
	struct thread_page page = { .user_id = filter->owner ? filter->owner : filter->user_id,
				    .archived = filter->archived,
				    .q = filter->q,
				    .limit = filter->limit,
				    .taker = filter->taker };

	if (filter->cursor && !store_cursor_read(filter->cursor, &page))
		return error_field(err, ERROR_VALIDATION, "cursor",
				   "This cursor is not one of ours.");
	return list_threads(store, &page, arena, out, err) &&
	       (store_tell_threads(filter->taker, out) == ERROR_NONE ||
		store_say(err, ERROR_OVERLOADED, THREAD));
}

bool store_thread_update(struct store *store, const char *owner, const char *id,
			 const struct thread_patch *patch, struct arena *arena, struct thread *out,
			 struct error *err)
{
	TELL(THREAD, thread_update, owner, id, patch, arena, out);
}

bool store_thread_delete(struct store *store, const char *owner, const char *id,
			 struct arena *arena, struct thread_deleted *out, struct error *err)
{
	TELL(THREAD, thread_delete, owner, id, arena, out);
}

bool store_thread_purge(struct store *store, const char *id, size_t limit, bool *more,
			struct error *err)
{
	TELL(THREAD, thread_purge, id, limit, more);
}

bool store_threads_take(struct store *store, const char *from, const char *to, size_t limit,
			size_t *taken, bool *more, struct error *err)
{
	TELL(THREAD, threads_take, from, to, limit, taken, more);
}

bool store_messages_add(struct store *store, const char *owner, const char *thread_id,
			struct message *messages, size_t count, struct error *err)
{
	CALL(true, count > 0 && messages[0].content.len > LARGE, THREAD, messages_add, owner,
	     thread_id, messages, count);
}

bool store_message_get(struct store *store, const char *owner, const char *thread_id,
		       const char *id, struct arena *arena, struct message *out, struct error *err)
{
	ASK(MESSAGE, message_get, owner, thread_id, id, arena, out);
}

bool store_message_by_run(struct store *store, const char *owner, const char *run_id,
			  struct arena *arena, struct message *out, struct error *err)
{
	ASK(RUN, message_by_run, owner, run_id, arena, out);
}

static bool list_messages(struct store *store, const struct message_filter *filter,
			  struct arena *arena, struct message_list *out, struct error *err)
{
	ASK(THREAD, message_list, filter, arena, out);
}

bool store_message_list(struct store *store, const struct message_filter *filter,
			struct arena *arena, struct message_list *out, struct error *err)
{
	struct error mine = { 0 };
	bool ok = list_messages(store, filter, arena, out, &mine);

	if (mine.code == ERROR_VALIDATION)
		error_field(&mine, mine.code, filter->after ? "after" : "before", "%s",
			    not_found[MESSAGE]);
	if (ok && store_tell_messages(filter, out) != ERROR_NONE)
		ok = store_say(&mine, ERROR_OVERLOADED, THREAD);
	if (!ok && err)
		*err = mine;
	return ok;
}

bool store_message_update(struct store *store, const char *owner, const char *thread_id,
			  const char *id, const struct message_patch *patch, struct arena *arena,
			  struct message *out, struct error *err)
{
	CALL(true, patch->content.len > LARGE, MESSAGE, message_update, owner, thread_id, id, patch,
	     arena, out);
}

bool store_runs_of(struct store *store, const char *owner, const char *thread_id, size_t limit,
		   struct arena *arena, struct message_list *out, struct error *err)
{
	ASK(THREAD, runs_of, owner, thread_id, limit, arena, out);
}

bool store_turn_find(struct store *store, const char *owner, const char *thread_id,
		     const char *answer_id, const char *key_or_null, struct arena *arena,
		     struct message *answer, struct error *err)
{
	ASK(MESSAGE, turn_find, owner, thread_id, answer_id, key_or_null, arena, answer);
}

bool store_turn_open(struct store *store, const struct turn_open *open, struct arena *arena,
		     struct turn_opened *out, struct error *err)
{
	TELL(THREAD, turn_open, open, arena, out);
}

bool store_finish(struct store *store, const struct finish *finish, bool *applied,
		  struct error *err)
{
	TELL(RUN, finish, finish, applied);
}

bool store_node_beat(struct store *store, const char *node, int64_t *now_ms, struct error *err)
{
	TELL(RUN, node_beat, node, now_ms);
}

bool store_claims_of_dead(struct store *store, int64_t silent_ms, size_t limit, struct arena *arena,
			  struct claim_list *out, struct error *err)
{
	ASK(RUN, claims_of_dead, silent_ms, limit, arena, out);
}

bool store_sweep(struct store *store, int64_t silent_ms, int64_t deleted_ms, size_t limit,
		 bool *more, struct error *err)
{
	TELL(THREAD, sweep, silent_ms, deleted_ms, limit, more);
}

bool store_stop_ask(struct store *store, const char *owner, const char *run_id, struct error *err)
{
	TELL(RUN, stop_ask, owner, run_id);
}

bool store_stops_of(struct store *store, const char *node, struct arena *arena,
		    struct claim_list *out, struct error *err)
{
	ASK(RUN, stops_of, node, arena, out);
}

bool store_thread_scan(struct store *store, const char *after, size_t limit, struct arena *arena,
		       struct thread_list *out, struct error *err)
{
	ASK(THREAD, thread_scan, after, limit, arena, out);
}

bool store_threads_put(struct store *store, const struct thread *threads, size_t count,
		       struct error *err)
{
	TELL(THREAD, threads_put, threads, count);
}

bool store_messages_put(struct store *store, const struct message *messages, size_t count,
			struct error *err)
{
	TELL(THREAD, messages_put, messages, count);
}

bool store_messages_drop(struct store *store, const char *thread_id, const char *const *ids,
			 size_t count, struct error *err)
{
	TELL(THREAD, messages_drop, thread_id, ids, count);
}

bool store_counts(struct store *store, const char *user_id, struct store_counts *out,
		  struct error *err)
{
	ASK(THREAD, counts, user_id, out);
}

static bool migrate(struct store *store, struct error *own, struct error *err)
{
	TELL(THREAD, migrate, own);
}

/* Its own words where it has some. */
bool store_migrate(struct store *store, struct error *err)
{
	struct error own = { 0 };
	bool ok = migrate(store, &own, err);

	if (!ok && err && own.code == err->code)
		*err = own;
	return ok;
}

bool store_version(struct store *store, struct store_version *out, struct error *err)
{
	ASK(THREAD, version, out);
}
