/*
 * mongo_try: can documents be written, by this user of the server? For `c1d check`: one goes
 * into a collection of its own and is taken back with it.
 */
#include "mongo_room.h"

#include "base/clock.h"
#include "base/id.h"

#define COLLECTION "checks"

/* The collection goes too, where the user may do that; one that is left is empty. */
static bool put_and_take_back(struct mongo_call *call, mongoc_collection_t *checks)
{
	char id[ID_UUID_SIZE];
	bson_t *document;
	bool ok;

	id_uuid7(id);
	document = BCON_NEW("_id", BCON_UTF8(id));
	ok = mongoc_collection_insert_one(checks, document, NULL, NULL, &call->error) &&
	     mongoc_collection_delete_one(checks, document, NULL, NULL, &call->error);
	if (ok)
		mongoc_collection_drop(checks, NULL);
	bson_destroy(document);
	return ok;
}

bool mongo_try_write(const char *text, const struct config *config, const char **how,
		     struct error *err)
{
	struct mongo here = { .limit_ms = 4000 };
	struct mongo_call call = { .mongo = &here, .began_ms = clock_mono_ms() };
	mongoc_uri_t *uri = mongo_uri(text, err);
	mongoc_collection_t *checks;
	enum error_code code;

	(void)config;
	if (!uri)
		return false;
	mongo_wake();
	call.client = mongoc_client_new_from_uri(uri);
	if (!call.client) {
		mongoc_uri_destroy(uri);
		return error_set(err, ERROR_CONFIG, "The MongoDB URI cannot be used.");
	}
	mongoc_client_set_error_api(call.client, MONGOC_ERROR_API_VERSION_2);
	checks =
		mongoc_client_get_collection(call.client, mongoc_uri_get_database(uri), COLLECTION);
	code = put_and_take_back(&call, checks) ? ERROR_NONE : mongo_failed(&call);
	*how = "a document was written and taken back";
	mongoc_collection_destroy(checks);
	mongoc_client_destroy(call.client);
	mongoc_uri_destroy(uri);
	/* An administrator reads it, so the driver's own words are the best; they hold no password.
	 */
	return code == ERROR_NONE || error_set(err, code, "%s.", call.error.message);
}
