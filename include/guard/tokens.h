/*
 * tokens: what `c1d check` says of C1D_AUTH=jwt and =firebase: the keys, as they would be had now,
 * and what is not pinned. Blocking: where keys are published they are asked for.
 */
#ifndef GUARD_TOKENS_H
#define GUARD_TOKENS_H

#include "base/error.h"
#include "config/config.h"

struct tokens_report {
	char keys[200];  /* what signatures are checked with, in words */
	char loose[400]; /* what is not pinned, what that means, what would do; "" when all is */
};

/* Is there anything to say? */
bool tokens_wanted(const struct config *config);
/* ERROR_CONFIG: the settings, or what they name, are no good; any other: keys cannot be had now. */
bool tokens_try(const struct config *config, struct tokens_report *out, struct error *err);

#endif
