/*
 * mongo_copy: whole stores, for administrators: threads and messages read in the order of their
 * ids, put as another store had them, counted; and the schema's version. What is put is a bulk of
 * upserts, so one that was cut off is put again.
 */
#include "mongo_room.h"

#include "base/id.h"
#include <stdio.h>

#define COUNT_STEP 500 /* threads whose messages are counted by one command */
/* Upserts by one command: FerretDB 1.24 holds a connection to its own database for each until the
 * command ends, and has a hundred; what needs more stands still for ever. */
#define UPSERTS 25

/* --- reading --- */

enum error_code mongo_thread_scan(void *self, const char *after, size_t limit, struct arena *arena,
				  struct thread_list *out)
{
	struct thread_fill fill = { .arena = arena, .limit = limit };
	struct mongo_call call;
	mongoc_cursor_t *cursor;
	bson_t *options;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	options = mongo_options(&call, limit + 1);
	BCON_APPEND(options, "sort", "{", "_id", BCON_INT32(1), "}");
	cursor = mongo_find(&call, THREADS,
			    BCON_NEW("_id", "{", "$gt", BCON_UTF8(after ? after : ""), "}",
				     "deleted_at", BCON_NULL),
			    options);
	code = mongo_thread_rows(&call, cursor, &fill);
	mongo_end(&call);
	return code == ERROR_NONE ? store_threads_scanned(&fill, out) : code;
}

/* --- counting --- */

static enum error_code count(struct mongo_call *call, enum mongo_collection in, bson_t *filter,
			     int64_t *out)
{
	bson_t *command =
		BCON_NEW("count", BCON_UTF8(mongo_collections[in]), "query", BCON_DOCUMENT(filter));
	bson_t reply;
	bool ok = mongoc_client_read_command_with_opts(call->client, call->mongo->database, command,
						       NULL, NULL, &reply, &call->error);

	*out = ok ? mongo_int(&reply, "n") : 0;
	bson_destroy(&reply);
	bson_destroy(command);
	bson_destroy(filter);
	return ok ? ERROR_NONE : mongo_failed(call);
}

/* The next threads behind *after, as {$in: [...]}. */
static enum error_code next_ids(struct mongo_call *call, bson_t *filter, bson_t *ids, char *after,
				size_t *found)
{
	bson_t *options = mongo_options(call, COUNT_STEP);
	mongoc_cursor_t *cursor;
	const bson_t *document;
	const char *key, *id;
	char number[16];
	bson_t list;

	BCON_APPEND(options, "sort", "{", "_id", BCON_INT32(1), "}", "projection", "{", "_id",
		    BCON_INT32(1), "}");
	BCON_APPEND(filter, "_id", "{", "$gt", BCON_UTF8(after), "}");
	cursor = mongo_find(call, THREADS, filter, options);
	BSON_APPEND_ARRAY_BEGIN(ids, "$in", &list);
	for (*found = 0; mongoc_cursor_next(cursor, &document); (*found)++) {
		if (!(id = mongo_text(document, "_id")))
			continue;
		bson_uint32_to_string((uint32_t)*found, &key, number, sizeof number);
		BSON_APPEND_UTF8(&list, key, id);
		snprintf(after, ID_MAX + 1, "%s", id);
	}
	bson_append_array_end(ids, &list);
	return mongo_found_all(call, cursor);
}

/* By the threads, some at a time: those that are marked keep messages for a while. */
static enum error_code count_messages(struct mongo_call *call, const char *user_id,
				      struct store_counts *out)
{
	enum error_code code = ERROR_NONE;
	char after[ID_MAX + 1] = "";
	size_t found = COUNT_STEP;

	while (code == ERROR_NONE && found == COUNT_STEP) {
		bson_t *filter = BCON_NEW("deleted_at", BCON_NULL), ids = BSON_INITIALIZER;
		int64_t some = 0;

		if (user_id)
			BSON_APPEND_UTF8(filter, "user_id", user_id);
		code = next_ids(call, filter, &ids, after, &found);
		if (code == ERROR_NONE && found > 0)
			code = count(call, MESSAGES, BCON_NEW("thread_id", BCON_DOCUMENT(&ids)),
				     &some);
		bson_destroy(&ids);
		out->threads += (int64_t)found;
		out->messages += some;
	}
	return code;
}

enum error_code mongo_counts(void *self, const char *user_id, struct store_counts *out)
{
	struct store_counts counts = { 0 };
	struct mongo_call call;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = count_messages(&call, user_id, &counts);
	mongo_end(&call);
	if (code == ERROR_NONE)
		*out = counts;
	return code;
}

/* --- threads --- */

static mongoc_bulk_operation_t *bulk_of(struct mongo_call *call, enum mongo_collection in)
{
	return mongoc_collection_create_bulk_operation_with_opts(call->in[in], NULL);
}

