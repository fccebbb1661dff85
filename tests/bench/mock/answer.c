/* answer: the events of one answer, as the C1 API words them. */
#include "mock.h"

#include <stdio.h>
#include <string.h>

#define HEAD                                                                                       \
	"data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\","                   \
	"\"created\":1760000000,\"model\":\"c1/bench\",\"choices\":[{\"index\":0,\"delta\":{"
#define TAIL "\"},\"finish_reason\":null}]}\n\n"

static struct shape usual; /* as said at start */

/* What the text does not say stays as it is. */
static void read_shape(struct shape *shape, const char *text)
{
	double pace_ms = (double)shape->pace_ns / 1e6, silent_ms = (double)shape->silent_ns / 1e6;

	sscanf(text, "%d,%d,%lf,%lf", &shape->chunks, &shape->size, &pace_ms, &silent_ms);
	if (shape->size > PAYLOAD_MAX)
		shape->size = PAYLOAD_MAX;
	if (shape->chunks < 1)
		shape->chunks = 1;
	shape->pace_ns = (int64_t)(pace_ms * 1e6);
	shape->silent_ns = (int64_t)(silent_ms * 1e6);
}

void shape_set(const char *text)
{
	read_shape(&usual, text);
}

struct shape shape_of(const char *request, size_t len)
{
	const char *at = request, *end = request + len, *found = NULL;
	struct shape shape = usual;
	char text[64];

	while (at && (at = memmem(at, (size_t)(end - at), "bench:", 6)))
		found = at += 6;
	if (!found)
		return shape;
	snprintf(text, sizeof text, "%.*s", (int)(end - found), found);
	read_shape(&shape, text);
	return shape;
}

void answer_begin(struct stream *stream, struct shape shape, int64_t at_ns)
{
	stream->shape = shape;
	stream->chunks_left = shape.chunks;
	stream->asked_ns = at_ns;
	stream->due_ns = at_ns + shape.silent_ns;
}

static char *put_text(char *at, const char *text, size_t len)
{
	memcpy(at, text, len);
	return at + len;
}

static char *put_number(char *at, int64_t number)
{
	char digits[24];
	size_t i = sizeof digits;

	do
		digits[--i] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	return put_text(at, digits + i, sizeof digits - i);
}

/*
 * The text of a delta begins with the nanosecond at which it was sent, and a semicolon: the load
 * generator reads that. The first has the nanosecond at which it was asked for before it, between
 * circumflexes: what is between the two is the model's own time.
 */
size_t answer_next(struct stream *stream, char *out)
{
	static const char head[] = HEAD "\"content\":\"",
			  first_head[] = HEAD "\"role\":\"assistant\",\"content\":\"<content>^";
	static const char end[] =
		HEAD "\"content\":\"</content>\"},\"finish_reason\":null}]}\n\n" HEAD
		     "},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
	char *at = out, *text;

	if (stream->chunks_left == stream->shape.chunks) {
		at = put_text(at, first_head, sizeof first_head - 1);
		at = put_number(at, stream->asked_ns);
		*at++ = '^';
	} else {
		at = put_text(at, head, sizeof head - 1);
	}
	text = at;
	at = put_number(at, now_ns());
	*at++ = ';';
	if (at - text < stream->shape.size) {
		memset(at, 'x', (size_t)(stream->shape.size - (at - text)));
		at = text + stream->shape.size;
	}
	at = put_text(at, TAIL, sizeof TAIL - 1);
	stream->due_ns += stream->shape.pace_ns;
	if (--stream->chunks_left == 0)
		at = put_text(at, end, sizeof end - 1);
	return (size_t)(at - out);
}
