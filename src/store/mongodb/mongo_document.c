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

/* --- taking: one pass over a document, then each field by its type, else the row is bad --- */

/* type is BSON_TYPE_EOD where there is none. */
struct value {
	bson_type_t type;
	bool is_true;
	struct slice bytes; /* of a text or a document */
	int64_t number;     /* of all else */
};

/* In the order in which they are written here: a document of ours is read with one comparison a
 * field. Documents of others have any order, and further fields. */
/* clang-format off */
#define THREAD_FIELDS(X) \
	X(_id) X(user_id) X(title) X(created_at) X(updated_at) X(rev) X(archived) X(deleted_at) X(metadata) X(run) X(ended_at)
#define RUN_FIELDS(X) X(id) X(message_id) X(node)
#define MESSAGE_FIELDS(X) \
	X(_id) X(thread_id) X(id) X(seq) X(run_id) X(parent_id) X(key) X(question) X(model) X(role) X(content) X(size) \
	X(status) X(created_at) X(updated_at) X(finish_reason) X(input_tokens) X(output_tokens) X(total_tokens) \
	X(unasked) X(feedback) X(metadata)
/* clang-format on */

#define NAME(name)   #name,
#define MEMBER(name) struct value name;
#define FIELDS(kind, FIELDS_OF)                                                                    \
	static const char *const kind##_names[] = { FIELDS_OF(NAME) };                             \
	union kind##_values {                                                                      \
		struct {                                                                           \
			FIELDS_OF(MEMBER)                                                          \
		};                                                                                 \
		struct value all[sizeof kind##_names / sizeof *kind##_names];                      \
	};
FIELDS(thread, THREAD_FIELDS)
FIELDS(run, RUN_FIELDS)
FIELDS(message, MESSAGE_FIELDS)

static struct value value_of(const bson_iter_t *it)
{
	struct value value = { .type = bson_iter_type(it), .is_true = true };
	const uint8_t *data;
	uint32_t len;

	switch (value.type) {
	case BSON_TYPE_UTF8:
		value.bytes.ptr = bson_iter_utf8(it, &len);
		value.bytes.len = len;
		break;
	case BSON_TYPE_DOCUMENT:
		bson_iter_document(it, &len, &data);
		value.bytes = (struct slice){ (const char *)data, len };
		break;
	case BSON_TYPE_DATE_TIME: value.number = bson_iter_date_time(it); break;
	default: value.number = bson_iter_as_int64(it); value.is_true = bson_iter_as_bool(it);
	}
	return value;
}

/* Of a name that occurs twice the first counts. */
static void read_values(const bson_t *document, const char *const *names, size_t count,
			struct value *values)
{
	size_t next = 0;
	bson_iter_t it;

	memset(values, 0, count * sizeof *values);
	if (!bson_iter_init(&it, document))
		return;
	while (bson_iter_next(&it)) {
		const char *name = bson_iter_key(&it);

		for (size_t i = 0; i < count; i++, next = next + 1 < count ? next + 1 : 0) {
			if (strcmp(name, names[next]) != 0)
				continue;
			if (values[next].type == BSON_TYPE_EOD)
				values[next] = value_of(&it);
			break;
		}
	}
}
#define READ_VALUES(document, kind, values)                                                        \
	read_values(document, kind##_names, sizeof kind##_names / sizeof *kind##_names,            \
		    (values)->all)

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

static bool is_none(const struct value *value)
{
	return value->type == BSON_TYPE_EOD || value->type == BSON_TYPE_NULL;
}

/* Absent and null are both NULL. */
static struct slice text_of(struct store_row *row, const struct value *value)
{
	row->is_bad = row->is_bad || (!is_none(value) && value->type != BSON_TYPE_UTF8);
	return value->type == BSON_TYPE_UTF8 ? value->bytes : (struct slice){ NULL, 0 };
}

static const char *take_text(struct store_row *row, const struct value *value, bool is_needed)
{
	return store_row_text(row, text_of(row, value), is_needed);
}

static bool is_int(const struct value *value)
{
	return value->type == BSON_TYPE_INT32 || value->type == BSON_TYPE_INT64;
}

static int64_t take_int(struct store_row *row, const struct value *value)
{
	bool is_number = is_int(value) || value->type == BSON_TYPE_DOUBLE;

	row->is_bad = row->is_bad || !is_number;
	return is_number ? value->number : 0;
}

static int64_t take_time(struct store_row *row, const struct value *value)
{
	row->is_bad = row->is_bad || value->type != BSON_TYPE_DATE_TIME;
	return value->type == BSON_TYPE_DATE_TIME ? value->number : 0;
}

static bool take_bool(const struct value *value)
{
	return value->type != BSON_TYPE_EOD && value->is_true;
}

/* --- threads --- */

