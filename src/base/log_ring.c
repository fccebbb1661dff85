/*
 * log_ring: a ring of whole lines and the ways to write without waiting.
 *
 *   plain            0 .... first ======== last ........ size
 *   wrapped          0 ==== last ......... first ===== wrap . size      a line is never cut in two
 *
 * Two locks: `lock` guards the ring and is held while bytes are copied in; `writing` is held by the
 * one thread that writes, without `lock`, since nobody else touches what lies between first and
 * last.
 *
 * Stderr is shared with whoever started us, so its own flags stay as they are: a pipe or a terminal
 * is opened a second time, without blocking; a pipe that we may not open (another user's) takes
 * what is spliced from a pipe of ours, which can be done without blocking whatever its flags; a
 * socket (the journal) has a flag for each send.
 */
#include "log_ring.h"

#include "base/metrics.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define RING_SIZE (256u * 1024)
#define TELL_ROOM (2 * LOG_LINE_MAX)

static struct {
	pthread_mutex_t lock, writing;
	size_t first, last, wrap;
	bool wrapped;
	unsigned long dropped; /* not told yet */
	char bytes[RING_SIZE];
} ring = { .lock = PTHREAD_MUTEX_INITIALIZER, .writing = PTHREAD_MUTEX_INITIALIZER };

/* --- stderr; touched by whoever holds `writing` --- */

static ssize_t write_own(struct slice piece);

static struct {
	ssize_t (*write)(struct slice piece); /* NULL: not looked at yet */
	int own;                              /* stderr, opened by ourselves; or stderr itself */
	int pipe[2];                          /* ours, to splice from */
	size_t staged;                        /* bytes in it */
} target = { .own = -1, .pipe = { -1, -1 } };

static ssize_t write_own(struct slice piece)
{
	return write(target.own, piece.ptr, piece.len);
}

