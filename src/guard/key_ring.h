/*
 * key_ring: the API keys that a worker knows. What changed in the file counts a second later at the
 * latest, a new key at once, without a reload. A file that is damaged or not to be read opens for
 * nobody, and the log says so; trouble that passes by itself (no descriptors) is passed over: what
 * was known counts until it is read again. Any thread.
 */
#ifndef GUARD_KEY_RING_H
#define GUARD_KEY_RING_H

#include "guard/keys.h"

struct key_ring;

struct key_ring *key_ring_open(const char *state_dir); /* kept, not copied. NULL: no memory */
void key_ring_free(struct key_ring *ring);             /* NULL is fine */

enum key_found { KEY_GOOD, KEY_UNKNOWN, KEY_EXPIRED };

/* Whose text is this? *out is set unless it is unknown. The time that it takes tells nothing of the
 * keys there are. */
enum key_found key_ring_find(struct key_ring *ring, struct slice text, struct api_key *out);

#endif
