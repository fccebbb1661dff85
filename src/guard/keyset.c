/* keyset: see keyset.h. */
#include "keyset.h"

#include "jose_jwk.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

static struct keyset *set_new(struct error *err)
{
	static _Atomic uint64_t serial;
	struct keyset *set = calloc(1, sizeof *set + KEYSET_MAX * sizeof set->keys[0]);

	if (!set) {
		error_set(err, ERROR_OVERLOADED, "No memory for a set of keys.");
		return NULL;
	}
	set->refs = 1;
	set->serial = atomic_fetch_add(&serial, 1) + 1;
	return set;
}

struct keyset *keyset_ref(struct keyset *set)
{
	atomic_fetch_add(&set->refs, 1);
	return set;
}

void keyset_unref(struct keyset *set)
{
	if (!set || atomic_fetch_sub(&set->refs, 1) > 1)
		return;
	for (size_t i = 0; i < set->count; i++)
		jose_key_done(&set->keys[i]);
	free(set);
}

struct keyset *keyset_of_secret(struct slice secret, struct error *err)
{
	struct keyset *set = set_new(err);
	const char *why = set ? jose_key_of_secret(secret, &set->keys[0]) : NULL;

	if (why) {
		error_set(err, ERROR_CONFIG, "The secret is none: %s, and this one has %zu.", why,
			  secret.len);
		keyset_unref(set);
		return NULL;
	}
	if (set) {
		set->count = 1;
		set->algs = set->keys[0].algs;
	}
	return set;
}

/* --- reading --- */

/* A set under way, and why the last key was passed over. */
struct reading {
	struct keyset *set;
	unsigned algs;
	const char *why;
	bool is_full, is_ambiguous;
};

static void take(struct reading *reading, struct jose_key *key, const char *why)
{
	struct keyset *set = reading->set;

	if (!why && !(key->algs & reading->algs)) {
		why = "a key for none of the algorithms that are taken";
		jose_key_done(key);
	}
	if (!why && set->count == KEYSET_MAX) {
		reading->is_full = true;
		jose_key_done(key);
	} else if (!why) {
		key->algs &= reading->algs;
		set->algs |= key->algs;
		set->keys[set->count++] = *key;
	} else {
		set->passed_over++;
		reading->why = why;
	}
}

/* What is public needs none; without this OpenSSL would ask at the terminal, or wait for stdin. */
static int no_password(char *out, int size, int writes, void *ctx)
{
	(void)out, (void)size, (void)writes, (void)ctx;
	return -1;
}

static EVP_PKEY *pkey_of_certificate(BIO *bio)
{
	X509 *certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL);
	EVP_PKEY *pkey = certificate ? X509_get_pubkey(certificate) : NULL;

	X509_free(certificate);
	return pkey;
}

#define BLOCK       "-----BEGIN "
#define CERTIFICATE BLOCK "CERTIFICATE-----"

/* From one block's begin on; what stands between blocks is a comment. */
static void read_block(struct reading *reading, struct slice text, const char *name)
{
	BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
	struct jose_key key = { .pkey = NULL };
	EVP_PKEY *pkey = NULL;
	const char *why;

	if (bio)
		pkey = slice_starts(text, SLICE(CERTIFICATE))
			       ? pkey_of_certificate(bio)
			       : PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
	BIO_free(bio);
	ERR_clear_error();
	why = jose_key_of_pkey(pkey, &key);
	if (!why)
		memcpy(key.kid, name, strlen(name) + 1);
	take(reading, &key, why);
}

static void read_pem(struct reading *reading, struct slice text, const char *name)
{
	const char *at;

	while ((at = memmem(text.ptr, text.len, BLOCK, sizeof BLOCK - 1))) {
		text = slice_skip(text, (size_t)(at - text.ptr));
		read_block(reading, text, name);
		text = slice_skip(text, sizeof BLOCK - 1);
	}
}

/* Which of two keys with one name is meant (RFC 7517, 4.5)? Also when one of them is of no use to
 * us.
 */
