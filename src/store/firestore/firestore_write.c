/*
 * firestore_write: the body of a commit, written as it goes: {"writes":[{"update":{"name":...,
 * "fields":{...}},"updateMask":...,"currentDocument":...},...]}. firestore_commit closes it.
 */
#include "firestore_room.h"

#include "base/clock.h"
#include <stdio.h>

static void next_write(struct firestore_op *op)
{
	if (op->writes++ == 0) {
		json_open(&op->w, '{');
		json_key(&op->w, "writes");
		json_open(&op->w, '[');
	}
	json_open(&op->w, '{');
}

/* Whose value is put next; what is a field of the document itself becomes part of the mask. */
static void key(struct firestore_op *op, const char *name)
{
	json_key(&op->w, name);
	if (!op->is_inside)
		buffer_appendf(&op->mask, "%s ", name);
}

void firestore_write(struct firestore_op *op, enum firestore_collection in, const char *id)
{
	next_write(op);
	buffer_reset(&op->mask);
	json_key(&op->w, "update");
	json_open(&op->w, '{');
	json_key(&op->w, "name");
	firestore_document_name(op, in, id);
	json_key(&op->w, "fields");
	json_open(&op->w, '{');
}

/* Is this field in the mask already? */
static bool is_masked(const struct firestore_op *op, struct slice field)
{
	struct slice rest = buffer_slice(&op->mask);

	while (rest.len > 0) {
		size_t len = (size_t)((const char *)memchr(rest.ptr, ' ', rest.len) - rest.ptr);

		if (slice_equal((struct slice){ rest.ptr, len }, field))
			return true;
		rest = slice_skip(rest, len + 1);
	}
	return false;
}

/* What was written, and what goes: fields in a mask without a value are taken away. */
static void write_mask(struct firestore_op *op, const char *gone)
{
	for (size_t len; *gone; gone += len + strspn(gone + len, " ")) {
		len = strcspn(gone, " ");
		if (!is_masked(op, (struct slice){ gone, len }))
			buffer_appendf(&op->mask, "%.*s ", (int)len, gone);
	}
	firestore_put_mask(op, "updateMask", op->mask.data ? op->mask.data : "");
}

static void write_precondition(struct firestore_op *op, enum firestore_when when,
			       struct slice update_time)
{
	if (when == FS_ANY)
		return;
	json_key(&op->w, "currentDocument");
	json_open(&op->w, '{');
	if (when == FS_AS_READ)
		json_put_slice(&op->w, "updateTime", update_time);
	else
		json_put_bool(&op->w, "exists", when == FS_PRESENT);
	json_close(&op->w, '}');
}

static void write_transforms(struct firestore_op *op, const struct firestore_end *end)
{
	if (!end->now && !end->most)
		return;
	json_key(&op->w, "updateTransforms");
	json_open(&op->w, '[');
	if (end->now) {
		json_open(&op->w, '{');
		json_put_text(&op->w, "fieldPath", end->now);
		json_put_text(&op->w, "setToServerValue", "REQUEST_TIME");
		json_close(&op->w, '}');
	}
	if (end->most) {
		json_open(&op->w, '{');
		json_put_text(&op->w, "fieldPath", end->most);
		op->is_inside = true;
		firestore_put_int(op, "maximum", end->at_least);
		op->is_inside = false;
		json_close(&op->w, '}');
	}
	json_close(&op->w, ']');
}

void firestore_written(struct firestore_op *op, const struct firestore_end *end)
{
	json_close(&op->w, '}');
	json_close(&op->w, '}');
	if (end->gone)
		write_mask(op, end->gone);
	write_precondition(op, end->when, end->update_time);
	write_transforms(op, end);
	json_close(&op->w, '}');
}

void firestore_written_over(struct firestore_op *op, const struct firestore_document *read,
			    const char *gone)
{
	firestore_written(op, &(struct firestore_end){ .gone = gone,
						       .when = FS_AS_READ,
						       .update_time = read->update_time });
}

static void write_name(struct firestore_op *op, const char *verb, enum firestore_collection in,
		       const char *id, enum firestore_when when, struct slice update_time)
{
	next_write(op);
	json_key(&op->w, verb);
	firestore_document_name(op, in, id);
	write_precondition(op, when, update_time);
	json_close(&op->w, '}');
}

void firestore_delete(struct firestore_op *op, enum firestore_collection in, const char *id,
		      const struct firestore_document *read)
{
	write_name(op, "delete", in, id, read ? FS_AS_READ : FS_ANY,
		   read ? read->update_time : SLICE(""));
}

/* As Google's own client for browsers does in its transactions. */
void firestore_absent(struct firestore_op *op, enum firestore_collection in, const char *id)
{
	write_name(op, "verify", in, id, FS_ABSENT, SLICE(""));
}

/* --- fields: whole numbers are texts in JSON, as they have 64 bits --- */

void firestore_put_slice(struct firestore_op *op, const char *name, struct slice text)
{
	key(op, name);
	json_open(&op->w, '{');
	json_put_slice(&op->w, "stringValue", text);
	json_close(&op->w, '}');
}

void firestore_put_text(struct firestore_op *op, const char *name, const char *text)
{
	if (text)
		firestore_put_slice(op, name, slice_of(text));
}

void firestore_put_int(struct firestore_op *op, const char *name, int64_t value)
{
	char text[48];

	snprintf(text, sizeof text, "{\"integerValue\":\"%lld\"}", (long long)value);
	key(op, name);
	json_raw(&op->w, slice_of(text));
}

void firestore_put_count(struct firestore_op *op, const char *name, int64_t value)
{
	if (value >= 0)
		firestore_put_int(op, name, value);
}

void firestore_put_bool(struct firestore_op *op, const char *name, bool value)
{
	key(op, name);
	json_open(&op->w, '{');
	json_put_bool(&op->w, "booleanValue", value);
	json_close(&op->w, '}');
}

void firestore_put_timestamp(struct firestore_op *op, const char *name, struct slice time)
{
	key(op, name);
	json_open(&op->w, '{');
	json_put_slice(&op->w, "timestampValue", time);
	json_close(&op->w, '}');
}

void firestore_put_time(struct firestore_op *op, const char *name, int64_t wall_ms)
{
	char text[CLOCK_TEXT_SIZE];

	firestore_put_timestamp(op, name, slice_of(clock_format(wall_ms, text)));
}

void firestore_put_run(struct firestore_op *op, const struct run_ref *run, bool stop)
{
	if (!run->id)
		return;
	key(op, "run");
	json_open(&op->w, '{');
	json_key(&op->w, "mapValue");
	json_open(&op->w, '{');
	json_key(&op->w, "fields");
	json_open(&op->w, '{');
	op->is_inside = true;
	firestore_put_text(op, "id", run->id);
	firestore_put_text(op, "message_id", run->message_id);
	firestore_put_text(op, "node", run->node);
	if (stop)
		firestore_put_bool(op, "stop", true);
	op->is_inside = false;
	json_close(&op->w, '}');
	json_close(&op->w, '}');
	json_close(&op->w, '}');
}
