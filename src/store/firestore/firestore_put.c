/*
 * firestore_put: threads and messages put as another store had them, and taken away again. What is
 * put is put by its name, so what was cut off is put again.
 */
#include "firestore_room.h"

#include <stdlib.h>

#define COMMIT_MAX  100        /* messages in a commit, each with some documents more */
#define COMMIT_SIZE (5u << 19) /* of JSON, before the last piece */

/* --- threads --- */

struct threads {
	const struct thread *items;
	size_t count;
};

/* The claim that is there stays, and so do the numbers of its messages. */
static void write_thread(struct firestore_op *op, const struct thread *thread,
			 const struct firestore_document *found)
{
	bool is_numbered = !firestore_is_there(found) || firestore_has(found->fields, "last");

	firestore_write(op, FS_THREADS, firestore_id(op, thread->id));
	firestore_put_thread(op, thread);
	if (is_numbered)
		firestore_put_time(op, "numbered_at", thread->updated_ms);
	firestore_written(op, &(struct firestore_end){ .gone = "metadata",
						       .when = FS_ANY,
						       .most = is_numbered ? "last" : NULL });
}

static enum error_code put_threads(struct firestore_op *op, void *arg)
{
	const struct threads *t = arg;
	struct firestore_name *names = arena_alloc(&op->arena, 2 * t->count * sizeof *names);
	struct firestore_document *found = arena_alloc(&op->arena, 2 * t->count * sizeof *found);
	enum error_code code = ERROR_OVERLOADED;
	size_t removed;

	if (!names || !found)
		return code;
	for (size_t i = 0; i < t->count; i++) {
		names[2 * i] =
			(struct firestore_name){ FS_THREADS, firestore_id(op, t->items[i].id) };
		names[2 * i + 1] = (struct firestore_name){ FS_DELETED, names[2 * i].id };
	}
	code = firestore_get(op, names, 2 * t->count, "last purge", found);
	for (size_t i = 0; code == ERROR_NONE && i < t->count; i++)
		if (firestore_is_there(&found[2 * i + 1]))
			code = firestore_thread_empty(op, t->items[i].id, SIZE_MAX, &removed);
	if (code != ERROR_NONE)
		return code;
	firestore_body(op);
	for (size_t i = 0; i < t->count; i++) {
		write_thread(op, &t->items[i], &found[2 * i]);
		if (firestore_is_there(&found[2 * i + 1]))
			firestore_delete(op, FS_DELETED, names[2 * i + 1].id, NULL);
	}
	return firestore_commit_again(op, NULL);
}

enum error_code firestore_threads_put(void *self, const struct thread *threads, size_t count)
{
	enum error_code code = ERROR_NONE;

	for (size_t done = 0, n; code == ERROR_NONE && done < count; done += n) {
		struct threads some = { threads + done, count - done };

		n = some.count = some.count < COMMIT_MAX ? some.count : COMMIT_MAX;
		code = firestore_do(self, put_threads, &some);
	}
	return code;
}

/* --- messages --- */

struct messages {
	const struct message *items;
	size_t count;
	struct firestore_long *texts;
	/* --- of this attempt --- */
	struct firestore_name *names;     /* of items[i]: 4i its thread, its own two, its key */
	struct firestore_document *found; /* the same */
};

enum { THREAD, OWN, KEY = OWN + 2, EACH };

static const struct firestore_document *found_of(const struct messages *m, size_t i, int what)
{
	return &m->found[EACH * i + (size_t)what];
}

static enum error_code read_found(struct firestore_op *op, struct messages *m)
{
	size_t count = EACH * m->count;
	enum error_code code;

	m->names = arena_alloc(&op->arena, count * sizeof *m->names);
	m->found = arena_alloc(&op->arena, count * sizeof *m->found);
	if (!m->names || !m->found)
		return ERROR_OVERLOADED;
	for (size_t i = 0; i < m->count; i++) {
		const struct message *message = &m->items[i];
		struct firestore_name *names = &m->names[EACH * i];

		names[THREAD] =
			(struct firestore_name){ FS_THREADS, firestore_id(op, message->thread_id) };
		firestore_message_names(op, message->thread_id, message->id, &names[OWN]);
		names[KEY] = (struct firestore_name){
			FS_KEYS, firestore_id(op, message->key ? message->key : "-")
		};
	}
	code = firestore_get(op, m->names, count, "last thread_id message_id key parts parts_of",
			     m->found);
	for (size_t i = 0; code == ERROR_NONE && i < m->count; i++)
		if (!firestore_is_there(found_of(m, i, THREAD)))
			code = ERROR_NOT_FOUND;
	return code;
}

