/*
 * firestore_json: what Firestore answers, as a tree. Unlike base/json.h it takes replies of many
 * thousand values and texts with U+0000, and copies no text: strings are decoded where they lie.
 *
 * The tree is as long as its arena; its texts are views of the reply, which is changed by reading.
 */
#ifndef FIRESTORE_JSON_H
#define FIRESTORE_JSON_H

#include "base/arena.h"

enum firestore_json_type { FJ_NULL, FJ_BOOL, FJ_NUMBER, FJ_STRING, FJ_ARRAY, FJ_OBJECT };

struct firestore_json {
	enum firestore_json_type type;
	struct slice name; /* of an object's member */
	struct slice text; /* a string, decoded; of numbers and booleans their text */
	const struct firestore_json *first, *next;
};

/* NULL: it is no JSON (RFC 8259), deeper than any reply of Firestore, or the arena is full. A lone
 * surrogate is no JSON here; that the rest is well-formed UTF-8 is not looked at. */
const struct firestore_json *firestore_json(char *text, size_t len, struct arena *arena);

/* A member of an object; NULL: there is none, or it is no object (NULL is fine). */
const struct firestore_json *firestore_member(const struct firestore_json *object,
					      const char *name);
/* A member that is a string; ptr NULL: there is none. */
struct slice firestore_member_text(const struct firestore_json *object, const char *name);

#endif