/* What marks were still to remove must not come back with their threads. */
static enum error_code empty_marked(struct mongo_call *call, const struct thread *threads,
				    size_t count)
{
	bson_t filter = BSON_INITIALIZER, in, list, ids = BSON_INITIALIZER;
	const char *key;
	char number[16];
	size_t marked = 0;
	enum error_code code;

	BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &in);
	BSON_APPEND_ARRAY_BEGIN(&in, "$in", &list);
	for (size_t i = 0; i < count; i++) {
		bson_uint32_to_string((uint32_t)i, &key, number, sizeof number);
		BSON_APPEND_UTF8(&list, key, threads[i].id);
	}
	bson_append_array_end(&in, &list);
	bson_append_document_end(&filter, &in);
	BSON_APPEND_BOOL(&filter, "purge", true);
	code = mongo_some(call, THREADS, bson_copy(&filter), count, &ids, &marked);
	if (code == ERROR_NONE && marked > 0)
		code = mongo_delete(call, MESSAGES, BCON_NEW("thread_id", BCON_DOCUMENT(&ids)));
	bson_destroy(&filter);
	bson_destroy(&ids);
	return code;
}

static void replace_thread(mongoc_bulk_operation_t *bulk, const struct thread *thread)
{
	bson_t *upsert = BCON_NEW("upsert", BCON_BOOL(true));
	bson_t *filter = BCON_NEW("_id", BCON_UTF8(thread->id));
	bson_t *update = bson_new();
	bson_t set;

	BSON_APPEND_DOCUMENT_BEGIN(update, "$set", &set);
	mongo_put_thread_fields(&set, thread);
	bson_append_document_end(update, &set);
	BCON_APPEND(update, "$unset", "{", "purge", BCON_UTF8(""), "}", "$setOnInsert", "{", "run",
		    BCON_NULL, "}");
	mongoc_bulk_operation_update_one_with_opts(bulk, filter, update, upsert, NULL);
	bson_destroy(upsert);
	bson_destroy(filter);
	bson_destroy(update);
}

enum error_code mongo_threads_put(void *self, const struct thread *threads, size_t count)
{
	mongoc_bulk_operation_t *bulk;
	struct mongo_call call;
	enum error_code code = count > 0 ? mongo_begin(self, &call) : ERROR_NONE;
	size_t done;

	if (code != ERROR_NONE || count == 0)
		return code;
	code = empty_marked(&call, threads, count);
	for (size_t at = 0, n; code == ERROR_NONE && at < count; at += n) {
		n = count - at < UPSERTS ? count - at : UPSERTS;
		bulk = bulk_of(&call, THREADS);
		for (size_t i = 0; i < n; i++)
			replace_thread(bulk, &threads[at + i]);
		code = mongo_bulk(&call, bulk, n, &done);
	}
	mongo_end(&call);
	return code;
}

/* --- messages --- */

static void replace_message(mongoc_bulk_operation_t *bulk, const struct message *message)
{
	bson_t *upsert = BCON_NEW("upsert", BCON_BOOL(true)), document = BSON_INITIALIZER;
	char key[MONGO_KEY_SIZE];
	bson_t *filter;

	mongo_message_key(message->thread_id, message->id, key);
	filter = BCON_NEW("_id", BCON_UTF8(key));
	mongo_put_message(&document, message);
	mongoc_bulk_operation_replace_one_with_opts(bulk, filter, &document, upsert, NULL);
	bson_destroy(upsert);
	bson_destroy(filter);
	bson_destroy(&document);
}

/* The number and the key of a message that was refused are taken from who has them. *made: somebody
 * had one. */
static enum error_code make_way(struct mongo_call *call, const struct message *message, bool *made)
{
	bson_t ids = BSON_INITIALIZER;
	char key[MONGO_KEY_SIZE];
	bool had_key = false;
	size_t found = 0;
	enum error_code code;

	mongo_message_key(message->thread_id, message->id, key);
	code = mongo_some(call, MESSAGES,
			  BCON_NEW("thread_id", BCON_UTF8(message->thread_id), "seq",
				   BCON_INT64(message->seq), "_id", "{", "$ne", BCON_UTF8(key),
				   "}"),
			  1, &ids, &found);
	if (code == ERROR_NONE && found > 0)
		code = mongo_delete(call, MESSAGES, BCON_NEW("_id", BCON_DOCUMENT(&ids)));
	if (code == ERROR_NONE && message->key)
		code = mongo_update(call, MESSAGES,
				    BCON_NEW("key", BCON_UTF8(message->key), "_id", "{", "$ne",
					     BCON_UTF8(key), "}"),
				    BCON_NEW("$unset", "{", "key", BCON_UTF8(""), "}"), &had_key);
	bson_destroy(&ids);
	*made = found > 0 || had_key;
	return code;
}

/* Servers differ in the code by which a unique index refuses an update, so whether anybody stood in
 * the way is looked for. Two who put the same message at once may both meet a conflict. */
