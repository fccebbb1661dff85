/* h1: HTTP/1.1 with kept connections, one answer at a time. */
#include "mock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool h1_open(struct link *link)
{
	link->body_left = -1;
	link->stream = (struct stream){ .link = link };
	return true;
}

static bool begin_answer(struct link *link)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n";
	struct shape shape = shape_of(link->request.data, link->request.len);

	request_done(&link->request);
	link->body_left = -1;
	answer_begin(&link->stream, shape, now_ns());
	wheel_put(&link->stream);
	return link_put(link, head, sizeof head - 1);
}

/* The head is looked at for its length only. Nothing comes while an answer is under way. */
static bool h1_take(struct link *link, const char *bytes, size_t len)
{
	const char *end, *length;

	request_add(&link->request, bytes, len);
	if (link->body_left >= 0) {
		link->body_left -= (long)len;
	} else {
		if (!link->request.data || !(end = strstr(link->request.data, "\r\n\r\n")))
			return link->request.len < BODY_MAX;
		length = strcasestr(link->request.data, "content-length:");
		link->body_left =
			(length ? strtol(length + 15, NULL, 10) : 0) -
			(long)(link->request.len - (size_t)(end + 4 - link->request.data));
	}
	return link->body_left > 0 || begin_answer(link);
}

static bool h1_say_due(struct link *link, struct stream *stream)
{
	char wire[EVENT_MAX + 32];
	size_t len = answer_next(stream, wire + 8);

	snprintf(wire, 9, "%06zx\r", len); /* snprintf's NUL falls where the line feed belongs */
	wire[7] = '\n';
	len += 8;
	memcpy(wire + len, "\r\n", 2);
	len += 2;
	if (stream->chunks_left > 0) {
		wheel_put(stream);
	} else {
		memcpy(wire + len, "0\r\n\r\n", 5);
		len += 5;
	}
	return link_put(link, wire, len);
}

static bool h1_flush(struct link *link)
{
	(void)link; /* what is said is sent at once */
	return true;
}

static void h1_close(struct link *link)
{
	wheel_take_out(&link->stream);
}

const struct protocol h1_protocol = { h1_open, h1_take, h1_say_due, h1_flush, h1_close };
