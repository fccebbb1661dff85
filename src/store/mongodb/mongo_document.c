/* mongo_document: documents as MongoDB keeps them. What was damaged there is said to be,
 * never guessed. */
#include "mongo_room.h"

#include <stdio.h>

void mongo_message_key(const char *thread_id, const char *id, char out[MONGO_KEY_SIZE])
{
	snprintf(out, MONGO_KEY_SIZE, "%s/%s", thread_id, id);
}

void mongo_put_text(bson_t *document, const char *key, const char *text)
{
	if (text)
		BSON_APPEND_UTF8(document, key, text);
	else
		BSON_APPEND_NULL(document, key);
}

/* --- taking: each field by its type, else the row is bad --- */

struct taker {
	const bson_t *document;
	struct store_row row;
};

/* Absent and null are both NULL. */
static struct slice text_of(struct taker *t, const char *key)
{
	struct slice text = { NULL, 0 };
	bson_iter_t it;
	uint32_t len;

	if (!bson_iter_init_find(&it, t->document, key) || BSON_ITER_HOLDS_NULL(&it))
		return text;
	if (!BSON_ITER_HOLDS_UTF8(&it)) {
		t->row.is_bad = true;
		return text;
	}
	text.ptr = bson_iter_utf8(&it, &len);
	text.len = len;
	return text;
}

const char *mongo_text(const bson_t *document, const char *key)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, document, key) && BSON_ITER_HOLDS_UTF8(&it)
		       ? bson_iter_utf8(&it, NULL)
		       : NULL;
}

int64_t mongo_int(const bson_t *document, const char *key)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, document, key) ? bson_iter_as_int64(&it) : 0;
}

static const char *take_text(struct taker *t, const char *key, bool is_needed)
{
	return store_row_text(&t->row, text_of(t, key), is_needed);
}

static int64_t take_int(struct taker *t, const char *key)
{
	bson_iter_t it;

	if (!bson_iter_init_find(&it, t->document, key) ||
	    (!BSON_ITER_HOLDS_INT(&it) && !BSON_ITER_HOLDS_DOUBLE(&it))) {
		t->row.is_bad = true;
		return 0;
	}
	return bson_iter_as_int64(&it);
}

static int64_t take_time(struct taker *t, const char *key, bool needed)
{
	bson_iter_t it;

	if (!bson_iter_init_find(&it, t->document, key) || !BSON_ITER_HOLDS_DATE_TIME(&it)) {
		t->row.is_bad = t->row.is_bad || needed;
		return 0;
	}
	return bson_iter_date_time(&it);
}

static bool take_bool(struct taker *t, const char *key)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, t->document, key) && bson_iter_as_bool(&it);
}

/* --- threads --- */

void mongo_put_thread(bson_t *document, const struct thread *thread)
{
	BSON_APPEND_UTF8(document, "_id", thread->id);
	mongo_put_thread_fields(document, thread);
	BSON_APPEND_NULL(document, "run");
}

void mongo_put_thread_fields(bson_t *document, const struct thread *thread)
{
	BSON_APPEND_UTF8(document, "user_id", thread->user_id);
	BSON_APPEND_UTF8(document, "title", thread->title);
	BSON_APPEND_DATE_TIME(document, "created_at", thread->created_ms);
	BSON_APPEND_DATE_TIME(document, "updated_at", thread->updated_ms);
	BSON_APPEND_INT64(document, "rev", thread->rev);
	BSON_APPEND_BOOL(document, "archived", thread->archived);
	BSON_APPEND_NULL(document, "deleted_at");
	mongo_put_text(document, "metadata", thread->metadata);
}

static struct run_ref take_run(struct taker *t)
{
	struct taker inner = { .row = { .arena = t->row.arena } };
	struct run_ref run = { 0 };
	const uint8_t *data;
	bson_iter_t it;
	bson_t document;
	uint32_t len;

	if (!bson_iter_init_find(&it, t->document, "run") || BSON_ITER_HOLDS_NULL(&it))
		return run;
	if (BSON_ITER_HOLDS_DOCUMENT(&it)) {
		bson_iter_document(&it, &len, &data);
		if (bson_init_static(&document, data, len))
			inner.document = &document;
	}
	if (inner.document) {
		run.id = take_text(&inner, "id", true);
		run.message_id = take_text(&inner, "message_id", true);
		run.node = take_text(&inner, "node", true);
	}
	t->row.is_bad = t->row.is_bad || !inner.document || inner.row.is_bad;
	return run;
}

