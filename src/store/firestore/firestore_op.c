/* firestore_op: one operation: its requests and replies, and the step that is begun anew when its
 * commit was lost. */
#include "firestore_room.h"

#include "base/clock.h"
#include "base/log.h"
#include <time.h>

#define REPLY_MAX (16u << 20)
#define BODY_MAX  (12u << 20) /* Firestore takes 10 MiB */
#define MASK_MAX  4096
#define TREE_MAX  (48u << 20)
#define LONG_MS   (24LL * 3600 * 1000)
#define SAID_MAX  1000
#define PAUSE_MS  16 /* of the first; each is longer */
#define PAUSE_MAX 400

struct firestore_reply {
	struct firestore_reply *next;
	struct buffer text;
};

/* --- life --- */

static void begin(struct firestore_op *op, struct firestore *firestore, int64_t until_ms)
{
	*op = (struct firestore_op){ .firestore = firestore, .until_ms = until_ms };
	arena_init(&op->arena, TREE_MAX);
	buffer_init(&op->body, BODY_MAX);
	buffer_init(&op->mask, MASK_MAX);
}

static void forget(struct firestore_op *op)
{
	for (struct firestore_reply *reply = op->replies; reply; reply = reply->next)
		buffer_done(&reply->text);
	op->replies = NULL;
	arena_done(&op->arena);
	arena_init(&op->arena, TREE_MAX);
}

static void end(struct firestore_op *op)
{
	forget(op);
	arena_done(&op->arena);
	buffer_done(&op->body);
	buffer_done(&op->mask);
}

bool firestore_is_late(const struct firestore_op *op)
{
	return clock_mono_ms() >= op->until_ms;
}

/* Between half of it and all of it, so that those who met do not meet again. */
static bool pause_once(struct firestore_op *op)
{
	int64_t ms = PAUSE_MS << (op->tries < 5 ? op->tries : 5), left;

	op->tries++;
	ms = ms < PAUSE_MAX ? ms : PAUSE_MAX;
	ms = ms / 2 + (clock_mono_us() * 7919 + (int64_t)((uintptr_t)op >> 4)) % (ms / 2 + 1);
	left = op->until_ms - clock_mono_ms();
	if (left <= ms)
		return false;
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
	return true;
}

static enum error_code run(struct firestore_op *op, firestore_step *step, void *arg)
{
	enum error_code code;

	for (;;) {
		op->is_lost = false;
		code = step(op, arg);
		if (!op->is_lost)
			return op->arena.failed && code == ERROR_NONE ? ERROR_OVERLOADED : code;
		forget(op);
		if (!pause_once(op))
			return ERROR_STORE_TIMEOUT;
	}
}

static enum error_code do_until(struct firestore *firestore, bool is_long, firestore_step *step,
				void *arg)
{
	int64_t limit_ms = is_long ? LONG_MS : firestore->limit_ms;
	struct firestore_op op;
	enum error_code code;

	begin(&op, firestore, clock_mono_ms() + limit_ms);
	op.is_long = is_long;
	code = run(&op, step, arg);
	end(&op);
	return code;
}

enum error_code firestore_do(void *self, firestore_step *step, void *arg)
{
	return do_until(self, false, step, arg);
}

enum error_code firestore_do_long(void *self, firestore_step *step, void *arg)
{
	return do_until(self, true, step, arg);
}

enum error_code firestore_part_of(struct firestore_op *outer, firestore_step *step, void *arg)
{
	struct firestore_op op;
	enum error_code code;

	begin(&op, outer->firestore,
	      outer->is_long ? clock_mono_ms() + outer->firestore->limit_ms : outer->until_ms);
	op.is_long = outer->is_long;
	op.tries = outer->tries;
	code = step(&op, arg);
	outer->is_lost = op.is_lost;
	end(&op);
	return code;
}

/* --- asking --- */

void firestore_body(struct firestore_op *op)
{
	buffer_reset(&op->body);
	json_writer_init(&op->w, &op->body);
	op->writes = 0;
}

/* A reply of several is a list, in which an error may stand as well. */
static enum firestore_status status_in(const struct firestore_json *reply)
{
	const struct firestore_json *item = reply->type == FJ_ARRAY ? reply->first : NULL;
	const struct firestore_json *error;

	for (; item; item = item->next)
		if ((error = firestore_member(item, "error")))
			return firestore_status_of(firestore_member_text(error, "status"));
	return FIRESTORE_OK;
}

static enum firestore_status ask(struct firestore_op *op, const char *verb, enum firestore_how how,
				 const struct firestore_json **out)
{
	struct firestore_reply *reply = arena_alloc(&op->arena, sizeof *reply);
	enum firestore_status status;

	if (!reply || op->body.failed)
		return FIRESTORE_TOO_LARGE;
	buffer_init(&reply->text, REPLY_MAX);
	reply->next = op->replies;
	op->replies = reply;
	status = firestore_call(op->firestore->link, verb, buffer_slice(&op->body), how,
				op->until_ms, &reply->text);
	if (status != FIRESTORE_OK)
		return status;
	*out = firestore_json(reply->text.data, reply->text.len, &op->arena);
	if (!*out)
		return op->arena.failed ? FIRESTORE_TOO_LARGE : FIRESTORE_UNKNOWN;
	return status_in(*out);
}

