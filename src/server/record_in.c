/* record_in: see record_in.h. */
#include "record_in.h"

#include "base/clock.h"
#include "record.h"
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

enum { TYPE_BEGIN = 1, TYPE_PARAMS = 4, TYPE_STDIN = 5, TYPE_GET_VALUES = 9 };

#define VERSION      1
#define ROLE         1 /* responder */
#define BEGIN_SIZE   8
#define KEEP_CONN    1 /* a flag */
#define ANSWERED_MAX 8

struct header {
	unsigned char version, type;
	uint16_t request_id;
	size_t content, padding;
};

static bool fail(struct record_in *in)
{
	in->state = RECORD_IN_FAILED;
	return false;
}

/* --- bytes --- */

/* As recv. Most of the time all is there, so that nothing has to be asked or set before. */
static ssize_t receive(struct record_in *in)
{
	ssize_t n;

	do
		n = recv(in->fd, in->bytes, sizeof in->bytes, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	in->at = 0;
	in->len = n > 0 ? (size_t)n : 0;
	return n;
}

static bool wait_for_bytes(const struct record_in *in)
{
	struct pollfd peer = { .fd = in->fd, .events = POLLIN };
	int64_t left_ms = in->until_ms - clock_mono_ms();
	int ms = (int)(left_ms < in->read_ms ? left_ms : in->read_ms);

	return ms > 0 && (poll(&peer, 1, ms) > 0 || errno == EINTR);
}

/* At least one byte is there behind it. */
static bool fill(struct record_in *in)
{
	ssize_t n;

	if (in->at < in->len)
		return true;
	while ((n = receive(in)) < 0 && errno == EAGAIN)
		if (!wait_for_bytes(in))
			return fail(in);
	return n > 0 || fail(in);
}

static bool take(struct record_in *in, unsigned char *out, size_t wanted)
{
	while (wanted > 0 && fill(in)) {
		size_t n = in->len - in->at < wanted ? in->len - in->at : wanted;

		memcpy(out, in->bytes + in->at, n);
		in->at += n;
		out += n;
		wanted -= n;
	}
	return wanted == 0;
}

static bool skip(struct record_in *in, size_t *rest)
{
	while (*rest > 0 && fill(in)) {
		size_t n = in->len - in->at < *rest ? in->len - in->at : *rest;

		in->at += n;
		*rest -= n;
	}
	return *rest == 0;
}

/* --- records --- */

static bool take_header(struct record_in *in, struct header *out)
{
	unsigned char raw[RECORD_HEADER];

	if (!take(in, raw, sizeof raw))
		return false;
	*out = (struct header){ .version = raw[0],
				.type = raw[1],
				.request_id = (uint16_t)(raw[2] << 8 | raw[3]),
				.content = (size_t)raw[4] << 8 | raw[5],
				.padding = raw[6] };
	return out->version == VERSION || fail(in);
}

/* A web server may ask what we can do before it asks anything else (HAProxy does when told to).
 * What it asked for is not read: the one answer that matters is that requests are not mixed. */
static bool answer_management(struct record_in *in, const struct header *header)
{
	const struct slice values = SLICE("\x0f\x01"
					  "FCGI_MPXS_CONNS0");
	unsigned char out[32];
	size_t content = header->content, padding = header->padding, len;

	if (++in->answered > ANSWERED_MAX || !skip(in, &content) || !skip(in, &padding))
		return fail(in);
	len = header->type == TYPE_GET_VALUES ? record_values(out, sizeof out, values)
					      : record_unknown(out, header->type);
	/* Who asks and never reads is not waited for. */
	return send(in->fd, out, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len || fail(in);
}

/* The next record that belongs to a request. */
static bool next_record(struct record_in *in, struct header *out)
{
	while (take_header(in, out)) {
		if (out->request_id != 0)
			return true;
		if (!answer_management(in, out))
			return false;
	}
	return false;
}

void record_in_extend(struct record_in *in)
{
	in->until_ms = clock_mono_ms() + READ_TOTAL_MS;
}

void record_in_open(struct record_in *in, int fd, int64_t read_ms)
{
	memset(in, 0, offsetof(struct record_in, bytes));
	in->fd = fd;
	in->read_ms = read_ms;
}

enum record_in_first record_in_first(struct record_in *in)
{
	ssize_t n = receive(in);

	if (n < 0 && errno == EAGAIN)
		return RECORD_IN_SILENT;
	return n > 0 ? RECORD_IN_SPEAKS : RECORD_IN_LEFT;
}

bool record_in_begin(struct record_in *in)
{
	unsigned char body[BEGIN_SIZE];
	struct header header;

	in->type = TYPE_PARAMS;
	record_in_extend(in);
	if (!next_record(in, &header) || header.type != TYPE_BEGIN ||
	    header.content != sizeof body || !take(in, body, sizeof body))
		return false;
	in->request_id = header.request_id;
	in->padding = header.padding;
	in->keeps = body[2] & KEEP_CONN;
	return (body[0] << 8 | body[1]) == ROLE;
}

void record_in_body(struct record_in *in)
{
	in->type = TYPE_STDIN;
	in->state = RECORD_IN_READING;
}

/* false: the stream's end, or a failure. */
static bool next_content(struct record_in *in)
{
	struct header header;

	if (!skip(in, &in->padding) || !next_record(in, &header))
		return false;
	/* One request at a time: no other's records, no abort, nothing out of its turn. */
	if (header.request_id != in->request_id || header.type != in->type)
		return fail(in);
	in->content = header.content;
	in->padding = header.padding;
	if (header.content == 0)
		in->state = RECORD_IN_ENDED;
	return header.content > 0;
}

struct slice record_in_next(struct record_in *in)
{
	struct slice out = { "", 0 };

	if (in->state != RECORD_IN_READING || (in->content == 0 && !next_content(in)) || !fill(in))
		return out;
	out.ptr = (const char *)in->bytes + in->at;
	out.len = in->len - in->at < in->content ? in->len - in->at : in->content;
	in->at += out.len;
	in->content -= out.len;
	return out;
}

bool record_in_is_over(struct record_in *in)
{
	return in->state == RECORD_IN_ENDED && in->type == TYPE_STDIN && skip(in, &in->padding) &&
	       in->at == in->len;
}
