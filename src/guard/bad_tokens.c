/* bad_tokens: see bad_tokens.h. A place a hash: a newer one takes it. */
#include "bad_tokens.h"

#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>

#define PLACES 4096

struct bad_tokens {
	pthread_mutex_t lock;
	struct bad_token places[PLACES];
};

_Static_assert(BAD_TOKEN_SIZE == SHA256_DIGEST_LENGTH, "it is a SHA-256");

struct bad_tokens *bad_tokens_new(void)
{
	struct bad_tokens *bad = calloc(1, sizeof *bad);

	if (bad)
		pthread_mutex_init(&bad->lock, NULL);
	return bad;
}

void bad_tokens_free(struct bad_tokens *bad)
{
	if (!bad)
		return;
	pthread_mutex_destroy(&bad->lock);
	free(bad);
}

struct bad_token bad_token_of(struct slice token, uint64_t keys)
{
	struct bad_token made;

	SHA256((const unsigned char *)token.ptr, token.len, made.hash);
	for (size_t i = 0; i < sizeof keys; i++)
		made.hash[i] ^= (unsigned char)(keys >> 8 * i);
	return made;
}

static size_t place_of(const struct bad_token *token)
{
	return (token->hash[30] << 8 | token->hash[31]) % PLACES;
}

bool bad_tokens_has(struct bad_tokens *bad, const struct bad_token *token)
{
	bool found;

	pthread_mutex_lock(&bad->lock);
	found = memcmp(&bad->places[place_of(token)], token, sizeof *token) == 0;
	pthread_mutex_unlock(&bad->lock);
	return found;
}

void bad_tokens_add(struct bad_tokens *bad, const struct bad_token *token)
{
	pthread_mutex_lock(&bad->lock);
	bad->places[place_of(token)] = *token;
	pthread_mutex_unlock(&bad->lock);
}
