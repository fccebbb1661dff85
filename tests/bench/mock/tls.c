/* tls: the server's side of TLS, with a CA and a certificate that are made at start. */
#include "mock.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define DAYS 30

static bool add(X509 *to, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	bool ok;

	X509V3_set_ctx(&context, issuer, to, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	ok = extension && X509_add_ext(to, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok;
}

static X509 *certificate(const char *name, long serial, EVP_PKEY *key)
{
	X509 *made = X509_new();
	X509_NAME *subject = X509_get_subject_name(made);

	X509_set_version(made, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(made), serial);
	X509_gmtime_adj(X509_getm_notBefore(made), -3600);
	X509_gmtime_adj(X509_getm_notAfter(made), 86400L * DAYS);
	X509_set_pubkey(made, key);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
				   0);
	return made;
}

static bool sign(X509 *made, X509 *issuer, EVP_PKEY *key)
{
	return X509_set_issuer_name(made, X509_get_subject_name(issuer)) == 1 &&
	       X509_sign(made, key, EVP_sha256()) > 0;
}

static bool write_pem(const char *folder, X509 *ca)
{
	char path[4096];
	FILE *file;
	bool ok;

	snprintf(path, sizeof path, "%s/ca.pem", folder);
	file = fopen(path, "w");
	ok = file && PEM_write_X509(file, ca) == 1;
	return file && fclose(file) == 0 && ok;
}

static int choose(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		  const unsigned char *in, unsigned in_len, void *arg)
{
	static const unsigned char ours[] = "\x02h2\x08http/1.1";
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

void *tls_open(const char *folder)
{
	EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	X509 *ca = certificate("c1d bench CA", 1, ca_key), *own = certificate("localhost", 2, key);
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
	bool ok = add(ca, ca, NID_basic_constraints, "critical,CA:TRUE") &&
		  add(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
		  add(ca, ca, NID_subject_key_identifier, "hash") && sign(ca, ca, ca_key) &&
		  add(own, ca, NID_basic_constraints, "critical,CA:FALSE") &&
		  add(own, ca, NID_key_usage, "critical,digitalSignature") &&
		  add(own, ca, NID_ext_key_usage, "serverAuth") &&
		  add(own, ca, NID_authority_key_identifier, "keyid") &&
		  add(own, ca, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1") &&
		  sign(own, ca, ca_key) && SSL_CTX_use_certificate(tls, own) == 1 &&
		  SSL_CTX_use_PrivateKey(tls, key) == 1 && write_pem(folder, ca);

	SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
	SSL_CTX_set_alpn_select_cb(tls, choose, NULL);
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	X509_free(ca);
	X509_free(own);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	return ok ? tls : NULL;
}

void *tls_accept(void *tls, int fd)
{
	SSL *ssl = SSL_new(tls);

	if (ssl && SSL_set_fd(ssl, fd) == 1)
		SSL_set_accept_state(ssl);
	return ssl;
}

static int wants_more(SSL *ssl, int result)
{
	int why = SSL_get_error(ssl, result);

	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

int tls_handshake(void *ssl, bool *is_h2)
{
	const unsigned char *chosen;
	unsigned len;
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(ssl);
	if (result != 1)
		return wants_more(ssl, result) ? 0 : -1;
	SSL_get0_alpn_selected(ssl, &chosen, &len);
	*is_h2 = len == 2 && memcmp(chosen, "h2", 2) == 0;
	return 1;
}

long tls_read(void *ssl, char *out, size_t size)
{
	size_t len;

	ERR_clear_error();
	if (SSL_read_ex(ssl, out, size, &len))
		return (long)len;
	return wants_more(ssl, 0) ? 0 : -1;
}

long tls_write(void *ssl, const char *bytes, size_t len)
{
	size_t done;

	ERR_clear_error();
	if (SSL_write_ex(ssl, bytes, len, &done))
		return (long)done;
	return wants_more(ssl, 0) ? 0 : -1;
}

void tls_close(void *ssl)
{
	SSL_free(ssl);
}