void mongo_put_thread(bson_t *document, const struct thread *thread)
{
	BSON_APPEND_UTF8(document, "_id", thread->id);
	mongo_put_thread_fields(document, thread);
	BSON_APPEND_NULL(document, "run");
	BSON_APPEND_NULL(document, "ended_at");
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

static struct run_ref take_run(struct store_row *row, const struct value *value)
{
	struct store_row inner = { .arena = row->arena };
	struct run_ref run = { 0 };
	union run_values values;
	bson_t document;

	if (is_none(value))
		return run;
	if (value->type != BSON_TYPE_DOCUMENT ||
	    !bson_init_static(&document, (const uint8_t *)value->bytes.ptr, value->bytes.len)) {
		row->is_bad = true;
		return run;
	}
	READ_VALUES(&document, run, &values);
	run.id = take_text(&inner, &values.id, true);
	run.message_id = take_text(&inner, &values.message_id, true);
	run.node = take_text(&inner, &values.node, true);
	row->is_bad = row->is_bad || inner.is_bad;
	return run;
}

enum error_code mongo_take_thread(const bson_t *document, struct arena *arena, struct thread *out)
{
	struct store_row row = { .arena = arena };
	union thread_values values;
	struct thread thread;
	enum error_code code;

	READ_VALUES(document, thread, &values);
	thread = (struct thread){
		.id = take_text(&row, &values._id, true),
		.user_id = take_text(&row, &values.user_id, true),
		.title = take_text(&row, &values.title, true),
		.created_ms = take_time(&row, &values.created_at),
		.updated_ms = take_time(&row, &values.updated_at),
		.rev = take_int(&row, &values.rev),
		.archived = take_bool(&values.archived),
		.run = take_run(&row, &values.run),
		.metadata = take_text(&row, &values.metadata, false),
	};
	code = store_row_read(&row, thread.id, NULL);
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

static int64_t take_count(const struct value *value)
{
	return is_int(value) ? value->number : -1;
}

static enum error_code message_of(const union message_values *values, bool content,
				  struct arena *arena, struct message *out)
{
	struct store_row row = { .arena = arena };
	struct message message = {
		.id = take_text(&row, &values->id, true),
		.thread_id = take_text(&row, &values->thread_id, true),
		.seq = take_int(&row, &values->seq),
		.role = store_row_role(&row, text_of(&row, &values->role)),
		.status = store_row_status(&row, text_of(&row, &values->status)),
		.run_id = take_text(&row, &values->run_id, false),
		.parent_id = take_text(&row, &values->parent_id, false),
		.key = take_text(&row, &values->key, false),
		.question = take_text(&row, &values->question, false),
		.model = take_text(&row, &values->model, false),
		.finish_reason = take_text(&row, &values->finish_reason, false),
		.usage = { take_count(&values->input_tokens), take_count(&values->output_tokens),
			   take_count(&values->total_tokens) },
		.unasked = take_bool(&values->unasked),
		.feedback = take_text(&row, &values->feedback, false),
		.metadata = take_text(&row, &values->metadata, false),
		.created_ms = take_time(&row, &values->created_at),
		.updated_ms = take_time(&row, &values->updated_at),
		.content = { NULL, (size_t)values->size.number },
	};
	enum error_code code;

	if (content)
		message.content = store_row_content(&row, text_of(&row, &values->content));
	code = store_row_read(&row, message.thread_id, message.id);
	if (code == ERROR_NONE)
		*out = message;
	return code;
}

enum error_code mongo_take_message(const bson_t *document, bool content, struct arena *arena,
				   struct message *out)
{
	union message_values values;

	READ_VALUES(document, message, &values);
	return message_of(&values, content, arena, out);
}

enum error_code mongo_list_message(const bson_t *document, bool content, struct message_fill *fill,
				   bool *is_over)
{
	union message_values values;
	struct message *next;
	enum error_code code;

	READ_VALUES(document, message, &values);
	next = store_next_message(fill, (size_t)values.size.number);
	*is_over = next == NULL;
	if (!next)
		return store_fits(fill->arena);
	code = message_of(&values, content, store_message_arena(fill), next);
	return code == ERROR_NONE ? store_took_message(fill) : code;
}

enum error_code mongo_take_brief(const bson_t *document, const char *thread_id, struct arena *arena,
				 struct message *out)
{
	struct store_row row = { .arena = arena };
	union message_values values;
	struct message message;
	enum error_code code;

	READ_VALUES(document, message, &values);
	message = (struct message){
		.id = take_text(&row, &values.id, true),
		.thread_id = thread_id,
		.seq = take_int(&row, &values.seq),
		.role = store_row_role(&row, text_of(&row, &values.role)),
		.status = store_row_status(&row, text_of(&row, &values.status)),
		.usage = USAGE_UNKNOWN,
		.metadata = take_text(&row, &values.metadata, false),
		.content = store_row_content(&row, text_of(&row, &values.content)),
	};
	code = store_row_read(&row, message.thread_id, message.id);
	if (code == ERROR_NONE)
		*out = message;
	return code;
}
