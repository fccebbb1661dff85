/* mongo_call: one operation on one client: reading, changing, and the driver's errors as ours. */
#include "mongo_room.h"

#include "base/clock.h"
#include "base/log.h"
#include <stdlib.h>

#define CODE_DUPLICATE     11000
#define CODE_TIME_LIMIT    50
#define CODE_WRITE_CONCERN 64
#define CODE_DISK_FULL     14031

const char *const mongo_collections[COLLECTIONS] = {
	[THREADS] = "threads",
	[MESSAGES] = "messages",
	[NODES] = "nodes",
	[META] = "meta",
};

/* --- clients: kept between operations, with their collections --- */

static void forget(struct mongo *mongo, struct mongo_client *held)
{
	for (int i = 0; i < COLLECTIONS; i++)
		mongoc_collection_destroy(held->in[i]);
	mongoc_client_pool_push(mongo->pool, held->client);
	free(held);
}

void mongo_forget_clients(struct mongo *mongo)
{
	for (struct mongo_client *next; mongo->idle; mongo->idle = next) {
		next = mongo->idle->next;
		forget(mongo, mongo->idle);
	}
}

/* store_gate.c lets in no more callers than there are clients, but the driver would end the process
 * over a NULL. */
static struct mongo_client *make(struct mongo *mongo)
{
	struct mongo_client *held = calloc(1, sizeof *held);

	if (held && !(held->client = mongoc_client_pool_pop(mongo->pool))) {
		free(held);
		held = NULL;
	}
	for (int i = 0; held && i < COLLECTIONS; i++)
		held->in[i] = mongoc_client_get_collection(held->client, mongo->database,
							   mongo_collections[i]);
	return held;
}

static struct mongo_client *take_idle(struct mongo *mongo)
{
	struct mongo_client *held;

	pthread_mutex_lock(&mongo->lock);
	if ((held = mongo->idle))
		mongo->idle = held->next;
	pthread_mutex_unlock(&mongo->lock);
	return held;
}

enum error_code mongo_begin(struct mongo *mongo, struct mongo_call *call)
{
	struct mongo_client *held = take_idle(mongo);

	*call = (struct mongo_call){ .mongo = mongo, .began_ms = clock_mono_ms() };
	if (!held && !(held = make(mongo)))
		return ERROR_OVERLOADED;
	call->held = held;
	call->client = held->client;
	call->in = held->in;
	return ERROR_NONE;
}

/* One that met an error goes back to the driver, which closes lines to servers that have gone. */
void mongo_end(struct mongo_call *call)
{
	struct mongo *mongo = call->mongo;

	if (call->error.domain) {
		forget(mongo, call->held);
		return;
	}
	pthread_mutex_lock(&mongo->lock);
	call->held->next = mongo->idle;
	mongo->idle = call->held;
	pthread_mutex_unlock(&mongo->lock);
}

bool mongo_is_late(const struct mongo_call *call)
{
	return clock_mono_ms() - call->began_ms >= call->mongo->limit_ms;
}

/* --- errors --- */

/* Codes that say: not this server now (the driver's list of retryable errors). */
static bool is_away(const bson_error_t *error)
{
	static const uint32_t codes[] = { 6,    7,     89,    91,    189,   262,
					  9001, 10107, 11600, 11602, 13435, 13436 };

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (error->code == codes[i])
			return true;
	return false;
}

/* A socket error after so long is a timeout: the server may have done it. */
static enum error_code code_of(const struct mongo_call *call)
{
	const bson_error_t *error = &call->error;

	if (error->code == CODE_DUPLICATE)
		return ERROR_CONFLICT;
	if (error->code == CODE_DISK_FULL)
		return ERROR_STORE_FULL;
	if (error->domain == MONGOC_ERROR_SERVER_SELECTION)
		return ERROR_STORE_DOWN;
	if (error->domain == MONGOC_ERROR_STREAM)
		return mongo_is_late(call) ? ERROR_STORE_TIMEOUT : ERROR_STORE_DOWN;
	if (error->domain == MONGOC_ERROR_WRITE_CONCERN || error->code == CODE_WRITE_CONCERN ||
	    error->code == CODE_TIME_LIMIT)
		return ERROR_STORE_TIMEOUT;
	return is_away(error) ? ERROR_STORE_DOWN : ERROR_STORE;
}

