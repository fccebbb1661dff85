/*
 * firestore_parts: a document holds 1 MiB. What is longer begins in its message, where others read
 * it, and goes on in numbered documents of a collection of its own. They are there before the
 * message names their set, and a set is never written again: who reads sees one content or the
 * other, never a mix. What a crash leaves between the two goes with the thread.
 */
#include "firestore_room.h"

#include "base/utf8.h"

#define PIECE  900000u    /* leaves room for all other fields of a message */
#define COMMIT (5u << 19) /* of JSON, before the last piece */

bool firestore_is_long(struct slice content)
{
	return content.len > PIECE;
}

/* The next piece, which *rest loses. */
static struct slice cut(struct slice *rest)
{
	size_t len = rest->len > PIECE ? utf8_cut(*rest, PIECE) : rest->len;
	struct slice piece = { rest->ptr, len };

	*rest = slice_skip(*rest, len);
	return piece;
}

static int64_t count_of(struct slice content)
{
	int64_t count = -1;

	do
		cut(&content);
	while (++count < FS_PARTS_MAX && content.len > 0);
	return count;
}

static const char *part_id(struct firestore_op *op, const char *document_id, const char *set,
			   int64_t number)
{
	const char *id =
		arena_printf(&op->arena, "%s~%s~%lld", document_id, set, (long long)number);

	return id ? id : "";
}

enum error_code firestore_long_put(struct firestore_op *op, struct firestore_long *text)
{
	struct slice rest = text->content;
	enum error_code code = ERROR_NONE;

	if (!firestore_is_long(text->content) || text->is_put)
		return ERROR_NONE;
	if (text->content.len > (size_t)PIECE * (FS_PARTS_MAX - 1))
		return ERROR_TOO_LARGE;
	id_uuid7(text->set);
	cut(&rest);
	firestore_body(op);
	for (int64_t number = 1; code == ERROR_NONE && rest.len > 0; number++) {
		firestore_write(op, FS_PARTS, part_id(op, text->document_id, text->set, number));
		firestore_put_text(op, "thread_id", text->thread_id);
		firestore_put_int(op, "number", number);
		firestore_put_slice(op, "content", cut(&rest));
		firestore_written(op, &(struct firestore_end){ .when = FS_ANY });
		if (rest.len > 0 && op->body.len < COMMIT)
			continue;
		code = firestore_commit_again(op, NULL);
		firestore_body(op);
	}
	text->is_put = code == ERROR_NONE;
	return code;
}

void firestore_put_content(struct firestore_op *op, const struct firestore_long *text)
{
	struct slice rest = text->content;

	firestore_put_slice(op, "content", cut(&rest));
	firestore_put_int(op, "size", (int64_t)text->content.len);
	if (rest.len == 0)
		return;
	firestore_put_int(op, "parts", count_of(text->content));
	firestore_put_text(op, "parts_of", text->set);
}

void firestore_parts_delete(struct firestore_op *op, const char *document_id,
			    const struct firestore_json *fields)
{
	int64_t count = firestore_int(fields, "parts");
	const char *set = arena_copy(&op->arena, firestore_text(fields, "parts_of"));

	for (int64_t number = 1; set && number <= count && number <= FS_PARTS_MAX; number++)
		firestore_delete(op, FS_PARTS, part_id(op, document_id, set, number), NULL);
}

/* --- reading --- */

struct assembly {
	const char *document_id;
	const struct firestore_parts *parts;
	char *out;
	size_t at;
	int64_t number; /* of the next part */
	int64_t batch;
};

static enum error_code read_batch(struct firestore_op *op, void *arg)
{
	struct assembly *a = arg;
	struct firestore_name names[FS_PARTS_MAX] = { 0 };
	struct firestore_document found[FS_PARTS_MAX];
	int64_t left = a->parts->count - a->number + 1, count = left < a->batch ? left : a->batch;
	enum error_code code;

	for (int64_t i = 0; i < count; i++)
		names[i] =
			(struct firestore_name){ FS_PARTS, part_id(op, a->document_id,
								   a->parts->set, a->number + i) };
	code = firestore_get(op, names, (size_t)count, "content", found);
	for (int64_t i = 0; code == ERROR_NONE && i < count; i++) {
		struct slice piece = firestore_text(found[i].fields, "content");

		if (!firestore_is_there(&found[i]))
			return ERROR_NOT_FOUND;
		if (!piece.ptr || piece.len > (size_t)a->parts->size - a->at ||
		    !utf8_valid(piece, NULL))
			return ERROR_CORRUPT;
		memcpy(a->out + a->at, piece.ptr, piece.len);
		a->at += piece.len;
	}
	if (code == ERROR_NONE)
		a->number += count;
	return code;
}

enum error_code firestore_parts_read(struct firestore_op *op, const char *document_id,
				     const struct firestore_parts *parts, struct arena *arena,
				     struct slice *content)
{
	struct assembly a = { document_id, parts, NULL, content->len, 1, 8 };
	enum error_code code = ERROR_NONE;

	if (parts->count == 0)
		return ERROR_NONE;
	if (content->len > (size_t)parts->size)
		return ERROR_CORRUPT;
	if (!(a.out = arena_alloc(arena, (size_t)parts->size + 1)))
		return ERROR_OVERLOADED;
	memcpy(a.out, content->ptr, content->len);
	while (code == ERROR_NONE && a.number <= parts->count) {
		code = firestore_part_of(op, read_batch, &a);
		if (code == ERROR_TOO_LARGE && a.batch > 1) {
			a.batch = 1; /* all of it escapes */
			code = ERROR_NONE;
		}
	}
	if (code == ERROR_NONE && a.at != (size_t)parts->size)
		code = ERROR_CORRUPT;
	if (code == ERROR_NONE)
		*content = (struct slice){ a.out, a.at };
	return code;
}
