/* cookie: see cookie.h. */
#include "cookie.h"

static struct slice trim(struct slice text)
{
	while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
		text = slice_skip(text, 1);
	while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* The part up to the mark; *rest goes on behind it. */
static struct slice cut(struct slice *rest, char mark)
{
	const char *at = memchr(rest->ptr, mark, rest->len);
	struct slice part = { rest->ptr, at ? (size_t)(at - rest->ptr) : rest->len };

	*rest = slice_skip(*rest, at ? part.len + 1 : part.len);
	return part;
}

bool cookie_next(struct slice *rest, const char *name, struct slice *value)
{
	while (rest->len > 0) {
		struct slice found = cut(rest, ';');

		if (!slice_is(trim(cut(&found, '=')), name))
			continue;
		*value = trim(found);
		return true;
	}
	return false;
}
