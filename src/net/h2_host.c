/* h2_host: see h2_host.h. */
#include "h2_host.h"

#include "base/log.h"
#include "base/metrics.h"
#include "h2_session.h"

#include <stdlib.h>
#include <string.h>

#define PAUSE_MS    1000  /* behind one that was refused, while there are others; or useless */
#define LOOK_MS     400   /* for what was hoped for */
#define AHEAD_MS    10000 /* for a connection that nobody waits for yet */
#define MANY        50    /* so many streams on one connection are to have two */
#define SPARE_SHARE 4     /* this part of a connection's streams is to be free */

/* --- streams that wait --- */

static void is_due(struct h2_host *host)
{
	struct loop *loop = host->shared->loop;

	host->is_due = true;
	loop_set_timer(loop, &host->shared->round, loop_now_ms(loop));
}

static void take_waiting(struct h2_stream *stream)
{
	struct h2_host *host = stream->host;

	if (host->last == &stream->next)
		host->last = stream->link;
	h2_stream_take_out(stream);
	host->waiting--;
}

static void put_waiting(struct h2_host *host, struct h2_stream *stream)
{
	h2_stream_put(host->last, stream);
	host->last = &stream->next;
	host->waiting++;
	is_due(host);
}

/* Those that wait now: whoever is told may ask anew, and waits then. */
static void end_waiting(struct h2_host *host, enum net_failure failure)
{
	for (size_t n = host->waiting; n > 0 && host->first; n--) {
		struct h2_stream *stream = host->first;

		take_waiting(stream);
		h2_stream_end(stream, failure);
	}
}

static void send_elsewhere(struct h2_host *host)
{
	while (host->first) {
		struct h2_stream *stream = host->first;

		take_waiting(stream);
		h2_stream_elsewhere(stream);
	}
}

static void on_stream_due(struct loop_timer *timer)
{
	struct h2_stream *stream = timer->owner;
	struct h2_host *host = stream->host;
	bool is_over = stream->end_by_ms && loop_now_ms(host->shared->loop) >= stream->end_by_ms;
	bool has_no_address = host->is_looking_up && !host->looked_up_ms;
	enum net_failure failure = is_over ? NET_TIMEOUT : has_no_address ? NET_DNS : NET_CONNECT;

	if (stream->connection)
		h2_session_drop(stream);
	else
		take_waiting(stream);
	h2_stream_end(stream, failure);
}

void h2_host_add(struct h2_host *host, struct h2_stream *stream)
{
	stream->host = host;
	stream->timer.fire = on_stream_due;
	stream->timer.owner = stream;
	loop_set_timer(host->shared->loop, &stream->timer, stream->connect_by_ms);
	put_waiting(host, stream);
}

void h2_host_cancel(struct h2_stream *stream)
{
	if (stream->connection)
		h2_session_drop(stream);
	else
		take_waiting(stream);
	h2_stream_free(stream);
}

/* --- what connections tell --- */

static void on_connection_ready(void *ctx)
{
	struct h2_host *host = ctx;

	if (host->waiting)
		is_due(host);
}

static void on_refused(void *ctx, struct h2_stream *stream)
{
	metrics_add(M_HTTP2, METRIC_HTTP2_again, 0, 1);
	h2_stream_again(stream);
	put_waiting(ctx, stream);
}

static void take_out(struct h2_host *host, struct h2_connection *connection)
{
	struct h2_connection **link = &host->connections;

	while (*link != connection)
		link = &(*link)->next;
	*link = connection->next;
	host->connection_count--;
}

/* Is there one that takes streams, or will? */
static bool has_hope(const struct h2_host *host)
{
	for (const struct h2_connection *c = host->connections; c; c = c->next)
		if (c->state != H2_DRAINS && c->state != H2_OVER)
			return true;
	return false;
}

/* Those that wait hear of it, unless there is another that may take them. */
static void give_up(struct h2_host *host, enum net_failure failure)
{
	if (!has_hope(host))
		end_waiting(host, failure);
}

/* It never was open. */
static void did_not_open(struct h2_host *host, enum net_failure failure)
{
	int64_t now_ms = loop_now_ms(host->shared->loop);

	metrics_add(M_HTTP2, failure == NET_OK ? METRIC_HTTP2_http1 : METRIC_HTTP2_failed, 0, 1);
	if (failure == NET_OK) {
		host->http1_until_ms = now_ms + host->ages->http1_ms;
		return;
	}
	if (failure == NET_CONNECT || failure == NET_TLS)
		host->looked_up_ms = 0; /* somebody else may have the address by now */
	SSL_SESSION_free(host->session);
	host->session = NULL;
	host->refused_until_ms = now_ms + PAUSE_MS;
	if (failure == NET_TLS)
		host->tls_is_doubted = true;
	give_up(host, failure);
}

