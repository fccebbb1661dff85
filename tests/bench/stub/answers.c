/* answers: what each command is answered with. */
#include "stub.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WIRE_VERSION 21 /* MongoDB 7 */

void out_put(struct out *out, const void *bytes, size_t len)
{
	if (out->len + len > out->room) {
		out->room = 2 * (out->len + len);
		out->data = realloc(out->data, out->room);
		if (!out->data)
			abort();
	}
	memcpy(out->data + out->len, bytes, len);
	out->len += len;
}

static void put_bson(struct out *out, bson_t *document)
{
	out_put(out, bson_get_data(document), document->len);
	bson_destroy(document);
}

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- what a command asks for --- */

static bool find(const bson_t *command, const char *path, bson_iter_t *out)
{
	bson_iter_t it;

	return bson_iter_init(&it, command) && bson_iter_find_descendant(&it, path, out);
}

static int64_t number_at(const bson_t *command, const char *path, int64_t otherwise)
{
	bson_iter_t at;

	return find(command, path, &at) ? bson_iter_as_int64(&at) : otherwise;
}

static const char *text_at(const bson_t *command, const char *path)
{
	bson_iter_t at;

	return find(command, path, &at) && BSON_ITER_HOLDS_UTF8(&at) ? bson_iter_utf8(&at, NULL)
								     : NULL;
}

/* A member of the filter, wherever the command has it. */
static const char *filter_text(const bson_t *command, const char *name)
{
	static const char *const places[] = { "filter", "query", "pipeline.0.$match" };
	const char *found = NULL;
	char path[128];

	for (size_t i = 0; !found && i < sizeof places / sizeof places[0]; i++) {
		snprintf(path, sizeof path, "%s.%s", places[i], name);
		found = text_at(command, path);
	}
	return found;
}

static bool is_full(const char *thread_id)
{
	return thread_id && strncmp(thread_id, "full", 4) == 0;
}

/* --- finds --- */

/* Which documents, and how many of them there are. */
static const struct canned *found(const bson_t *command, const char *in, int64_t *there)
{
	if (strcmp(in, "threads") == 0) {
		*there = filter_text(command, "_id") ? 1 : CANNED_MAX;
		return filter_text(command, "user_id") || filter_text(command, "_id")
			       ? &canned_threads
			       : &canned_nothing;
	}
	*there = CANNED_MAX;
	if (strcmp(in, "messages") == 0 && is_full(filter_text(command, "thread_id")))
		return &canned_messages;
	return &canned_nothing;
}

/* {cursor: {firstBatch: [the first n], id: 0, ns: "c1d.all"}, ok: 1}: laid together by hand, since
 * the list is cut short without looking at it. */
static void put_cursor(struct out *out, const struct canned *list, size_t n)
{
	static const char cursor[] = "\x03"
				     "cursor";
	static const char batch[] = "\x04"
				    "firstBatch";
	static const char cursor_end[] = "\x12id\0\0\0\0\0\0\0\0\0"
					 "\x02ns\0\x08\0\0\0c1d.all\0";
	static const char end[] = "\x01ok\0\0\0\0\0\0\0\xf0\x3f";
	uint32_t list_len = (uint32_t)(4 + list->ends[n] + 1);
	uint32_t cursor_len = (uint32_t)(4 + sizeof batch + list_len + sizeof cursor_end);
	uint32_t len = (uint32_t)(4 + sizeof cursor + cursor_len + sizeof end);

	out_put(out, &len, 4);
	out_put(out, cursor, sizeof cursor);
	out_put(out, &cursor_len, 4);
	out_put(out, batch, sizeof batch);
	out_put(out, &list_len, 4);
	out_put(out, bson_get_data(&list->list) + 4, list->ends[n]);
	out_put(out, "", 1);
	out_put(out, cursor_end, sizeof cursor_end);
	out_put(out, end, sizeof end);
}

static void answer_find(const bson_t *command, const char *in, struct out *out)
{
	int64_t there, limit;
	const struct canned *list = found(command, in, &there);

	limit = number_at(command, "limit", number_at(command, "pipeline.2.$limit", 0));
	if (limit < 0)
		limit = -limit;
	if (limit > 0 && limit < there)
		there = limit;
	put_cursor(out, list, list == &canned_nothing ? 0 : (size_t)there);
}

/* --- changes --- */

