/* h2_tls: see h2_tls.h. */
#include "h2_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct h2_tls {
	SSL_CTX *context;
	BIO_METHOD *method;
};

/* --- the socket, as OpenSSL sees it --- */

struct wire {
	int fd;
	struct h2_input *input;
};

static int wire_read(BIO *bio, char *out, int size)
{
	struct h2_input *input = ((struct wire *)BIO_get_data(bio))->input;
	size_t n = input->len - input->at;

	BIO_clear_retry_flags(bio);
	if (n == 0 || size <= 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	n = n < (size_t)size ? n : (size_t)size;
	memcpy(out, input->bytes + input->at, n);
	input->at += n;
	return (int)n;
}

static int wire_write(BIO *bio, const char *bytes, int n)
{
	struct wire *wire = BIO_get_data(bio);
	ssize_t sent = send(wire->fd, bytes, (size_t)n, MSG_NOSIGNAL);

	BIO_clear_retry_flags(bio);
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	return (int)sent;
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static int wire_free(BIO *bio)
{
	free(BIO_get_data(bio));
	BIO_set_data(bio, NULL);
	return 1;
}

static BIO_METHOD *method_new(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "c1d");

	if (!method)
		return NULL;
	BIO_meth_set_read(method, wire_read);
	BIO_meth_set_write(method, wire_write);
	BIO_meth_set_ctrl(method, wire_control);
	BIO_meth_set_destroy(method, wire_free);
	return method;
}

static BIO *wire_new(BIO_METHOD *method, int fd, struct h2_input *input)
{
	struct wire *wire = calloc(1, sizeof *wire);
	BIO *bio = wire ? BIO_new(method) : NULL;

	if (!bio) {
		free(wire);
		return NULL;
	}
	*wire = (struct wire){ fd, input };
	BIO_set_data(bio, wire);
	BIO_set_init(bio, 1);
	return bio;
}

/* --- what all connections share --- */

/* The newest session is the one to go on with; 1: it is kept here. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION **place = SSL_get_app_data(ssl);

	SSL_SESSION_free(*place);
	*place = session;
	return 1;
}

static bool set_up(SSL_CTX *context, const char *ca_file)
{
	static const unsigned char protocols[] = "\2h2\10http/1.1";

	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION); /* RFC 9113, 9.2.1 */
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, keep_session);
	return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_alpn_protos(context, protocols, sizeof protocols - 1) == 0 &&
	       (ca_file ? SSL_CTX_load_verify_file(context, ca_file)
			: SSL_CTX_set_default_verify_paths(context)) == 1;
}

struct h2_tls *h2_tls_open(const char *ca_file)
{
	struct h2_tls *tls = calloc(1, sizeof *tls);

	if (!tls)
		return NULL;
	tls->method = method_new();
	tls->context = SSL_CTX_new(TLS_client_method());
	if (tls->method && tls->context && set_up(tls->context, ca_file))
		return tls;
	h2_tls_free(tls);
	return NULL;
}

void h2_tls_free(struct h2_tls *tls)
{
	if (!tls)
		return;
	SSL_CTX_free(tls->context);
	BIO_meth_free(tls->method);
	free(tls);
}

/* --- one connection --- */

/* Whom the certificate has to name. A name is told to the server, too (RFC 6066, 3). */
static bool expect(SSL *ssl, const char *host)
{
	unsigned char address[16];

	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

SSL *h2_tls_client(struct h2_tls *tls, const char *host, int fd, struct h2_input *input,
		   SSL_SESSION **session)
{
	SSL *ssl = SSL_new(tls->context);
	BIO *wire = ssl ? wire_new(tls->method, fd, input) : NULL;

	if (!wire)
		goto fail;
	SSL_set_bio(ssl, wire, wire);
	SSL_set_app_data(ssl, session);
	SSL_set_connect_state(ssl);
	if (!expect(ssl, host) || (*session && SSL_set_session(ssl, *session) != 1))
		goto fail;
	return ssl;
fail:
	SSL_free(ssl);
	return NULL;
}

bool h2_tls_is_h2(const SSL *ssl)
{
	const unsigned char *name;
	unsigned int len;

	SSL_get0_alpn_selected(ssl, &name, &len);
	return len == 2 && memcmp(name, "h2", 2) == 0;
}

const char *h2_tls_why(const SSL *ssl)
{
	static const struct {
		long result;
		const char *words;
	} words[] = {
		{ X509_V_ERR_CERT_HAS_EXPIRED, "its certificate has expired" },
		{ X509_V_ERR_CERT_NOT_YET_VALID, "its certificate is not valid yet" },
		{ X509_V_ERR_HOSTNAME_MISMATCH, "its certificate is of another name" },
		{ X509_V_ERR_IP_ADDRESS_MISMATCH, "its certificate is of another address" },
		{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "its certificate is signed by itself" },
		{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "its authority is unknown" },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "its authority is unknown" },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "its authority is unknown" },
		{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "its authority is unknown" },
		{ X509_V_ERR_CERT_SIGNATURE_FAILURE, "its certificate's signature is false" },
		{ X509_V_ERR_CERT_REVOKED, "its certificate was revoked" },
	};
	long result = SSL_get_verify_result(ssl);
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (words[i].result == result)
			return words[i].words;
	if (result != X509_V_OK)
		return X509_verify_cert_error_string(result);
	return reason ? reason : "the connection was cut in the handshake";
}
