/* firestore_key: the private key of a service account, as people paste it. */
#include "firestore_account.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#define KEY_MAX  16384
#define BITS_MIN 2048

/* --- its text --- */

static bool is_quote(char c)
{
	return c == '"' || c == '\'';
}

/* Without what stands around it; \n, however often it was escaped, is a newline. */
static size_t clean(const char *text, char *out)
{
	size_t len = strlen(text), n = 0;

	while (len > 0 && (is_quote(*text) || strchr(" \t\r\n", *text)))
		text++, len--;
	while (len > 0 && (is_quote(text[len - 1]) || strchr(" \t\r\n", text[len - 1])))
		len--;
	for (size_t i = 0; i < len; i++) {
		size_t slashes = strspn(text + i, "\\");
		char escaped = slashes > 0 && i + slashes < len ? text[i + slashes] : '\0';

		if (escaped == 'n' || escaped == 'r') {
			if (escaped == 'n')
				out[n++] = '\n';
			i += slashes;
		} else {
			out[n++] = text[i];
		}
	}
	out[n] = '\0';
	return n;
}

/* Before OpenSSL is asked: what people paste instead of it. */
static const char *why_not_pem(const char *text)
{
	static const struct {
		const char *mark, *why;
	} others[] = {
		{ "-----BEGIN ENCRYPTED", "is encrypted: take the one that the console hands out" },
		{ "-----BEGIN PUBLIC", "is a public key: the private one is wanted" },
		{ "-----BEGIN CERTIFICATE", "is a certificate: the private key is wanted" },
		{ "{", "is the whole file of the service account: that belongs into "
		       "GOOGLE_APPLICATION_CREDENTIALS, by its path" },
	};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (strncmp(text, others[i].mark, strlen(others[i].mark)) == 0)
			return others[i].why;
	if (strncmp(text, "-----BEGIN ", 11) != 0)
		return "does not begin with -----BEGIN PRIVATE KEY-----";
	if (!strstr(text, "-----END "))
		return "ends before -----END PRIVATE KEY-----: a line break may have cut it; write "
		       "each as \\n";
	return NULL;
}

/* --- as a key --- */

/* Instead of a question on the terminal. */
static int no_password(char *out, int size, int writes, void *ctx)
{
	(void)out, (void)size, (void)writes, (void)ctx;
	return -1;
}

static EVP_PKEY *read_pem(const char *text, size_t len)
{
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return key;
}

static const char *why_not_key(EVP_PKEY *key)
{
	if (!key)
		return "is damaged: what stands between its first and last line is no key";
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
		return "is no RSA key, which is what service accounts have";
	if (EVP_PKEY_get_bits(key) < BITS_MIN)
		return "is an RSA key of less than 2048 bits, which Google does not take";
	return NULL;
}

const char *firestore_account_key(const char *text, EVP_PKEY **out)
{
	char *pem = strlen(text) < KEY_MAX ? malloc(KEY_MAX) : NULL;
	const char *why = "is longer than any key";
	EVP_PKEY *key = NULL;
	size_t len;

	if (!pem)
		return why;
	len = clean(text, pem);
	if (!(why = why_not_pem(pem)))
		why = why_not_key(key = read_pem(pem, len));
	OPENSSL_cleanse(pem, KEY_MAX);
	free(pem);
	if (why)
		EVP_PKEY_free(key);
	else
		*out = key;
	return why;
}
