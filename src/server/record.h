/*
 * record: FastCGI records on their way out (FastCGI 1.0, 3.3 and 5): header of 8 bytes, content up
 * to 65,535. Responder role only.
 */
#ifndef SERVER_RECORD_H
#define SERVER_RECORD_H

#include "base/buffer.h"
#include <stdint.h>

#define RECORD_HEADER  8
#define RECORD_CONTENT 65528 /* a multiple of 8 just below what a record holds */
#define RECORD_END     24    /* an empty STDOUT and END_REQUEST */

void record_stdout(unsigned char out[RECORD_HEADER], uint16_t request_id, size_t len);
void record_end(unsigned char out[RECORD_END], uint16_t request_id);

/* Answers to management records: GET_VALUES_RESULT of one pair as it goes over the wire, and
 * UNKNOWN_TYPE. Give their length. */
size_t record_values(unsigned char *out, size_t size, struct slice pair);
size_t record_unknown(unsigned char *out, unsigned char type);

/* "Status: 200 OK\r\n", the header lines, a blank line. */
bool record_head(struct buffer *out, int status, struct slice headers);

/* Where an answer goes, and how long that may take. */
struct record_way {
	int fd;
	uint16_t request_id;
	int64_t write_ms; /* the longest time in which nothing is taken */
	int64_t until_ms; /* monotonic: for all of it */
};

/* A piece of an answer, its head in the first one (else ""), the request's end behind the last one:
 * one call of the system where the kernel has room for it. Blocking. false: the peer has gone or
 * takes nothing. */
bool record_write(const struct record_way *way, struct slice head, struct slice body, bool is_last);

#endif
