/* h2_wire: see h2_wire.h. */
#include "h2_wire.h"

#include "base/log.h"
#include "base/metrics.h"
#include "h2_session.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- the handshake --- */

static bool watch(struct h2_connection *connection, bool for_room)
{
	uint32_t events = EPOLLIN | (for_room ? EPOLLOUT : 0);

	if (loop_watch(connection->shared->loop, &connection->watch, connection->watch.fd, events))
		return true;
	h2_is_over(connection, NET_UNSENT);
	return false;
}

static void is_open(struct h2_connection *connection)
{
	if (!h2_tls_is_h2(connection->ssl)) {
		h2_is_over(connection, NET_OK);
	} else if (!h2_session_open(connection)) {
		h2_is_over(connection, NET_UNSENT);
	} else {
		metrics_add(M_HTTP2,
			    SSL_session_reused(connection->ssl) ? METRIC_HTTP2_resumed
								: METRIC_HTTP2_opened,
			    0, 1);
		connection->state = H2_OPEN;
		connection->was_open = true;
		connection->idle_ms = loop_now_ms(connection->shared->loop);
		h2_touch(connection);
		connection->calls->ready(connection->ctx);
	}
}

static void shake_hands(struct h2_connection *connection)
{
	int result, reason;

	ERR_clear_error();
	result = SSL_do_handshake(connection->ssl);
	reason = SSL_get_error(connection->ssl, result);
	if (result == 1) {
		is_open(connection);
	} else if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) {
		watch(connection, reason == SSL_ERROR_WANT_WRITE);
	} else {
		log_warn("no TLS with the upstream", LOG_T("error", h2_tls_why(connection->ssl)));
		h2_is_over(connection, NET_TLS);
	}
}

/* --- reading --- */

/* How it failed, where nothing else has said so. */
static void is_cut(struct h2_connection *connection)
{
	h2_is_over(connection, connection->failure    ? connection->failure
			       : connection->was_open ? NET_CUT
						      : NET_TLS);
}

/* All of the input is taken: what OpenSSL does not take now would be lost. */
static void decrypt(struct h2_connection *connection)
{
	struct h2_shared *shared = connection->shared;
	size_t n;

	while (connection->state != H2_OVER) {
		ERR_clear_error();
		if (SSL_read_ex(connection->ssl, shared->plain, sizeof shared->plain, &n)) {
			h2_session_feed(connection, shared->plain, n);
			continue;
		}
		if (SSL_get_error(connection->ssl, 0) == SSL_ERROR_WANT_READ)
			return;
		if (ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE)
			h2_is_over(connection, NET_NO_MEMORY);
		is_cut(connection);
		return;
	}
}

static void read_socket(struct h2_connection *connection)
{
	struct h2_input *input = &connection->shared->input;
	ssize_t n = recv(connection->watch.fd, input->bytes, sizeof input->bytes, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		if (connection->state == H2_SHAKES_HANDS)
			log_warn("no TLS with the upstream",
				 LOG_T("error", "the connection was cut in the handshake"));
		is_cut(connection);
		return;
	}
	input->at = 0;
	input->len = (size_t)n;
	connection->heard_ms = loop_now_ms(connection->shared->loop);
	if (connection->asked_ms) {
		connection->asked_ms = 0;
		connection->calls->ready(connection->ctx);
	}
	if (connection->state == H2_SHAKES_HANDS)
		shake_hands(connection);
	if (connection->session)
		decrypt(connection);
	input->at = input->len = 0; /* it may have ended before all was taken */
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
	struct h2_connection *connection = watch->owner;

	if (connection->state == H2_OVER)
		return;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		read_socket(connection);
	else if (connection->state == H2_SHAKES_HANDS)
		shake_hands(connection);
	h2_touch(connection);
}

/* --- writing --- */

