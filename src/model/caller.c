/* caller: the words of scopes. */
#include "model/caller.h"

#include <stdio.h>

static const struct {
	const char *word;
	unsigned scope;
} words[] = {
#define X(id, bit, word) { word, SCOPE_##id },
	CALLER_SCOPES(X)
#undef X
};
#define WORDS (sizeof words / sizeof words[0])

static unsigned scope_of(struct slice word)
{
	for (size_t i = 0; i < WORDS; i++)
		if (slice_is(word, words[i].word))
			return words[i].scope;
	return 0;
}

bool caller_scopes_parse(struct slice text, unsigned *out)
{
	unsigned scopes = 0;
	bool more = true;

	while (more) {
		const char *comma = text.len > 0 ? memchr(text.ptr, ',', text.len) : NULL;
		size_t len = comma ? (size_t)(comma - text.ptr) : text.len;
		unsigned scope = scope_of((struct slice){ text.ptr, len });

		if (!scope)
			return false;
		scopes |= scope;
		more = comma != NULL;
		text = slice_skip(text, more ? len + 1 : len);
	}
	*out = scopes;
	return true;
}

const char *caller_scopes_text(unsigned scopes, char out[CALLER_SCOPES_TEXT])
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < WORDS; i++)
		if (scopes & words[i].scope)
			len += (size_t)snprintf(out + len, CALLER_SCOPES_TEXT - len, "%s%s",
						len > 0 ? "," : "", words[i].word);
	return out;
}