static bool is_named_before(const struct json *keys, const struct json *jwk)
{
	struct slice kid = json_text(json_get(jwk, "kid"));

	if (kid.len == 0 || !jose_jwk_is_for_checking(jwk))
		return false;
	for (const struct json *other = json_first(keys); other != jwk; other = json_next(other))
		if (slice_equal(json_text(json_get(other, "kid")), kid) &&
		    jose_jwk_is_for_checking(other))
			return true;
	return false;
}

static void read_keys(struct reading *reading, const struct json *keys)
{
	for (const struct json *jwk = json_first(keys); jwk; jwk = json_next(jwk)) {
		struct jose_key key = { .pkey = NULL };

		reading->is_ambiguous |= is_named_before(keys, jwk);
		take(reading, &key, jose_jwk_read(jwk, &key));
	}
}

/* {"name": "-----BEGIN CERTIFICATE-----...", ...} */
static void read_certificates(struct reading *reading, const struct json *map)
{
	for (const struct json *member = json_first(map); member; member = json_next(member)) {
		char name[JOSE_KID_MAX + 1];
		struct slice kid = json_name(member), text = json_text(member);

		if (kid.len > JOSE_KID_MAX || !slice_starts(text, SLICE(CERTIFICATE))) {
			reading->set->passed_over++;
			continue;
		}
		memcpy(name, kid.ptr, kid.len);
		name[kid.len] = '\0';
		read_block(reading, text, name);
	}
}

static bool read_json(struct reading *reading, struct slice text, struct error *err)
{
	struct error why = { 0 };
	struct json *root = json_parse(text, &why);
	const struct json *keys = json_get(root, "keys");

	if (!root)
		return error_set(err,
				 why.code == ERROR_OVERLOADED ? ERROR_OVERLOADED : ERROR_CONFIG,
				 "%s", why.detail);
	reading->set->by_name = true;
	if (keys && json_type(keys) == JSON_ARRAY)
		read_keys(reading, keys);
	else if (json_type(root) == JSON_OBJECT)
		read_certificates(reading, root);
	json_free(root);
	return true;
}

/* --- what makes a set --- */

static bool is_mixed(const struct keyset *set)
{
	unsigned secret = jose_algs_of(JOSE_HMAC, NULL);

	return (set->algs & secret) && (set->algs & ~secret);
}

static bool is_set(const struct reading *reading, struct error *err)
{
	const struct keyset *set = reading->set;

	if (set->count == 0)
		return error_set(err, ERROR_CONFIG, "There is no key of use in it%s%s.",
				 reading->why ? ": " : "", reading->why ? reading->why : "");
	if (reading->is_full)
		return error_set(err, ERROR_CONFIG, "There are more than %d keys in it.",
				 KEYSET_MAX);
	if (reading->is_ambiguous)
		return error_set(err, ERROR_CONFIG, "Two keys in it have one name (kid).");
	return !is_mixed(set) ||
	       error_set(err, ERROR_CONFIG, "Secrets and public keys are mixed in it.");
}

static struct keyset *read_set(struct slice text, unsigned algs, bool as_json, struct error *err)
{
	struct reading reading = { .set = set_new(err), .algs = algs };
	bool ok = reading.set != NULL;

	if (ok && as_json)
		ok = read_json(&reading, text, err);
	else if (ok)
		read_pem(&reading, text, "");
	if (ok && is_set(&reading, err))
		return reading.set;
	keyset_unref(reading.set);
	return NULL;
}

struct keyset *keyset_of_json(struct slice text, unsigned algs, struct error *err)
{
	return read_set(text, algs, true, err);
}

struct keyset *keyset_of_text(struct slice text, unsigned algs, struct error *err)
{
	size_t at = 0;

	while (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '\t' ||
				 text.ptr[at] == '\r' || text.ptr[at] == '\n'))
		at++;
	return read_set(text, algs, at < text.len && text.ptr[at] == '{', err);
}

/* --- looking up --- */

const struct jose_key *keyset_next(const struct keyset *set, const struct jose_key *last,
				   struct slice kid, const struct jose_alg *alg)
{
	for (const struct jose_key *key = last ? last + 1 : set->keys; key < set->keys + set->count;
	     key++)
		if ((key->algs & jose_alg_bit(alg)) && (!set->by_name || slice_is(kid, key->kid)))
			return key;
	return NULL;
}
