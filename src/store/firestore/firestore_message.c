/* firestore_message: messages read and changed. */
#include "firestore_room.h"

#include "base/log.h"

#define TORN_TRIES 3 /* who lacks a part as often as that was not written anew: it is gone */

/* --- one, by its name --- */

/* Its own document, or one of another program that says it is of this thread. */
const struct firestore_document *firestore_pick(const struct firestore_document pair[2],
						const char *thread_id)
{
	for (size_t i = 0; i < 2; i++)
		if (firestore_is_there(&pair[i]) &&
		    slice_is(firestore_text(pair[i].fields, "thread_id"), thread_id))
			return &pair[i];
	return NULL;
}

void firestore_message_names(struct firestore_op *op, const char *thread_id, const char *id,
			     struct firestore_name out[2])
{
	out[0] = (struct firestore_name){ FS_MESSAGES, firestore_message_id(op, thread_id, id) };
	out[1] = (struct firestore_name){ FS_MESSAGES, firestore_id(op, id) };
}

enum error_code firestore_message_take(struct firestore_op *op,
				       const struct firestore_document *document,
				       struct arena *arena, struct message *out)
{
	const char *id = arena_copy(&op->arena, document->id);
	struct firestore_parts parts;
	struct message message;
	enum error_code code =
		id ? firestore_take_message(document, arena, &message, &parts) : ERROR_OVERLOADED;

	if (code == ERROR_NONE)
		code = firestore_parts_read(op, id, &parts, arena, &message.content);
	if (code == ERROR_NOT_FOUND && op->tries < TORN_TRIES) { /* written anew? Read it again */
		op->is_lost = true;
		return ERROR_CONFLICT;
	}
	if (code == ERROR_NOT_FOUND) {
		log_warn("A part of a message is gone from Firestore", LOG_T("id", id));
		return ERROR_CORRUPT;
	}
	if (code == ERROR_NONE)
		*out = message;
	return code;
}

enum error_code firestore_message_find(struct firestore_op *op, const char *thread_id,
				       const char *id, struct arena *arena, struct message *out)
{
	const struct firestore_document *document;
	struct firestore_document pair[2];
	struct firestore_name names[2];
	enum error_code code;

	firestore_message_names(op, thread_id, id, names);
	code = firestore_get(op, names, 2, NULL, pair);
	if (code != ERROR_NONE)
		return code;
	document = firestore_pick(pair, thread_id);
	return document ? firestore_message_take(op, document, arena, out) : ERROR_NOT_FOUND;
}

struct message_call {
	const char *owner, *thread_id, *id;
	const struct message_patch *patch;
	struct firestore_long text; /* of a patch */
	struct arena *arena;
	struct message *out;
};

/* Message and thread at once. */
static enum error_code read_both(struct firestore_op *op, const struct message_call *call,
				 struct firestore_document documents[3])
{
	struct firestore_name names[3] = {
		[2] = { FS_THREADS, firestore_id(op, call->thread_id) },
	};
	struct firestore_thread thread;
	enum error_code code;

	firestore_message_names(op, call->thread_id, call->id, names);
	code = firestore_get(op, names, 3, NULL, documents);
	return code == ERROR_NONE
		       ? firestore_thread_of(&documents[2], call->owner, &op->arena, &thread)
		       : code;
}

static enum error_code get(struct firestore_op *op, void *arg)
{
	struct message_call *call = arg;
	const struct firestore_document *document;
	struct firestore_document documents[3];
	enum error_code code = read_both(op, call, documents);

	if (code != ERROR_NONE)
		return code;
	document = firestore_pick(documents, call->thread_id);
	return document ? firestore_message_take(op, document, call->arena, call->out)
			: ERROR_NOT_FOUND;
}

enum error_code firestore_message_get(void *self, const char *owner, const char *thread_id,
				      const char *id, struct arena *arena, struct message *out)
{
	struct message_call call = {
		.owner = owner, .thread_id = thread_id, .id = id, .arena = arena, .out = out
	};

	return firestore_do(self, get, &call);
}

