/*
 * mongo: MongoDB by its driver, a pool of clients a worker, made after the fork. It needs no
 * transaction, no TTL index, no text index and no pipeline update, so that every server of its
 * protocol will do.
 */
#include "mongo_room.h"

#include "base/log.h"
#include <stdlib.h>

/* --- the table --- */

static enum error_code say_hello(struct mongo_call *call)
{
	bson_t *command = BCON_NEW("ping", BCON_INT32(1));
	bool ok = mongoc_client_command_simple(call->client, "admin", command, NULL, NULL,
					       &call->error);

	bson_destroy(command);
	return ok ? ERROR_NONE : mongo_failed(call);
}

/* A database without its indexes is of no use: numbers of messages would not be unique. So they are
 * made before it counts as up, and tried for until they are there. */
static enum error_code ping(void *self, struct error *err)
{
	struct mongo *mongo = self;
	struct mongo_call call;
	enum error_code code = mongo_begin(mongo, &call);

	if (code != ERROR_NONE)
		return code;
	code = say_hello(&call);
	if (code == ERROR_NONE && !atomic_load(&mongo->has_schema)) {
		code = mongo_schema(&call, err);
		atomic_store(&mongo->has_schema, code == ERROR_NONE);
	}
	mongo_end(&call);
	return code;
}

static size_t room(void *self)
{
	const struct mongo *mongo = self;

	return mongo->clients - 1; /* one is for the ping */
}

static void mongo_free(void *self)
{
	struct mongo *mongo = self;

	if (!mongo)
		return;
	mongo_forget_clients(mongo);
	if (mongo->pool)
		mongoc_client_pool_destroy(mongo->pool);
	pthread_mutex_destroy(&mongo->lock);
	free(mongo->database);
	free(mongo);
}

static const struct store_ops mongo_ops = { .kind = "mongodb",
					    .room = room,
					    .ping = ping,
					    .free = mongo_free,
#define X(name, ...) .name = mongo_##name,
					    STORE_OPS(X)
#undef X
};

/* --- opening --- */

static struct mongo *make(mongoc_uri_t *uri, const struct store_options *options)
{
	struct mongo *mongo = calloc(1, sizeof *mongo);

	if (!mongo)
		return NULL;
	pthread_mutex_init(&mongo->lock, NULL);
	mongo->limit_ms = options->limit_ms;
	mongo->clients =
		(size_t)mongoc_uri_get_option_as_int32(uri, MONGOC_URI_MAXPOOLSIZE, MONGO_CLIENTS);
	mongo->database = strdup(mongoc_uri_get_database(uri));
	mongo->pool = mongoc_client_pool_new(uri);
	if (mongo->database && mongo->pool)
		return mongo;
	mongo_free(mongo);
	return NULL;
}

static void *open_mongo(const struct store_options *options, const struct store_ops **ops,
			struct error *err)
{
	struct mongo *mongo;
	mongoc_uri_t *uri;

	mongo_wake();
	if (!(uri = mongo_uri(options->uri, err)))
		return NULL;
	log_redact(mongoc_uri_get_password(uri));
	mongo = make(uri, options);
	mongoc_uri_destroy(uri);
	if (!mongo) {
		error_set(err, ERROR_CONFIG, "The MongoDB URI cannot be used.");
		return NULL;
	}
	mongoc_client_pool_set_error_api(mongo->pool, MONGOC_ERROR_API_VERSION_2);
	*ops = &mongo_ops;
	return mongo;
}

static const char *const schemes[] = { "mongodb", "mongodb+srv", NULL };

const struct store_maker store_mongodb = { .name = "MongoDB",
					   .address = "mongodb://..., mongodb+srv://...",
					   .schemes = schemes,
					   .open = open_mongo,
					   .check = mongo_check,
					   .try_write = mongo_try_write,
					   .reach = mongo_reach,
					   .wake = mongo_wake };
