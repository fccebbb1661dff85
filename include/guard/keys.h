/*
 * keys: API keys for servers that call this API: named, scoped, revocable. They lie hashed in the
 * file `keys` of the state folder, a line a key; `c1d keys` changes it, and each worker takes what
 * changed within a second.
 *
 * Here is what `c1d keys` needs. Any thread and process; a change waits for another's.
 */
#ifndef GUARD_KEYS_H
#define GUARD_KEYS_H

#include "base/error.h"
#include "base/slice.h"
#include <stdint.h>

#define KEYS_FILE     "keys" /* in the state folder */
#define KEY_NAME_MAX  64     /* letters, digits, '-', '_', '.'; begins with a letter or digit */
#define KEYS_MAX      1000   /* of one state folder */
#define KEY_TEXT_SIZE 63     /* a key as text, and its NUL */

struct api_key {
	char name[KEY_NAME_MAX + 1];
	char id[9]; /* the part of its text that is no secret */
	unsigned char digest[32];
	unsigned scopes;           /* enum caller_scope */
	int64_t made_s, expires_s; /* since 1970; expires 0: never */
};

struct key_list {
	struct api_key *items; /* in the order they were made */
	size_t count;
};

/* ERROR_CONFIG: it cannot be read, or a line is no key (the words say which); ERROR_INTERNAL. */
bool keys_read(const char *state_dir, struct key_list *out, struct error *err);
void keys_free(struct key_list *list); /* a zeroed one is fine */

/* Makes one of this name and scopes; text is the only copy of it that will ever be.
 * ERROR_VALIDATION: no such name; ERROR_CONFLICT: there is one of it; ERROR_OVERLOADED: there are
 * KEYS_MAX; besides those of keys_read. */
bool keys_add(const char *state_dir, const char *name, unsigned scopes, int64_t expires_s,
	      char text[KEY_TEXT_SIZE], struct error *err);
/* ERROR_NOT_FOUND: there is none of this name. */
bool keys_revoke(const char *state_dir, const char *name, struct error *err);

#endif
