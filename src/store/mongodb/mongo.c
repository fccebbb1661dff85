/*
 * mongo: MongoDB by its driver, a pool of clients a worker, made after the fork. It needs no
 * transaction, no TTL index, no text index and no pipeline update, so that every server of its
 * protocol will do.
 */
#include "mongo_room.h"

#include "base/clock.h"
#include "base/log.h"
#include <pthread.h>
#include <stdlib.h>

#define CODE_DUPLICATE     11000
#define CODE_WRITE_CONCERN 64
#define TIMED_OUT_MS                                                                               \
	4000 /* a socket error after so long is a timeout: the server may have done it */

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

static enum error_code code_of(const struct mongo_call *call)
{
	const bson_error_t *error = &call->error;

	if (error->code == CODE_DUPLICATE)
		return ERROR_CONFLICT;
	if (error->domain == MONGOC_ERROR_SERVER_SELECTION)
		return ERROR_STORE_DOWN;
	if (error->domain == MONGOC_ERROR_STREAM)
		return clock_mono_ms() - call->began_ms >= TIMED_OUT_MS ? ERROR_STORE_TIMEOUT
									: ERROR_STORE_DOWN;
	if (error->domain == MONGOC_ERROR_WRITE_CONCERN || error->code == CODE_WRITE_CONCERN)
		return ERROR_STORE_TIMEOUT;
	if (is_away(error))
		return ERROR_STORE_DOWN;
	return ERROR_STORE;
}

bool mongo_failed(const struct mongo_call *call, struct error *err)
{
	enum error_code code = code_of(call);

	if (code == ERROR_CONFLICT)
		return error_set(err, code, "This id exists already.");
	if (code != ERROR_STORE_DOWN) /* that one is told once, by store.c */
		log_error("MongoDB failed", LOG_I("domain", call->error.domain),
			  LOG_I("code", call->error.code), LOG_T("reason", call->error.message));
	return error_set(err, code, "%s.", error_title(code));
}

/* --- indexes --- */

static void index_on(struct mongo_call *call, const char *collection, const bson_t *keys,
		     const char *name, bool *ok)
{
	bson_t *command = BCON_NEW("createIndexes", BCON_UTF8(collection), "indexes", "[", "{",
				   "key", BCON_DOCUMENT(keys), "name", BCON_UTF8(name), "}", "]");

	*ok = *ok && mongoc_client_write_command_with_opts(call->client, call->mongo->database,
							   command, NULL, NULL, &call->error);
	bson_destroy(command);
}

/* Once a worker, by the first call that reaches the server: one that is down at the start gets them
 * later. */
static void ensure_indexes(struct mongo_call *call)
{
	bson_t *by_user = BCON_NEW("user_id", BCON_INT32(1), "updated_at", BCON_INT32(-1), "_id",
				   BCON_INT32(-1));
	bson_t *by_seq = BCON_NEW("thread_id", BCON_INT32(1), "seq", BCON_INT32(1));
	bson_t *by_run = BCON_NEW("run_id", BCON_INT32(1));
	bson_t *by_node = BCON_NEW("run.node", BCON_INT32(1));
	bool ok = true;

	index_on(call, "threads", by_user, "user_updated", &ok);
	index_on(call, "messages", by_seq, "thread_seq", &ok);
	index_on(call, "messages", by_run, "run", &ok);
	index_on(call, "threads", by_node, "run_node", &ok);
	bson_destroy(by_user);
	bson_destroy(by_seq);
	bson_destroy(by_run);
	bson_destroy(by_node);
	if (!ok)
		log_warn("MongoDB indexes not made", LOG_T("reason", call->error.message));
}

/* --- calls --- */

void mongo_begin(struct mongo *mongo, struct mongo_call *call)
{
	*call = (struct mongo_call){ .mongo = mongo, .began_ms = clock_mono_ms() };
	call->client = mongoc_client_pool_pop(mongo->pool);
	call->threads = mongoc_client_get_collection(call->client, mongo->database, "threads");
	call->messages = mongoc_client_get_collection(call->client, mongo->database, "messages");
}

void mongo_end(struct mongo_call *call)
{
	mongoc_collection_destroy(call->threads);
	mongoc_collection_destroy(call->messages);
	mongoc_client_pool_push(call->mongo->pool, call->client);
}

bool mongo_modify(struct mongo_call *call, mongoc_collection_t *collection, const bson_t *filter,
		  const bson_t *update, bson_t *reply, bson_t *out, bool *found, struct error *err)
{
	mongoc_find_and_modify_opts_t *opts = mongoc_find_and_modify_opts_new();
	const uint8_t *data;
	bson_iter_t it;
	uint32_t len;
	bool ok;

	mongoc_find_and_modify_opts_set_update(opts, update);
	mongoc_find_and_modify_opts_set_flags(opts, MONGOC_FIND_AND_MODIFY_RETURN_NEW);
	ok = mongoc_collection_find_and_modify_with_opts(collection, filter, opts, reply,
							 &call->error);
	mongoc_find_and_modify_opts_destroy(opts);
	if (!ok)
		return mongo_failed(call, err);
	*found = bson_iter_init_find(&it, reply, "value") && BSON_ITER_HOLDS_DOCUMENT(&it);
	if (*found) {
		bson_iter_document(&it, &len, &data);
		*found = bson_init_static(out, data, len);
	}
	return true;
}

