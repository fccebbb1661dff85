/*
 * digits: numbers as others write them, read strictly: digits and nothing else; and written, for
 * who writes many. Pure; any thread.
 */
#ifndef BASE_DIGITS_H
#define BASE_DIGITS_H

#include "base/slice.h"
#include <stdint.h>

#define DIGITS_MAX 18 /* so many fit an int64_t, whatever they are */

/* One to `most` (DIGITS_MAX at most) decimal digits, zeros in front included. */
bool digits_read(struct slice text, size_t most, int64_t *out);

/* Writes it in decimal, without a NUL, and gives its end. */
#define DIGITS_SIZE 20 /* of INT64_MIN */
char *digits_write(char *at, int64_t n);
/* The last `count` digits of it, zeros in front. */
char *digits_write_fixed(char *at, uint32_t n, int count);

/* What a hexadecimal digit of either case stands for; -1: it is none. */
int hex_value(char c);
/* Four of them, as behind JSON's \u; -1: there are not. */
int hex_four(const char *at, const char *end);
/* Exactly `size` bytes, in the lower case that we write. */
bool hex_read(struct slice text, unsigned char *out, size_t size);

#endif
