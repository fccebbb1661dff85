/* FastCGI's parameters in sound records: a reader of our own here finds the same ones. */
#include "../../src/server/incoming.h"
#include "fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

#define CONTENT_MAX 60000

/* BEGIN_REQUEST of a responder, the parameters, their end, no body. */
static int send_request(struct slice params)
{
	unsigned char head[24] = { 1, 1, 0, 1, 0, 8, 0, 0, 0, 1 }, tail[16] = { 1, 4, 0, 1 };
	struct buffer bytes;
	int ends[2];

	memcpy(head + 16,
	       (unsigned char[]){ 1, 4, 0, 1, (unsigned char)(params.len >> 8),
				  (unsigned char)params.len, 0, 0 },
	       8);
	memcpy(tail + 8, (unsigned char[]){ 1, 5, 0, 1 }, 4);
	buffer_init(&bytes, 1 << 20);
	buffer_append(&bytes, (struct slice){ (char *)head, params.len > 0 ? 24 : 16 });
	buffer_append(&bytes, params);
	buffer_append(&bytes, (struct slice){ (char *)tail, sizeof tail });
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	CHECK(send(ends[1], bytes.data, bytes.len, MSG_DONTWAIT) == (ssize_t)bytes.len);
	shutdown(ends[1], SHUT_WR);
	buffer_done(&bytes);
	close(ends[1]);
	return ends[0];
}

static bool take_size(struct slice *rest, size_t *out)
{
	if (rest->len == 0)
		return false;
	if (!(*rest->ptr & 0x80)) {
		*out = fuzz_byte(rest);
		return true;
	}
	if (rest->len < 4)
		return false;
	*out = (fuzz_byte(rest) & 0x7Fu) << 24;
	*out |= fuzz_byte(rest) << 16;
	*out |= fuzz_byte(rest) << 8;
	*out |= fuzz_byte(rest);
	return true;
}

/* The first value of the name; NULL: there is none. *sound: all of it is pairs,
 * none with a NUL in it. */
static char *value_of(struct slice params, const char *name, bool *sound)
{
	char *found = NULL, *key, *value;
	size_t key_len, value_len;

	*sound = true;
	while (params.len > 0) {
		if (!take_size(&params, &key_len) || !take_size(&params, &value_len) ||
		    key_len > params.len || value_len > params.len - key_len) {
			*sound = false;
			break;
		}
		key = fuzz_text((struct slice){ params.ptr, key_len });
		value = fuzz_text((struct slice){ params.ptr + key_len, value_len });
		/* Somebody may make C strings of them: refused where those would be shorter. */
		*sound = *sound && strlen(key) == key_len && strlen(value) == value_len;
		if (!found && strcmp(key, name) == 0) {
			found = value;
			value = NULL;
		}
		free(key);
		free(value);
		params = slice_skip(params, key_len + value_len);
	}
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct incoming in;
	struct slice params = fuzz_input(data, size);
	char *method, *target;
	bool sound;
	int fd;

	if (size > CONTENT_MAX)
		return 0;
	free(value_of(params, "", &sound));
	method = value_of(params, "REQUEST_METHOD", &sound);
	target = value_of(params, "REQUEST_URI", &sound);
	fd = send_request(params);
	incoming_open(&in, fd, 1000);
	if (incoming_read(&in, NULL)) {
		CHECK(sound);
		CHECK(method && slice_is(in.request.method, method));
		CHECK(slice_is(in.request.target, target ? target : ""));
		incoming_release(&in);
		incoming_done(&in);
	} else if (sound) {
		CHECK(!method || !*method);
	}
	close(fd);
	free(method);
	free(target);
	return 0;
}
