/*
 * net_curl: all of one loop that libcurl carries. Curl tells which sockets and which timer it waits
 * for, the loop tells curl what happened, and the transfers that ended thereby are told so.
 *
 *   free --start--> running --ends, or a deadline is met--> free
 *                      |--- cancelled inside curl ------> cancelled --curl returned--> free
 *                      '--- a socket is not watched ----> broken -----curl returned--> free
 */
#include "net_curl.h"
#include "base/log.h"
#include "net_failure.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FREE_MAX 256 /* spare easy handles kept */

struct net_curl {
	CURLM *curl;
	CURLSH *share; /* TLS sessions */
	struct loop *loop;
	struct loop_timer curl_timer;
	struct net_curl_transfer *running, *cancelled, *broken, *free;
	size_t free_count;
	struct curl_socket *resting; /* of kept connections */
	bool inside;                 /* curl is on the stack: nothing may be removed from it */
};

/* One of curl's, as long as it is watched. */
struct curl_socket {
	struct loop_watch watch;
	struct net_curl *all;
	struct curl_socket *next; /* among those that rest */
};

/* --- lists --- */

static void list_take_out(struct net_curl_transfer *transfer)
{
	*transfer->link = transfer->next;
	if (transfer->next)
		transfer->next->link = transfer->link;
	transfer->next = NULL;
	transfer->link = NULL;
}

static void list_put(struct net_curl_transfer **list, struct net_curl_transfer *transfer)
{
	transfer->next = *list;
	transfer->link = list;
	if (*list)
		(*list)->link = &transfer->next;
	*list = transfer;
}

static void list_move(struct net_curl_transfer **list, struct net_curl_transfer *transfer)
{
	list_take_out(transfer);
	list_put(list, transfer);
}

/* --- ends --- */

/* Out of curl and back among the spare ones. Never while curl is on the stack. */
static void release(struct net_curl_transfer *transfer)
{
	struct net_curl *all = transfer->all;

	curl_multi_remove_handle(all->curl, transfer->easy);
	net_curl_transfer_reset(transfer);
	list_take_out(transfer);
	if (all->free_count >= FREE_MAX) {
		net_curl_transfer_free(transfer);
		return;
	}
	list_put(&all->free, transfer);
	all->free_count++;
}

static void finish(struct net_curl_transfer *transfer, enum net_failure failure)
{
	const struct net_events *events = transfer->events;
	void *ctx = transfer->ctx;

	release(transfer);
	events->end(ctx, failure);
}

/* After curl has returned: what was cancelled meanwhile, then what has ended, then what cannot go
 * on. */
static void settle(struct net_curl *all)
{
	CURLMsg *message;
	int left;

	while (all->cancelled)
		release(all->cancelled);
	while ((message = curl_multi_info_read(all->curl, &left))) {
		struct net_curl_transfer *transfer = NULL;
		CURLcode code = message->data.result;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
		if (message->msg == CURLMSG_DONE && transfer)
			finish(transfer, net_failure_of(transfer, code));
	}
	while (all->broken)
		finish(all->broken, net_failure_no_memory(all->broken));
}

/* --- sockets --- */

static void drive(struct net_curl *all, curl_socket_t fd, int what)
{
	int running;

	all->inside = true;
	curl_multi_socket_action(all->curl, fd, what, &running);
	all->inside = false;
	settle(all);
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
	struct curl_socket *sock = watch->owner;
	int what = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	drive(sock->all, watch->fd, what);
}

static struct curl_socket *socket_new(struct net_curl *all)
{
	struct curl_socket *sock = calloc(1, sizeof *sock);

	if (!sock)
		return NULL;
	sock->all = all;
	sock->watch.fd = -1;
	sock->watch.owner = sock;
	return sock;
}

static void drop_socket(struct curl_socket *sock)
{
	if (sock)
		loop_forget(sock->all->loop, &sock->watch);
	free(sock);
}

/* It does not rest any more. NULL: it did not. */
static struct curl_socket *take_resting(struct net_curl *all, curl_socket_t fd)
{
	struct curl_socket **link = &all->resting, *sock;

