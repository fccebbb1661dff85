/* firestore_add: messages put in behind what is there: a commit of the thread, which gives the
 * numbers, and the messages. Those that do not fit into one commit go in the next. */
#include "firestore_room.h"

#include "base/clock.h"
#include <stdlib.h>

#define COMMIT_MAX  200        /* messages: Firestore takes 500 documents */
#define COMMIT_SIZE (5u << 19) /* of JSON, before the last piece */

enum error_code firestore_message_last(struct firestore_op *op, const char *thread_id, int64_t *seq,
				       const char **id)
{
	const struct firestore_find find = {
		FQ_MESSAGE_LAST, { FS_TEXT(thread_id) }, 1, NULL, NULL
	};
	struct firestore_found found;
	enum error_code code = firestore_find(op, &find, &found);

	if (code != ERROR_NONE)
		return code;
	*seq = found.count > 0 ? firestore_int(found.items[0].fields, "seq") : 0;
	*id = found.count > 0
		      ? arena_copy(&op->arena, firestore_id_of(found.items[0].id, thread_id))
		      : "";
	return store_fits(&op->arena);
}

void firestore_key_make(struct firestore_op *op, const struct message *message,
			const struct firestore_document *read)
{
	struct firestore_end end = { .when = FS_ANY };

	if (!message->key)
		return;
	if (read) {
		end.when = firestore_is_there(read) ? FS_AS_READ : FS_ABSENT;
		end.update_time = read->update_time;
	}
	firestore_write(op, FS_KEYS, firestore_id(op, message->key));
	firestore_put_text(op, "thread_id", message->thread_id);
	firestore_put_text(op, "message_id", message->id);
	firestore_written(op, &end);
}

void firestore_message_make(struct firestore_op *op, const struct message *message,
			    const struct firestore_long *text)
{
	firestore_write(op, FS_MESSAGES, firestore_message_id(op, message->thread_id, message->id));
	firestore_put_message(op, message);
	firestore_put_content(op, text);
	firestore_written(op, &(struct firestore_end){ .when = FS_ABSENT });
}

struct addition {
	const char *owner, *thread_id;
	struct message *messages;
	struct firestore_long *texts;
	size_t count, done;
	int64_t now_ms;
};

/* Does one of the next ones exist, or is one of them named twice? */
static enum error_code read_some(struct firestore_op *op, const struct addition *a, size_t count,
				 struct firestore_thread *thread)
{
	struct firestore_name *names = arena_alloc(&op->arena, (2 * count + 1) * sizeof *names);
	struct firestore_document *found = arena_alloc(&op->arena, (2 * count + 1) * sizeof *found);
	enum error_code code;

	if (!names || !found)
		return ERROR_OVERLOADED;
	names[0] = (struct firestore_name){ FS_THREADS, firestore_id(op, a->thread_id) };
	for (size_t i = 0; i < count; i++)
		firestore_message_names(op, a->thread_id, a->messages[a->done + i].id,
					&names[1 + 2 * i]);
	code = firestore_get(op, names, 2 * count + 1, NULL, found);
	if (code == ERROR_NONE)
		code = firestore_thread_of(&found[0], a->owner, &op->arena, thread);
	for (size_t i = 0; code == ERROR_NONE && i < count; i++) {
		if (firestore_pick(&found[1 + 2 * i], a->thread_id))
			return ERROR_CONFLICT;
		for (size_t j = 0; j < i; j++)
			if (strcmp(a->messages[a->done + i].id, a->messages[a->done + j].id) == 0)
				return ERROR_CONFLICT;
	}
	return code;
}

/* As many as one commit takes; *end: behind the last. */
static void write_some(struct firestore_op *op, struct addition *a, int64_t seq, const char *last,
		       size_t count, size_t *end)
{
	for (*end = a->done; *end < a->done + count && op->body.len < COMMIT_SIZE; (*end)++) {
		struct message message = a->messages[*end];

		message.thread_id = a->thread_id;
		message.seq = a->messages[*end].seq = ++seq;
		if (!message.parent_id)
			message.parent_id = *end > 0 ? a->messages[*end - 1].id
					    : *last  ? last
						     : NULL;
		firestore_message_make(op, &message, &a->texts[*end]);
		firestore_key_make(op, &message, NULL);
	}
}

static enum error_code put_texts(struct firestore_op *op, struct addition *a, size_t count)
{
	enum error_code code = ERROR_NONE;

	for (size_t i = a->done; code == ERROR_NONE && i < a->done + count; i++) {
		a->texts[i].thread_id = a->thread_id;
		a->texts[i].document_id = firestore_message_id(op, a->thread_id, a->messages[i].id);
		a->texts[i].content = a->messages[i].content;
		code = firestore_long_put(op, &a->texts[i]);
	}
	return code;
}

static enum error_code add_some(struct firestore_op *op, void *arg)
{
	struct addition *a = arg;
	size_t left = a->count - a->done, count = left < COMMIT_MAX ? left : COMMIT_MAX, end;
	struct firestore_thread thread;
	const char *last;
	int64_t seq;
	enum error_code code = read_some(op, a, count, &thread);

	if (code == ERROR_NONE)
		code = firestore_number(op, &thread);
	if (code == ERROR_NONE)
		code = firestore_message_last(op, a->thread_id, &seq, &last);
	if (code == ERROR_NONE)
		code = put_texts(op, a, count);
	if (code != ERROR_NONE)
		return code;
	seq = seq > thread.last ? seq : thread.last;
	firestore_body(op);
	write_some(op, a, seq, last, count, &end);
	firestore_thread_change(op, &thread, a->now_ms);
	firestore_put_int(op, "last", seq + (int64_t)(end - a->done));
	firestore_written_over(op, &thread.document, "");
	code = firestore_commit(op, NULL);
	if (code == ERROR_NONE)
		a->done = end;
	return code;
}

enum error_code firestore_messages_add(void *self, const char *owner, const char *thread_id,
				       struct message *messages, size_t count)
{
	struct addition a = { .owner = owner,
			      .thread_id = thread_id,
			      .messages = messages,
			      .texts = calloc(count ? count : 1, sizeof *a.texts),
			      .count = count,
			      .now_ms = clock_wall_ms() };
	enum error_code code = a.texts ? ERROR_NONE : ERROR_OVERLOADED;

	while (code == ERROR_NONE && a.done < count)
		code = firestore_do(self, add_some, &a);
	free(a.texts);
	return code;
}
