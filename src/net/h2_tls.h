/*
 * h2_tls: TLS by OpenSSL on sockets that do not block: certificates and names are always checked,
 * TLS 1.2 is the least, h2 is asked for and http/1.1 beside it (RFC 7301).
 */
#ifndef NET_H2_TLS_H
#define NET_H2_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#define H2_INPUT_MAX 65536

/* What one read of a socket brought, for OpenSSL to take its records from; one a loop. By itself it
 * would read a record's head and its rest one by one. */
struct h2_input {
	size_t at, len;
	unsigned char bytes[H2_INPUT_MAX];
};

struct h2_tls;

/* Of one CA file; NULL: the system's. NULL comes back when that cannot be read, or for want of
 * memory. */
struct h2_tls *h2_tls_open(const char *ca_file);
void h2_tls_free(struct h2_tls *tls); /* NULL is fine; behind all SSLs made of it */

/*
 * A client's side, before its handshake. host: a name, or an IP address, which is then what the
 * certificate has to say. The socket stays the caller's; input: where what is read lies.
 * *session: what an earlier connection to this host left, or NULL; it is used, and replaced by what
 * the server hands out, so it stays there as long as the SSL does. NULL: no memory.
 */
SSL *h2_tls_client(struct h2_tls *tls, const char *host, int fd, struct h2_input *input,
		   SSL_SESSION **session);

/* After a handshake: did the server choose h2? */
bool h2_tls_is_h2(const SSL *ssl);
/* After one that failed: the reason for the log. */
const char *h2_tls_why(const SSL *ssl);

#endif
