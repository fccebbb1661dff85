/*
 * c1_text: the pieces of C1 text that both c1.c and c1_stream.c write.
 */
#ifndef LLM_C1_TEXT_H
#define LLM_C1_TEXT_H

#include "base/buffer.h"
#include "base/slice.h"

/* A card with one text, around markdown that c1_text_escape wrote. */
#define C1_CARD_OPEN                                                                               \
	"<content thesys=\"true\">{&quot;component&quot;:{&quot;component&quot;:&quot;Card&quot;," \
	"&quot;props&quot;:{&quot;children&quot;:[{&quot;component&quot;:&quot;TextContent&quot;," \
	"&quot;props&quot;:{&quot;textMarkdown&quot;:&quot;"
#define C1_CARD_CLOSE "&quot;}}]}},&quot;error&quot;:null}</content>"

/* Text inside a JSON string inside an element: JSON's escapes first, the entities second. */
bool c1_text_escape(struct buffer *out, struct slice text);

/* Does text begin with the element's tag ("<content" and then no further letter of a name)? *more:
 * it is too short to tell, and might. */
bool c1_tag_starts(struct slice text, struct slice tag, bool *more);

/* The entity at text's '&': its length, and the character in *c; 0: none. *more: it is too short to
 * tell, and might. */
size_t c1_entity(struct slice text, char *c, bool *more);

/* Text with U+FFFD for each byte that is no UTF-8. */
bool c1_text_valid(struct buffer *out, struct slice text);

#endif
