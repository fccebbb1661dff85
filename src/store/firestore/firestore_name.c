/* firestore_name: what collections, documents and fields are called. */
#include "firestore_room.h"

const char *const firestore_collections[FS_COLLECTIONS] = {
	[FS_THREADS] = "threads",     [FS_MESSAGES] = "messages", [FS_PARTS] = "message_parts",
	[FS_DELETED] = "c1d_deleted", [FS_KEYS] = "c1d_keys",     [FS_NODES] = "c1d_nodes",
	[FS_STOPS] = "c1d_stops",     [FS_META] = "c1d_meta",     [FS_CHECKS] = "c1d_checks",
};

/* --- ids of documents --- */

/* One of their own kind gets a mark that sorts before all that an id may go on with. */
const char *firestore_id(struct firestore_op *op, const char *id)
{
	size_t len = strlen(id);

	if (len < 4 || memcmp(id, "__", 2) != 0 || memcmp(id + len - 2, "__", 2) != 0)
		return id;
	id = arena_printf(&op->arena, "%s!", id);
	return id ? id : "";
}

const char *firestore_message_id(struct firestore_op *op, const char *thread_id, const char *id)
{
	const char *joined = arena_printf(&op->arena, "%s~%s", thread_id, id);

	return joined ? firestore_id(op, joined) : "";
}

struct slice firestore_id_of(struct slice id, const char *thread_id)
{
	size_t len = thread_id ? strlen(thread_id) : 0;

	if (id.len > 0 && id.ptr[id.len - 1] == '!')
		id.len--;
	if (thread_id && id.len > len && memcmp(id.ptr, thread_id, len) == 0 && id.ptr[len] == '~')
		id = slice_skip(id, len + 1);
	return id;
}

/* --- as they stand in requests --- */

void firestore_document_name(struct firestore_op *op, enum firestore_collection in, const char *id)
{
	struct buffer *out = op->w.out;

	json_raw(&op->w, SLICE("\""));
	buffer_append(out, slice_of(firestore_root(op->firestore->link)));
	buffer_append_char(out, '/');
	buffer_append(out, slice_of(firestore_collections[in]));
	buffer_append_char(out, '/');
	json_escape(out, slice_of(id));
	buffer_append_char(out, '"');
}

void firestore_put_mask(struct firestore_op *op, const char *key, const char *mask)
{
	json_key(&op->w, key);
	json_open(&op->w, '{');
	json_key(&op->w, "fieldPaths");
	json_open(&op->w, '[');
	for (size_t len; *mask; mask += len + strspn(mask + len, " ")) {
		len = strcspn(mask, " ");
		json_string(&op->w, (struct slice){ mask, len });
	}
	json_close(&op->w, ']');
	json_close(&op->w, '}');
}
