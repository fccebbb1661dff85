/* firestore_try: can documents be written, by this account? For `c1d check`: one goes into a
 * collection of its own and is taken back. */
#include "firestore_room.h"

static enum error_code put_and_take_back(struct firestore_op *op, void *arg)
{
	const char *id = arg;
	enum error_code code;

	firestore_body(op);
	firestore_write(op, FS_CHECKS, id);
	firestore_written(op, &(struct firestore_end){ .when = FS_ABSENT });
	code = firestore_commit(op, NULL);
	if (code != ERROR_NONE)
		return code;
	firestore_body(op);
	firestore_delete(op, FS_CHECKS, id, NULL);
	return firestore_commit_again(op, NULL);
}

bool firestore_try_write(const char *uri, const struct config *config, const char **how,
			 struct error *err)
{
	struct firestore here = { .limit_ms = 4000 };
	char id[ID_UUID_SIZE];
	enum error_code code;

	here.link = firestore_link_open(uri, config, err);
	if (!here.link)
		return false;
	id_uuid7(id);
	code = firestore_do(&here, put_and_take_back, id);
	firestore_link_free(here.link);
	*how = "a document was written and taken back";
	return code == ERROR_NONE ||
	       error_set(err, code, "Firestore did not take a document; the log says why.");
}
