/* secret: see guard/secret.h. */
#include "guard/secret.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/siphash.h"
#include "secret_file.h"
#include <endian.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define LOOK_MS     1000
#define NEWEST_S    (90 * 86400)
#define TRY_AGAIN_S 3600 /* behind a rotation that failed */

_Static_assert(SECRET_SIZE == SECRET_MAC_SIZE, "a key is made like a signature");

struct secrets {
	const char *state_dir; /* of the file; NULL: they are C1D_VISITOR_SECRET's */
	pthread_rwlock_t lock; /* guards set and tag_key */
	struct secret_set set;
	uint64_t tag_key[2];       /* made of the newest */
	_Atomic int64_t look_ms;   /* monotonic: when to look at the file next */
	_Atomic int64_t rotate_ms; /* monotonic: not before then */
};

/* --- signing --- */

static bool hmac(const unsigned char key[SECRET_SIZE], struct slice data,
		 unsigned char out[SECRET_MAC_SIZE])
{
	unsigned size = SECRET_MAC_SIZE;

	return HMAC(EVP_sha256(), key, SECRET_SIZE, (const unsigned char *)data.ptr, data.len, out,
		    &size) != NULL;
}

/* Each purpose has a key of its own. */
static bool mac_by(const struct secret *secret, const char *purpose, struct slice data,
		   unsigned char out[SECRET_MAC_SIZE])
{
	unsigned char key[SECRET_SIZE];
	bool ok = hmac(secret->key, slice_of(purpose), key) && hmac(key, data, out);

	OPENSSL_cleanse(key, sizeof key);
	return ok;
}

/* Kept, since each request has its user named: a key and a MAC each time were a twentieth of what a
 * small one costs. Without memory for a new one the last stays. */
static bool make_tag_key(const struct secret *newest, uint64_t key[2])
{
	unsigned char mac[SECRET_MAC_SIZE];
	bool ok = hmac(newest->key, SLICE("log"), mac);

	if (ok) {
		memcpy(key, mac, 2 * sizeof key[0]);
		key[0] = le64toh(key[0]);
		key[1] = le64toh(key[1]);
	}
	OPENSSL_cleanse(mac, sizeof mac);
	return ok;
}

/* Its place among them, or -1. */
static int find_signer(struct secrets *secrets, const char *purpose, struct slice data,
		       const unsigned char mac[SECRET_MAC_SIZE])
{
	unsigned char right[SECRET_MAC_SIZE];
	int found = -1;

	pthread_rwlock_rdlock(&secrets->lock);
	for (size_t i = 0; i < secrets->set.count && found < 0; i++)
		if (mac_by(&secrets->set.items[i], purpose, data, right) &&
		    CRYPTO_memcmp(right, mac, sizeof right) == 0)
			found = (int)i;
	pthread_rwlock_unlock(&secrets->lock);
	return found;
}

/* --- noticing that they have changed --- */

static void take(struct secrets *secrets, const struct secret_set *set)
{
	pthread_rwlock_wrlock(&secrets->lock);
	secrets->set = *set;
	make_tag_key(&set->items[0], secrets->tag_key);
	pthread_rwlock_unlock(&secrets->lock);
}

/* What is known stays in use, whatever has become of the file. One that cannot be used is told of
 * once. */
static void read_again(struct secrets *secrets, const struct secret_stamp *stamp)
{
	struct secret_set set;
	struct error err = { 0 };

	if (secret_file_read(secrets->state_dir, &set, &err)) {
		take(secrets, &set);
		log_info("secret taken anew", LOG_I("kept_besides", (int64_t)set.count - 1));
	} else {
		log_error("secret not taken anew: what was known stays in use",
			  LOG_T("reason", err.detail));
		pthread_rwlock_wrlock(&secrets->lock);
		if (err.code != ERROR_INTERNAL) /* which may pass */
			secrets->set.stamp = *stamp;
		pthread_rwlock_unlock(&secrets->lock);
	}
	OPENSSL_cleanse(&set, sizeof set);
}

static void look(struct secrets *secrets)
{
	struct secret_stamp now = secret_file_stamp(secrets->state_dir);
	bool same;

	pthread_rwlock_rdlock(&secrets->lock);
	same = secret_stamps_equal(&secrets->set.stamp, &now);
	pthread_rwlock_unlock(&secrets->lock);
	if (!same)
		read_again(secrets, &now);
}

static void rotate_when_old(struct secrets *secrets)
{
	struct error err = { 0 };
	int64_t made_s;
	bool rotated;

	pthread_rwlock_rdlock(&secrets->lock);
	made_s = secrets->set.items[0].made_s;
	pthread_rwlock_unlock(&secrets->lock);
	if (clock_wall_ms() / 1000 - made_s < NEWEST_S ||
	    clock_mono_ms() < atomic_load(&secrets->rotate_ms))
		return;
	if (secret_file_rotate(secrets->state_dir, NEWEST_S, &rotated, &err)) {
		if (rotated) /* each worker tries, one does it */
			log_notice("secret rotated: the newest was 90 days old");
		return;
	}
	log_error("secret not rotated", LOG_T("reason", err.detail));
	atomic_store(&secrets->rotate_ms, clock_mono_ms() + TRY_AGAIN_S * 1000);
}