	while (*link && (*link)->watch.fd != fd)
		link = &(*link)->next;
	sock = *link;
	if (sock)
		*link = sock->next;
	return sock;
}

/* The server has closed it. Curl looks at one byte before it takes a kept connection, and that
 * byte of TLS's goodbye is a sign of life to it; so it is made to find the end. */
static void on_rest_ended(struct loop_watch *watch, uint32_t events)
{
	struct curl_socket *sock = watch->owner;
	char goodbye[512];

	(void)events;
	shutdown(watch->fd, SHUT_RDWR);
	while (recv(watch->fd, goodbye, sizeof goodbye, MSG_DONTWAIT) > 0)
		;
	drop_socket(take_resting(sock->all, watch->fd));
}

/* Its connection is kept, and no transfer uses it. */
static void rest(struct curl_socket *sock)
{
	struct net_curl *all = sock->all;

	sock->watch.ready = on_rest_ended;
	sock->next = all->resting;
	all->resting = sock;
	if (!loop_watch(all->loop, &sock->watch, sock->watch.fd, EPOLLIN))
		drop_socket(take_resting(all, sock->watch.fd));
}

static bool watch_socket(struct net_curl *all, curl_socket_t fd, int what, struct curl_socket *sock)
{
	uint32_t events =
		(what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

	if (!sock) {
		sock = take_resting(all, fd);
		if (!sock)
			sock = socket_new(all);
		if (!sock)
			return false;
		sock->watch.ready = on_ready;
		curl_multi_assign(all->curl, fd, sock);
	}
	return loop_watch(all->loop, &sock->watch, fd, events);
}

static void forget_socket(struct net_curl *all, curl_socket_t fd, struct curl_socket *sock,
			  bool may_rest)
{
	curl_multi_assign(all->curl, fd, NULL);
	if (sock && may_rest && sock->watch.fd >= 0)
		rest(sock);
	else
		drop_socket(sock);
}

static int on_close_socket(void *userdata, curl_socket_t fd)
{
	drop_socket(take_resting(userdata, fd));
	return close(fd);
}

/* Always 0: to curl anything else means that no transfer can go on. Only this one cannot. */
static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socketp)
{
	struct net_curl *all = userdata;
	struct net_curl_transfer *transfer = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
	if (what == CURL_POLL_REMOVE) {
		forget_socket(all, fd, socketp,
			      transfer && transfer->is_alone && transfer->has_head);
		return 0;
	}
	if (watch_socket(all, fd, what, socketp))
		return 0;
	log_error("socket not watched", LOG_T("error", strerror(errno)));
	if (transfer && !transfer->cancelled)
		list_move(&all->broken, transfer);
	return 0;
}

/* --- time --- */

static int on_curl_timer(CURLM *curl, long ms, void *userdata)
{
	struct net_curl *all = userdata;

	(void)curl;
	if (ms < 0)
		loop_clear_timer(all->loop, &all->curl_timer);
	else
		loop_set_timer(all->loop, &all->curl_timer, loop_now_ms(all->loop) + ms);
	return 0;
}

static void on_curl_timer_due(struct loop_timer *timer)
{
	drive(timer->owner, CURL_SOCKET_TIMEOUT, 0);
}

/* It waited for a connection that another transfer is making: it makes its own. */
static void detach(struct net_curl_transfer *transfer)
{
	CURLM *curl = transfer->all->curl;

	curl_multi_remove_handle(curl, transfer->easy);
	net_curl_transfer_detach(transfer);
	if (curl_multi_add_handle(curl, transfer->easy) != CURLM_OK)
		finish(transfer, net_failure_no_memory(transfer));
}

static bool is_due(int64_t at_ms, int64_t now_ms)
{
	return at_ms && now_ms >= at_ms;
}

static void on_transfer_due(struct loop_timer *timer)
{
	struct net_curl_transfer *transfer = timer->owner;
	int64_t now_ms = loop_now_ms(transfer->loop);

	if (is_due(transfer->end_by_ms, now_ms))
		finish(transfer, NET_TIMEOUT);
	else if (is_due(transfer->connect_by_ms, now_ms))
		finish(transfer, net_failure_given_up(transfer));
	else
		detach(transfer);
}

