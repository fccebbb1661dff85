/* record: see record.h. */
#include "record.h"

#include "base/clock.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { TYPE_END_REQUEST = 3, TYPE_STDOUT = 6, TYPE_VALUES_RESULT = 10, TYPE_UNKNOWN = 11 };

#define RECORDS_A_WRITE 8

static void header(unsigned char *out, int type, uint16_t id, size_t len)
{
	out[0] = 1; /* version */
	out[1] = (unsigned char)type;
	out[2] = (unsigned char)(id >> 8);
	out[3] = (unsigned char)id;
	out[4] = (unsigned char)(len >> 8);
	out[5] = (unsigned char)len;
	out[6] = out[7] = 0; /* no padding */
}

void record_stdout(unsigned char out[RECORD_HEADER], uint16_t request_id, size_t len)
{
	header(out, TYPE_STDOUT, request_id, len);
}

void record_end(unsigned char out[RECORD_END], uint16_t request_id)
{
	header(out, TYPE_STDOUT, request_id, 0);
	header(out + RECORD_HEADER, TYPE_END_REQUEST, request_id, 8);
	memset(out + 2 * RECORD_HEADER, 0, 8); /* appStatus 0, FCGI_REQUEST_COMPLETE */
}

size_t record_values(unsigned char *out, size_t size, struct slice pair)
{
	if (pair.len > size - RECORD_HEADER)
		return 0;
	header(out, TYPE_VALUES_RESULT, 0, pair.len);
	memcpy(out + RECORD_HEADER, pair.ptr, pair.len);
	return RECORD_HEADER + pair.len;
}

size_t record_unknown(unsigned char *out, unsigned char type)
{
	header(out, TYPE_UNKNOWN, 0, 8);
	memset(out + RECORD_HEADER, 0, 8);
	out[RECORD_HEADER] = type;
	return RECORD_HEADER + 8;
}

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 204, "No Content" },
		{ 304, "Not Modified" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 416, "Range Not Satisfiable" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 500, "Internal Server Error" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
	};

	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Status";
}

bool record_head(struct buffer *out, int status, struct slice headers)
{
	buffer_appendf(out, "Status: %d %s\r\n", status, reason_of(status));
	buffer_append(out, headers);
	return buffer_append(out, SLICE("\r\n"));
}

/* --- a short answer --- */

/* What is left of an iovec list after n bytes went out. */
static void advance(struct msghdr *message, size_t n)
{
	while (n > 0 && message->msg_iovlen > 0) {
		struct iovec *first = message->msg_iov;
		size_t step = n < first->iov_len ? n : first->iov_len;

		first->iov_base = (char *)first->iov_base + step;
		first->iov_len -= step;
		n -= step;
		if (first->iov_len == 0) {
			message->msg_iov++;
			message->msg_iovlen--;
		}
	}
}

static bool wait_for_room(const struct record_way *way)
{
	struct pollfd peer = { .fd = way->fd, .events = POLLOUT };
	int64_t left_ms = way->until_ms - clock_mono_ms();
	int ms = (int)(left_ms < way->write_ms ? left_ms : way->write_ms);

	return ms > 0 && (poll(&peer, 1, ms) > 0 || errno == EINTR);
}

static bool send_all(const struct record_way *way, struct iovec *parts, size_t count)
{
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = count };

	while (message.msg_iovlen > 0) {
		ssize_t n = sendmsg(way->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		if (n > 0)
			advance(&message, (size_t)n);
		if (message.msg_iovlen > 0 && !wait_for_room(way))
			return false;
	}
	return true;
}

/* The next records of head and body, which are one text to FastCGI. Gives how many parts were
 * filled. */
static size_t next_records(struct slice rest[2], uint16_t request_id,
			   unsigned char headers[RECORDS_A_WRITE][RECORD_HEADER],
			   struct iovec parts[RECORDS_A_WRITE * 2])
{
	size_t records = 0;

	for (int i = 0; i < 2; i++)
		while (rest[i].len > 0 && records < RECORDS_A_WRITE) {
			size_t len = rest[i].len < RECORD_CONTENT ? rest[i].len : RECORD_CONTENT;

			record_stdout(headers[records], request_id, len);
			parts[2 * records] = (struct iovec){ headers[records], RECORD_HEADER };
			parts[2 * records + 1] = (struct iovec){ (void *)rest[i].ptr, len };
			records++;
			rest[i] = slice_skip(rest[i], len);
		}
	return 2 * records;
}

bool record_write(const struct record_way *way, struct slice head, struct slice body, bool is_last)
{
	unsigned char headers[RECORDS_A_WRITE][RECORD_HEADER], end[RECORD_END];
	struct iovec parts[RECORDS_A_WRITE * 2 + 1];
	struct slice rest[2] = { head, body };

	record_end(end, way->request_id);
	do {
		size_t count = next_records(rest, way->request_id, headers, parts);

		if (is_last && rest[0].len + rest[1].len == 0)
			parts[count++] = (struct iovec){ end, RECORD_END };
		if (!send_all(way, parts, count))
			return false;
	} while (rest[0].len + rest[1].len > 0);
	return true;
}