static void on_over(void *ctx, struct h2_connection *connection)
{
	struct h2_host *host = ctx;

	take_out(host, connection);
	if (!connection->was_open)
		did_not_open(host, connection->failure);
	else if (!connection->was_used && host->waiting)
		host->useless_until_ms = loop_now_ms(host->shared->loop) + PAUSE_MS;
	if (host->waiting)
		is_due(host);
}

static bool is_last(void *ctx)
{
	const struct h2_host *host = ctx;

	return host->connection_count == 1;
}

static const struct h2_connection_calls calls = { on_connection_ready, on_refused, is_last,
						  on_over };

/* --- connections --- */

/* The one with most room; *room: of all together. */
static struct h2_connection *roomiest(struct h2_host *host, uint32_t *room)
{
	struct h2_connection *best = NULL;
	uint32_t best_room = 0;

	*room = 0;
	for (struct h2_connection *c = host->connections; c; c = c->next) {
		uint32_t its_room = h2_connection_room(c);

		*room += its_room;
		if (its_room > best_room) {
			best_room = its_room;
			best = c;
		}
	}
	return best;
}

static size_t coming(const struct h2_host *host)
{
	size_t n = 0;

	for (const struct h2_connection *c = host->connections; c; c = c->next)
		n += h2_connection_comes(c);
	return n;
}

static void learn_max(struct h2_host *host)
{
	for (const struct h2_connection *c = host->connections; c; c = c->next)
		if (c->has_settings && h2_session_max(c) > 0)
			host->usual_max = h2_session_max(c);
}

static size_t streams_on(const struct h2_host *host)
{
	size_t n = 0;

	for (const struct h2_connection *c = host->connections; c; c = c->next)
		n += c->stream_count;
	return n;
}

/* room: what is free on those that are open. */
static bool wants_another(const struct h2_host *host, uint32_t room)
{
	size_t comes = coming(host);

	if (host->connection_count >= host->connections_max)
		return false;
	if (host->waiting)
		return comes * host->usual_max < host->waiting;
	return comes == 0 && (room < host->usual_max / SPARE_SHARE ||
			      (host->connection_count == 1 && streams_on(host) >= MANY));
}

/* Behind a failure it is made anew: the file of certificates may have been mended, and where memory
 * failed OpenSSL for a moment it may have kept half of something. What reads it takes a moment. */
static bool is_old(const struct h2_host *host, int64_t now_ms)
{
	return host->tls && host->tls_is_doubted && !host->connections &&
	       now_ms - host->tls_made_ms >= PAUSE_MS;
}

static bool has_tls(struct h2_host *host)
{
	int64_t now_ms = loop_now_ms(host->shared->loop);

	if (is_old(host, now_ms)) {
		h2_tls_free(host->tls);
		host->tls = NULL;
	}
	if (!host->tls) {
		host->tls = h2_tls_open(host->ca_file);
		host->tls_made_ms = now_ms;
		host->tls_is_doubted = false;
	}
	if (!host->tls)
		log_warn("no TLS with the upstream",
			 LOG_T("error", "the certificates to trust cannot be read"));
	return host->tls != NULL;
}

static enum net_failure open_one(struct h2_host *host)
{
	int64_t connect_ms = host->first ? host->first->question->request.connect_ms : AHEAD_MS;
	struct h2_connection *connection;

	if (!has_tls(host))
		return NET_TLS;
	connection = h2_connection_open(host->shared, &host->addresses, host->tls, host->name,
					&host->session, host->usual_max, connect_ms, &calls, host);
	if (!connection)
		return NET_UNSENT;
	connection->next = host->connections;
	host->connections = connection;
	host->connection_count++;
	return NET_OK;
}

/* --- its name --- */

static void on_found(void *ctx, const struct h2_addresses *addresses, bool no_memory)
{
	struct h2_host *host = ctx;

	host->is_looking_up = false;
	if (addresses->count)
		host->addresses = *addresses;
	if (host->addresses.count) { /* what was good a while ago may be so still */
		host->looked_up_ms = loop_now_ms(host->shared->loop);
		is_due(host);
		return;
	}
	log_warn("no connection to the upstream", LOG_T("error", "its name has no address"));
	give_up(host, no_memory ? NET_UNSENT : NET_DNS);
}

