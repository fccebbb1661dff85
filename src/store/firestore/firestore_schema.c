/*
 * firestore_schema: a database has no schema that would have to be made: collections are there
 * when they have documents, and indexes are deployed by the administrator. So what stands in
 * c1d_meta/schema is only for programs of another version, and whether all messages have numbers.
 */
#include "firestore_room.h"

#define VERSION 1
#define SCHEMA  "schema"

static enum error_code read_version(struct firestore_op *op, void *arg)
{
	const struct firestore_name name = { FS_META, SCHEMA };
	struct firestore_document document;
	enum error_code code = firestore_get(op, &name, 1, NULL, &document);

	if (code == ERROR_NONE)
		*(int64_t *)arg = firestore_int(document.fields, "version");
	return code;
}

/* Whoever is first writes it; that another was is as good. */
static enum error_code write_version(struct firestore_op *op, void *arg)
{
	enum error_code code;

	(void)arg;
	firestore_body(op);
	firestore_write(op, FS_META, SCHEMA);
	firestore_written(
		op, &(struct firestore_end){ .gone = "", .most = "version", .at_least = VERSION });
	code = firestore_commit_again(op, NULL);
	return code;
}

static enum error_code refuse(int64_t version, struct error *err)
{
	error_set(err, ERROR_CONFIG,
		  "The database is of version %d, made by a newer c1d; this one knows %d.",
		  (int)version, VERSION);
	return ERROR_CONFIG;
}

enum error_code firestore_schema(struct firestore *firestore, struct error *err)
{
	int64_t version = 0;
	enum error_code code = firestore_do(firestore, read_version, &version);

	if (code == ERROR_NONE && version > VERSION)
		return refuse(version, err);
	if (code == ERROR_NONE && version < VERSION && !firestore->as_found)
		code = firestore_do(firestore, write_version, NULL);
	return code;
}

enum error_code firestore_version(void *self, struct store_version *out)
{
	int64_t version = 0;
	enum error_code code = firestore_do(self, read_version, &version);

	if (code == ERROR_NONE)
		*out = (struct store_version){
			version, VERSION,
			version < VERSION ? "messages that other programs wrote get numbers" : NULL
		};
	return code;
}

enum error_code firestore_migrate(void *self, struct error *err)
{
	int64_t version = 0;
	enum error_code code = firestore_do(self, read_version, &version);

	if (code == ERROR_NONE && version > VERSION)
		return refuse(version, err);
	if (code == ERROR_NONE)
		code = firestore_number_all(self);
	return code == ERROR_NONE && version < VERSION ? firestore_do(self, write_version, NULL)
						       : code;
}
