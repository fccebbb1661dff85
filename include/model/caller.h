/*
 * caller: who asks. Made by guard/, used by service/. Strings belong to the request's arena.
 */
#ifndef MODEL_CALLER_H
#define MODEL_CALLER_H

#include <stdbool.h>

#define COUNTED_AS_MAX 512 /* bytes of counted_as, without its NUL */

struct caller {
	const char *user_id; /* never NULL; "anonymous" without a name */
	/* Whom limits count, never NULL: the name, or, of one without a name, the address, so that
	 * visitors do not share one cap. It owns nothing. */
	const char *counted_as;
	bool named;    /* the name was given, so lists are filtered by it */
	bool enforced; /* ownership is enforced: the name was proved */
};

#endif
