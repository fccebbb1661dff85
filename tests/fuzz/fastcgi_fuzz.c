/* A FastCGI peer that says what it likes: however its bytes are cut, the same request is read from
 * them or refused, and nothing is read that was not sent. */
#include "../../src/server/incoming.h"
#include "base/utf8.h"
#include "fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

#define PACKET   16384 /* what one read takes */
#define BODY_MAX 4096

struct seen {
	bool read, has_body;
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

static struct seen read_request(int fd)
{
	static struct incoming in;
	struct seen seen = { .read = false };

	buffer_init(&seen.text, 1 << 20);
	if ((seen.read = incoming_read(&in, fd, 1000, NULL))) {
		note_request(&in.request, &seen);
		incoming_release(&in);
		incoming_done(&in);
	}
	close(fd);
	return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = fuzz_input(data, size);
	unsigned seed = 1 + fuzz_byte(&bytes);
	struct seen whole, pieces;

	if (size > 8192)
		return 0;
	whole = read_request(send_pieces(bytes, 0, true));
	pieces = read_request(send_pieces(bytes, seed, false));
	CHECK(whole.read == pieces.read && whole.has_body == pieces.has_body);
	CHECK(whole.refused == pieces.refused);
	CHECK(slice_equal(buffer_slice(&whole.text), buffer_slice(&pieces.text)));
	buffer_done(&whole.text);
	buffer_done(&pieces.text);
	return 0;
}
