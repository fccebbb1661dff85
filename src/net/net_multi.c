/*
 * net_multi: all transfers of one loop. Curl tells which sockets and which timer it waits for, the
 * loop tells curl what happened, and the transfers that ended thereby are told so.
 *
 *   free --start--> timed <--deadline met / set--> running --ends--> free
 *                     '------- cancelled inside curl ------> cancelled --curl returned--> free
 */
#include "net_room.h"

#include <limits.h>
#include <stdlib.h>

#define TICK_MS  50
#define FREE_MAX 256 /* spare easy handles kept */

bool net_init(struct error *err)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return error_set(err, ERROR_INTERNAL, "libcurl does not start");
	return true;
}

void net_done(void)
{
	curl_global_cleanup();
}

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

/* Out of curl and back among the spare ones. Never while curl is on the stack. */
static void release(struct net_transfer *transfer)
{
	struct net_multi *multi = transfer->multi;

	curl_multi_remove_handle(multi->curl, transfer->easy);
	curl_slist_free_all(transfer->headers);
	transfer->headers = NULL;
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

/* After curl has returned: what was cancelled meanwhile, then what has ended. */
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
}

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

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socketp)
{
	struct net_multi *multi = userdata;
	struct loop_watch *watch = socketp;
	uint32_t events =
		(what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch)
			loop_forget(multi->loop, watch);
		free(watch);
		curl_multi_assign(multi->curl, fd, NULL);
		return 0;
	}
	if (!watch) {
		watch = calloc(1, sizeof *watch);
		if (!watch)
			return -1;
		watch->fd = -1;
		watch->ready = on_ready;
		watch->owner = multi;
		curl_multi_assign(multi->curl, fd, watch);
	}
	return loop_watch(multi->loop, watch, fd, events) ? 0 : -1;
}

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
static void detach(struct net_transfer *transfer, int64_t now_ms)
{
	CURLM *curl = transfer->multi->curl;
	int64_t left_ms = transfer->connect_by_ms - now_ms;

	transfer->detach_at_ms = 0;
	curl_multi_remove_handle(curl, transfer->easy);
	curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(left_ms > 0 ? left_ms : 1));
	if (curl_multi_add_handle(curl, transfer->easy) != CURLM_OK)
		finish(transfer, NET_CONNECT);
}

static bool is_due(int64_t at_ms, int64_t now_ms)
{
	return at_ms && now_ms >= at_ms;
}

/* The first of the timed whose deadline has passed. Ends may change the list, so each search begins
 * anew. */
static struct net_transfer *first_due(const struct net_multi *multi, int64_t now_ms)
{
	for (struct net_transfer *t = multi->timed; t; t = t->next)
		if (is_due(t->connect_by_ms, now_ms) || is_due(t->detach_at_ms, now_ms) ||
		    is_due(t->end_by_ms, now_ms))
			return t;
	return NULL;
}

static void on_tick(struct loop_timer *timer)
{
	struct net_multi *multi = timer->owner;
	int64_t now_ms = loop_now_ms(multi->loop);
	struct net_transfer *transfer;

	while ((transfer = first_due(multi, now_ms))) {
		if (is_due(transfer->end_by_ms, now_ms))
			finish(transfer, NET_TIMEOUT);
		else if (is_due(transfer->connect_by_ms, now_ms))
			finish(transfer, net_failure_unconnected(transfer));
		else
			detach(transfer, now_ms);
	}
	if (multi->timed)
		loop_set_timer(multi->loop, &multi->tick, now_ms + TICK_MS);
}

static void put_timed(struct net_multi *multi, struct net_transfer *transfer)
{
	if (!multi->timed && !multi->tick.due_ms)
		loop_set_timer(multi->loop, &multi->tick, loop_now_ms(multi->loop) + TICK_MS);
	list_put(&multi->timed, transfer);
}

void net_transfer_sent(struct net_transfer *transfer)
{
	transfer->was_sent = true;
	transfer->connect_by_ms = transfer->detach_at_ms = 0;
	if (!transfer->end_by_ms)
		list_move(&transfer->multi->running, transfer);
}

void net_deadline(struct net_transfer *transfer, int64_t ms)
{
	if (transfer->cancelled)
		return;
	list_take_out(transfer);
	transfer->end_by_ms = loop_now_ms(transfer->multi->loop) + ms;
	put_timed(transfer->multi, transfer);
}

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

	if (!multi || !(multi->curl = curl_multi_init()))
		goto fail;
	multi->loop = loop;
	multi->curl_timer = (struct loop_timer){ .fire = on_curl_timer_due, .owner = multi };
	multi->tick = (struct loop_timer){ .fire = on_tick, .owner = multi };
	if (!set_multi_options(multi, connections_max))
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
	while ((transfer = multi->timed) || (transfer = multi->running))
		release(transfer);
	while ((transfer = multi->free)) {
		list_take_out(transfer);
		net_transfer_free(transfer);
	}
	curl_multi_cleanup(multi->curl); /* closes its sockets through on_curl_socket */
	if (multi->loop) {
		loop_clear_timer(multi->loop, &multi->curl_timer);
		loop_clear_timer(multi->loop, &multi->tick);
	}
	free(multi);
}

/* A spare one, or a new one; in no list. */
static struct net_transfer *take_free(struct net_multi *multi)
{
	struct net_transfer *transfer = multi->free;

	if (!transfer)
		return net_transfer_new(multi);
	list_take_out(transfer);
	multi->free_count--;
	return transfer;
}

struct net_transfer *net_start(struct net_multi *multi, const struct net_request *request,
			       const struct net_events *events, void *ctx, struct error *err)
{
	struct net_transfer *transfer = take_free(multi);
	int64_t now_ms = loop_now_ms(multi->loop);

	if (!transfer)
		goto fail;
	transfer->events = events;
	transfer->ctx = ctx;
	transfer->retry_after_s = -1;
	transfer->resolving = transfer->was_sent = transfer->has_head = transfer->cancelled = false;
	transfer->connect_by_ms = now_ms + request->connect_ms;
	transfer->detach_at_ms = now_ms + request->connect_ms / 3;
	transfer->end_by_ms = 0;
	if (!net_transfer_prepare(transfer, request) ||
	    curl_multi_add_handle(multi->curl, transfer->easy) != CURLM_OK)
		goto fail;
	put_timed(multi, transfer);
	return transfer;
fail:
	error_set(err, ERROR_INTERNAL, "no memory for another request");
	net_transfer_free(transfer);
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
