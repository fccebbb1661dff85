/*
 * record: threads and messages as text, a JSON object each: the lines of an export, and what two
 * stores are compared by.
 *
 * A line holds everything that makes the thread or the message; times are milliseconds since 1970,
 * what is unknown is null. An export is NDJSON (https://github.com/ndjson/ndjson-spec):
 *
 *   {"type":"c1d-export","version":1,"made_ms":...,"by":"c1d 1.2.3","user":null}
 *   {"type":"thread","id":"t1",...}
 *   {"type":"message","thread_id":"t1","id":"m1",...}     those of t1, in order
 *   {"type":"end","threads":1,"messages":1,"checksum":"..."}
 *
 * The checksum is a sum, modulo 2^64 in each of four words, of the SHA-256 of every record: the
 * order does not matter, and one that is there twice counts twice. What is hashed is the canonical
 * record, in which metadata, that some stores keep as a value and write again as they like, has its
 * keys sorted and its numbers as doubles.
 *
 * An answer that is being written is `interrupted` in a record: whoever reads it has nobody that
 * writes it. It keeps its run's id, so that its own service can still put its text in
 * (store_finish).
 *
 * Pure; any thread.
 */
#ifndef ADMIN_RECORD_H
#define ADMIN_RECORD_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "model/message.h"
#include "model/thread.h"

#define RECORD_VERSION 1

/* The longest line that is read or written: a message of 8 MB may need six bytes for one. */
#define RECORD_MAX ((size_t)96 << 20)

struct record_sum {
	uint64_t words[4];
	int64_t threads, messages;
};
#define RECORD_SUM_TEXT 65 /* 64 hexadecimal digits */

bool record_sum_thread(struct record_sum *sum, const struct thread *thread);
bool record_sum_message(struct record_sum *sum, const struct message *message);
void record_sum_add(struct record_sum *sum, const struct record_sum *more);
bool record_sum_equal(const struct record_sum *a, const struct record_sum *b);
const char *record_sum_text(const struct record_sum *sum, char out[RECORD_SUM_TEXT]);

struct record_header {
	int64_t version, made_ms;
	const char *by;   /* who made it */
	const char *user; /* NULL, or whose threads alone these are */
};

struct record_end {
	int64_t threads, messages; /* -1: it does not say */
	const char *checksum;      /* NULL: nor that */
};

/* Each appends one line with its '\n'. false: no memory, or over the buffer's cap. */
bool record_write_header(struct buffer *out, const struct record_header *header);
bool record_write_thread(struct buffer *out, const struct thread *thread);
bool record_write_message(struct buffer *out, const struct message *message);
bool record_write_end(struct buffer *out, const struct record_sum *sum);
/* The object alone, for who shows one. */
bool record_put_thread(struct buffer *out, const struct thread *thread);
bool record_put_message(struct buffer *out, const struct message *message);

struct record {
	enum { RECORD_HEADER, RECORD_THREAD, RECORD_MESSAGE, RECORD_END } kind;
	union {
		struct record_header header;
		struct thread thread;
		struct message message;
		struct record_end end;
	};
};

/* A line without its '\n'; strings lie in the arena. ERROR_BAD_JSON and its like, or
 * ERROR_VALIDATION: which field, and what it has to be; what is in it is not repeated. */
bool record_read(struct slice line, struct arena *arena, struct record *out, struct error *err);

#endif
