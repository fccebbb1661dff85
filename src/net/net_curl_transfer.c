/* net_curl_transfer: see net_curl_transfer.h. */
#include "net_curl_transfer.h"

#include "net_patience.h"
#include "net_retry_after.h"

#include <stdlib.h>
#include <strings.h>

#define IDLE_MAX_S 15L /* a kept connection older than this may be closed behind our back */

/* --- deadlines --- */

/* After any of the deadlines has changed. */
static void set_timer(struct net_curl_transfer *transfer)
{
	int64_t begun_by_ms = net_sooner(transfer->connect_by_ms, transfer->detach_at_ms);

	loop_move_timer(transfer->loop, &transfer->timer,
			net_sooner(begun_by_ms, transfer->end_by_ms));
}

void net_curl_transfer_deadline(struct net_curl_transfer *transfer, int64_t ms)
{
	transfer->end_by_ms = loop_now_ms(transfer->loop) + ms;
	if (!transfer->cancelled)
		set_timer(transfer);
}

/* It has a connection of its own, or is about to. */
static void stops_waiting(struct net_curl_transfer *transfer)
{
	transfer->detach_at_ms = 0;
	set_timer(transfer);
}

void net_curl_transfer_detach(struct net_curl_transfer *transfer)
{
	int64_t left_ms = transfer->connect_by_ms - loop_now_ms(transfer->loop);

	curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(left_ms > 0 ? left_ms : 1));
	stops_waiting(transfer);
}

/* --- the head --- */

static void head_is_whole(struct net_curl_transfer *transfer, long status)
{
	struct net_response response = { .status = (int)status,
					 .retry_after_s = transfer->retry_after_s };
	char *type = NULL;

	curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &type);
	response.content_type = slice_of(type);
	transfer->has_head = true;
	transfer->events->head(transfer->ctx, &response);
}

/* A line of the head; of trailers, too. Less than n makes curl give the transfer up. */
static size_t on_header(char *line, size_t size, size_t n, void *userdata)
{
	struct net_curl_transfer *transfer = userdata;
	bool is_end = n <= 2 && (*line == '\r' || *line == '\n');
	long status = 0;

	n *= size;
	if (transfer->cancelled)
		return 0;
	if (transfer->has_head)
		return n;
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status == 101)
		return 0; /* we asked for no other protocol */
	if (!is_end)
		net_retry_after((struct slice){ line, n }, &transfer->retry_after_s);
	else if (status < 200)
		transfer->retry_after_s = -1; /* an interim head: the real one follows */
	else
		head_is_whole(transfer, status);
	return transfer->cancelled ? 0 : n;
}

/* --- the body, the request --- */

static size_t on_body(char *bytes, size_t size, size_t n, void *userdata)
{
	struct net_curl_transfer *transfer = userdata;

	n *= size;
	if (transfer->cancelled || !transfer->has_head)
		return 0;
	if (n)
		transfer->events->body(transfer->ctx, (struct slice){ bytes, n });
	return transfer->cancelled ? 0 : n;
}

/* Curl asks before each sending. It would send again by itself when a kept connection breaks before
 * the first byte; the other side may have begun to work on it (and to bill) by then. */
static int on_send(void *userdata, char *to, char *from, int to_port, int from_port)
{
	struct net_curl_transfer *transfer = userdata;

	(void)to, (void)from, (void)to_port, (void)from_port;
	if (transfer->was_sent || transfer->cancelled)
		return CURL_PREREQFUNC_ABORT;
	transfer->was_sent = true;
	transfer->connect_by_ms = 0;
	stops_waiting(transfer);
	return CURL_PREREQFUNC_OK;
}

/* Curl counts what it has sent. It never looks at the request's body again, for it is never allowed
 * to send it again; the answer may take minutes. */
static int on_progress(void *userdata, curl_off_t to_come, curl_off_t come, curl_off_t to_send,
		       curl_off_t sent)
{
	struct net_curl_transfer *transfer = userdata;

	(void)to_come, (void)come, (void)to_send;
	if (!transfer->was_sent || sent < (curl_off_t)transfer->body.len)
		return 0;
	buffer_done(&transfer->body);
	curl_easy_setopt(transfer->easy, CURLOPT_NOPROGRESS, 1L);
	return 0;
}

/* --- the connection --- */

static int on_resolve(void *resolver, void *reserved, void *userdata)
{
	struct net_curl_transfer *transfer = userdata;

	(void)resolver, (void)reserved;
	transfer->resolving = true;
	stops_waiting(transfer);
	return 0;
}

static int on_socket(void *userdata, curl_socket_t fd, curlsocktype purpose)
{
	struct net_curl_transfer *transfer = userdata;

	(void)purpose;
	stops_waiting(transfer);
	net_bound_unacked(fd);
	return CURL_SOCKOPT_OK;
}

/* --- options --- */