static enum error_code code_of(enum firestore_status status)
{
	return status == FIRESTORE_TOO_LARGE ? ERROR_TOO_LARGE : firestore_error(status);
}

/* Of what only reads there is no precondition but an index, and nothing to be found but the
 * database; which ones, Google's words say. */
static enum error_code refused(const struct firestore_op *op, enum firestore_status status)
{
	struct slice said = buffer_slice(&op->replies->text);

	if (status != FIRESTORE_NOT_FOUND && status != FIRESTORE_PRECONDITION)
		return code_of(status);
	said.len = said.len < SAID_MAX ? said.len : SAID_MAX;
	log_error(status == FIRESTORE_NOT_FOUND
			  ? "Firestore has no such database"
			  : "Firestore lacks an index; deploy firestore.indexes.json",
		  LOG_S("said", said));
	return status == FIRESTORE_NOT_FOUND ? ERROR_STORE_DOWN : ERROR_STORE;
}

enum error_code firestore_ask(struct firestore_op *op, const char *verb,
			      const struct firestore_json **out)
{
	enum firestore_status status = ask(op, verb, FIRESTORE_REPEATABLE, out);

	return status == FIRESTORE_OK ? ERROR_NONE : refused(op, status);
}

/* --- committing --- */

/* What is there no more, is there already, or is another by now. */
static bool is_loss(enum firestore_status status)
{
	return status == FIRESTORE_NOT_FOUND || status == FIRESTORE_EXISTS ||
	       status == FIRESTORE_PRECONDITION || status == FIRESTORE_ABORTED;
}

static enum error_code commit(struct firestore_op *op, enum firestore_how how,
			      const struct firestore_json **results)
{
	const struct firestore_json *reply = NULL;
	enum firestore_status status;

	buffer_append(&op->body, SLICE("]}"));
	status = ask(op, ":commit", how, &reply);
	op->is_lost = is_loss(status);
	op->writes = 0;
	if (results)
		*results = firestore_member(reply, "writeResults");
	if (status == FIRESTORE_OK)
		return ERROR_NONE;
	return op->is_lost && status != FIRESTORE_ABORTED ? ERROR_CONFLICT : code_of(status);
}

enum error_code firestore_commit(struct firestore_op *op, const struct firestore_json **results)
{
	return commit(op, FIRESTORE_ONCE, results);
}

enum error_code firestore_commit_again(struct firestore_op *op,
				       const struct firestore_json **results)
{
	return commit(op, FIRESTORE_REPEATABLE, results);
}

/* --- reading documents by their names --- */

/* Is this the full name of a document? */
static bool is_named(struct slice full, const struct firestore_name *name)
{
	const char *in = firestore_collections[name->in];
	size_t in_len = strlen(in), id_len = strlen(name->id), tail = in_len + id_len + 2;

	if (full.len < tail)
		return false;
	full = slice_skip(full, full.len - tail);
	return full.ptr[0] == '/' && memcmp(full.ptr + 1, in, in_len) == 0 &&
	       full.ptr[1 + in_len] == '/' && memcmp(full.ptr + 2 + in_len, name->id, id_len) == 0;
}

static void take_one(const struct firestore_json *found, const struct firestore_name *names,
		     size_t count, struct firestore_document *out)
{
	struct slice full = firestore_member_text(found, "name");

	for (size_t i = 0; full.ptr && i < count; i++)
		if (is_named(full, &names[i]))
			out[i] = (struct firestore_document){
				.id = slice_of(names[i].id),
				.fields = firestore_member(found, "fields"),
				.update_time = firestore_member_text(found, "updateTime"),
				.create_time = firestore_member_text(found, "createTime"),
			};
}

enum error_code firestore_get(struct firestore_op *op, const struct firestore_name *names,
			      size_t count, const char *mask, struct firestore_document *out)
{
	const struct firestore_json *reply = NULL;
	enum error_code code;

	firestore_body(op);
	json_open(&op->w, '{');
	json_key(&op->w, "documents");
	json_open(&op->w, '[');
	for (size_t i = 0; i < count; i++) {
		out[i] = (struct firestore_document){ .id = slice_of(names[i].id) };
		firestore_document_name(op, names[i].in, names[i].id);
	}
	json_close(&op->w, ']');
	if (mask)
		firestore_put_mask(op, "mask", mask);
	json_close(&op->w, '}');
	code = firestore_ask(op, ":batchGet", &reply);
	if (code != ERROR_NONE)
		return code;
	for (const struct firestore_json *item = reply ? reply->first : NULL; item;
	     item = item->next)
		take_one(firestore_member(item, "found"), names, count, out);
	return ERROR_NONE;
}
