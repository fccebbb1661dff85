/*
 * token_keys: the keys of the one issuer, wherever the settings have them from: a secret, a file,
 * an address. Any thread.
 */
#ifndef GUARD_TOKEN_KEYS_H
#define GUARD_TOKEN_KEYS_H

#include "jwks.h"
#include "token_settings.h"

struct token_keys {
	struct keyset *fixed; /* of a secret or a file; NULL: they are published */
	struct jwks *jwks;
};

/* Opens what the settings name. ERROR_CONFIG. */
bool token_keys_open(const struct config *config, struct shm *shm,
		     const struct token_settings *settings, struct token_keys *out,
		     struct error *err);
void token_keys_close(struct token_keys *keys); /* a zeroed one is fine */

/* The keys of a secret or a file; where they are published they are asked for once, now. */
struct keyset *token_keys_try(const struct config *config, const struct token_settings *settings,
			      struct error *err);

#endif
