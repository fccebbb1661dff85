/*
 * firestore_address: the store's URI, read: firestore:PROJECT[/DATABASE][?OPTION[&OPTION]...] with
 * the options endpoint=URL (in place of Google's public address) and ca_file=PATH (in place of the
 * system's certificates). Nothing in it is escaped. Pure.
 */
#ifndef FIRESTORE_ADDRESS_H
#define FIRESTORE_ADDRESS_H

#include "base/arena.h"

#define FIRESTORE_ADDRESS_MAX 16384 /* bytes of an arena for one */

struct firestore_address {
	const char *project, *database; /* "(default)" unless it names one */
	const char *endpoint;           /* without a slash behind it */
	const char *ca_file;            /* NULL: the system's */
};

/* What is wrong with it, as a sentence's end; NULL: nothing, and *out is filled from the arena,
 * whose failure the caller looks at. */
const char *firestore_address_read(const char *uri, struct arena *arena,
				   struct firestore_address *out);

/* https, or http to this very machine: what a token or a key may be sent to. */
bool firestore_is_safe(const char *url);

#endif
