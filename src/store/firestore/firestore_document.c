/*
 * firestore_document: threads and messages as documents. What c1d needs besides the documented
 * fields has a meaning when it is not there, so that what others wrote can be read; what is damaged
 * is said to be, never guessed.
 */
#include "firestore_room.h"

#include "base/id.h"
#include "base/log.h"

static enum error_code taken(const struct firestore_taker *t,
			     const struct firestore_document *document, const char *what)
{
	if (!t->bad)
		return store_fits(t->arena);
	log_warn("A document of Firestore is damaged", LOG_T("collection", what),
		 LOG_S("id", document->id));
	return ERROR_CORRUPT;
}

/* --- threads --- */

void firestore_put_thread(struct firestore_op *op, const struct thread *thread)
{
	firestore_put_text(op, "user_id", thread->user_id);
	firestore_put_text(op, "title", thread->title);
	firestore_put_time(op, "created_at", thread->created_ms);
	firestore_put_time(op, "updated_at", thread->updated_ms);
	firestore_put_int(op, "rev", thread->rev);
	firestore_put_bool(op, "archived", thread->archived);
	firestore_put_text(op, "metadata", thread->metadata);
}

struct run_ref firestore_take_run(struct firestore_taker *t, bool *stop)
{
	struct firestore_taker inner = { firestore_take_map(t, "run"), t->arena, false };
	struct run_ref run = { 0 };

	if (!inner.fields)
		return run;
	run.id = firestore_take_text(&inner, "id", true);
	run.message_id = firestore_take_text(&inner, "message_id", true);
	run.node = firestore_take_text(&inner, "node", true);
	if (stop)
		*stop = firestore_take_bool(&inner, "stop");
	t->bad = t->bad || inner.bad;
	return run;
}

/* An id that a client could not name would be of no use. */
static const char *take_id(struct firestore_taker *t, struct slice document_id,
			   const char *thread_id)
{
	struct slice id = firestore_id_of(document_id, thread_id);

	t->bad = t->bad || !id_valid(id);
	return arena_copy(t->arena, id);
}

/* The time when its messages were numbered last is as the server wrote it, to the nanosecond. */
static bool is_touched(const struct firestore_json *fields)
{
	return !slice_equal(firestore_timestamp(fields, "numbered_at"),
			    firestore_timestamp(fields, "updated_at"));
}

enum error_code firestore_take_thread(const struct firestore_document *document,
				      struct arena *arena, struct firestore_thread *out)
{
	struct firestore_taker t = { document->fields, arena, false };
	struct firestore_thread thread = { .document = *document };
	int64_t created_ms = INT64_MIN;
	enum error_code code;

	firestore_time_read(document->create_time, &created_ms);
	created_ms = firestore_take_time(&t, "created_at", created_ms);
	thread.thread = (struct thread){
		.id = take_id(&t, document->id, NULL),
		.user_id = firestore_take_text(&t, "user_id", true),
		.title = firestore_take_text(&t, "title", false),
		.created_ms = created_ms,
		.updated_ms = firestore_take_time(&t, "updated_at", created_ms),
		.rev = firestore_take_int(&t, "rev", 0),
		.archived = firestore_take_bool(&t, "archived"),
		.run = firestore_take_run(&t, &thread.run_stop),
		.metadata = firestore_take_object(&t, "metadata"),
	};
	if (!thread.thread.title)
		thread.thread.title = "";
	thread.last = firestore_take_int(&t, "last", -1);
	thread.is_foreign = firestore_take_bool(&t, "shared");
	thread.is_touched = is_touched(document->fields);
	code = taken(&t, document, firestore_collections[FS_THREADS]);
	if (code == ERROR_NONE)
		*out = thread;
	return code;
}

/* --- messages --- */

void firestore_put_usage(struct firestore_op *op, const struct usage *usage)
{
	firestore_put_count(op, "input_tokens", usage->input);
	firestore_put_count(op, "output_tokens", usage->output);
	firestore_put_count(op, "total_tokens", usage->total);
}

