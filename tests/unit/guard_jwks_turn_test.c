/* The issuer's keys in a pool: what another worker has got counts from the moment on at which it is
 * there, whatever this one has looked at before. The file that they share is played by the test. */
#include "token_maker.h"

#include "../../src/guard/jwks.h"
#include "../../src/guard/jwks_file.h"
#include "base/clock.h"

static struct config config = { .threads = 16 };
static struct shm *shm;
static char *text; /* what lies in the file; NULL: nothing that is new */
static void (*behind_a_look)(void);

bool jwks_file_init(struct jwks_file *file, const char *folder, const char *url)
{
	(void)file, (void)folder, (void)url;
	return true;
}

bool jwks_file_read(struct jwks_file *file, struct jwks_kept *kept, struct buffer *out)
{
	void (*then)(void) = behind_a_look;
	bool is_new = text != NULL;

	(void)file;
	*kept = (struct jwks_kept){ clock_wall_ms() / 1000, 3600 };
	if (is_new)
		buffer_append(out, slice_of(text));
	free(text);
	text = NULL;
	behind_a_look = NULL;
	if (then)
		then();
	return is_new;
}

bool jwks_file_write(struct jwks_file *file, const struct jwks_kept *kept, struct slice keys,
		     struct error *err)
{
	(void)file, (void)kept, (void)keys, (void)err;
	return true;
}

static char *keys_named(const char *kid)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	unsigned char bytes[32];
	size_t len = sizeof bytes;
	char *x, *keys = malloc(256);

	EVP_PKEY_get_raw_public_key(key, bytes, &len);
	x = base64url_of(bytes, len);
	snprintf(keys, 256,
		 "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\",\"kid\":\"%s\"}]}",
		 x, kid);
	free(x);
	EVP_PKEY_free(key);
	return keys;
}

/* The other one's turn begins and ends here. */
static void another_worker_asks(void)
{
	int64_t now_ms = clock_mono_ms();

	atomic_store(&shm->keys_unknown_ms, now_ms);
	atomic_store(&shm->keys_began_ms, now_ms);
	text = keys_named("new");
	atomic_store(&shm->keys_ended_ms, now_ms + 1);
}

static void e8_keys_that_another_worker_got_behind_a_look_count(void **state)
{
	struct keyset *old, *newer = NULL;
	struct jwks *jwks;

	(void)state;
	shm = shm_map(NULL, NULL);
	text = keys_named("old");
	jwks = jwks_open(&config, shm, "https://id.example/keys", ~0u, NULL);
	assert_non_null(jwks);
	assert_non_null(old = jwks_get(jwks));
	behind_a_look = another_worker_asks;
	assert_int_equal(jwks_renew(jwks, old, &newer), JWKS_NEWER);
	assert_ptr_not_equal(newer, old);
	/* It asked a moment ago, and these are all. */
	keyset_unref(old);
	assert_int_equal(jwks_renew(jwks, newer, &old), JWKS_SAME);
	keyset_unref(newer);
	jwks_free(jwks);
	shm_unmap(shm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(e8_keys_that_another_worker_got_behind_a_look_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
