/*
 * c1_kind: is an answer C1 text, or plain text that needs a card around it? Its beginning tells.
 */
#ifndef LLM_C1_KIND_H
#define LLM_C1_KIND_H

#include "base/slice.h"

enum c1_kind {
	C1_UNDECIDED, /* more of it is needed */
	C1_ELEMENTS,  /* elements of C1 text */
	C1_BARE,      /* a card's JSON without its element: the client shows it */
	C1_PLAIN
};

enum c1_kind c1_kind_of(struct slice start);

#endif
