/*
 * record_in: the FastCGI records of one request on their way in (FastCGI 1.0, 3.3, 4, 5.1 to 5.3).
 *
 * Whoever can connect can write what he likes, so nothing that a record says is believed before it
 * was held against a bound of ours: libfcgi's own reader takes memory for any length that is
 * declared, and ends the process when there is none.
 *
 * One request a connection and one thread at a time. Each wait is bounded by SO_RCVTIMEO, all waits
 * of a stream by READ_TOTAL_MS: a peer that drips is left, too.
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
	uint16_t request_id;
	unsigned char type; /* of the stream that is read */
	enum record_in_state state;
	size_t content, padding; /* what is left of the record under way */
	int answered;            /* management records */
	int64_t until_ms;        /* monotonic */
	size_t at, len;          /* of bytes: where the next one lies, how many there are */
	unsigned char bytes[RECORD_IN_BUFFER];
};

/* Reads BEGIN_REQUEST; the stream of parameters comes next. false: no responder's request. The
 * descriptor stays the caller's. */
bool record_in_begin(struct record_in *in, int fd);

/* The stream of the body comes next. Only behind the end of the parameters. */
void record_in_body(struct record_in *in);
/* READ_TOTAL_MS from now: what was done since the last read is not the peer's fault. */
void record_in_extend(struct record_in *in);

/* The next bytes of the stream, at least one; valid until the next call. Empty: its end or a
 * failure, state tells. */
struct slice record_in_next(struct record_in *in);

#endif
