/*
 * cache_value: threads and pages as bytes. Others may write into Redis, so nothing is believed that
 * is not what would be written here: the sum is right, it is of this thread and field, texts are
 * UTF-8, ids are ids, objects are JSON objects, numbers are in their ranges.
 *
 *   "c1d1"  sum of all that follows (16)  thread id, field  what the table of fields says
 *
 * A text is its length and one more (4 bytes; 0: NULL), its bytes, a NUL; a number has 8 bytes. All
 * little-endian.
 */
#include "cache_room.h"

#include "base/json.h"
#include "base/siphash.h"
#include "base/utf8.h"
#include <endian.h>

#define MAGIC "c1d1"

enum kind {
	TEXT,   /* may be NULL */
	NEEDED, /* a text */
	NAME,   /* an id */
	NAME_OR_NULL,
	OBJECT, /* a JSON object's text, or NULL */
	BYTES,  /* a struct slice */
	NUMBER,
	FLAG,
	ROLE,
	STATUS,
};

struct field {
	enum kind kind;
	size_t at;
};

static const struct field thread_fields[] = {
	{ NAME, offsetof(struct thread, id) },
	{ NEEDED, offsetof(struct thread, user_id) },
	{ NEEDED, offsetof(struct thread, title) },
	{ NUMBER, offsetof(struct thread, created_ms) },
	{ NUMBER, offsetof(struct thread, updated_ms) },
	{ NUMBER, offsetof(struct thread, rev) },
	{ FLAG, offsetof(struct thread, archived) },
	{ NAME_OR_NULL, offsetof(struct thread, run.id) },
	{ NAME_OR_NULL, offsetof(struct thread, run.message_id) },
	{ NAME_OR_NULL, offsetof(struct thread, run.node) },
	{ OBJECT, offsetof(struct thread, metadata) },
};

static const struct field message_fields[] = {
	{ NAME, offsetof(struct message, id) },
	{ NAME, offsetof(struct message, thread_id) },
	{ NUMBER, offsetof(struct message, seq) },
	{ ROLE, offsetof(struct message, role) },
	{ STATUS, offsetof(struct message, status) },
	{ BYTES, offsetof(struct message, content) },
	{ NAME_OR_NULL, offsetof(struct message, run_id) },
	{ NAME_OR_NULL, offsetof(struct message, parent_id) },
	{ TEXT, offsetof(struct message, key) },
	{ TEXT, offsetof(struct message, question) },
	{ TEXT, offsetof(struct message, model) },
	{ TEXT, offsetof(struct message, finish_reason) },
	{ NUMBER, offsetof(struct message, usage.input) },
	{ NUMBER, offsetof(struct message, usage.output) },
	{ NUMBER, offsetof(struct message, usage.total) },
	{ FLAG, offsetof(struct message, unasked) },
	{ OBJECT, offsetof(struct message, feedback) },
	{ OBJECT, offsetof(struct message, metadata) },
	{ NUMBER, offsetof(struct message, created_ms) },
	{ NUMBER, offsetof(struct message, updated_ms) },
};

#define COUNT(fields) (sizeof(fields) / sizeof *(fields))

static struct siphash sum_of(struct slice bytes)
{
	static const uint64_t key[2] = { 0 };

	return siphash(key, bytes);
}

/* --- writing --- */

static void put_number(struct buffer *out, int64_t number)
{
	uint64_t bytes = htole64((uint64_t)number);

	buffer_append(out, (struct slice){ (const char *)&bytes, sizeof bytes });
}

static void put_slice(struct buffer *out, struct slice text)
{
	uint32_t size = htole32(text.ptr ? (uint32_t)text.len + 1 : 0);

	buffer_append(out, (struct slice){ (const char *)&size, sizeof size });
	if (text.ptr && buffer_append(out, text))
		buffer_append_char(out, '\0');
}

static void put_text(struct buffer *out, const char *text)
{
	put_slice(out, (struct slice){ text, text ? strlen(text) : 0 });
}

static void put_fields(struct buffer *out, const struct field *fields, size_t count,
		       const void *from)
{
	for (size_t i = 0; i < count; i++) {
		const void *at = (const char *)from + fields[i].at;

		switch (fields[i].kind) {
		case TEXT:
		case NEEDED:
		case NAME:
		case NAME_OR_NULL:
		case OBJECT: put_text(out, *(const char *const *)at); break;
		case BYTES: put_slice(out, *(const struct slice *)at); break;
		case NUMBER: put_number(out, *(const int64_t *)at); break;
		case FLAG: put_number(out, *(const bool *)at); break;
		case ROLE: put_number(out, *(const enum message_role *)at); break;
		case STATUS: put_number(out, *(const enum message_status *)at); break;
		}
	}
}

#define SUM_AT     (sizeof MAGIC - 1)
#define BEHIND_SUM (SUM_AT + sizeof(struct siphash))

static void begin(struct buffer *out, const char *thread_id, const char *field)
{
	static const char no_sum[sizeof(struct siphash)];

	buffer_append(out, SLICE(MAGIC));
	buffer_append(out, (struct slice){ no_sum, sizeof no_sum });
	put_text(out, thread_id);
	put_text(out, field);
}

static bool end(struct buffer *out)
{
	struct siphash sum;

	if (out->failed)
		return false;
	sum = sum_of(slice_skip(buffer_slice(out), BEHIND_SUM));
	memcpy(out->data + SUM_AT, &sum, sizeof sum);
	return true;
}

bool cache_write_thread(const struct thread *thread, struct buffer *out)
{
	begin(out, thread->id, CACHE_THREAD);
	put_fields(out, thread_fields, COUNT(thread_fields), thread);
	return end(out);
}

