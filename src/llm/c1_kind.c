/* c1_kind: see c1_kind.h. */
#include "c1_kind.h"

#include "c1_text.h"

/* An answer that begins so is C1 text. */
static const struct slice known_tags[] = {
	{ "<content", 8 }, { "<thinkitem", 10 },      { "<artifact", 9 },
	{ "<context", 8 }, { "<custommarkdown", 15 }, { "<artifact_diff", 14 },
};

static size_t blanks(struct slice text)
{
	size_t n = 0;

	while (n < text.len && text.ptr[n] && strchr(" \t\r\n", text.ptr[n]))
		n++;
	return n;
}

/* As far as both go, do they agree? */
static bool may_start(struct slice text, struct slice with)
{
	size_t n = text.len < with.len ? text.len : with.len;

	return memcmp(text.ptr, with.ptr, n) == 0;
}

/* {"component"...: C1 text without its element. */
static enum c1_kind kind_of_json(struct slice text)
{
	static const struct slice key = { "\"component\"", 11 };

	text = slice_skip(text, 1);
	text = slice_skip(text, blanks(text));
	if (!may_start(text, key))
		return C1_PLAIN;
	return text.len < key.len ? C1_UNDECIDED : C1_BARE;
}

enum c1_kind c1_kind_of(struct slice text)
{
	static const struct slice comment = { "<!--", 4 };
	bool might = false;

	text = slice_skip(text, blanks(text));
	if (text.len == 0)
		return C1_UNDECIDED;
	if (*text.ptr == '{')
		return kind_of_json(text);
	if (may_start(text, comment))
		return text.len < comment.len ? C1_UNDECIDED : C1_ELEMENTS;
	for (size_t i = 0; i < sizeof known_tags / sizeof *known_tags; i++) {
		bool more;

		if (c1_tag_starts(text, known_tags[i], &more))
			return C1_ELEMENTS;
		might = might || more;
	}
	return might ? C1_UNDECIDED : C1_PLAIN;
}
