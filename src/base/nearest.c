/* nearest: Levenshtein's distance. */
#include "base/nearest.h"

#define NAME_MAX_BYTES 64
#define NEAR           4 /* edits, and no more than half of the name */

struct nearest nearest_to(struct slice wanted)
{
	return (struct nearest){ .wanted = wanted, .edits = NEAR + 1 };
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

static size_t distance(struct slice a, struct slice b)
{
	size_t row[NAME_MAX_BYTES + 1];

	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 0; i < a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < b.len; j++) {
			size_t above = row[j + 1];
			bool same = ((a.ptr[i] ^ b.ptr[j]) & ~0x20) == 0;

			row[j + 1] = least(above + 1, row[j] + 1, diagonal + !same);
			diagonal = above;
		}
	}
	return row[b.len];
}

void nearest_offer(struct nearest *nearest, const char *name)
{
	struct slice text = slice_of(name);
	size_t longer = text.len > nearest->wanted.len ? text.len : nearest->wanted.len, edits;

	if (longer > NAME_MAX_BYTES)
		return;
	edits = distance(nearest->wanted, text);
	if (edits < nearest->edits && edits * 2 <= longer) {
		nearest->edits = edits;
		nearest->name = name;
	}
}