/* --- the door --- */

static bool set_multi_options(struct net_curl *all, size_t connections_max)
{
	CURLM *curl = all->curl;
	long connections = connections_max < LONG_MAX ? (long)connections_max : LONG_MAX;

	return curl_multi_setopt(curl, CURLMOPT_SOCKETFUNCTION, on_curl_socket) == CURLM_OK &&
	       curl_multi_setopt(curl, CURLMOPT_SOCKETDATA, all) == CURLM_OK &&
	       curl_multi_setopt(curl, CURLMOPT_TIMERFUNCTION, on_curl_timer) == CURLM_OK &&
	       curl_multi_setopt(curl, CURLMOPT_TIMERDATA, all) == CURLM_OK &&
	       curl_multi_setopt(curl, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX) == CURLM_OK &&
	       curl_multi_setopt(curl, CURLMOPT_MAXCONNECTS, connections) == CURLM_OK;
}

/* Who asks anew goes on with the session of whoever asked last, and no transfer has a table of
 * sessions of its own, which is a kilobyte. One thread has them all: nothing is to be locked. */
static CURLSH *share_new(void)
{
	CURLSH *share = curl_share_init();

	if (share &&
	    curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK)
		return share;
	curl_share_cleanup(share);
	return NULL;
}

struct net_curl *net_curl_open(struct loop *loop, size_t connections_max, struct error *err)
{
	struct net_curl *all = calloc(1, sizeof *all);

	if (!all)
		goto fail;
	all->loop = loop;
	all->curl = curl_multi_init();
	all->share = share_new();
	all->curl_timer = (struct loop_timer){ .fire = on_curl_timer_due, .owner = all };
	if (!all->curl || !all->share || !set_multi_options(all, connections_max))
		goto fail;
	return all;
fail:
	error_set(err, ERROR_INTERNAL, "no memory for outgoing connections");
	net_curl_free(all);
	return NULL;
}

void net_curl_free(struct net_curl *all)
{
	struct net_curl_transfer *transfer;

	if (!all)
		return;
	while ((transfer = all->running) || (transfer = all->broken))
		release(transfer);
	while ((transfer = all->free)) {
		list_take_out(transfer);
		net_curl_transfer_free(transfer);
	}
	curl_multi_cleanup(all->curl); /* closes its sockets through on_curl_socket */
	curl_share_cleanup(all->share);
	loop_clear_timer(all->loop, &all->curl_timer);
	free(all);
}

/* A spare one, or a new one; in no list. */
static struct net_curl_transfer *take_free(struct net_curl *all)
{
	struct net_curl_transfer *transfer = all->free;

	if (transfer) {
		list_take_out(transfer);
		all->free_count--;
	} else if ((transfer =
			    net_curl_transfer_new(all->loop, all->share, on_close_socket, all))) {
		transfer->all = all;
		transfer->timer = (struct loop_timer){ .fire = on_transfer_due, .owner = transfer };
	}
	return transfer;
}

struct net_curl_transfer *net_curl_start(struct net_curl *all, const struct net_request *request,
					 struct buffer *body, const struct net_events *events,
					 void *ctx, struct error *err)
{
	struct net_curl_transfer *transfer = take_free(all);

	if (!transfer)
		goto fail;
	transfer->events = events;
	transfer->ctx = ctx;
	if (!net_curl_transfer_prepare(transfer, request, body) ||
	    curl_multi_add_handle(all->curl, transfer->easy) != CURLM_OK)
		goto fail;
	list_put(&all->running, transfer);
	return transfer;
fail:
	error_set(err, ERROR_OVERLOADED, "There is no memory to ask with; try again.");
	net_curl_transfer_free(transfer);
	buffer_done(body);
	return NULL;
}

void net_curl_cancel(struct net_curl_transfer *transfer)
{
	struct net_curl *all = transfer->all;

	if (!all->inside) {
		release(transfer);
		return;
	}
	transfer->cancelled = true;
	list_move(&all->cancelled, transfer);
}