const bson_t *mongo_find_one(struct mongo_call *call, mongoc_collection_t *collection,
			     const bson_t *filter, mongoc_cursor_t **cursor, struct error *err)
{
	bson_t *opts = BCON_NEW("limit", BCON_INT64(1));
	const bson_t *document = NULL;

	*cursor = mongoc_collection_find_with_opts(collection, filter, opts, NULL);
	bson_destroy(opts);
	if (mongoc_cursor_next(*cursor, &document))
		return document;
	if (mongoc_cursor_error(*cursor, &call->error))
		mongo_failed(call, err);
	else
		error_set(err, ERROR_NOT_FOUND, "There is nothing under this id.");
	return NULL;
}

bool mongo_update(struct mongo_call *call, mongoc_collection_t *collection, const bson_t *filter,
		  const bson_t *update, bool *matched, struct error *err)
{
	bson_iter_t it;
	bson_t reply;
	bool ok = mongoc_collection_update_one(collection, filter, update, NULL, &reply,
					       &call->error);

	if (ok && matched)
		*matched = bson_iter_init_find(&it, &reply, "matchedCount") &&
			   bson_iter_as_int64(&it) > 0;
	bson_destroy(&reply);
	return ok || mongo_failed(call, err);
}

/* --- life --- */

/* The driver tells of each failed probe, twice a second while a server is away; store.c tells of
 * that once. */
static void on_log(mongoc_log_level_t level, const char *domain, const char *message, void *ctx)
{
	(void)ctx;
	log_write(level <= MONGOC_LOG_LEVEL_ERROR ? LOG_WARN : LOG_DEBUG, "MongoDB driver",
		  (const struct log_field[]){ LOG_T("part", domain), LOG_T("reason", message) }, 2);
}

static void start_driver(void)
{
	mongoc_log_set_handler(on_log, NULL);
	mongoc_init();
}

void mongo_start_driver(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, start_driver);
}

static bool ping(void *self, struct error *err)
{
	struct mongo *mongo = self;
	bson_t *command = BCON_NEW("ping", BCON_INT32(1));
	struct mongo_call call;
	bool ok;

	mongo_begin(mongo, &call);
	ok = mongoc_client_command_simple(call.client, "admin", command, NULL, NULL, &call.error) ||
	     mongo_failed(&call, err);
	if (ok && !atomic_exchange(&mongo->has_indexes, true))
		ensure_indexes(&call);
	mongo_end(&call);
	bson_destroy(command);
	return ok;
}

static void mongo_free(void *self)
{
	struct mongo *mongo = self;

	if (!mongo)
		return;
	if (mongo->pool)
		mongoc_client_pool_destroy(mongo->pool);
	free(mongo->database);
	free(mongo);
}

void *store_mongo_open(const char *text, const struct store_ops **ops, struct error *err)
{
	struct mongo *mongo = NULL;
	mongoc_uri_t *uri;

	mongo_start_driver();
	if (!(uri = mongo_uri(text, err)))
		return NULL;
	log_redact(mongoc_uri_get_password(uri));
	if ((mongo = calloc(1, sizeof *mongo))) {
		mongo->database = strdup(mongoc_uri_get_database(uri));
		mongo->pool = mongoc_client_pool_new(uri);
	}
	mongoc_uri_destroy(uri);
	if (!mongo || !mongo->database || !mongo->pool) {
		error_set(err, ERROR_CONFIG, "The MongoDB URI cannot be used.");
		mongo_free(mongo);
		return NULL;
	}
	mongoc_client_pool_set_error_api(mongo->pool, MONGOC_ERROR_API_VERSION_2);
	*ops = &mongo_ops;
	return mongo;
}

const struct store_ops mongo_ops = {
	.kind = "mongodb",
	.ping = ping,
	.free = mongo_free,
	.thread_insert = mongo_thread_insert,
	.thread_get = mongo_thread_get,
	.thread_list = mongo_thread_list,
	.thread_update = mongo_thread_update,
	.thread_delete = mongo_thread_delete,
	.claim = mongo_claim,
	.claim_release = mongo_claim_release,
	.next_seq = mongo_next_seq,
	.message_insert = mongo_message_insert,
	.message_get = mongo_message_get,
	.message_by_run = mongo_message_by_run,
	.message_by_key = mongo_message_by_key,
	.message_list = mongo_message_list,
	.message_update = mongo_message_update,
	.finish = mongo_finish,
	.node_beat = mongo_node_beat,
	.claims_of_dead = mongo_claims_of_dead,
	.sweep = mongo_sweep,
};