/* The document that a message has, or is to have. */
static const char *document_of(struct firestore_op *op, const struct messages *m, size_t i)
{
	const struct firestore_document *there =
		firestore_pick(found_of(m, i, OWN), m->items[i].thread_id);
	const char *id = there ? arena_copy(&op->arena, there->id) : m->names[EACH * i + OWN].id;

	return id ? id : "";
}

/* Is this document one of those that are put? */
static bool is_put(struct firestore_op *op, const struct messages *m, struct slice id)
{
	for (size_t i = 0; i < m->count; i++)
		if (slice_is(id, document_of(op, m, i)))
			return true;
	return false;
}

static bool has_number(const struct messages *m, const char *thread_id, int64_t seq)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->items[i].seq == seq && strcmp(m->items[i].thread_id, thread_id) == 0)
			return true;
	return false;
}

/* Between which numbers of this thread are they, unless an earlier one of them was of it, too? */
static bool range_of(const struct messages *m, size_t i, int64_t *low, int64_t *high)
{
	const char *thread_id = m->items[i].thread_id;

	for (size_t j = 0; j < i; j++)
		if (strcmp(m->items[j].thread_id, thread_id) == 0)
			return false;
	*low = *high = m->items[i].seq;
	for (size_t j = i + 1; j < m->count; j++) {
		int64_t seq = m->items[j].seq;

		if (strcmp(m->items[j].thread_id, thread_id) != 0)
			continue;
		*low = seq < *low ? seq : *low;
		*high = seq > *high ? seq : *high;
	}
	return true;
}

struct clearing {
	const struct messages *m;
	const char *thread_id;
	int64_t low, high;
	bool is_over;
};

/* Another one of its number goes. */
static enum error_code clear_some(struct firestore_op *op, void *arg)
{
	struct clearing *c = arg;
	const struct firestore_value behind = FS_INT(c->low - 1);
	const struct firestore_find find = {
		FQ_MESSAGES_NUMBERED, { FS_TEXT(c->thread_id) }, COMMIT_MAX, &behind, NULL
	};
	struct firestore_found found;
	enum error_code code = firestore_find(op, &find, &found);

	firestore_body(op);
	for (size_t i = 0; code == ERROR_NONE && !c->is_over && i < found.count; i++) {
		struct firestore_document *other = &found.items[i];
		const char *id = arena_copy(&op->arena, other->id);

		c->low = firestore_int(other->fields, "seq");
		c->is_over = c->low++ > c->high;
		if (!id || c->is_over || !has_number(c->m, c->thread_id, c->low - 1) ||
		    is_put(op, c->m, other->id))
			continue;
		firestore_parts_delete(op, id, other->fields);
		firestore_delete(op, FS_MESSAGES, id, NULL);
	}
	c->is_over = c->is_over || found.count < COMMIT_MAX;
	return code == ERROR_NONE && op->writes > 0 ? firestore_commit_again(op, NULL) : code;
}

static enum error_code clear_numbers(struct firestore_op *op, const struct messages *m)
{
	enum error_code code = ERROR_NONE;

	for (size_t i = 0; code == ERROR_NONE && i < m->count; i++) {
		struct clearing c = { .m = m, .thread_id = m->items[i].thread_id };

		if (!range_of(m, i, &c.low, &c.high))
			continue;
		while (code == ERROR_NONE && !c.is_over)
			code = firestore_part_of(op, clear_some, &c);
	}
	return code;
}

/* Another one of its key loses that. */
static enum error_code clear_key(struct firestore_op *op, const struct messages *m, size_t i)
{
	const struct firestore_document *key = found_of(m, i, KEY), *other;
	const char *thread_id = arena_copy(&op->arena, firestore_text(key->fields, "thread_id"));
	const char *id = arena_copy(&op->arena, firestore_text(key->fields, "message_id"));
	struct firestore_document pair[2];
	struct firestore_name names[2];
	enum error_code code;

	if (!m->items[i].key || !firestore_is_there(key) || !thread_id || !id)
		return store_fits(&op->arena);
	firestore_message_names(op, thread_id, id, names);
	code = firestore_get(op, names, 2, "thread_id key", pair);
	other = code == ERROR_NONE ? firestore_pick(pair, thread_id) : NULL;
	if (!other || is_put(op, m, other->id) ||
	    !slice_is(firestore_text(other->fields, "key"), m->items[i].key))
		return code;
	firestore_body(op);
	firestore_write(op, FS_MESSAGES, arena_copy(&op->arena, other->id));
	firestore_written_over(op, other, "key");
	return firestore_commit(op, NULL);
}

