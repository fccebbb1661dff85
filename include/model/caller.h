/*
 * caller: who asks. Made by guard/, used by service/. Strings belong to the request's arena.
 */
#ifndef MODEL_CALLER_H
#define MODEL_CALLER_H

#include "base/slice.h"
#include <stdint.h>

#define USER_ID_MAX    128 /* characters; four bytes each at most, so a name fits counted_as */
#define COUNTED_AS_MAX 512 /* bytes of counted_as, without its NUL */

enum caller_kind {
	CALLER_ANYBODY, /* nobody was asked who it is */
	CALLER_VISITOR, /* a browser that has our cookie */
	CALLER_USER,    /* somebody whom a token or the web server names */
	CALLER_KEY,     /* a server with a key of ours */
};

/* What a caller may do, and the word for it in the file of API keys and in claims. */
#define CALLER_SCOPES(X)                                                                           \
	X(READ, 1, "read")                                                                         \
	X(WRITE, 2, "write")                                                                       \
	X(CHAT, 4, "chat")                                                                         \
	X(ACT, 8, "act")      /* may name another user_id: acts as that user */                    \
	X(ADMIN, 16, "admin") /* ownership is not enforced; system messages */

enum caller_scope {
#define X(id, bit, word) SCOPE_##id = (bit),
	CALLER_SCOPES(X)
#undef X
		SCOPES_ORDINARY = SCOPE_READ | SCOPE_WRITE | SCOPE_CHAT,
};

#define CALLER_SCOPES_TEXT 32

/* "read,chat" in any order; false: empty, or one of the words is none. */
bool caller_scopes_parse(struct slice text, unsigned *out);
/* The words, a comma between; returns out. */
const char *caller_scopes_text(unsigned scopes, char out[CALLER_SCOPES_TEXT]);

struct caller {
	enum caller_kind kind;
	const char *user_id; /* never NULL: whose things it makes and, when enforced, sees */
	/* Whom limits count, never NULL: the user, or, of one without a name, the address, so that
	 * they do not share one cap. It owns nothing. */
	const char *counted_as;
	/* Of one that can be somebody else with the next request (anybody, visitor) its address
	 * besides; NULL: counted once. */
	const char *also_counted_as;
	/* Of such a one with IPv6 the /48 around its address, which may do more; NULL: none. */
	const char *wider_counted_as;
	bool named;       /* a user_id was given that is not proved, so lists are filtered by it */
	bool enforced;    /* ownership is enforced: in every mode but none, except for an admin */
	unsigned scopes;  /* enum caller_scope */
	int64_t until_ms; /* wall: when what proved it expires; 0: never */
	const char *visitor_id; /* of the visitor's cookie that came beside a token; NULL: none */
};

/* Is counted_as an address? A user may be named like one, and is not counted as it. */
static inline bool caller_is_address(const struct caller *caller)
{
	return caller->kind == CALLER_ANYBODY && !caller->named;
}

#endif
