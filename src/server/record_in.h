/*
 * record_in: the FastCGI records of one request on their way in (FastCGI 1.0, 3.3, 4, 5.1 to 5.3).
 *
 * Whoever can connect can write what he likes, so nothing that a record says is believed before it
 * was held against a bound of ours: libfcgi's own reader takes memory for any length that is
 * declared, and ends the process when there is none.
 *
 * One thread at a time, and one request: on a kept connection the next one begins anew. Each wait
 * is bounded by read_ms, all waits of a stream by READ_TOTAL_MS: a peer that drips is left, too.
 */
#ifndef SERVER_RECORD_IN_H
#define SERVER_RECORD_IN_H

#include "base/slice.h"
#include <stdint.h>

#define RECORD_IN_BUFFER 16384
#define READ_TOTAL_MS    30000 /* the web server hands a request over whole */

enum record_in_state { RECORD_IN_READING, RECORD_IN_ENDED, RECORD_IN_FAILED };

struct record_in {
	int fd;
	int64_t read_ms; /* the longest silence */
	uint16_t request_id;
	bool keeps;         /* the web server wants the connection for a next request */
	unsigned char type; /* of the stream that is read */
	enum record_in_state state;
	size_t content, padding; /* what is left of the record under way */
	int answered;            /* management records */
	int64_t until_ms;        /* monotonic */
	size_t at, len;          /* of bytes: where the next one lies, how many there are */
	unsigned char bytes[RECORD_IN_BUFFER];
};

/* The descriptor stays the caller's. */
void record_in_open(struct record_in *in, int fd, int64_t read_ms);

/* Takes what has come, without waiting for it. */
enum record_in_first { RECORD_IN_SPEAKS, RECORD_IN_SILENT, RECORD_IN_LEFT };
enum record_in_first record_in_first(struct record_in *in);

/* Reads BEGIN_REQUEST; the stream of parameters comes next. false: no responder's request. */
bool record_in_begin(struct record_in *in);

/* The stream of the body comes next. Only behind the end of the parameters. */
void record_in_body(struct record_in *in);
/* READ_TOTAL_MS from now: what was done since the last read is not the peer's fault. */
void record_in_extend(struct record_in *in);

/* The next bytes of the stream, at least one; valid until the next call. Empty: its end or a
 * failure, state tells. */
struct slice record_in_next(struct record_in *in);

/* Behind the end of the body: is that all that came? What follows a request before its answer is
 * nothing that we know. */
bool record_in_is_over(struct record_in *in);

#endif