static void answer_change(const bson_t *command, int64_t count, struct out *out)
{
	static const char *const lists[] = { "documents", "updates", "deletes" };
	bson_t reply = BSON_INITIALIZER;
	bson_iter_t at, item;

	for (size_t i = 0; count == 0 && i < sizeof lists / sizeof lists[0]; i++)
		if (find(command, lists[i], &at) && bson_iter_recurse(&at, &item))
			while (bson_iter_next(&item))
				count++;
	BSON_APPEND_INT32(&reply, "n", (int32_t)count);
	BSON_APPEND_INT32(&reply, "nModified", (int32_t)count);
	BSON_APPEND_DOUBLE(&reply, "ok", 1);
	put_bson(out, &reply);
}

static void put_modified(bson_t *out, const char *in, const char *id, bool is_new)
{
	if (strcmp(in, "threads") == 0) {
		canned_thread(out, id, is_new);
		return;
	}
	BSON_APPEND_UTF8(out, "_id", id);
	BSON_APPEND_INT32(out, "version", 1);
	BSON_APPEND_DATE_TIME(out, "now", wall_ms());
	BSON_APPEND_DATE_TIME(out, "seen_at", wall_ms());
}

static void answer_modify(const bson_t *command, const char *in, struct out *out)
{
	const char *id = text_at(command, "query._id");
	bool is_new = number_at(command, "upsert", 0) && !is_full(id);
	bson_t reply = BSON_INITIALIZER, part;

	BSON_APPEND_DOCUMENT_BEGIN(&reply, "lastErrorObject", &part);
	BSON_APPEND_INT32(&part, "n", 1);
	BSON_APPEND_BOOL(&part, "updatedExisting", !is_new);
	bson_append_document_end(&reply, &part);
	BSON_APPEND_DOCUMENT_BEGIN(&reply, "value", &part);
	put_modified(&part, in, id ? id : "none", is_new);
	bson_append_document_end(&reply, &part);
	BSON_APPEND_DOUBLE(&reply, "ok", 1);
	put_bson(out, &reply);
}

/* --- the rest --- */

/* A server by itself: no sessions to be retried in, no changes of who leads. */
static void answer_hello(struct out *out)
{
	bson_t reply = BSON_INITIALIZER;

	BSON_APPEND_BOOL(&reply, "helloOk", true);
	BSON_APPEND_BOOL(&reply, "ismaster", true);
	BSON_APPEND_BOOL(&reply, "isWritablePrimary", true);
	BSON_APPEND_INT32(&reply, "maxBsonObjectSize", 16 << 20);
	BSON_APPEND_INT32(&reply, "maxMessageSizeBytes", 48000000);
	BSON_APPEND_INT32(&reply, "maxWriteBatchSize", 100000);
	BSON_APPEND_DATE_TIME(&reply, "localTime", wall_ms());
	BSON_APPEND_INT32(&reply, "logicalSessionTimeoutMinutes", 30);
	BSON_APPEND_INT32(&reply, "connectionId", 1);
	BSON_APPEND_INT32(&reply, "minWireVersion", 0);
	BSON_APPEND_INT32(&reply, "maxWireVersion", WIRE_VERSION);
	BSON_APPEND_BOOL(&reply, "readOnly", false);
	BSON_APPEND_DOUBLE(&reply, "ok", 1);
	put_bson(out, &reply);
}

static void answer_yes(struct out *out)
{
	bson_t reply = BSON_INITIALIZER;

	BSON_APPEND_DOUBLE(&reply, "ok", 1);
	put_bson(out, &reply);
}

void answer(const bson_t *command, int64_t count, struct out *out)
{
	bson_iter_t first;
	const char *name, *in = "";

	if (!bson_iter_init(&first, command) || !bson_iter_next(&first)) {
		answer_yes(out);
		return;
	}
	name = bson_iter_key(&first);
	if (BSON_ITER_HOLDS_UTF8(&first))
		in = bson_iter_utf8(&first, NULL);
	if (strcmp(name, "find") == 0 || strcmp(name, "aggregate") == 0)
		answer_find(command, in, out);
	else if (strcasecmp(name, "findAndModify") == 0)
		answer_modify(command, in, out);
	else if (strcmp(name, "insert") == 0 || strcmp(name, "update") == 0 ||
		 strcmp(name, "delete") == 0)
		answer_change(command, count, out);
	else if (strcasecmp(name, "hello") == 0 || strcasecmp(name, "isMaster") == 0)
		answer_hello(out);
	else
		answer_yes(out);
}