bool cache_write_page(const char *thread_id, const char *field, const char *owner_or_null,
		      const struct message_list *page, struct buffer *out)
{
	begin(out, thread_id, field);
	put_text(out, owner_or_null);
	put_number(out, page->more);
	put_number(out, (int64_t)page->count);
	for (size_t i = 0; i < page->count; i++)
		put_fields(out, message_fields, COUNT(message_fields), &page->items[i]);
	return end(out);
}

/* --- reading: `bad` stays once it is set --- */

struct reader {
	struct slice left;
	bool bad;
};

static const char *take_bytes(struct reader *r, size_t count)
{
	const char *at = r->left.ptr;

	r->bad = r->bad || count > r->left.len;
	if (r->bad)
		return NULL;
	r->left = slice_skip(r->left, count);
	return at;
}

static int64_t take_number(struct reader *r, int64_t min, int64_t max)
{
	const char *at = take_bytes(r, sizeof(uint64_t));
	uint64_t bytes = 0;
	int64_t number;

	if (at)
		memcpy(&bytes, at, sizeof bytes);
	number = (int64_t)le64toh(bytes);
	r->bad = r->bad || number < min || number > max;
	return r->bad ? min : number;
}

static struct slice take_slice(struct reader *r)
{
	const char *at = take_bytes(r, sizeof(uint32_t));
	struct slice text = { NULL, 0 };
	uint32_t size = 0;

	if (at)
		memcpy(&size, at, sizeof size);
	size = le32toh(size);
	if (size == 0 || !(at = take_bytes(r, size)))
		return text;
	text = (struct slice){ at, size - 1 };
	r->bad = r->bad || at[size - 1] != '\0' || !utf8_valid(text, NULL);
	return text;
}

static bool is_object(struct slice text)
{
	struct json *root = json_parse(text, NULL);
	bool yes = root && json_type(root) == JSON_OBJECT;

	json_free(root);
	return yes;
}

/* A C string: a NUL would cut it. */
static const char *take_text(struct reader *r, enum kind kind)
{
	struct slice text = take_slice(r);
	bool is_name = kind == NAME || kind == NAME_OR_NULL;

	if (!text.ptr)
		r->bad = r->bad || kind == NAME || kind == NEEDED;
	else
		r->bad = r->bad || memchr(text.ptr, '\0', text.len) ||
			 (is_name && !id_valid(text)) || (kind == OBJECT && !is_object(text));
	return text.ptr;
}

static void take_fields(struct reader *r, const struct field *fields, size_t count, void *to)
{
	for (size_t i = 0; i < count; i++) {
		void *at = (char *)to + fields[i].at;

		switch (fields[i].kind) {
		case TEXT:
		case NEEDED:
		case NAME:
		case NAME_OR_NULL:
		case OBJECT: *(const char **)at = take_text(r, fields[i].kind); break;
		case BYTES:
			*(struct slice *)at = take_slice(r);
			r->bad = r->bad || !((struct slice *)at)->ptr;
			break;
		case NUMBER: *(int64_t *)at = take_number(r, -1, INT64_MAX); break;
		case FLAG: *(bool *)at = take_number(r, 0, 1) == 1; break;
		case ROLE:
			*(enum message_role *)at =
				(enum message_role)take_number(r, 0, ROLE_COUNT - 1);
			break;
		case STATUS:
			*(enum message_status *)at =
				(enum message_status)take_number(r, 0, STATUS_COUNT - 1);
			break;
		}
	}
}

static struct reader open_value(struct slice value, const char *thread_id, const char *field)
{
	struct reader r = { .left = value };
	const char *magic = take_bytes(&r, SUM_AT), *sum = take_bytes(&r, sizeof(struct siphash));
	struct siphash is = sum_of(r.left);
	struct slice id, name;

	r.bad = r.bad || memcmp(magic, MAGIC, SUM_AT) != 0 || memcmp(sum, &is, sizeof is) != 0;
	id = take_slice(&r);
	name = take_slice(&r);
	r.bad = r.bad || !slice_is(id, thread_id) || !slice_is(name, field);
	return r;
}

static bool is_whole(const struct reader *r)
{
	return !r->bad && r->left.len == 0;
}

bool cache_read_thread(struct slice value, const char *id, struct thread *out)
{
	struct reader r = open_value(value, id, CACHE_THREAD);
	struct thread thread = { 0 };

	take_fields(&r, thread_fields, COUNT(thread_fields), &thread);
	r.bad = r.bad || strcmp(thread.id, id) != 0 || !thread.run.id != !thread.run.message_id ||
		!thread.run.id != !thread.run.node;
	if (!is_whole(&r))
		return false;
	*out = thread;
	return true;
}

bool cache_read_page(struct slice value, const char *thread_id, const char *field,
		     struct arena *arena, const char **owner, struct message_list *out)
{
	struct reader r = open_value(value, thread_id, field);
	struct message_list page = { 0 };
	int64_t seq = INT64_MIN;

	*owner = take_text(&r, TEXT);
	page.more = take_number(&r, 0, 1) == 1;
	page.count = (size_t)take_number(&r, 0, (int64_t)r.left.len / 8);
	if (r.bad ||
	    (page.count > 0 && !(page.items = arena_alloc(arena, page.count * sizeof *page.items))))
		return false;
	for (size_t i = 0; i < page.count && !r.bad; i++) {
		struct message *message = &page.items[i];

		take_fields(&r, message_fields, COUNT(message_fields), message);
		r.bad = r.bad || message->seq <= seq || strcmp(message->thread_id, thread_id) != 0;
		seq = message->seq;
	}
	if (!is_whole(&r))
		return false;
	*out = page;
	return true;
}
