/* firestore_claim: how a run lets go of its thread: its end, the wish that it stop, what the dead
 * left. A deleted thread's mark keeps the claim. */
#include "firestore_room.h"

#include "base/clock.h"

/* --- the end of a run --- */

struct ending {
	const struct finish *finish;
	struct firestore_long text;
	bool applied;
};

enum { THREAD, MARK, MESSAGE, NAMES = MESSAGE + 2 };

static bool is_ours(const struct firestore_document *message, const struct finish *finish)
{
	struct slice status;

	if (!message || !slice_is(firestore_text(message->fields, "run_id"), finish->run_id))
		return false;
	status = firestore_text(message->fields, "status");
	return slice_is(status, message_status_text(STATUS_STREAMING)) ||
	       (!finish->if_streaming && slice_is(status, message_status_text(STATUS_INTERRUPTED)));
}

static enum error_code write_end(struct firestore_op *op, struct ending *e,
				 const struct firestore_document *message)
{
	const struct finish *finish = e->finish;

	firestore_write(op, FS_MESSAGES, e->text.document_id);
	firestore_put_content(op, &e->text);
	firestore_put_text(op, "status", message_status_text(finish->status));
	firestore_put_text(op, "finish_reason", finish->finish_reason);
	firestore_put_text(op, "model", finish->model);
	firestore_put_usage(op, &finish->usage);
	if (finish->unasked)
		firestore_put_bool(op, "unasked", true);
	firestore_put_time(op, "updated_at", clock_wall_ms());
	firestore_written_over(op, message, FS_ANSWER_GONE);
	firestore_parts_delete(op, e->text.document_id, message->fields);
	return ERROR_NONE;
}

/* The claim of this run, on a thread or on a mark. */
static bool is_claim(const struct firestore_document *document, const char *run_id, bool *stop)
{
	const struct firestore_json *run =
		firestore_member(firestore_member(document->fields, "run"), "mapValue");

	run = firestore_member(run, "fields");
	*stop = firestore_has(run, "stop");
	return slice_is(firestore_text(run, "id"), run_id);
}

static void clear_claim(struct firestore_op *op, const struct firestore_document found[NAMES],
			const char *run_id)
{
	bool stop = false;

	if (is_claim(&found[THREAD], run_id, &stop)) {
		firestore_write(op, FS_THREADS, found[THREAD].id.ptr);
		firestore_put_int(op, "rev", firestore_int(found[THREAD].fields, "rev") + 1);
		firestore_written_over(op, &found[THREAD], "run");
	} else if (is_claim(&found[MARK], run_id, &stop)) {
		firestore_write(op, FS_DELETED, found[MARK].id.ptr);
		firestore_written_over(op, &found[MARK], "run");
	}
	if (stop)
		firestore_delete(op, FS_STOPS, firestore_id(op, run_id), NULL);
}

static enum error_code end_run(struct firestore_op *op, void *arg)
{
	struct ending *e = arg;
	const struct finish *finish = e->finish;
	const char *thread_id = firestore_id(op, finish->thread_id);
	struct firestore_name names[NAMES] = {
		[THREAD] = { FS_THREADS, thread_id }, [MARK] = { FS_DELETED, thread_id }
	};
	const struct firestore_document *message;
	struct firestore_document found[NAMES];
	enum error_code code;

	firestore_message_names(op, finish->thread_id, finish->message_id, &names[MESSAGE]);
	code = firestore_get(op, names, NAMES, NULL, found);
	if (code != ERROR_NONE)
		return code;
	message = firestore_pick(&found[MESSAGE], finish->thread_id);
	e->applied = is_ours(message, finish);
	if (e->applied) {
		e->text.thread_id = finish->thread_id;
		e->text.document_id = arena_copy(&op->arena, message->id);
		e->text.content = finish->content;
		code = e->text.document_id ? firestore_long_put(op, &e->text) : ERROR_OVERLOADED;
	}
	if (code != ERROR_NONE)
		return code;
	firestore_body(op);
	if (e->applied)
		write_end(op, e, message);
	clear_claim(op, found, finish->run_id);
	return op->writes > 0 ? firestore_commit(op, NULL) : ERROR_NONE;
}

enum error_code firestore_finish(void *self, const struct finish *finish, bool *applied)
{
	struct ending e = { .finish = finish };
	enum error_code code = firestore_do(self, end_run, &e);

	if (code == ERROR_NONE && applied)
		*applied = e.applied;
	return code;
}

/* --- lists of claims --- */

struct claims {
	const char *node;
	size_t limit;
	struct arena *arena;
	struct claim_list list;
};

/* thread_id NULL: the document is the thread's, or its mark. */
static enum error_code add_claim(struct claims *c, const struct firestore_document *document,
				 const char *thread_id)
{
	struct firestore_taker t = { document->fields, c->arena, false };
	struct run_ref run = firestore_take_run(&t, NULL);

	if (t.bad || !run.id)
		return ERROR_NONE; /* none of ours */
	if (!thread_id)
		thread_id = arena_copy(c->arena, firestore_id_of(document->id, NULL));
	c->list.items = store_grow(c->arena, c->list.items, c->list.count, sizeof *c->list.items);
	if (!c->list.items)
		return ERROR_OVERLOADED;
	c->list.items[c->list.count++] = (struct held_claim){ thread_id, run };
	return store_fits(c->arena);
}

