/*
 * mongo_schema: the indexes, each with the version that brought it. The database says in meta
 * {_id: "schema"} how far it is. Workers may bring it up to date at once: making an index that is
 * there is no error, and the version only goes up when all of its step is done. An entry is never
 * changed once it was released: a better index gets a new name, and the old one goes.
 */
#include "mongo_room.h"

#include "base/log.h"

#define CODE_NO_COLLECTION 26
#define CODE_NO_INDEX      27

const struct mongo_index mongo_indexes[] = {
	{ 1, THREADS, "user_updated", "user_id -updated_at -_id", false, false },
	{ 1, MESSAGES, "run", "run_id", false, false },
	/* Numbers are unique: whoever adds a message takes the next one by inserting it. */
	{ 2, MESSAGES, "thread_seq_unique", "thread_id seq", true, false },
	/* A key is used once, on whatever thread: a second call of the model would cost. */
	{ 2, MESSAGES, "key", "key", true, true },
	{ 2, THREADS, "updated", "-updated_at -_id", false, false },
	{ 2, THREADS, "run_id", "run.id", false, true },
	{ 2, THREADS, "run_node_stop", "run.node run.stop", false, true },
	{ 2, THREADS, "purge", "purge deleted_at", false, true },
	{ 2, NODES, "seen", "seen_at", false, false },
	{ 0, THREADS, NULL, NULL, false, false },
};

static const struct dropped {
	int since;
	enum mongo_collection in;
	const char *name;
} dropped[] = {
	{ 2, MESSAGES, "thread_seq" },
	{ 2, THREADS, "run_node" },
};

#define VERSION 2

const int mongo_schema_version = VERSION;

static bool command(struct mongo_call *call, bson_t *command)
{
	bool ok = mongoc_client_write_command_with_opts(call->client, call->mongo->database,
							command, NULL, NULL, &call->error);

	bson_destroy(command);
	return ok;
}

void mongo_index_keys(const struct mongo_index *index, bson_t *out)
{
	bson_init(out);
	for (const char *at = index->keys; *at; at += strspn(at, " ")) {
		bool falls = *at == '-';
		const char *name = at + falls;
		int len = (int)strcspn(name, " ");

		bson_append_int32(out, name, len, falls ? -1 : 1);
		at = name + len;
	}
}

static bool make(struct mongo_call *call, const struct mongo_index *index)
{
	bson_t keys, *list;

	mongo_index_keys(index, &keys);
	list = BCON_NEW("createIndexes", BCON_UTF8(mongo_collections[index->in]), "indexes", "[",
			"{", "key", BCON_DOCUMENT(&keys), "name", BCON_UTF8(index->name), "unique",
			BCON_BOOL(index->is_unique), "sparse", BCON_BOOL(index->is_sparse), "}",
			"]");

	bson_destroy(&keys);
	return command(call, list);
}

static bool drop(struct mongo_call *call, const struct dropped *index)
{
	return command(call, BCON_NEW("dropIndexes", BCON_UTF8(mongo_collections[index->in]),
				      "index", BCON_UTF8(index->name))) ||
	       call->error.code == CODE_NO_COLLECTION || call->error.code == CODE_NO_INDEX;
}

static bool take_step(struct mongo_call *call, int version)
{
	bool ok = true;

	for (const struct mongo_index *index = mongo_indexes; ok && index->name; index++)
		ok = index->since != version || make(call, index);
	for (size_t i = 0; ok && i < sizeof dropped / sizeof *dropped; i++)
		ok = dropped[i].since != version || drop(call, &dropped[i]);
	return ok;
}

enum error_code mongo_schema_read(struct mongo_call *call, int64_t *out)
{
	mongoc_cursor_t *cursor;
	const bson_t *document;
	enum error_code code = mongo_find_one(call, META, BCON_NEW("_id", BCON_UTF8("schema")),
					      NULL, &cursor, &document);

	*out = code == ERROR_NONE ? mongo_int(document, "version") : 0;
	mongoc_cursor_destroy(cursor);
	return code == ERROR_NOT_FOUND ? ERROR_NONE : code;
}

/* Whoever is first writes it; that another was is as good. */
static enum error_code write_version(struct mongo_call *call, int version)
{
	bson_t reply, out;
	enum error_code code =
		mongo_modify(call, META, BCON_NEW("_id", BCON_UTF8("schema")),
			     BCON_NEW("$max", "{", "version", BCON_INT64(version), "}"),
			     MONGO_NEW | MONGO_UPSERT, &reply, &out);

	bson_destroy(&reply);
	return code == ERROR_CONFLICT ? ERROR_NONE : code;
}

enum error_code mongo_schema(struct mongo_call *call, struct error *err)
{
	int64_t version;
	enum error_code code = mongo_schema_read(call, &version);

	for (int next = (int)version + 1; code == ERROR_NONE && next <= VERSION; next++) {
		code = take_step(call, next) ? write_version(call, next) : mongo_failed(call);
		if (code == ERROR_CONFLICT)
			code = ERROR_STORE; /* what lies there does not fit an index */
	}
	if (code != ERROR_NONE || version <= VERSION)
		return code;
	error_set(err, ERROR_CONFIG,
		  "The database is of version %d, made by a newer c1d; this one knows %d.",
		  (int)version, VERSION);
	return ERROR_CONFIG;
}