/* How much of it went; what did not is to be tried again, with the same bytes. */
static size_t put(struct h2_connection *connection, const unsigned char *bytes, size_t n)
{
	size_t done = 0, part;

	while (done < n) {
		int reason;

		ERR_clear_error();
		if (SSL_write_ex(connection->ssl, bytes + done, n - done, &part)) {
			done += part;
			continue;
		}
		reason = SSL_get_error(connection->ssl, 0);
		if (reason != SSL_ERROR_WANT_WRITE && reason != SSL_ERROR_WANT_READ)
			is_cut(connection);
		break;
	}
	return done;
}

static bool keep(struct h2_connection *connection, const unsigned char *bytes, size_t n)
{
	connection->kept = malloc(n);
	if (!connection->kept) {
		h2_is_over(connection, NET_NO_MEMORY);
		return false;
	}
	memcpy(connection->kept, bytes, n);
	connection->kept_at = 0;
	connection->kept_len = n;
	return true;
}

/* Nothing is kept any more? */
static bool put_kept(struct h2_connection *connection)
{
	if (!connection->kept)
		return true;
	connection->kept_at += put(connection, connection->kept + connection->kept_at,
				   connection->kept_len - connection->kept_at);
	if (connection->kept_at < connection->kept_len)
		return false;
	free(connection->kept);
	connection->kept = NULL;
	return true;
}

/* As many whole frames as the output holds. */
static size_t gather(struct h2_connection *connection)
{
	unsigned char *output = connection->shared->output;
	const uint8_t *frames;
	size_t n = 0;
	ssize_t part;

	/* A frame is 16 KiB and its head at most, since no peer's SETTINGS make ours larger. */
	while (n < H2_OUTPUT_MAX / 2 - 16 &&
	       (part = nghttp2_session_mem_send(connection->session, &frames)) != 0) {
		if (part < 0 || (size_t)part > H2_OUTPUT_MAX - n) {
			h2_is_over(connection,
				   part == NGHTTP2_ERR_NOMEM ? NET_NO_MEMORY : NET_PROTOCOL);
			return 0;
		}
		memcpy(output + n, frames, (size_t)part);
		n += (size_t)part;
	}
	return n;
}

static void send_all(struct h2_connection *connection)
{
	const unsigned char *output = connection->shared->output;
	size_t n, done;

	while (put_kept(connection)) {
		n = gather(connection);
		if (n == 0)
			return;
		done = put(connection, output, n);
		if (done < n && !keep(connection, output + done, n - done))
			return; /* what follows would stand behind half a record */
	}
}

void h2_wire_flush(struct h2_connection *connection)
{
	if (!connection->session)
		return;
	send_all(connection);
	if (connection->state == H2_OVER || !watch(connection, connection->kept != NULL))
		return;
	if (!nghttp2_session_want_read(connection->session) &&
	    !nghttp2_session_want_write(connection->session))
		is_cut(connection);
}

/* --- life --- */

bool h2_wire_open(struct h2_connection *connection, int fd)
{
	connection->watch = (struct loop_watch){ .fd = -1, .ready = on_ready, .owner = connection };
	connection->ssl = h2_tls_client(connection->tls, connection->host, fd,
					&connection->shared->input, connection->resume);
	if (!connection->ssl ||
	    !loop_watch(connection->shared->loop, &connection->watch, fd, EPOLLIN)) {
		close(fd);
		h2_is_over(connection, NET_UNSENT);
		return false;
	}
	connection->state = H2_SHAKES_HANDS;
	shake_hands(connection);
	return connection->state != H2_OVER;
}

void h2_wire_close(struct h2_connection *connection)
{
	int fd = connection->watch.fd;

	if (connection->was_open && fd >= 0)
		SSL_shutdown(connection->ssl); /* our side of it; the other is not waited for */
	if (fd >= 0) {
		loop_forget(connection->shared->loop, &connection->watch);
		close(fd);
	}
	nghttp2_session_del(connection->session);
	SSL_free(connection->ssl);
	free(connection->kept);
	connection->session = NULL;
	connection->ssl = NULL;
	connection->kept = NULL;
}