/* What the server says, up to where it begins to quote: of a command that it refuses it tells all
 * of it, with what somebody searched for. */
static struct slice reason_of(const struct mongo_call *call)
{
	return (struct slice){ call->error.message, strcspn(call->error.message, "{[\"'`") };
}

/* An outage and a full disk are told once, by store_mark.c. */
enum error_code mongo_failed(const struct mongo_call *call)
{
	enum error_code code = code_of(call);

	if (code == ERROR_STORE || code == ERROR_STORE_TIMEOUT)
		log_error("MongoDB failed", LOG_I("domain", call->error.domain),
			  LOG_I("code", call->error.code), LOG_S("reason", reason_of(call)));
	return code;
}

/* --- reading --- */

/* All in one batch, as far as one goes; one document leaves no cursor to be closed. */
bson_t *mongo_options(const struct mongo_call *call, size_t limit)
{
	return BCON_NEW("limit", BCON_INT64((int64_t)limit), "batchSize",
			BCON_INT64((int64_t)limit), "singleBatch", BCON_BOOL(limit == 1),
			"maxTimeMS", BCON_INT64(call->mongo->limit_ms));
}

mongoc_cursor_t *mongo_find(struct mongo_call *call, enum mongo_collection in, bson_t *filter,
			    bson_t *options)
{
	mongoc_cursor_t *cursor =
		mongoc_collection_find_with_opts(call->in[in], filter, options, NULL);

	bson_destroy(filter);
	bson_destroy(options);
	return cursor;
}

enum error_code mongo_found_all(struct mongo_call *call, mongoc_cursor_t *cursor)
{
	bool failed = mongoc_cursor_error(cursor, &call->error);

	mongoc_cursor_destroy(cursor);
	return failed ? mongo_failed(call) : ERROR_NONE;
}

enum error_code mongo_find_one(struct mongo_call *call, enum mongo_collection in, bson_t *filter,
			       bson_t *options, mongoc_cursor_t **cursor, const bson_t **out)
{
	*cursor = mongo_find(call, in, filter, options ? options : mongo_options(call, 1));
	if (mongoc_cursor_next(*cursor, out))
		return ERROR_NONE;
	return mongoc_cursor_error(*cursor, &call->error) ? mongo_failed(call) : ERROR_NOT_FOUND;
}

enum error_code mongo_some(struct mongo_call *call, enum mongo_collection in, bson_t *filter,
			   size_t limit, bson_t *ids, size_t *count)
{
	/* So few and small that one batch has them all, and no cursor is left to be closed. */
	bson_t *options = BCON_NEW("limit", BCON_INT64((int64_t)limit), "batchSize",
				   BCON_INT64((int64_t)limit), "singleBatch", BCON_BOOL(true),
				   "maxTimeMS", BCON_INT64(call->mongo->limit_ms), "projection",
				   "{", "_id", BCON_INT32(1), "}");
	mongoc_cursor_t *cursor;
	const bson_t *document;
	char number[16];
	const char *key;
	bson_iter_t id;
	bson_t list;

	cursor = mongo_find(call, in, filter, options);
	BSON_APPEND_ARRAY_BEGIN(ids, "$in", &list);
	for (*count = 0; mongoc_cursor_next(cursor, &document); (*count)++) {
		bson_uint32_to_string((uint32_t)*count, &key, number, sizeof number);
		/* Of whatever type it is: one that others put here goes as well. */
		if (bson_iter_init_find(&id, document, "_id"))
			bson_append_iter(&list, key, -1, &id);
	}
	bson_append_array_end(ids, &list);
	return mongo_found_all(call, cursor);
}

/* --- changing --- */

