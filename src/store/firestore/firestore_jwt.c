/* firestore_jwt: see firestore_jwt.h. */
#include "firestore_jwt.h"

#include "base/base64url.h"
#include "base/json.h"
#include <openssl/err.h>

#define AUDIENCE        "https://oauth2.googleapis.com/token" /* whatever token_uri says */
#define SCOPE           "https://www.googleapis.com/auth/datastore"
#define LIFE_S          3600
#define PART_MAX        4096
#define SIZE_MAX_OF_KEY 2048 /* bytes of a signature: of 16384 bits */

static bool append_base64url(struct buffer *out, const void *bytes, size_t len)
{
	char *room = buffer_reserve(out, BASE64URL_LEN(len) + 1);

	if (!room)
		return false;
	base64url_write(bytes, len, room);
	buffer_commit(out, BASE64URL_LEN(len));
	return true;
}

static void write_head(const struct firestore_account *account, struct json_writer *w)
{
	json_open(w, '{');
	json_put_text(w, "alg", "RS256");
	json_put_text(w, "typ", "JWT");
	if (account->key_id)
		json_put_text(w, "kid", account->key_id);
	json_close(w, '}');
}

static void write_claims(const struct firestore_account *account, int64_t now_s,
			 struct json_writer *w)
{
	json_open(w, '{');
	json_put_text(w, "iss", account->email);
	json_put_text(w, "sub", account->email);
	json_put_text(w, "aud", AUDIENCE);
	json_put_text(w, "scope", SCOPE);
	json_put_int(w, "iat", now_s);
	json_put_int(w, "exp", now_s + LIFE_S);
	json_close(w, '}');
}

static bool append_signed_part(const struct firestore_account *account, int64_t now_s,
			       struct buffer *out)
{
	struct json_writer w;
	struct buffer part;
	bool ok;

	buffer_init(&part, PART_MAX);
	json_writer_init(&w, &part);
	write_head(account, &w);
	ok = !part.failed && append_base64url(out, part.data, part.len) &&
	     buffer_append_char(out, '.');
	buffer_reset(&part);
	json_writer_init(&w, &part);
	write_claims(account, now_s, &w);
	ok = ok && !part.failed && append_base64url(out, part.data, part.len);
	buffer_done(&part);
	return ok;
}

static bool sign(EVP_PKEY *key, struct slice text, unsigned char *out, size_t *len)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool ok = digest && EVP_DigestSignInit(digest, NULL, EVP_sha256(), NULL, key) == 1 &&
		  EVP_DigestSign(digest, out, len, (const unsigned char *)text.ptr, text.len) == 1;

	EVP_MD_CTX_free(digest);
	ERR_clear_error();
	return ok;
}

bool firestore_jwt(const struct firestore_account *account, int64_t now_s, struct buffer *out)
{
	unsigned char signature[SIZE_MAX_OF_KEY];
	size_t begin = out->len, len = sizeof signature;

	return append_signed_part(account, now_s, out) &&
	       sign(account->key, slice_skip(buffer_slice(out), begin), signature, &len) &&
	       buffer_append_char(out, '.') && append_base64url(out, signature, len);
}
