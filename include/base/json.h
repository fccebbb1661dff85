/*
 * json: reading strictly, writing directly. The only file that knows cJSON is base/json_read.c.
 *
 * Reading: a body is checked before it is parsed (cJSON would cut strings at \u0000, keep duplicate
 * keys, take bad UTF-8 and trailing garbage): well-formed UTF-8, no BOM, depth, number of keys and
 * of values, no key twice in one object, no \u0000, no lone surrogate, no NaN/Infinity/overflowing
 * number, nothing behind the value.
 *
 * Writing: into a buffer, no tree. Commas are put by the writer.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buffer.h"
#include "base/error.h"
#include <stdint.h>

#define JSON_DEPTH_MAX 64
#define JSON_KEYS_MAX  1024
#define JSON_KEY_MAX   1024 /* bytes of one: each is hashed, character by character */
/* Two bytes of text may make a value of the tree, which takes fifty times as many. */
#define JSON_VALUES_MAX 8192

struct json; /* one value of a parsed tree; lives until json_free of its root */

/* Of the parser behind this, as built against or as running: for `c1d version`. */
const char *json_version(bool running);

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* The root, or NULL with ERROR_BAD_JSON (detail names the byte offset and the reason, never echoes
 * input), ERROR_BAD_UTF8 or ERROR_DUPLICATE_KEY. */
struct json *json_parse(struct slice text, struct error *err);
/* The same with bounds of one's own: for what is no body of a stranger's. */
struct json_bounds {
	int depth;
	size_t keys, values;
};
struct json *json_parse_within(struct slice text, const struct json_bounds *bounds,
			       struct error *err);
void json_free(struct json *root);

enum json_type json_type(const struct json *value);
const struct json *json_get(const struct json *object,
			    const char *key);      /* NULL: absent or no object */
struct slice json_text(const struct json *string); /* "" for anything but a string */
bool json_true(const struct json *value);
struct slice json_number(const struct json *number); /* as it came; "" for anything but a number */
/* What is in an object or array, one by one; NULL: none is left. */
const struct json *json_first(const struct json *container);
const struct json *json_next(const struct json *value);
struct slice json_name(const struct json *value); /* the key of an object's member */

/* The value written again, compact, its numbers as they came. For metadata, which is kept as its
 * text. */
bool json_print(const struct json *value, struct buffer *out);

/* --- writing --- */
struct json_writer {
	struct buffer *out;
	bool need_comma;
};

void json_writer_init(struct json_writer *w, struct buffer *out);
void json_open(struct json_writer *w, char bracket);   /* '{' or '[' */
void json_close(struct json_writer *w, char bracket);  /* '}' or ']' */
void json_key(struct json_writer *w, const char *key); /* a literal of ours: not escaped */
void json_string(struct json_writer *w,
		 struct slice text); /* bytes must be UTF-8; escapes " \ and controls */
void json_int(struct json_writer *w, int64_t value);
void json_bool(struct json_writer *w, bool value);
void json_null(struct json_writer *w);
void json_raw(struct json_writer *w, struct slice text); /* text is JSON already */
void json_time(struct json_writer *w, int64_t wall_ms);  /* RFC 3339 string */

/* "key":value in one call; a NULL text writes null. */
void json_put_text(struct json_writer *w, const char *key, const char *text);
void json_put_slice(struct json_writer *w, const char *key, struct slice text);
void json_put_int(struct json_writer *w, const char *key, int64_t value);
void json_put_bool(struct json_writer *w, const char *key, bool value);
void json_put_time(struct json_writer *w, const char *key, int64_t wall_ms);
void json_put_raw(struct json_writer *w, const char *key,
		  const char *json_or_null); /* NULL writes null */

/* Escapes text as the inside of a JSON string, without the quotes: for the hot path. */
bool json_escape(struct buffer *out, struct slice text);
/* The same where there is room for the worst; gives its end. */
#define JSON_ESCAPED_MAX(len) (6 * (len))
char *json_escape_at(char *at, struct slice text);

#endif
