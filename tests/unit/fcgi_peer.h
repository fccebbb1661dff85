/*
 * fcgi_peer: the web server's end of a FastCGI connection, for tests: says requests record by
 * record, and takes answers apart as strictly as the specification reads.
 */
#ifndef UNIT_FCGI_PEER_H
#define UNIT_FCGI_PEER_H

#include "base/buffer.h"
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PEER_BEGIN = 1,
	PEER_ABORT = 2,
	PEER_END = 3,
	PEER_PARAMS = 4,
	PEER_STDIN = 5,
	PEER_STDOUT = 6,
	PEER_RECORD_MAX = 65535
};

struct peer_answer {
	struct buffer text; /* of all STDOUT records */
	int records;        /* STDOUT records with content */
	bool closed;        /* an empty STDOUT came */
	bool ended;         /* END_REQUEST came, of status 0, behind the empty STDOUT */
	bool wrong;         /* something that no responder may send */
};

static inline bool peer_say(int fd, int type, uint16_t id, struct slice content)
{
	unsigned char header[8] = { 1,
				    (unsigned char)type,
				    (unsigned char)(id >> 8),
				    (unsigned char)id,
				    (unsigned char)(content.len >> 8),
				    (unsigned char)content.len };

	return send(fd, header, sizeof header, MSG_NOSIGNAL) == sizeof header &&
	       send(fd, content.ptr, content.len, MSG_NOSIGNAL) == (ssize_t)content.len;
}

/* Responder, connection not kept. */
static inline bool peer_begin(int fd, uint16_t id)
{
	return peer_say(fd, PEER_BEGIN, id, SLICE("\0\1\0\0\0\0\0\0"));
}

static inline void peer_add_param(struct buffer *params, const char *name, const char *value)
{
	unsigned char lengths[8];
	size_t n = strlen(name), v = strlen(value);

	for (int i = 0; i < 4; i++) {
		lengths[i] = (unsigned char)(n >> (24 - 8 * i));
		lengths[4 + i] = (unsigned char)(v >> (24 - 8 * i));
	}
	lengths[0] |= 0x80;
	lengths[4] |= 0x80;
	buffer_append(params, (struct slice){ (char *)lengths, sizeof lengths });
	buffer_append(params, slice_of(name));
	buffer_append(params, slice_of(value));
}

static inline bool peer_read_all(int fd, void *out, size_t len)
{
	return len == 0 || recv(fd, out, len, MSG_WAITALL) == (ssize_t)len;
}

static inline void peer_take(struct peer_answer *answer, int type, struct slice content)
{
	if (type == PEER_STDOUT && content.len > 0) {
		answer->records++;
		answer->wrong = answer->wrong || answer->closed;
		buffer_append(&answer->text, content);
	} else if (type == PEER_STDOUT) {
		answer->wrong = answer->wrong || answer->closed;
		answer->closed = true;
	} else {
		answer->ended = type == PEER_END && answer->closed &&
				slice_equal(content, SLICE("\0\0\0\0\0\0\0\0"));
		answer->wrong = answer->wrong || !answer->ended;
	}
}

/* All records until the end of the request or of the connection. */
static inline void peer_read_answer(int fd, uint16_t id, struct peer_answer *answer)
{
	static _Thread_local char content[PEER_RECORD_MAX + 255];
	unsigned char h[8];

	*answer = (struct peer_answer){ 0 };
	buffer_init(&answer->text, 64u << 20);
	while (!answer->ended && !answer->wrong && peer_read_all(fd, h, sizeof h)) {
		size_t len = (size_t)h[4] << 8 | h[5];

		answer->wrong = h[0] != 1 || (h[2] << 8 | h[3]) != id ||
				!peer_read_all(fd, content, len + h[6]);
		if (!answer->wrong)
			peer_take(answer, h[1], (struct slice){ content, len });
	}
}

#endif
