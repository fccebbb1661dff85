/* live: see server/live.h. A FastCGI request of one page, whose answer is one, too. */
#include "server/live.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_S      2
#define ANSWER_MAX  4096
#define RECORD_HEAD 8

/* FastCGI 1.0, 3.3 and 8: version, type, id, length, padding; a parameter begins with the lengths
 * of its name and its value. */
static const char question[] = /* clang-format off */
	"\1\1\0\1\0\10\0\0" /* BEGIN_REQUEST */
	"\0\1\0\0\0\0\0\0"  /* a responder; the connection ends with it */
	"\1\4\0\1\0\77\0\0" /* PARAMS */
	"\16\3"  "REQUEST_METHOD"  "GET"
	"\13\6"  "REQUEST_URI"     "/livez"
	"\17\10" "SERVER_PROTOCOL" "HTTP/1.1"
	"\1\4\0\1\0\0\0\0"  /* no more of them */
	"\1\5\0\1\0\0\0\0"; /* STDIN: no body */
/* clang-format on */
#define QUESTION_SIZE (sizeof question - 1)

static bool connect_to(int fd, const char *path)
{
	const struct timeval wait = { .tv_sec = WAIT_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof address.sun_path) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0 &&
	       setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 &&
	       connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
}

/* The answer's first bytes are a record's head and the response's: "Status: 200 OK". */
static bool is_good(int fd, char answer[ANSWER_MAX])
{
	static const char good[] = "Status: 200";
	size_t wanted = RECORD_HEAD + sizeof good - 1, len = 0;
	ssize_t n = 1;

	while (len < wanted && (n = read(fd, answer + len, ANSWER_MAX - len)) > 0)
		len += (size_t)n;
	if (n == 0)
		errno = ECONNRESET;
	else if (n > 0)
		errno = 0;
	return len >= wanted && memcmp(answer + RECORD_HEAD, good, sizeof good - 1) == 0;
}

static const char *why(int reason)
{
	if (reason == EAGAIN || reason == EINPROGRESS)
		return "it does not answer";
	return reason ? strerror(reason) : "the answer is no 200";
}

bool server_is_live(const char *socket_path, struct error *err)
{
	char answer[ANSWER_MAX];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && connect_to(fd, socket_path) &&
		  send(fd, question, QUESTION_SIZE, MSG_NOSIGNAL) == (ssize_t)QUESTION_SIZE &&
		  is_good(fd, answer);
	int reason = errno;

	if (fd >= 0)
		close(fd);
	return ok || error_set(err, ERROR_OVERLOADED, "nobody answers at %s: %s", socket_path,
			       why(reason));
}
