/* h2_dial: see h2_dial.h. */
#include "h2_dial.h"

#include "net_patience.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define NEXT_MS 250

struct h2_dial {
	struct loop *loop;
	struct loop_timer timer; /* the next address is due */
	struct h2_addresses addresses;
	struct loop_watch watches[H2_ADDRESSES_MAX]; /* one an address: its socket, or -1 */
	size_t tried, open;
	int error; /* of the last that failed */
	h2_dial_done *done;
	void *ctx;
};

static void drop(struct h2_dial *dial, struct loop_watch *watch, int error)
{
	int fd = watch->fd;

	loop_forget(dial->loop, watch);
	close(fd);
	dial->open--;
	dial->error = error;
}

/* A socket on its way to the address; -1 and errno. */
static int begin(const struct h2_address *address)
{
	int on = 1, error;
	int fd = socket(address->at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	net_bound_unacked(fd);
	if (connect(fd, &address->at.any, address->len) == 0 || errno == EINPROGRESS)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static void try_next(struct h2_dial *dial)
{
	while (dial->tried < dial->addresses.count) {
		struct loop_watch *watch = &dial->watches[dial->tried];
		int fd = begin(&dial->addresses.list[dial->tried++]);

		if (fd >= 0 && loop_watch(dial->loop, watch, fd, EPOLLOUT)) {
			dial->open++;
			break;
		}
		dial->error = errno;
		if (fd >= 0)
			close(fd);
	}
	if (dial->open == 0 || dial->tried < dial->addresses.count)
		loop_set_timer(dial->loop, &dial->timer,
			       loop_now_ms(dial->loop) + (dial->open ? NEXT_MS : 0));
}

static void finish(struct h2_dial *dial, int fd, size_t which)
{
	h2_dial_done *done = dial->done;
	void *ctx = dial->ctx;
	struct h2_address at = dial->addresses.list[which];
	int error = dial->error;

	h2_dial_stop(dial);
	done(ctx, fd, &at, error);
}

static void on_due(struct loop_timer *timer)
{
	struct h2_dial *dial = timer->owner;

	if (dial->tried < dial->addresses.count)
		try_next(dial);
	else if (dial->open == 0)
		finish(dial, -1, 0);
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
	struct h2_dial *dial = watch->owner;
	int fd = watch->fd, error = 0;
	socklen_t len = sizeof error;

	(void)events;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error) {
		drop(dial, watch, error);
		try_next(dial);
		return;
	}
	loop_forget(dial->loop, watch);
	dial->open--;
	finish(dial, fd, (size_t)(watch - dial->watches));
}

struct h2_dial *h2_dial_start(struct loop *loop, const struct h2_addresses *addresses,
			      h2_dial_done *done, void *ctx)
{
	struct h2_dial *dial = calloc(1, sizeof *dial);

	if (!dial)
		return NULL;
	*dial = (struct h2_dial){ .loop = loop,
				  .timer = { .fire = on_due, .owner = dial },
				  .addresses = *addresses,
				  .done = done,
				  .ctx = ctx };
	for (size_t i = 0; i < H2_ADDRESSES_MAX; i++)
		dial->watches[i] =
			(struct loop_watch){ .fd = -1, .ready = on_ready, .owner = dial };
	try_next(dial);
	return dial;
}

void h2_dial_stop(struct h2_dial *dial)
{
	if (!dial)
		return;
	loop_clear_timer(dial->loop, &dial->timer);
	for (size_t i = 0; i < dial->tried; i++)
		if (dial->watches[i].fd >= 0)
			drop(dial, &dial->watches[i], 0);
	free(dial);
}
