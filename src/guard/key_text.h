/*
 * key_text: how an API key is written: c1d_<id>_<secret><check>.
 *
 *   id      8 characters, for the file and for who asks which key that is; no secret
 *   secret  43 characters: 256 random bits
 *   check   6 characters: CRC-32 of all before it, so that a typing error is no attempt, and a
 *           scanner for lost secrets needs no list of ours
 *
 * All three in 0-9A-Za-z. Of a key only its SHA-256 is ever kept. Pure; any thread.
 */
#ifndef GUARD_KEY_TEXT_H
#define GUARD_KEY_TEXT_H

#include "base/slice.h"

#define KEY_PREFIX      "c1d_"
#define KEY_ID_LEN      8
#define KEY_TEXT_LEN    (4 + KEY_ID_LEN + 1 + 43 + 6)
#define KEY_DIGEST_SIZE 32

/* A new key, with a NUL behind it. Ends the program when there is no randomness. */
void key_text_make(char out[KEY_TEXT_LEN + 1]);
/* Is it written like one, the check included? */
bool key_text_valid(struct slice text);
/* Of one that is valid. */
struct slice key_text_id(struct slice text);
void key_text_digest(struct slice text, unsigned char out[KEY_DIGEST_SIZE]);

#endif
