/*
 * net_multi: all transfers of one loop. Curl tells which sockets and which timer it waits for, the
 * loop tells curl what happened, and the transfers that ended thereby are told so.
 *
 *   free --start--> running --ends, or a deadline is met--> free
 *                      |--- cancelled inside curl ------> cancelled --curl returned--> free
 *                      '--- a socket is not watched ----> broken -----curl returned--> free
 */
#include "base/log.h"
#include "net_failure.h"
#include "net_transfer.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#define FREE_MAX 256 /* spare easy handles kept */

struct net_multi {
	CURLM *curl;
	struct loop *loop;
	struct loop_timer curl_timer;
	struct net_transfer *running, *cancelled, *broken, *free;
	size_t free_count;
	bool inside; /* curl is on the stack: nothing may be removed from it */
};

/* --- lists --- */

static void list_take_out(struct net_transfer *transfer)
{
	*transfer->link = transfer->next;
	if (transfer->next)
		transfer->next->link = transfer->link;
	transfer->next = NULL;
	transfer->link = NULL;
}

static void list_put(struct net_transfer **list, struct net_transfer *transfer)
{
	transfer->next = *list;
	transfer->link = list;
	if (*list)
		(*list)->link = &transfer->next;
	*list = transfer;
}

static void list_move(struct net_transfer **list, struct net_transfer *transfer)
{
	list_take_out(transfer);
	list_put(list, transfer);
}

/* --- ends --- */

/* Out of curl and back among the spare ones. Never while curl is on the stack. */
static void release(struct net_transfer *transfer)
{
	struct net_multi *multi = transfer->multi;

	curl_multi_remove_handle(multi->curl, transfer->easy);
	net_transfer_reset(transfer);
	list_take_out(transfer);
	if (multi->free_count >= FREE_MAX) {
		net_transfer_free(transfer);
		return;
	}
	list_put(&multi->free, transfer);
	multi->free_count++;
}

static void finish(struct net_transfer *transfer, enum net_failure failure)
{
	const struct net_events *events = transfer->events;
	void *ctx = transfer->ctx;

	release(transfer);
	events->end(ctx, failure);
}

/* After curl has returned: what was cancelled meanwhile, then what has ended, then what cannot go
 * on. */
static void settle(struct net_multi *multi)
{
	CURLMsg *message;
	int left;

	while (multi->cancelled)
		release(multi->cancelled);
	while ((message = curl_multi_info_read(multi->curl, &left))) {
		struct net_transfer *transfer = NULL;
		CURLcode code = message->data.result;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
		if (message->msg == CURLMSG_DONE && transfer)
			finish(transfer, net_failure_of(transfer, code));
	}
	while (multi->broken)
		finish(multi->broken, net_failure_no_memory(multi->broken));
}

/* --- sockets --- */

static void drive(struct net_multi *multi, curl_socket_t fd, int what)
{
	int running;

	multi->inside = true;
	curl_multi_socket_action(multi->curl, fd, what, &running);
	multi->inside = false;
	settle(multi);
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
	int what = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	drive(watch->owner, watch->fd, what);
}

static bool watch_socket(struct net_multi *multi, curl_socket_t fd, int what,
			 struct loop_watch *watch)
{
	uint32_t events =
		(what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

	if (!watch) {
		watch = calloc(1, sizeof *watch);
		if (!watch)
			return false;
		*watch = (struct loop_watch){ .fd = -1, .ready = on_ready, .owner = multi };
		curl_multi_assign(multi->curl, fd, watch);
	}
	return loop_watch(multi->loop, watch, fd, events);
}

static void forget_socket(struct net_multi *multi, curl_socket_t fd, struct loop_watch *watch)
{
	if (watch)
		loop_forget(multi->loop, watch);
	free(watch);
	curl_multi_assign(multi->curl, fd, NULL);
}

/* Always 0: to curl anything else means that no transfer can go on. Only this one cannot. */
static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socketp)
{
	struct net_multi *multi = userdata;
	struct net_transfer *transfer = NULL;

	if (what == CURL_POLL_REMOVE) {
		forget_socket(multi, fd, socketp);
		return 0;
	}
	if (watch_socket(multi, fd, what, socketp))
		return 0;
	log_error("socket not watched", LOG_T("error", strerror(errno)));
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
	if (transfer && !transfer->cancelled)
		list_move(&multi->broken, transfer);
	return 0;
}

/* --- time --- */

static int on_curl_timer(CURLM *curl, long ms, void *userdata)
{
	struct net_multi *multi = userdata;

	(void)curl;
	if (ms < 0)
		loop_clear_timer(multi->loop, &multi->curl_timer);
	else
		loop_set_timer(multi->loop, &multi->curl_timer, loop_now_ms(multi->loop) + ms);
	return 0;
}