static enum error_code by_run(struct firestore_op *op, void *arg)
{
	struct message_call *call = arg;
	const struct firestore_find find = {
		FQ_MESSAGE_BY_RUN, { FS_TEXT(call->id) }, 1, NULL, NULL
	};
	struct firestore_thread thread;
	struct firestore_found found;
	struct message message;
	enum error_code code = firestore_find(op, &find, &found);

	if (code == ERROR_NONE && found.count == 0)
		code = ERROR_NOT_FOUND;
	if (code == ERROR_NONE)
		code = firestore_message_take(op, &found.items[0], call->arena, &message);
	if (code == ERROR_NONE)
		code = firestore_thread_read(op, call->owner, message.thread_id, false, &op->arena,
					     &thread);
	if (code == ERROR_NONE)
		*call->out = message;
	return code;
}

enum error_code firestore_message_by_run(void *self, const char *owner, const char *run_id,
					 struct arena *arena, struct message *out)
{
	struct message_call call = { .owner = owner, .id = run_id, .arena = arena, .out = out };

	return firestore_do(self, by_run, &call);
}

/* --- change --- */

static enum error_code write_patch(struct firestore_op *op, struct message_call *call,
				   const struct firestore_document *document)
{
	const struct message_patch *patch = call->patch;
	const char *id = arena_copy(&op->arena, document->id);
	enum error_code code = ERROR_NONE;

	if (!id)
		return ERROR_OVERLOADED;
	call->text.thread_id = call->thread_id;
	call->text.document_id = id;
	call->text.content = patch->content;
	if (patch->has_content)
		code = firestore_long_put(op, &call->text);
	if (code != ERROR_NONE)
		return code;
	firestore_body(op);
	firestore_write(op, FS_MESSAGES, id);
	firestore_put_time(op, "updated_at", patch->now_ms);
	firestore_put_text(op, "metadata", patch->metadata);
	if (patch->has_content)
		firestore_put_content(op, &call->text);
	/* Without its run: a late save finds it no more. */
	firestore_written_over(op, document, patch->has_content ? "run_id parts parts_of" : "");
	if (patch->has_content)
		firestore_parts_delete(op, id, document->fields);
	return firestore_commit(op, NULL);
}

static void patch_it(struct message *message, const struct message_patch *patch,
		     struct arena *arena)
{
	message->updated_ms = patch->now_ms;
	if (patch->metadata)
		message->metadata = arena_text(arena, patch->metadata);
	if (!patch->has_content)
		return;
	message->content.ptr = arena_copy(arena, patch->content);
	message->content.len = patch->content.len;
	message->run_id = NULL;
}

static enum error_code update(struct firestore_op *op, void *arg)
{
	struct message_call *call = arg;
	const struct firestore_document *document;
	struct firestore_document documents[3];
	struct message message;
	enum error_code code = read_both(op, call, documents);

	if (code != ERROR_NONE)
		return code;
	if (!(document = firestore_pick(documents, call->thread_id)))
		return ERROR_NOT_FOUND;
	code = firestore_message_take(op, document, call->arena, &message);
	if (code == ERROR_NONE && message.status == STATUS_STREAMING)
		code = ERROR_NOT_SAVED;
	if (code != ERROR_NONE)
		return code;
	code = write_patch(op, call, document);
	patch_it(&message, call->patch, call->arena);
	if (code == ERROR_NONE && (code = store_fits(call->arena)) == ERROR_NONE)
		*call->out = message;
	return code;
}

enum error_code firestore_message_update(void *self, const char *owner, const char *thread_id,
					 const char *id, const struct message_patch *patch,
					 struct arena *arena, struct message *out)
{
	struct message_call call = { .owner = owner,
				     .thread_id = thread_id,
				     .id = id,
				     .patch = patch,
				     .arena = arena,
				     .out = out };

	return firestore_do(self, update, &call);
}