static enum error_code add_found(struct firestore_op *op, struct claims *c,
				 enum firestore_query_id id)
{
	const struct firestore_find find = {
		id, { FS_TEXT(c->node) }, c->limit - c->list.count, NULL, NULL
	};
	struct firestore_found found;
	enum error_code code = firestore_find(op, &find, &found);

	for (size_t i = 0; code == ERROR_NONE && i < found.count; i++) {
		struct slice thread = firestore_text(found.items[i].fields, "thread_id");

		code = add_claim(c, &found.items[i],
				 id == FQ_STOPS_OF_NODE ? arena_copy(c->arena, thread) : NULL);
	}
	return code;
}

static enum error_code claims_of_node(struct firestore_op *op, void *arg)
{
	struct claims *c = arg;
	enum error_code code = add_found(op, c, FQ_CLAIMS_OF_NODE);

	return code == ERROR_NONE && c->list.count < c->limit ? add_found(op, c, FQ_MARKS_OF_NODE)
							      : code;
}

struct dead {
	int64_t silent_ms;
	struct claims claims;
};

static enum error_code claims_of_dead(struct firestore_op *op, void *arg)
{
	struct dead *dead = arg;
	struct claims *c = &dead->claims;
	const char **names;
	size_t count;
	enum error_code code = firestore_nodes_silent(op, dead->silent_ms, &names, &count);

	c->list = (struct claim_list){ 0 };
	for (size_t i = 0; code == ERROR_NONE && i < count && c->list.count < c->limit; i++) {
		c->node = names[i];
		code = firestore_part_of(op, claims_of_node, c);
	}
	return code;
}

enum error_code firestore_claims_of_dead(void *self, int64_t silent_ms, size_t limit,
					 struct arena *arena, struct claim_list *out)
{
	struct dead dead = { silent_ms, { .limit = limit, .arena = arena } };
	enum error_code code = firestore_do(self, claims_of_dead, &dead);

	if (code == ERROR_NONE)
		*out = dead.claims.list;
	return code;
}

/* Does the node hold any? */
enum error_code firestore_holds_claim(struct firestore_op *op, const char *node, bool *holds)
{
	struct claims c = { .node = node, .limit = 1, .arena = &op->arena };
	enum error_code code = firestore_part_of(op, claims_of_node, &c);

	*holds = c.list.count > 0;
	return code;
}

/* --- wishes --- */

/* On the claim, so that its end takes the wish along; and in a collection where the node looks. */
void firestore_wish(struct firestore_op *op, const char *thread_id, const struct run_ref *run)
{
	firestore_write(op, FS_STOPS, firestore_id(op, run->id));
	firestore_put_text(op, "thread_id", thread_id);
	firestore_put_run(op, run, true);
	firestore_written(op, &(struct firestore_end){ .when = FS_ANY });
}

struct wish {
	const char *owner, *run_id;
};

static enum error_code ask_to_stop(struct firestore_op *op, void *arg)
{
	const struct wish *wish = arg;
	const struct firestore_find find = {
		FQ_CLAIM_OF_RUN, { FS_TEXT(wish->run_id) }, 1, NULL, NULL
	};
	struct firestore_thread thread = { 0 };
	struct firestore_found found;
	enum error_code code = firestore_find(op, &find, &found);

	if (code == ERROR_NONE && found.count == 0)
		code = ERROR_NOT_FOUND;
	if (code == ERROR_NONE)
		code = firestore_thread_of(&found.items[0], wish->owner, &op->arena, &thread);
	if (code != ERROR_NONE || thread.run_stop)
		return code;
	firestore_body(op);
	firestore_write(op, FS_THREADS, firestore_id(op, thread.thread.id));
	firestore_put_run(op, &thread.thread.run, true);
	firestore_written_over(op, &thread.document, "");
	firestore_wish(op, thread.thread.id, &thread.thread.run);
	return firestore_commit(op, NULL);
}

enum error_code firestore_stop_ask(void *self, const char *owner, const char *run_id)
{
	struct wish wish = { owner, run_id };

	return firestore_do(self, ask_to_stop, &wish);
}

static enum error_code stops_of(struct firestore_op *op, void *arg)
{
	struct claims *c = arg;

	c->list = (struct claim_list){ 0 };
	return add_found(op, c, FQ_STOPS_OF_NODE);
}

enum error_code firestore_stops_of(void *self, const char *node, struct arena *arena,
				   struct claim_list *out)
{
	struct claims c = { .node = node, .limit = CLAIMS_MAX, .arena = arena };
	enum error_code code = firestore_do(self, stops_of, &c);

	if (code == ERROR_NONE)
		*out = c.list;
	return code;
}