/* Old ones serve while they are looked up again, unless the last connection found them to be no
 * good. False: not yet, or not at all. */
static bool has_addresses(struct h2_host *host)
{
	int64_t now_ms = loop_now_ms(host->shared->loop);
	bool is_known = host->looked_up_ms != 0;

	if (is_known && now_ms - host->looked_up_ms < host->ages->fresh_ms)
		return true;
	if (host->is_looking_up)
		return is_known;
	if (h2_names_numeric(host->name, host->port, &host->addresses)) {
		host->looked_up_ms = now_ms;
		return true;
	}
	host->is_looking_up = h2_names_ask(host->names, host->name, host->port, on_found, host);
	if (!host->is_looking_up && !is_known)
		give_up(host, NET_UNSENT);
	return is_known;
}

/* --- once a round --- */

static void open_more(struct h2_host *host)
{
	int64_t now_ms = loop_now_ms(host->shared->loop);
	enum net_failure failure = NET_OK;
	uint32_t room;

	if (now_ms < host->useless_until_ms)
		return;
	roomiest(host, &room);
	learn_max(host);
	while (failure == NET_OK && wants_another(host, room) &&
	       (!host->connections || now_ms >= host->refused_until_ms) && has_addresses(host))
		failure = open_one(host);
	if (failure != NET_OK)
		give_up(host, failure);
}

void h2_host_serve(struct h2_host *host)
{
	struct h2_connection *connection;
	uint32_t room;

	host->is_due = host->dials_ahead = false;
	if (h2_host_is_http1(host)) {
		send_elsewhere(host);
		return;
	}
	while (host->first && (connection = roomiest(host, &room))) {
		struct h2_stream *stream = host->first;

		take_waiting(stream);
		if (!h2_session_begin(connection, stream))
			h2_stream_end(stream, NET_UNSENT);
	}
	open_more(host);
	if (host->waiting)
		loop_set_timer(host->shared->loop, &host->timer,
			       loop_now_ms(host->shared->loop) + LOOK_MS);
}

static void on_look(struct loop_timer *timer)
{
	struct h2_host *host = timer->owner;

	if (host->waiting || host->dials_ahead)
		is_due(host);
}

void h2_host_dial_ahead(struct h2_host *host, int64_t ms)
{
	struct loop *loop = host->shared->loop;

	host->dials_ahead = true;
	loop_set_timer(loop, &host->timer, loop_now_ms(loop) + ms);
}

bool h2_host_is_http1(const struct h2_host *host)
{
	return host->http1_until_ms > loop_now_ms(host->shared->loop);
}

/* --- life --- */

static bool is_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool h2_host_is(const struct h2_host *host, const struct net_question *question)
{
	return is_same(host->name, question->host) && is_same(host->port, question->port) &&
	       is_same(host->ca_file, question->request.ca_file);
}

struct h2_host *h2_host_new(struct h2_shared *shared, struct h2_names *names,
			    const struct h2_ages *ages, const struct net_question *question,
			    size_t connections_max)
{
	struct h2_host *host = calloc(1, sizeof *host);
	const char *ca_file = question->request.ca_file;

	if (!host)
		return NULL;
	host->shared = shared;
	host->names = names;
	host->ages = ages;
	host->connections_max = connections_max;
	host->usual_max = H2_STREAMS_MAX;
	host->last = &host->first;
	host->timer = (struct loop_timer){ .fire = on_look, .owner = host };
	host->name = strdup(question->host);
	host->port = strdup(question->port);
	host->ca_file = ca_file ? strdup(ca_file) : NULL;
	if (host->name && host->port && (host->ca_file || !ca_file))
		return host;
	h2_host_free(host);
	return NULL;
}

void h2_host_free(struct h2_host *host)
{
	while (host->first)
		h2_host_cancel(host->first);
	while (host->connections) {
		struct h2_connection *connection = host->connections;

		while (connection->streams)
			h2_host_cancel(connection->streams);
		host->connections = connection->next;
		h2_connection_free(connection);
	}
	loop_clear_timer(host->shared->loop, &host->timer);
	SSL_SESSION_free(host->session);
	h2_tls_free(host->tls);
	free(host->name);
	free(host->port);
	free(host->ca_file);
	free(host);
}