/* curl_easy_setopt checks types by itself; all its results are one answer here. */
#define SET(option, value) (ok = ok && curl_easy_setopt(easy, (option), (value)) == CURLE_OK)

static bool set_fixed_options(CURL *easy, struct net_curl_transfer *transfer, CURLSH *share,
			      curl_closesocket_callback on_close, void *ctx)
{
	bool ok = true;

	SET(CURLOPT_PRIVATE, transfer);
	SET(CURLOPT_SHARE, share);
	SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
	SET(CURLOPT_CLOSESOCKETDATA, ctx);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, transfer);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, transfer);
	SET(CURLOPT_PREREQFUNCTION, on_send);
	SET(CURLOPT_PREREQDATA, transfer);
	SET(CURLOPT_XFERINFOFUNCTION, on_progress);
	SET(CURLOPT_XFERINFODATA, transfer);
	SET(CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
	SET(CURLOPT_RESOLVER_START_DATA, transfer);
	SET(CURLOPT_SOCKOPTFUNCTION, on_socket);
	SET(CURLOPT_SOCKOPTDATA, transfer);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L); /* or a slow name server is waited for, with the whole loop */
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_PIPEWAIT, 1L);
	SET(CURLOPT_TCP_NODELAY, 1L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_MAXAGE_CONN, IDLE_MAX_S);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
	return ok;
}

struct net_curl_transfer *net_curl_transfer_new(struct loop *loop, CURLSH *share,
						curl_closesocket_callback on_close, void *ctx)
{
	struct net_curl_transfer *transfer = calloc(1, sizeof *transfer);

	if (!transfer)
		return NULL;
	transfer->loop = loop;
	transfer->easy = curl_easy_init();
	if (transfer->easy && set_fixed_options(transfer->easy, transfer, share, on_close, ctx))
		return transfer;
	net_curl_transfer_free(transfer);
	return NULL;
}

void net_curl_transfer_free(struct net_curl_transfer *transfer)
{
	if (!transfer)
		return;
	net_curl_transfer_reset(transfer);
	curl_easy_cleanup(transfer->easy);
	free(transfer);
}

void net_curl_transfer_reset(struct net_curl_transfer *transfer)
{
	loop_clear_timer(transfer->loop, &transfer->timer);
	curl_slist_free_all(transfer->headers);
	transfer->headers = NULL;
	buffer_done(&transfer->body);
}

static bool add_header(struct net_curl_transfer *transfer, const char *header)
{
	struct curl_slist *longer = curl_slist_append(transfer->headers, header);

	if (longer)
		transfer->headers = longer;
	return longer != NULL;
}

/* Everything that differs from request to request, as options. */
static bool set_request(struct net_curl_transfer *transfer, const struct net_request *request)
{
	CURL *easy = transfer->easy;
	char *ca_file = NULL; /* the system's */
	bool is_tls = strncasecmp(request->url, "https:", 6) == 0;
	bool may_share = is_tls && !request->is_stream;
	bool ok = add_header(transfer, "Expect:"); /* no extra round trip for a large body */

	transfer->is_alone = is_tls && !may_share;
	for (const char *const *header = request->headers; ok && *header; header++)
		ok = add_header(transfer, *header);
	SET(CURLOPT_URL, request->url);
	SET(CURLOPT_HTTPHEADER, transfer->headers);
	SET(CURLOPT_POSTFIELDS, buffer_slice(&transfer->body).ptr);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->body.len);
	SET(CURLOPT_NOPROGRESS, 0L); /* until the body is sent */
	SET(CURLOPT_HTTP_VERSION,
	    may_share ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_ms);
	SET(CURLOPT_FRESH_CONNECT, 0L);
	/* What is held for as long as a stream lasts is to be small: the least that curl takes. It
	 * refuses while it still has the buffer of the last transfer, which serves as well. */
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, request->is_stream ? 1024L : 8192L);
	SET(CURLOPT_ACCEPT_ENCODING, request->may_gzip ? "gzip" : NULL);
	curl_easy_getinfo(easy, CURLINFO_CAINFO, &ca_file);
	SET(CURLOPT_CAINFO, request->ca_file ? request->ca_file : ca_file);
	return ok;
}

bool net_curl_transfer_prepare(struct net_curl_transfer *transfer,
			       const struct net_request *request, struct buffer *body)
{
	int64_t now_ms = loop_now_ms(transfer->loop);

	transfer->body = *body;
	*body = (struct buffer){ 0 };
	transfer->retry_after_s = -1;
	transfer->resolving = transfer->was_sent = transfer->has_head = transfer->cancelled = false;
	transfer->connect_by_ms = now_ms + request->connect_ms;
	transfer->detach_at_ms = now_ms + request->connect_ms / 3;
	transfer->end_by_ms = 0;
	set_timer(transfer);
	return set_request(transfer, request);
}
