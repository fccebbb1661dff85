/*
 * mock: a C1 API that costs next to nothing, for the bench: one thread, one epoll.
 *
 *   main.c     options, the listener, the loop
 *   answer.c   what is said: the events of one answer, and its shape
 *   wheel.c    when: the streams whose next event is due
 *   link.c     a connection's bytes, in the clear or through OpenSSL
 *   h1.c       HTTP/1.1 with kept connections, one answer at a time
 *   h2.c       HTTP/2 by nghttp2; all that is due on a connection leaves in one write
 *   tls.c      the server's side of TLS, with a certificate made at start
 */
#ifndef BENCH_MOCK_H
#define BENCH_MOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_MAX 4000                 /* bytes of a delta's text */
#define EVENT_MAX   (PAYLOAD_MAX + 1024) /* bytes of what answer_next() writes */
#define BODY_MAX    65536                /* what is kept of a request */
#define FRAMES_MAX  16384                /* bytes of one write: a TLS record */

/* --- answer.c --- */

struct shape {
	int chunks, size;  /* deltas of an answer, bytes of each */
	int64_t pace_ns;   /* between two of them */
	int64_t silent_ns; /* before the first */
};

struct link;

/* One answer under way. */
struct stream {
	struct link *link;
	struct stream *next, **at;       /* among those of its moment (wheel.c) */
	struct stream *sibling, **among; /* among those of its connection (h2.c) */
	struct shape shape;
	int64_t asked_ns, due_ns; /* when it was asked for, when its next delta is due */
	int chunks_left;
	int32_t id; /* of HTTP/2 */
};

/* That of answers that are asked for without a shape: "CHUNKS,SIZE,PACE_MS[,SILENT_MS]". */
void shape_set(const char *text);
/* The shape that a request asks for by "bench:<shape>" anywhere in it (the last counts), else the
 * usual one. */
struct shape shape_of(const char *request, size_t len);

void answer_begin(struct stream *stream, struct shape shape, int64_t now_ns);
/* Writes the next delta, stamped; behind the last one the end, too. out has room for EVENT_MAX. */
size_t answer_next(struct stream *stream, char *out);

/* --- wheel.c --- */

int64_t now_ns(void);
void wheel_put(struct stream *stream); /* at its due_ns */
void wheel_take_out(struct stream *stream);
/* Calls on_due once for each stream that is due by now; it puts those in again that go on. */
void wheel_turn(int64_t at_ns, void (*on_due)(struct stream *));
bool wheel_is_empty(void);

/* --- link.c --- */

/* What a protocol does with a connection; false: it is to be closed. */
struct protocol {
	bool (*open)(struct link *link);
	bool (*take)(struct link *link, const char *bytes, size_t len);
	bool (*say_due)(struct link *link, struct stream *stream);
	bool (*flush)(
		struct link *link); /* at the end of a round in which it had anything to say */
	void (*close)(struct link *link);
};
extern const struct protocol h1_protocol, h2_protocol;

struct request {
	char *data; /* the heap's; the first BODY_MAX bytes */
	size_t len;
};

struct link {
	int fd;
	void *ssl; /* NULL: in the clear */
	bool is_open, is_dirty, waits_to_write;
	struct link *next_dirty;
	const struct protocol *protocol;
	char *left; /* what the socket did not take, the heap's */
	size_t left_len;
	/* HTTP/1.1 */
	struct request request;
	long body_left; /* -1: the head is not whole yet */
	struct stream stream;
	/* HTTP/2 */
	void *session;
	struct stream *streams;
};

void link_accept(int fd, int epoll, void *tls);
void link_ready(struct link *link, uint32_t events);
void link_touch(struct link *link); /* it has something to say: flushed at the round's end */
void link_flush_all(void);
/* Sends, keeps what does not go; false: the connection is broken. */
bool link_put(struct link *link, const char *bytes, size_t len);
void link_close(struct link *link);
void request_add(struct request *request, const char *bytes, size_t len);
void request_done(struct request *request);

/* --- tls.c --- */

/* Makes a CA and a certificate for 127.0.0.1 and localhost; the CA's is put into folder/ca.pem. */
void *tls_open(const char *folder);
void *tls_accept(void *tls, int fd);
/* 1 done, 0 goes on, -1 failed */
int tls_handshake(void *ssl, bool *is_h2);
/* Bytes read; 0: none now; -1: over */
long tls_read(void *ssl, char *out, size_t size);
/* Bytes taken; -1: broken */
long tls_write(void *ssl, const char *bytes, size_t len);
void tls_close(void *ssl);

#endif
