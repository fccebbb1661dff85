/* key_ring: see key_ring.h. */
#include "key_ring.h"

#include "base/clock.h"
#include "base/log.h"
#include "key_text.h"
#include "list_file.h"
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>

struct key_ring {
	const char *state_dir;
	pthread_mutex_t lock; /* guards what follows */
	struct list_watch watch;
	struct key_list keys;
};

struct key_ring *key_ring_open(const char *state_dir)
{
	struct key_ring *ring = calloc(1, sizeof *ring);

	if (!ring)
		return NULL;
	ring->state_dir = state_dir;
	pthread_mutex_init(&ring->lock, NULL);
	return ring;
}

void key_ring_free(struct key_ring *ring)
{
	if (!ring)
		return;
	keys_free(&ring->keys);
	pthread_mutex_destroy(&ring->lock);
	free(ring);
}

static void read_anew(struct key_ring *ring)
{
	struct key_list keys = { 0 };
	struct error err = { 0 };

	if (keys_read(ring->state_dir, &keys, &err)) {
		log_info("API keys read", LOG_I("count", (int64_t)keys.count));
	} else if (err.code == ERROR_CONFIG) {
		log_error("API keys unusable; none is accepted", LOG_T("detail", err.detail));
	} else {
		log_warn("API keys cannot be read now", LOG_T("detail", err.detail));
		list_watch_again(&ring->watch);
		return;
	}
	keys_free(&ring->keys);
	ring->keys = keys;
}

/* All of them are looked at, whichever it is. */
static bool find(const struct key_list *keys, const unsigned char digest[KEY_DIGEST_SIZE],
		 struct api_key *out)
{
	bool found = false;

	for (size_t i = 0; i < keys->count; i++)
		if (CRYPTO_memcmp(keys->items[i].digest, digest, KEY_DIGEST_SIZE) == 0) {
			*out = keys->items[i];
			found = true;
		}
	return found;
}

/* One that is not known may have been made a moment ago. */
static bool look(struct key_ring *ring, const unsigned char digest[KEY_DIGEST_SIZE],
		 struct api_key *out)
{
	const struct list_place place = { ring->state_dir, KEYS_FILE };

	if (list_watch_changed(&ring->watch, &place, false))
		read_anew(ring);
	if (find(&ring->keys, digest, out))
		return true;
	if (!list_watch_changed(&ring->watch, &place, true))
		return false;
	read_anew(ring);
	return find(&ring->keys, digest, out);
}

enum key_found key_ring_find(struct key_ring *ring, struct slice text, struct api_key *out)
{
	unsigned char digest[KEY_DIGEST_SIZE];
	struct api_key key;
	bool found;

	if (!key_text_valid(text))
		return KEY_UNKNOWN;
	key_text_digest(text, digest);
	pthread_mutex_lock(&ring->lock);
	found = look(ring, digest, &key);
	pthread_mutex_unlock(&ring->lock);
	if (!found)
		return KEY_UNKNOWN;
	*out = key;
	return key.expires_s > 0 && clock_wall_ms() / 1000 >= key.expires_s ? KEY_EXPIRED
									    : KEY_GOOD;
}