static void on_curl_timer_due(struct loop_timer *timer)
{
	drive(timer->owner, CURL_SOCKET_TIMEOUT, 0);
}

/* It waited for a connection that another transfer is making: it makes its own. */
static void detach(struct net_transfer *transfer)
{
	CURLM *curl = transfer->multi->curl;

	curl_multi_remove_handle(curl, transfer->easy);
	net_transfer_detach(transfer);
	if (curl_multi_add_handle(curl, transfer->easy) != CURLM_OK)
		finish(transfer, net_failure_no_memory(transfer));
}

static bool is_due(int64_t at_ms, int64_t now_ms)
{
	return at_ms && now_ms >= at_ms;
}

static void on_transfer_due(struct loop_timer *timer)
{
	struct net_transfer *transfer = timer->owner;
	int64_t now_ms = loop_now_ms(transfer->loop);

	if (is_due(transfer->end_by_ms, now_ms))
		finish(transfer, NET_TIMEOUT);
	else if (is_due(transfer->connect_by_ms, now_ms))
		finish(transfer, net_failure_given_up(transfer));
	else
		detach(transfer);
}

/* --- the door --- */

static bool set_multi_options(struct net_multi *multi, size_t connections_max)
{
	CURLM *curl = multi->curl;
	long connections = connections_max < LONG_MAX ? (long)connections_max : LONG_MAX;

	return curl_multi_setopt(curl, CURLMOPT_SOCKETFUNCTION, on_curl_socket) == CURLM_OK &&
	       curl_multi_setopt(curl, CURLMOPT_SOCKETDATA, multi) == CURLM_OK &&
	       curl_multi_setopt(curl, CURLMOPT_TIMERFUNCTION, on_curl_timer) == CURLM_OK &&
	       curl_multi_setopt(curl, CURLMOPT_TIMERDATA, multi) == CURLM_OK &&
	       curl_multi_setopt(curl, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX) == CURLM_OK &&
	       curl_multi_setopt(curl, CURLMOPT_MAXCONNECTS, connections) == CURLM_OK;
}

struct net_multi *net_multi_open(struct loop *loop, size_t connections_max, struct error *err)
{
	struct net_multi *multi = calloc(1, sizeof *multi);

	if (!multi)
		goto fail;
	multi->loop = loop;
	multi->curl = curl_multi_init();
	multi->curl_timer = (struct loop_timer){ .fire = on_curl_timer_due, .owner = multi };
	if (!multi->curl || !set_multi_options(multi, connections_max))
		goto fail;
	return multi;
fail:
	error_set(err, ERROR_INTERNAL, "no memory for outgoing connections");
	net_multi_free(multi);
	return NULL;
}

void net_multi_free(struct net_multi *multi)
{
	struct net_transfer *transfer;

	if (!multi)
		return;
	while ((transfer = multi->running) || (transfer = multi->broken))
		release(transfer);
	while ((transfer = multi->free)) {
		list_take_out(transfer);
		net_transfer_free(transfer);
	}
	curl_multi_cleanup(multi->curl); /* closes its sockets through on_curl_socket */
	loop_clear_timer(multi->loop, &multi->curl_timer);
	free(multi);
}

/* A spare one, or a new one; in no list. */
static struct net_transfer *take_free(struct net_multi *multi)
{
	struct net_transfer *transfer = multi->free;

	if (transfer) {
		list_take_out(transfer);
		multi->free_count--;
	} else if ((transfer = net_transfer_new(multi->loop))) {
		transfer->multi = multi;
		transfer->timer = (struct loop_timer){ .fire = on_transfer_due, .owner = transfer };
	}
	return transfer;
}

struct net_transfer *net_start(struct net_multi *multi, const struct net_request *request,
			       struct buffer *body, const struct net_events *events, void *ctx,
			       struct error *err)
{
	struct net_transfer *transfer = take_free(multi);

	if (!transfer)
		goto fail;
	transfer->events = events;
	transfer->ctx = ctx;
	if (!net_transfer_prepare(transfer, request, body) ||
	    curl_multi_add_handle(multi->curl, transfer->easy) != CURLM_OK)
		goto fail;
	list_put(&multi->running, transfer);
	return transfer;
fail:
	error_set(err, ERROR_OVERLOADED, "There is no memory to ask with; try again.");
	net_transfer_free(transfer);
	buffer_done(body);
	return NULL;
}

void net_cancel(struct net_transfer *transfer)
{
	struct net_multi *multi = transfer->multi;

	if (!multi->inside) {
		release(transfer);
		return;
	}
	transfer->cancelled = true;
	list_move(&multi->cancelled, transfer);
}