enum error_code mongo_take_thread(const bson_t *document, struct arena *arena, struct thread *out)
{
	struct taker t = { .document = document, .row = { .arena = arena } };
	const struct thread thread = {
		.id = take_text(&t, "_id", true),
		.user_id = take_text(&t, "user_id", true),
		.title = take_text(&t, "title", true),
		.created_ms = take_time(&t, "created_at", true),
		.updated_ms = take_time(&t, "updated_at", true),
		.rev = take_int(&t, "rev"),
		.archived = take_bool(&t, "archived"),
		.run = take_run(&t),
		.metadata = take_text(&t, "metadata", false),
	};
	enum error_code code = store_row_read(&t.row, thread.id, NULL);

	if (code == ERROR_NONE)
		*out = thread;
	return code;
}

/* --- messages --- */

void mongo_put_content(bson_t *document, struct slice content)
{
	bson_append_utf8(document, "content", -1, content.ptr ? content.ptr : "", (int)content.len);
	BSON_APPEND_INT64(document, "size", (int64_t)content.len);
}

static void put_count(bson_t *document, const char *key, int64_t count)
{
	if (count < 0)
		BSON_APPEND_NULL(document, key);
	else
		BSON_APPEND_INT64(document, key, count);
}

void mongo_put_usage(bson_t *document, const struct usage *usage)
{
	put_count(document, "input_tokens", usage->input);
	put_count(document, "output_tokens", usage->output);
	put_count(document, "total_tokens", usage->total);
}

/* A key that is not there takes no place in its index. */
void mongo_put_message(bson_t *document, const struct message *message)
{
	char key[MONGO_KEY_SIZE];

	mongo_message_key(message->thread_id, message->id, key);
	BSON_APPEND_UTF8(document, "_id", key);
	BSON_APPEND_UTF8(document, "thread_id", message->thread_id);
	BSON_APPEND_UTF8(document, "id", message->id);
	BSON_APPEND_INT64(document, "seq", message->seq);
	mongo_put_text(document, "run_id", message->run_id);
	mongo_put_text(document, "parent_id", message->parent_id);
	if (message->key)
		BSON_APPEND_UTF8(document, "key", message->key);
	mongo_put_text(document, "question", message->question);
	mongo_put_text(document, "model", message->model);
	BSON_APPEND_UTF8(document, "role", message_role_text(message->role));
	mongo_put_content(document, message->content);
	BSON_APPEND_UTF8(document, "status", message_status_text(message->status));
	BSON_APPEND_DATE_TIME(document, "created_at", message->created_ms);
	BSON_APPEND_DATE_TIME(document, "updated_at", message->updated_ms);
	mongo_put_text(document, "finish_reason", message->finish_reason);
	mongo_put_usage(document, &message->usage);
	BSON_APPEND_BOOL(document, "unasked", message->unasked);
	mongo_put_text(document, "feedback", message->feedback);
	mongo_put_text(document, "metadata", message->metadata);
}

static int64_t take_count(struct taker *t, const char *key)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, t->document, key) && BSON_ITER_HOLDS_INT(&it)
		       ? bson_iter_as_int64(&it)
		       : -1;
}

enum error_code mongo_take_message(const bson_t *document, bool content, struct arena *arena,
				   struct message *out)
{
	struct taker t = { .document = document, .row = { .arena = arena } };
	struct message message = {
		.id = take_text(&t, "id", true),
		.thread_id = take_text(&t, "thread_id", true),
		.seq = take_int(&t, "seq"),
		.role = store_row_role(&t.row, text_of(&t, "role")),
		.status = store_row_status(&t.row, text_of(&t, "status")),
		.run_id = take_text(&t, "run_id", false),
		.parent_id = take_text(&t, "parent_id", false),
		.key = take_text(&t, "key", false),
		.question = take_text(&t, "question", false),
		.model = take_text(&t, "model", false),
		.finish_reason = take_text(&t, "finish_reason", false),
		.usage = { take_count(&t, "input_tokens"), take_count(&t, "output_tokens"),
			   take_count(&t, "total_tokens") },
		.unasked = take_bool(&t, "unasked"),
		.feedback = take_text(&t, "feedback", false),
		.metadata = take_text(&t, "metadata", false),
		.created_ms = take_time(&t, "created_at", true),
		.updated_ms = take_time(&t, "updated_at", true),
	};
	enum error_code code;

	if (content)
		message.content = store_row_content(&t.row, text_of(&t, "content"));
	else
		message.content.len = (size_t)mongo_int(document, "size");
	code = store_row_read(&t.row, message.thread_id, message.id);
	if (code == ERROR_NONE)
		*out = message;
	return code;
}