enum error_code mongo_modify(struct mongo_call *call, enum mongo_collection in, bson_t *filter,
			     bson_t *update, int how, bson_t *reply, bson_t *out)
{
	mongoc_find_and_modify_opts_t *opts = mongoc_find_and_modify_opts_new();
	int flags = (how & MONGO_NEW ? MONGOC_FIND_AND_MODIFY_RETURN_NEW : 0) |
		    (how & MONGO_UPSERT ? MONGOC_FIND_AND_MODIFY_UPSERT : 0);
	const uint8_t *data;
	bson_iter_t it;
	uint32_t len;
	bool ok;

	mongoc_find_and_modify_opts_set_update(opts, update);
	mongoc_find_and_modify_opts_set_flags(opts, (mongoc_find_and_modify_flags_t)flags);
	mongoc_find_and_modify_opts_set_max_time_ms(opts, (uint32_t)call->mongo->limit_ms);
	ok = mongoc_collection_find_and_modify_with_opts(call->in[in], filter, opts, reply,
							 &call->error);
	mongoc_find_and_modify_opts_destroy(opts);
	bson_destroy(filter);
	bson_destroy(update);
	if (!ok)
		return mongo_failed(call);
	if (!bson_iter_init_find(&it, reply, "value") || !BSON_ITER_HOLDS_DOCUMENT(&it))
		return ERROR_NOT_FOUND;
	bson_iter_document(&it, &len, &data);
	return bson_init_static(out, data, len) ? ERROR_NONE : ERROR_CORRUPT;
}

enum error_code mongo_update(struct mongo_call *call, enum mongo_collection in, bson_t *filter,
			     bson_t *update, bool *matched)
{
	bson_iter_t it;
	bson_t reply;
	bool ok = mongoc_collection_update_one(call->in[in], filter, update, NULL, &reply,
					       &call->error);

	if (ok && matched)
		*matched = bson_iter_init_find(&it, &reply, "matchedCount") &&
			   bson_iter_as_int64(&it) > 0;
	bson_destroy(&reply);
	bson_destroy(filter);
	bson_destroy(update);
	return ok ? ERROR_NONE : mongo_failed(call);
}

enum error_code mongo_update_many(struct mongo_call *call, enum mongo_collection in, bson_t *filter,
				  bson_t *update, size_t *changed)
{
	bson_iter_t it;
	bson_t reply;
	bool ok = mongoc_collection_update_many(call->in[in], filter, update, NULL, &reply,
						&call->error);

	if (ok)
		*changed = bson_iter_init_find(&it, &reply, "modifiedCount")
				   ? (size_t)bson_iter_as_int64(&it)
				   : 0;
	bson_destroy(&reply);
	bson_destroy(filter);
	bson_destroy(update);
	return ok ? ERROR_NONE : mongo_failed(call);
}

enum error_code mongo_delete(struct mongo_call *call, enum mongo_collection in, bson_t *filter)
{
	bool ok = mongoc_collection_delete_many(call->in[in], filter, NULL, NULL, &call->error);

	bson_destroy(filter);
	return ok ? ERROR_NONE : mongo_failed(call);
}

/* Which one was refused: the reply's index is what servers agree on, counts differ. */
static size_t refused_at(const bson_t *reply)
{
	bson_iter_t it, at;

	return bson_iter_init(&it, reply) &&
			       bson_iter_find_descendant(&it, "writeErrors.0.index", &at)
		       ? (size_t)bson_iter_as_int64(&at)
		       : 0;
}

enum error_code mongo_insert(struct mongo_call *call, enum mongo_collection in,
			     const bson_t **documents, size_t count, size_t *done)
{
	enum error_code code = ERROR_NONE;
	bson_t reply;

	*done = count;
	if (!mongoc_collection_insert_many(call->in[in], documents, count, NULL, &reply,
					   &call->error)) {
		code = mongo_failed(call);
		*done = code == ERROR_CONFLICT ? refused_at(&reply) : 0;
	}
	bson_destroy(&reply);
	return code;
}

enum error_code mongo_bulk(struct mongo_call *call, mongoc_bulk_operation_t *bulk, size_t count,
			   size_t *done)
{
	enum error_code code = ERROR_NONE;
	bson_t reply;

	*done = count;
	if (mongoc_bulk_operation_execute(bulk, &reply, &call->error) == 0) {
		code = mongo_failed(call);
		*done = code == ERROR_CONFLICT || code == ERROR_STORE ? refused_at(&reply) : 0;
	}
	bson_destroy(&reply);
	mongoc_bulk_operation_destroy(bulk);
	return code;
}
