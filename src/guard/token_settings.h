/*
 * token_settings: what C1D_AUTH=jwt and =firebase say about the tokens to be believed: a policy,
 * and the one place where the issuer's keys are. Only read here; nothing is opened.
 */
#ifndef GUARD_TOKEN_SETTINGS_H
#define GUARD_TOKEN_SETTINGS_H

#include "config/config.h"
#include "token.h"

struct token_settings {
	struct token_policy policy;          /* points into the rest and into the settings */
	const char *secret, *key_file, *url; /* one of them */
	char issuer[160], admin[160];
};

/* Does C1D_AUTH ask for tokens at all? */
bool token_settings_wanted(const struct config *config);
/* ERROR_CONFIG: what is wrong, why, and what would do. *out stays where it is. */
bool token_settings_read(const struct config *config, struct token_settings *out,
			 struct error *err);

#endif
