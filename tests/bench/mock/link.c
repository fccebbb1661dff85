/* link: a connection's bytes, in the clear or through OpenSSL. */
#include "mock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 65536

static struct link *dirty;
static int the_epoll;

void request_add(struct request *request, const char *bytes, size_t len)
{
	size_t room = BODY_MAX - request->len;
	char *data;

	len = len < room ? len : room;
	data = realloc(request->data, request->len + len + 1);
	if (!data)
		return;
	memcpy(data + request->len, bytes, len);
	request->data = data;
	request->len += len;
	data[request->len] = '\0';
}

void request_done(struct request *request)
{
	free(request->data);
	*request = (struct request){ NULL, 0 };
}

static void watch(struct link *link, bool to_write)
{
	struct epoll_event event = { .events = EPOLLIN | (to_write ? EPOLLOUT : 0),
				     .data.ptr = link };

	if (link->waits_to_write == to_write)
		return;
	link->waits_to_write = to_write;
	epoll_ctl(the_epoll, EPOLL_CTL_MOD, link->fd, &event);
}

void link_accept(int fd, int epoll, void *tls)
{
	struct link *link = calloc(1, sizeof *link);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = link };
	const int one = 1;

	the_epoll = epoll;
	if (!link || (tls && !(link->ssl = tls_accept(tls, fd)))) {
		free(link);
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	link->fd = fd;
	link->protocol = &h1_protocol;
	if (!tls)
		link->is_open = link->protocol->open(link);
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Freed at the round's end: an event of this round may still name it. */
void link_close(struct link *link)
{
	if (link->fd < 0)
		return;
	if (link->is_open)
		link->protocol->close(link);
	tls_close(link->ssl);
	close(link->fd);
	link->fd = -1;
	link_touch(link);
}

void link_touch(struct link *link)
{
	if (link->is_dirty)
		return;
	link->is_dirty = true;
	link->next_dirty = dirty;
	dirty = link;
}

static void drop(struct link *link)
{
	free(link->left);
	request_done(&link->request);
	free(link);
}

void link_flush_all(void)
{
	struct link *link;

	while ((link = dirty)) {
		dirty = link->next_dirty;
		link->is_dirty = false;
		if (link->fd >= 0 && link->is_open && !link->waits_to_write &&
		    !link->protocol->flush(link))
			link_close(link);
		if (link->fd < 0 && !link->is_dirty)
			drop(link);
	}
}

/* --- out --- */

static long put_some(struct link *link, const char *bytes, size_t len)
{
	ssize_t n;

	if (link->ssl)
		return tls_write(link->ssl, bytes, len);
	n = send(link->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n < 0 && errno == EAGAIN ? 0 : (long)n;
}

static bool keep(struct link *link, const char *bytes, size_t len)
{
	char *left = realloc(link->left, link->left_len + len);

	if (!left)
		return false;
	memcpy(left + link->left_len, bytes, len);
	link->left = left;
	link->left_len += len;
	watch(link, true);
	return true;
}

bool link_put(struct link *link, const char *bytes, size_t len)
{
	if (link->left_len > 0)
		return keep(link, bytes, len);
	while (len > 0) {
		long n = put_some(link, bytes, len);

		if (n < 0)
			return false;
		if (n == 0)
			return keep(link, bytes, len);
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static bool put_left(struct link *link)
{
	size_t done = 0;

	while (done < link->left_len) {
		long n = put_some(link, link->left + done, link->left_len - done);

		if (n < 0)
			return false;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	link->left_len -= done;
	memmove(link->left, link->left + done, link->left_len);
	if (link->left_len == 0) {
		free(link->left);
		link->left = NULL;
		watch(link, false);
		link_touch(link);
	}
	return true;
}

/* --- in --- */

static bool begin(struct link *link)
{
	bool is_h2;
	int result = tls_handshake(link->ssl, &is_h2);

	if (result < 1)
		return result == 0;
	link->protocol = is_h2 ? &h2_protocol : &h1_protocol;
	link->is_open = link->protocol->open(link);
	return link->is_open;
}

static bool read_some(struct link *link)
{
	static char bytes[READ_SIZE];
	long n;

	do {
		n = link->ssl ? tls_read(link->ssl, bytes, sizeof bytes)
			      : (long)recv(link->fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (n < 0 && !link->ssl && errno == EAGAIN)
			return true;
		if (n < 0 || (n == 0 && !link->ssl))
			return false;
	} while (n > 0 && link->protocol->take(link, bytes, (size_t)n) && link->ssl);
	return n == 0 || !link->ssl;
}

void link_ready(struct link *link, uint32_t events)
{
	if (link->fd < 0)
		return;
	if (!link->is_open && !begin(link)) {
		link_close(link);
		return;
	}
	if (!link->is_open)
		return;
	if (((events & EPOLLOUT) && !put_left(link)) ||
	    ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !read_some(link)))
		link_close(link);
}