static enum error_code replace_messages(struct mongo_call *call, const struct message *messages,
					size_t count)
{
	enum error_code code = ERROR_NONE;
	size_t done;

	while (code == ERROR_NONE && count > 0) {
		size_t n = count < UPSERTS ? count : UPSERTS;
		mongoc_bulk_operation_t *bulk = bulk_of(call, MESSAGES);
		enum error_code refused;
		bool made = false;

		for (size_t i = 0; i < n; i++)
			replace_message(bulk, &messages[i]);
		refused = mongo_bulk(call, bulk, n, &done);
		messages += done;
		count -= done;
		if (refused == ERROR_CONFLICT || refused == ERROR_STORE)
			code = make_way(call, messages, &made);
		if (code == ERROR_NONE && !made && refused != ERROR_CONFLICT)
			code = refused;
		if (code == ERROR_NONE && count > 0 && mongo_is_late(call))
			code = ERROR_STORE_TIMEOUT;
	}
	return code;
}

/* Where nothing is there yet, as in most copies, an insert is all; what is behind the first that is
 * there is put the other way. */
static enum error_code put_messages(struct mongo_call *call, const struct message *messages,
				    size_t count)
{
	bson_t **documents = calloc(count + 1, sizeof(void *));
	size_t done = 0;
	enum error_code code;

	if (!documents)
		return ERROR_OVERLOADED;
	for (size_t i = 0; i < count; i++) {
		documents[i] = bson_new();
		mongo_put_message(documents[i], &messages[i]);
	}
	code = count > 0 ? mongo_insert(call, MESSAGES, (const bson_t **)documents, count, &done)
			 : ERROR_NONE;
	for (size_t i = 0; i < count; i++)
		bson_destroy(documents[i]);
	free(documents);
	return code == ERROR_CONFLICT ? replace_messages(call, messages + done, count - done)
				      : code;
}

/* All of them are there and not marked; told by one command when each thread's messages stand
 * together. A thread whose rev is 0 would be taken for one in which nothing was ever said. */
static enum error_code check_threads(struct mongo_call *call, const struct message *messages,
				     size_t count, bool *all)
{
	bson_t filter = BSON_INITIALIZER, in, list, ids = BSON_INITIALIZER;
	const char *key, *seen = "";
	char number[16];
	size_t named = 0, found = 0, changed;
	enum error_code code;

	BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &in);
	BSON_APPEND_ARRAY_BEGIN(&in, "$in", &list);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(seen, messages[i].thread_id) == 0)
			continue;
		seen = messages[i].thread_id;
		bson_uint32_to_string((uint32_t)named++, &key, number, sizeof number);
		BSON_APPEND_UTF8(&list, key, seen);
	}
	bson_append_array_end(&in, &list);
	bson_append_document_end(&filter, &in);
	BSON_APPEND_NULL(&filter, "deleted_at");
	code = mongo_some(call, THREADS, bson_copy(&filter), named + 1, &ids, &found);
	*all = found == named;
	if (code == ERROR_NONE && found > 0)
		code = mongo_update_many(
			call, THREADS, BCON_NEW("_id", BCON_DOCUMENT(&ids), "rev", BCON_INT64(0)),
			BCON_NEW("$set", "{", "rev", BCON_INT64(1), "}"), &changed);
	bson_destroy(&filter);
	bson_destroy(&ids);
	return code;
}

enum error_code mongo_messages_put(void *self, const struct message *messages, size_t count)
{
	const char *seen = "";
	bool all = true;
	struct mongo_call call;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = check_threads(&call, messages, count, &all);
	for (size_t i = 0; code == ERROR_NONE && !all && i < count; i++)
		if (strcmp(seen, messages[i].thread_id) != 0)
			code = mongo_thread_check(&call, NULL, seen = messages[i].thread_id);
	if (code == ERROR_NONE)
		code = put_messages(&call, messages, count);
	mongo_end(&call);
	return code;
}

enum error_code mongo_messages_drop(void *self, const char *thread_id, const char *const *ids,
				    size_t count)
{
	bson_t *filter = bson_new(), in, list;
	char message[MONGO_KEY_SIZE], number[16];
	struct mongo_call call;
	const char *key;
	enum error_code code = mongo_begin(self, &call);

	BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &in);
	BSON_APPEND_ARRAY_BEGIN(&in, "$in", &list);
	for (size_t i = 0; i < count; i++) {
		bson_uint32_to_string((uint32_t)i, &key, number, sizeof number);
		mongo_message_key(thread_id, ids[i], message);
		BSON_APPEND_UTF8(&list, key, message);
	}
	bson_append_array_end(&in, &list);
	bson_append_document_end(filter, &in);
	if (code != ERROR_NONE) {
		bson_destroy(filter);
		return code;
	}
	code = mongo_delete(&call, MESSAGES, filter);
	mongo_end(&call);
	return code;
}

/* --- the schema --- */

enum error_code mongo_version(void *self, struct store_version *out)
{
	struct store_version version = { .here = mongo_schema_version };
	struct mongo_call call;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = mongo_schema_read(&call, &version.there);
	mongo_end(&call);
	if (code == ERROR_NONE)
		*out = version;
	return code;
}

enum error_code mongo_migrate(void *self, struct error *err)
{
	struct mongo_call call;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = mongo_schema(&call, err);
	mongo_end(&call);
	return code;
}