static void write_message(struct firestore_op *op, const struct messages *m, size_t i)
{
	const struct message *message = &m->items[i];
	const struct firestore_document *there =
		firestore_pick(found_of(m, i, OWN), message->thread_id);
	const char *id = document_of(op, m, i);

	firestore_write(op, FS_MESSAGES, id);
	firestore_put_message(op, message);
	firestore_put_content(op, &m->texts[i]);
	firestore_written(op, &(struct firestore_end){ .when = FS_ANY });
	if (there)
		firestore_parts_delete(op, id, there->fields);
	firestore_key_make(op, message, NULL);
	/* A thread whose messages have no numbers yet is still to get them. */
	if (!firestore_has(found_of(m, i, THREAD)->fields, "last"))
		return;
	firestore_write(op, FS_THREADS, m->names[EACH * i + THREAD].id);
	firestore_written(op, &(struct firestore_end){ .gone = "",
						       .when = FS_PRESENT,
						       .most = "last",
						       .at_least = message->seq });
}

/* A thread that is gone by now is found to be when it is read again. */
static enum error_code put_messages(struct firestore_op *op, void *arg)
{
	struct messages *m = arg;
	enum error_code code = read_found(op, m);

	if (code == ERROR_NONE)
		code = clear_numbers(op, m);
	for (size_t i = 0; code == ERROR_NONE && i < m->count; i++) {
		m->texts[i].thread_id = m->items[i].thread_id;
		m->texts[i].document_id = document_of(op, m, i);
		m->texts[i].content = m->items[i].content;
		code = firestore_long_put(op, &m->texts[i]);
		if (code == ERROR_NONE)
			code = clear_key(op, m, i);
	}
	if (code != ERROR_NONE)
		return code;
	firestore_body(op);
	for (size_t i = 0; i < m->count; i++)
		write_message(op, m, i);
	return firestore_commit_again(op, NULL);
}

/* How many of them go into one commit. */
static size_t some_of(const struct message *messages, size_t count)
{
	size_t n = 0, size = 0;

	while (n < count && n < COMMIT_MAX && (n == 0 || size < COMMIT_SIZE / 4))
		size += firestore_is_long(messages[n].content) ? COMMIT_SIZE / 8
							       : messages[n].content.len,
			n++;
	return n;
}

enum error_code firestore_messages_put(void *self, const struct message *messages, size_t count)
{
	struct firestore_long *texts = calloc(count ? count : 1, sizeof *texts);
	enum error_code code = texts ? ERROR_NONE : ERROR_OVERLOADED;

	for (size_t done = 0, n; code == ERROR_NONE && done < count; done += n) {
		struct messages some = { messages + done, some_of(messages + done, count - done),
					 texts + done, NULL, NULL };

		n = some.count;
		code = firestore_do(self, put_messages, &some);
	}
	free(texts);
	return code;
}

/* --- dropping --- */

struct dropping {
	const char *thread_id;
	const char *const *ids;
	size_t count;
};

static enum error_code drop(struct firestore_op *op, void *arg)
{
	const struct dropping *d = arg;
	struct firestore_name *names = arena_alloc(&op->arena, 2 * d->count * sizeof *names);
	struct firestore_document *found = arena_alloc(&op->arena, 2 * d->count * sizeof *found);
	struct firestore_document *there = arena_alloc(&op->arena, d->count * sizeof *there);
	const struct firestore_document *one;
	size_t count = 0;
	enum error_code code = ERROR_OVERLOADED;

	if (!names || !found || !there)
		return code;
	for (size_t i = 0; i < d->count; i++)
		firestore_message_names(op, d->thread_id, d->ids[i], &names[2 * i]);
	code = firestore_get(op, names, 2 * d->count, "thread_id key parts parts_of", found);
	for (size_t i = 0; code == ERROR_NONE && i < d->count; i++)
		if ((one = firestore_pick(&found[2 * i], d->thread_id)))
			there[count++] = *one;
	if (code == ERROR_NONE)
		code = firestore_keys_delete(op, d->thread_id, there, count);
	for (size_t i = 0; code == ERROR_NONE && i < count; i++) {
		firestore_parts_delete(op, there[i].id.ptr, there[i].fields);
		firestore_delete(op, FS_MESSAGES, there[i].id.ptr, NULL);
	}
	return code == ERROR_NONE && op->writes > 0 ? firestore_commit_again(op, NULL) : code;
}

enum error_code firestore_messages_drop(void *self, const char *thread_id, const char *const *ids,
					size_t count)
{
	enum error_code code = ERROR_NONE;

	for (size_t done = 0, n; code == ERROR_NONE && done < count; done += n) {
		struct dropping some = { thread_id, ids + done, count - done };

		n = some.count = some.count < COMMIT_MAX ? some.count : COMMIT_MAX;
		code = firestore_do(self, drop, &some);
	}
	return code;
}
