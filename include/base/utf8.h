/*
 * utf8: is it well-formed (Unicode 15, table 3-7: no overlong forms, no surrogates), and where may
 * it be cut.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/slice.h"

/* True for well-formed text; else *bad_at is the offset of the first byte at fault (bad_at may be
 * NULL). */
bool utf8_valid(struct slice text, size_t *bad_at);

/* Bytes of the character that text (not empty) begins with; 0 when it is malformed or cut. */
size_t utf8_length(struct slice text);

/* The longest length <= max at which text (well-formed so far) is not cut inside a character. */
size_t utf8_cut(struct slice text, size_t max);

/* How many bytes at the end belong to a character that is not complete yet (0-3). */
size_t utf8_partial_tail(struct slice text);

/* The first n code points of text. */
struct slice utf8_prefix(struct slice text, size_t code_points);

#endif
