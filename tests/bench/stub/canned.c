/* canned: the documents, as c1d keeps them (src/store/mongodb/mongo_document.c). Others read of
 * them what they need. */
#include "stub.h"

#include <stdio.h>
#include <string.h>

#define MADE_MS      1760000000000
#define CONTENT_SIZE 400

struct canned canned_threads, canned_messages, canned_nothing;

static void put_thread(bson_t *out, const char *id, int64_t rev)
{
	BSON_APPEND_UTF8(out, "_id", id);
	BSON_APPEND_UTF8(out, "user_id", "bench");
	BSON_APPEND_UTF8(out, "title", "How did sales go in the north?");
	BSON_APPEND_DATE_TIME(out, "created_at", MADE_MS);
	BSON_APPEND_DATE_TIME(out, "updated_at", MADE_MS + 1000);
	BSON_APPEND_INT64(out, "rev", rev);
	BSON_APPEND_BOOL(out, "archived", false);
	BSON_APPEND_NULL(out, "deleted_at");
	BSON_APPEND_NULL(out, "metadata");
	BSON_APPEND_NULL(out, "run");
	BSON_APPEND_DATE_TIME(out, "ended_at", MADE_MS + 1000);
}

void canned_thread(bson_t *out, const char *id, bool is_new)
{
	put_thread(out, id, is_new ? 1 : 2 * CANNED_MAX);
}

/* As answers are: markup with JSON in it, so quotes, line ends, and letters beyond ASCII. */
static void fill_content(char *text)
{
	static const char pattern[] =
		"<content>{\"component\": \"Card\", \"title\": \"Käthe's sales\","
		" \"rows\": [\"north\", \"south\", 17, 4.5]}\nAs the table shows, "
		"the north did better than in the year before. ";

	for (size_t done = 0; done < CONTENT_SIZE; done += sizeof pattern - 1)
		memcpy(text + done, pattern, sizeof pattern - 1);
	text[CONTENT_SIZE] = '\0';
}

/* Answers have it, questions have null. */
static void put_text(bson_t *out, const char *name, const char *text, bool is_there)
{
	if (is_there)
		BSON_APPEND_UTF8(out, name, text);
	else
		BSON_APPEND_NULL(out, name);
}

static void put_count(bson_t *out, const char *name, int64_t count, bool is_there)
{
	if (is_there)
		BSON_APPEND_INT64(out, name, count);
	else
		BSON_APPEND_NULL(out, name);
}

static void put_message(bson_t *out, int i, const char *content)
{
	bool answers = i % 2 == 1;
	char id[48], key[64], run[64];

	snprintf(id, sizeof id, "0199c82c-c400-7000-8000-%012d", i);
	snprintf(key, sizeof key, "full/%s", id);
	snprintf(run, sizeof run, "0199c82c-c400-7000-9000-%012d-00c0ffee", i);
	BSON_APPEND_UTF8(out, "_id", key);
	BSON_APPEND_UTF8(out, "thread_id", "full");
	BSON_APPEND_UTF8(out, "id", id);
	BSON_APPEND_INT64(out, "seq", i + 1);
	put_text(out, "run_id", run, answers);
	BSON_APPEND_NULL(out, "parent_id");
	BSON_APPEND_NULL(out, "question");
	put_text(out, "model", "c1/anthropic/claude-sonnet-4/v-20250930", answers);
	BSON_APPEND_UTF8(out, "role", answers ? "assistant" : "user");
	BSON_APPEND_UTF8(out, "content", content);
	BSON_APPEND_INT64(out, "size", (int64_t)strlen(content));
	BSON_APPEND_UTF8(out, "status", "complete");
	BSON_APPEND_DATE_TIME(out, "created_at", MADE_MS + i);
	BSON_APPEND_DATE_TIME(out, "updated_at", MADE_MS + i);
	put_text(out, "finish_reason", "stop", answers);
	put_count(out, "input_tokens", 100, answers);
	put_count(out, "output_tokens", 200, answers);
	put_count(out, "total_tokens", 300, answers);
	BSON_APPEND_BOOL(out, "unasked", false);
	BSON_APPEND_NULL(out, "feedback");
	BSON_APPEND_NULL(out, "metadata");
}

static void add(struct canned *canned, int i, const bson_t *document)
{
	char buffer[16];
	const char *key;

	bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof buffer);
	BSON_APPEND_DOCUMENT(&canned->list, key, document);
	canned->ends[i + 1] = canned->list.len - 5; /* without its length and its last byte */
}

void canned_make(void)
{
	char content[CONTENT_SIZE + 256], id[64];

	fill_content(content);
	bson_init(&canned_threads.list);
	bson_init(&canned_messages.list);
	bson_init(&canned_nothing.list);
	for (int i = 0; i < CANNED_MAX; i++) {
		bson_t thread = BSON_INITIALIZER, message = BSON_INITIALIZER;

		snprintf(id, sizeof id, "0199c82c-c400-7000-a000-%012d", i);
		put_thread(&thread, id, 3);
		/* c1d asks for the newest first, others may not: nobody looks. */
		put_message(&message, i, content);
		add(&canned_threads, i, &thread);
		add(&canned_messages, i, &message);
		bson_destroy(&thread);
		bson_destroy(&message);
	}
}
