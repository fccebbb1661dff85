/*
 * bad_tokens: which tokens had a signature that was none, lately: one who sends the same again and
 * again costs a hash and no signature. By hash alone, so nothing of a token is kept; bounded; any
 * thread.
 */
#ifndef GUARD_BAD_TOKENS_H
#define GUARD_BAD_TOKENS_H

#include "base/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct bad_tokens;

struct bad_tokens *bad_tokens_new(void); /* NULL: no memory */
void bad_tokens_free(struct bad_tokens *bad);

#define BAD_TOKEN_SIZE 32
struct bad_token {
	unsigned char hash[BAD_TOKEN_SIZE];
};

/* keys: the serial of the set that it is checked with; with another it may be a good one. */
struct bad_token bad_token_of(struct slice token, uint64_t keys);
bool bad_tokens_has(struct bad_tokens *bad, const struct bad_token *token);
void bad_tokens_add(struct bad_tokens *bad, const struct bad_token *token);

#endif
