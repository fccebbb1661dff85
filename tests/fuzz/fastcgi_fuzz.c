/* A FastCGI peer that says what it likes: however its bytes are cut, the same request is read from
 * them or refused, and nothing is read that was not sent. On a connection that is kept the next
 * request is what it would have been alone: nothing of the one before is left in it. */
#include "../../src/server/incoming.h"
#include "fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

#define PACKET   16384 /* what one read takes */
#define BODY_MAX 4096

struct seen {
	bool read, has_body, keeps;
	enum error_code refused;
	struct buffer text; /* what was read, laid out */
};

/* Packets keep their bounds: each is a read of its own. */
static int send_pieces(struct slice bytes, unsigned seed, bool whole)
{
	int ends[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	while (bytes.len > 0) {
		struct slice piece = { bytes.ptr, bytes.len < PACKET ? bytes.len : PACKET };
		bool ok;

		if (whole) {
			ok = send(ends[1], piece.ptr, piece.len, MSG_DONTWAIT) > 0;
			bytes = slice_skip(bytes, piece.len);
		} else {
			piece = fuzz_piece(&bytes, &seed);
			ok = send(ends[1], piece.ptr, piece.len, MSG_DONTWAIT) > 0;
			fuzz_piece_done(piece);
		}
		CHECK(ok); /* there is room: an input has 4 KiB */
	}
	shutdown(ends[1], SHUT_WR);
	close(ends[1]);
	return ends[0];
}

static void note(struct buffer *out, const char *name, struct slice value)
{
	buffer_appendf(out, "%s[%zu]", name, value.len);
	buffer_append(out, value);
}

static void note_request(struct request *request, struct seen *seen)
{
	struct error err = { 0 };

	note(&seen->text, "method", request->method);
	note(&seen->text, "target", request->target);
	note(&seen->text, "address", request->remote_addr);
	for (int i = 0; i < HEADER_COUNT; i++)
		note(&seen->text, "header", request->headers[i]);
	CHECK(request->method.len > 0);
	CHECK(strlen(request->id) < REQUEST_ID_MAX && request->id[0]);
	if (request->read_body(request, BODY_MAX, &err)) {
		CHECK(request->body.len <= BODY_MAX);
		seen->has_body = true;
		note(&seen->text, "body", buffer_slice(&request->body));
	} else {
		seen->refused = err.code;
		CHECK(err.code == ERROR_BAD_REQUEST || err.code == ERROR_TOO_LARGE);
	}
}

static struct seen read_next(int fd, int64_t read_ms)
{
	static struct incoming in; /* also what the last one left there */
	struct seen seen = { .read = false };

	buffer_init(&seen.text, 1 << 20);
	incoming_open(&in, fd, read_ms);
	if ((seen.read = incoming_read(&in, NULL))) {
		note_request(&in.request, &seen);
		seen.keeps = incoming_release(&in);
		incoming_done(&in);
	}
	return seen;
}

static struct seen read_request(int fd)
{
	struct seen seen = read_next(fd, 1000);

	close(fd);
	return seen;
}

static void check_same(const struct seen *one, const struct seen *other)
{
	CHECK(one->read == other->read && one->has_body == other->has_body);
	CHECK(one->refused == other->refused);
	CHECK(slice_equal(buffer_slice(&one->text), buffer_slice(&other->text)));
}

/* What is read once these bytes came over a connection whose other end listens on. */
static struct seen say_next(const int ends[2], struct slice bytes)
{
	CHECK(bytes.len == 0 || send(ends[1], bytes.ptr, bytes.len, MSG_DONTWAIT) > 0);
	return read_next(ends[0], 1); /* nothing more will come */
}

static void open_pair(int ends[2])
{
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
}

static void close_pair(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

/* The second one is only sent when the first one has been read, as a web server does. */
static void check_kept(struct slice first, struct slice second)
{
	struct seen before, next, alone;
	int ends[2], fresh[2];

	open_pair(ends);
	before = say_next(ends, first);
	if (before.keeps) {
		open_pair(fresh);
		alone = say_next(fresh, second);
		next = say_next(ends, second);
		check_same(&next, &alone);
		buffer_done(&next.text);
		buffer_done(&alone.text);
		close_pair(fresh);
	}
	buffer_done(&before.text);
	close_pair(ends);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = fuzz_input(data, size);
	unsigned seed = 1 + fuzz_byte(&bytes);
	size_t cut = (size_t)fuzz_byte(&bytes) * 16;
	struct seen whole, pieces;

	if (size > 8192)
		return 0;
	whole = read_request(send_pieces(bytes, 0, true));
	pieces = read_request(send_pieces(bytes, seed, false));
	check_same(&whole, &pieces);
	if (cut < bytes.len && whole.read)
		check_kept((struct slice){ bytes.ptr, cut }, slice_skip(bytes, cut));
	buffer_done(&whole.text);
	buffer_done(&pieces.text);
	return 0;
}