void firestore_put_message(struct firestore_op *op, const struct message *message)
{
	firestore_put_text(op, "thread_id", message->thread_id);
	firestore_put_int(op, "seq", message->seq);
	firestore_put_text(op, "role", message_role_text(message->role));
	firestore_put_text(op, "status", message_status_text(message->status));
	firestore_put_text(op, "run_id", message->run_id);
	firestore_put_text(op, "parent_id", message->parent_id);
	firestore_put_text(op, "key", message->key);
	firestore_put_text(op, "question", message->question);
	firestore_put_text(op, "model", message->model);
	firestore_put_text(op, "finish_reason", message->finish_reason);
	firestore_put_usage(op, &message->usage);
	if (message->unasked)
		firestore_put_bool(op, "unasked", true);
	firestore_put_text(op, "feedback", message->feedback);
	firestore_put_text(op, "metadata", message->metadata);
	firestore_put_time(op, "created_at", message->created_ms);
	firestore_put_time(op, "updated_at", message->updated_ms);
}

/* Whose message is not said to stand in any way is whole. */
static enum message_status take_status(struct firestore_taker *t)
{
	struct slice text = firestore_text(t->fields, "status");
	enum message_status status = STATUS_COMPLETE;

	t->bad = t->bad ||
		 (firestore_has(t->fields, "status") && !message_status_parse(text, &status));
	return status;
}

static enum message_role take_role(struct firestore_taker *t)
{
	enum message_role role = ROLE_USER;

	t->bad = t->bad || !message_role_parse(firestore_text(t->fields, "role"), &role);
	return role;
}

static struct firestore_parts take_parts(struct firestore_taker *t, size_t content)
{
	struct firestore_parts parts = {
		.count = firestore_take_int(t, "parts", 0),
		.set = firestore_take_text(t, "parts_of", false),
		.size = firestore_take_int(t, "size", (int64_t)content),
	};

	t->bad = t->bad || parts.count < 0 || parts.count > FS_PARTS_MAX || parts.size < 0 ||
		 (parts.count > 0) != (parts.set != NULL);
	return parts;
}

/* Without its content, where that was not selected. */
enum error_code firestore_take_message(const struct firestore_document *document,
				       struct arena *arena, struct message *out,
				       struct firestore_parts *parts)
{
	struct firestore_taker t = { document->fields, arena, false };
	int64_t created_ms = firestore_take_time(&t, "created_at", INT64_MIN);
	struct message message = {
		.thread_id = firestore_take_text(&t, "thread_id", true),
		.seq = firestore_take_int(&t, "seq", 0),
		.role = take_role(&t),
		.status = take_status(&t),
		.content = firestore_take_slice(&t, "content", parts != NULL),
		.run_id = firestore_take_text(&t, "run_id", false),
		.parent_id = firestore_take_text(&t, "parent_id", false),
		.key = firestore_take_text(&t, "key", false),
		.question = firestore_take_text(&t, "question", false),
		.model = firestore_take_text(&t, "model", false),
		.finish_reason = firestore_take_text(&t, "finish_reason", false),
		.usage = { firestore_take_int(&t, "input_tokens", -1),
			   firestore_take_int(&t, "output_tokens", -1),
			   firestore_take_int(&t, "total_tokens", -1) },
		.unasked = firestore_take_bool(&t, "unasked"),
		.feedback = firestore_take_object(&t, "feedback"),
		.metadata = firestore_take_object(&t, "metadata"),
		.created_ms = created_ms,
		.updated_ms = firestore_take_time(&t, "updated_at", created_ms),
	};
	struct firestore_parts where = take_parts(&t, message.content.len);
	enum error_code code;

	if (message.thread_id)
		message.id = take_id(&t, document->id, message.thread_id);
	if (!parts)
		message.content.len = (size_t)where.size;
	code = taken(&t, document, firestore_collections[FS_MESSAGES]);
	if (code == ERROR_NONE && parts)
		*parts = where;
	if (code == ERROR_NONE)
		*out = message;
	return code;
}
