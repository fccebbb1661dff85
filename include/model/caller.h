/*
 * caller: who asks. Made by guard/, used by service/.
 */
#ifndef MODEL_CALLER_H
#define MODEL_CALLER_H

#include <stdbool.h>

struct caller {
	const char *user_id; /* never NULL; "anonymous" without a name */
	bool named;          /* the name was given, so lists are filtered by it */
	bool enforced;       /* ownership is enforced: the name was proved */
};

#endif