static ssize_t send_it(struct slice piece)
{
	return send(STDERR_FILENO, piece.ptr, piece.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* What was staged before is the piece's beginning. */
static ssize_t splice_it(struct slice piece)
{
	ssize_t n;

	if (target.staged == 0) {
		if ((n = write(target.pipe[1], piece.ptr, piece.len)) < 0)
			return n;
		target.staged = (size_t)n;
	}
	n = splice(target.pipe[0], NULL, STDERR_FILENO, NULL, target.staged, SPLICE_F_NONBLOCK);
	if (n > 0)
		target.staged -= (size_t)n;
	return n;
}

static ssize_t write_if_ready(struct slice piece)
{
	struct pollfd stderr_ready = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (poll(&stderr_ready, 1, 0) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(STDERR_FILENO, piece.ptr, piece.len);
}

static void close_target(void)
{
	if (target.own > STDERR_FILENO)
		close(target.own);
	for (int i = 0; i < 2; i++)
		if (target.pipe[i] >= 0)
			close(target.pipe[i]);
	target.write = NULL;
	target.own = target.pipe[0] = target.pipe[1] = -1;
	target.staged = 0;
}

static void open_target(void)
{
	struct stat is = { 0 };

	fstat(STDERR_FILENO, &is);
	if (S_ISSOCK(is.st_mode)) {
		target.write = send_it;
		return;
	}
	if (!S_ISFIFO(is.st_mode) && !S_ISCHR(is.st_mode)) {
		target.own = STDERR_FILENO;
		target.write = write_own;
		return;
	}
	target.own =
		open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (target.own >= 0)
		target.write = write_own;
	else if (S_ISFIFO(is.st_mode) && pipe2(target.pipe, O_NONBLOCK | O_CLOEXEC) == 0)
		target.write = splice_it;
	else
		target.write = write_if_ready;
}

/* --- the ring; with `lock` held --- */

static bool is_empty(void)
{
	return !ring.wrapped && ring.first == ring.last;
}

/* The longest run of free bytes that a line may lie in, at *at. */
static size_t room(size_t *at)
{
	*at = ring.last;
	if (ring.wrapped)
		return ring.first - ring.last;
	if (RING_SIZE - ring.last >= ring.first)
		return RING_SIZE - ring.last;
	*at = 0;
	return ring.first;
}

static bool put(struct slice line)
{
	size_t at;

	if (!ring.wrapped && RING_SIZE - ring.last >= line.len)
		at = ring.last;
	else if (room(&at) < line.len)
		return false;
	if (at != ring.last) {
		ring.wrap = ring.last;
		ring.wrapped = true;
	}
	memcpy(ring.bytes + at, line.ptr, line.len);
	ring.last = at + line.len;
	return true;
}

/* As many whole lines as go into a pipe at once; the rest of one that was cut counts as whole. */
static struct slice next_piece(void)
{
	size_t len = (ring.wrapped ? ring.wrap : ring.last) - ring.first;
	struct slice piece = { ring.bytes + ring.first, len < LOG_LINE_MAX ? len : LOG_LINE_MAX };
	const char *end = piece.len ? memrchr(piece.ptr, '\n', piece.len) : NULL;

	if (end)
		piece.len = (size_t)(end + 1 - piece.ptr);
	return piece;
}

static void take_out(size_t n)
{
	ring.first += n;
	if (ring.wrapped && ring.first == ring.wrap) {
		ring.first = 0;
		ring.wrapped = false;
	}
	if (is_empty()) /* so that the usual line touches the same page */
		ring.first = ring.last = 0;
}

static void drop(unsigned long lines)
{
	ring.dropped += lines;
	metrics_add(M_LOG_DROPPED, 0, 0, lines);
}

static unsigned long lines_in(struct slice piece)
{
	unsigned long n = 0;

	for (size_t i = 0; i < piece.len; i++)
		n += piece.ptr[i] == '\n';
	return n;
}

/* --- the door --- */

/* The parent writes what it had; the child's locks may be held by threads that it does not have. */
static void begin_anew(void)
{
	ring.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	ring.writing = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	ring.first = ring.last = ring.dropped = 0;
	ring.wrapped = false;
	close_target();
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, begin_anew);
}

void log_ring_reach(void)
{
	pthread_mutex_lock(&ring.writing);
	if (!target.write)
		open_target();
	pthread_mutex_unlock(&ring.writing);
}

void log_ring_open(void)
{
	static pthread_once_t watched = PTHREAD_ONCE_INIT;

	pthread_once(&watched, watch_forks);
	pthread_mutex_lock(&ring.writing);
	close_target();
	pthread_mutex_unlock(&ring.writing);
}

void log_ring_put(struct slice line)
{
	pthread_mutex_lock(&ring.lock);
	if (!put(line))
		drop(1);
	pthread_mutex_unlock(&ring.lock);
}

enum wrote { WROTE, NOTHING, LATER };

static enum wrote write_piece(void)
{
	struct slice piece;
	ssize_t n;
	bool later;

	pthread_mutex_lock(&ring.lock);
	piece = next_piece();
	pthread_mutex_unlock(&ring.lock);
	if (piece.len == 0)
		return NOTHING;
	if (!target.write)
		open_target();
	n = target.write(piece);
	later = n < 0 && (errno == EAGAIN || errno == EINTR);
	pthread_mutex_lock(&ring.lock);
	if (n > 0) {
		take_out((size_t)n);
	} else if (!later) { /* no reader, no room on the disk: waiting helps nobody */
		drop(lines_in(piece));
		take_out(piece.len);
	}
	pthread_mutex_unlock(&ring.lock);
	return later ? LATER : WROTE;
}

void log_ring_flush(void)
{
	size_t pieces = 2 * RING_SIZE / LOG_LINE_MAX; /* others may go on putting */
	bool again = true;

	while (again && pthread_mutex_trylock(&ring.writing) == 0) {
		enum wrote last = WROTE;

		while (last == WROTE && pieces-- > 0)
			last = write_piece();
		pthread_mutex_unlock(&ring.writing);
		/* Who put a line after we had found none has found the lock held. */
		pthread_mutex_lock(&ring.lock);
		again = last == NOTHING && !is_empty();
		pthread_mutex_unlock(&ring.lock);
	}
}

unsigned long log_ring_take_dropped(void)
{
	unsigned long dropped = 0;
	size_t at;

	pthread_mutex_lock(&ring.lock);
	if (ring.dropped && room(&at) >= TELL_ROOM) {
		dropped = ring.dropped;
		ring.dropped = 0;
	}
	pthread_mutex_unlock(&ring.lock);
	return dropped;
}