/* Whoever moves the clock on looks. */
static void look_now_and_then(struct secrets *secrets)
{
	int64_t now_ms = clock_mono_ms(), due_ms = atomic_load(&secrets->look_ms);

	if (!secrets->state_dir || now_ms < due_ms ||
	    !atomic_compare_exchange_strong(&secrets->look_ms, &due_ms, now_ms + LOOK_MS))
		return;
	rotate_when_old(secrets);
	look(secrets);
}

/* --- the door --- */

bool secret_mac(struct secrets *secrets, const char *purpose, struct slice data,
		unsigned char out[SECRET_MAC_SIZE])
{
	bool ok;

	look_now_and_then(secrets);
	pthread_rwlock_rdlock(&secrets->lock);
	ok = mac_by(&secrets->set.items[0], purpose, data, out);
	pthread_rwlock_unlock(&secrets->lock);
	return ok;
}

uint64_t secret_tag(struct secrets *secrets, struct slice text)
{
	uint64_t tag;

	look_now_and_then(secrets);
	pthread_rwlock_rdlock(&secrets->lock);
	tag = siphash(secrets->tag_key, text).a;
	pthread_rwlock_unlock(&secrets->lock);
	return tag;
}

bool secret_is_mac(struct secrets *secrets, const char *purpose, struct slice data,
		   const unsigned char mac[SECRET_MAC_SIZE], bool *is_newest)
{
	int found;

	look_now_and_then(secrets);
	found = find_signer(secrets, purpose, data, mac);
	/* Another worker may have signed it with one made a moment ago; and whether it was this
	 * thread that took that one, or another meanwhile, is all the same. */
	if (found < 0 && secrets->state_dir) {
		look(secrets);
		found = find_signer(secrets, purpose, data, mac);
	}
	if (is_newest)
		*is_newest = found == 0;
	return found >= 0;
}

/* A key as the file has it is that key: who moves from the file to the setting signs nobody out. Of
 * any other text one is made. */
static bool take_key(const char *text, unsigned char key[SECRET_SIZE])
{
	static const unsigned char salt[SECRET_SIZE] = "c1d visitor secret";

	return secret_key_read(text, strlen(text), key) || hmac(salt, slice_of(text), key);
}

static bool take_settings(struct secrets *secrets, const struct config *config)
{
	secrets->set.count = config->visitor_secret_count;
	for (size_t i = 0; i < config->visitor_secret_count; i++)
		if (!take_key(config->visitor_secrets[i], secrets->set.items[i].key))
			return false;
	return true;
}

static bool no_memory(struct error *err)
{
	return error_set(err, ERROR_INTERNAL, "No memory for the secret.");
}

struct secrets *secrets_open(const struct config *config, struct error *err)
{
	struct secrets *secrets = calloc(1, sizeof *secrets);
	bool ok;

	_Static_assert(VISITOR_SECRETS_MAX <= SECRETS_MAX, "all settings fit");
	if (!secrets) {
		no_memory(err);
		return NULL;
	}
	pthread_rwlock_init(&secrets->lock, NULL);
	if (config->visitor_secret_count > 0) {
		ok = take_settings(secrets, config) || no_memory(err);
	} else {
		secrets->state_dir = config->state_dir;
		ok = secret_file_open(config->state_dir, &secrets->set, err);
	}
	if (ok && (make_tag_key(&secrets->set.items[0], secrets->tag_key) || no_memory(err)))
		return secrets;
	secrets_close(secrets);
	return NULL;
}

void secrets_close(struct secrets *secrets)
{
	if (!secrets)
		return;
	pthread_rwlock_destroy(&secrets->lock);
	OPENSSL_cleanse(secrets, sizeof *secrets);
	free(secrets);
}

bool secret_state(const struct config *config, struct secret_state *out, struct error *err)
{
	struct secret_set set;
	bool ok = secret_file_read(config->state_dir, &set, err);

	if (ok)
		*out = (struct secret_state){ set.count, set.items[0].made_s * 1000 };
	OPENSSL_cleanse(&set, sizeof set);
	return ok;
}

bool secret_rotate(const struct config *config, struct error *err)
{
	bool rotated;

	if (config->visitor_secret_count > 0)
		return error_set(err, ERROR_CONFIG,
				 "C1D_VISITOR_SECRET is set: put a new secret into it by hand.");
	return secret_file_rotate(config->state_dir, INT64_MIN, &rotated, err);
}
