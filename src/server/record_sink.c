/*
 * record_sink: see stream/sink.h. What the kernel does not take of a call is kept until flush, so
 * at most one chunk, its head and its end lie here.
 */
#include "record_sink.h"

#include "record.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define HEAD_MAX 16384
#define REST_MAX (HEAD_MAX + SINK_CHUNK_MAX + 65536)

struct record_sink {
	struct sink sink; /* first: the engine knows only this */
	int fd;
	uint16_t request_id;
	struct buffer head; /* not sent yet */
	struct buffer rest; /* what the kernel did not take */
	struct access access;
};

static int get_fd(struct sink *sink)
{
	return ((struct record_sink *)sink)->fd;
}

static void begin(struct sink *sink, int status, struct slice headers)
{
	record_head(&((struct record_sink *)sink)->head, status, headers);
}

/* Keeps what is behind the first n bytes of the parts. */
static bool keep(struct record_sink *s, const struct iovec *parts, int count, size_t n)
{
	for (int i = 0; i < count; i++) {
		size_t skip = n < parts[i].iov_len ? n : parts[i].iov_len;

		n -= skip;
		buffer_append(&s->rest, (struct slice){ (char *)parts[i].iov_base + skip,
							parts[i].iov_len - skip });
	}
	return !s->rest.failed;
}

/* One sendmsg; what it leaves is kept. */
static enum sink_result put(struct record_sink *s, struct iovec *parts, int count)
{
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = (size_t)count };
	size_t total = 0;
	ssize_t n;

	if (s->head.failed) /* a body without its head would be taken for one */
		return SINK_GONE;
	for (int i = 0; i < count; i++)
		total += parts[i].iov_len;
	if (s->rest.len > 0) /* only the end comes while something is kept */
		return keep(s, parts, count, 0) ? SINK_BLOCKED : SINK_GONE;
	do
		n = sendmsg(s->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		return SINK_GONE;
	if (n >= 0 && (size_t)n == total)
		return SINK_DONE;
	return keep(s, parts, count, n > 0 ? (size_t)n : 0) ? SINK_BLOCKED : SINK_GONE;
}

/* The head, when it is still to go, is the first part of what is sent. */
static int add_head(struct record_sink *s, unsigned char header[RECORD_HEADER], struct iovec *parts)
{
	if (s->head.len == 0)
		return 0;
	record_stdout(header, s->request_id, s->head.len);
	parts[0] = (struct iovec){ header, RECORD_HEADER };
	parts[1] = (struct iovec){ s->head.data, s->head.len };
	return 2;
}

static enum sink_result send_bytes(struct sink *sink, struct slice bytes)
{
	struct record_sink *s = (struct record_sink *)sink;
	unsigned char headers[2][RECORD_HEADER];
	struct iovec parts[4];
	int count = add_head(s, headers[0], parts);
	enum sink_result result;

	access_first_byte(&s->access);
	record_stdout(headers[1], s->request_id, bytes.len);
	parts[count++] = (struct iovec){ headers[1], RECORD_HEADER };
	parts[count++] = (struct iovec){ (void *)bytes.ptr, bytes.len };
	result = put(s, parts, count);
	buffer_done(&s->head);
	return result;
}

static enum sink_result flush(struct sink *sink)
{
	struct record_sink *s = (struct record_sink *)sink;
	ssize_t n;

	while (s->rest.len > 0) {
		n = send(s->fd, s->rest.data, s->rest.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? SINK_BLOCKED : SINK_GONE;
		buffer_consume(&s->rest, (size_t)n);
	}
	/* Most followers never fall behind: none keeps memory for it. */
	buffer_done(&s->rest);
	buffer_init(&s->rest, REST_MAX);
	return SINK_DONE;
}

static enum sink_result end(struct sink *sink)
{
	struct record_sink *s = (struct record_sink *)sink;
	unsigned char header[RECORD_HEADER], tail[RECORD_END];
	struct iovec parts[3];
	int count = add_head(s, header, parts);
	enum sink_result result;

	access_first_byte(&s->access); /* of a body without one: its head */
	record_end(tail, s->request_id);
	parts[count++] = (struct iovec){ tail, RECORD_END };
	result = put(s, parts, count);
	buffer_done(&s->head);
	return result;
}

static void close_sink(struct sink *sink, const struct sink_summary *summary)
{
	struct record_sink *s = (struct record_sink *)sink;

	access_stream(&s->access, summary);
	close(s->fd);
	buffer_done(&s->head);
	buffer_done(&s->rest);
	free(s);
}

struct sink *record_sink_new(int fd, uint16_t request_id, const struct access *access)
{
	static const struct sink_ops ops = { get_fd, begin, send_bytes, flush, end, close_sink };
	struct record_sink *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->sink.ops = &ops;
	s->fd = fd;
	s->request_id = request_id;
	s->access = *access;
	buffer_init(&s->head, HEAD_MAX);
	buffer_init(&s->rest, REST_MAX);
	return &s->sink;
}
