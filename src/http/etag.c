/* etag: see http/etag.h. */
#include "http/etag.h"

#include "base/digits.h"

static void skip_blanks(struct slice *rest)
{
	while (rest->len > 0 && (*rest->ptr == ' ' || *rest->ptr == '\t'))
		*rest = slice_skip(*rest, 1);
}

/* The next tag's inside; false: there is none where one has to be. */
static bool take_tag(struct slice *rest, struct slice *opaque)
{
	size_t len = 0;

	if (slice_starts(*rest, SLICE("W/")))
		*rest = slice_skip(*rest, 2);
	if (!slice_starts(*rest, SLICE("\"")))
		return false;
	*rest = slice_skip(*rest, 1);
	while (len < rest->len && rest->ptr[len] != '"' && (unsigned char)rest->ptr[len] > 0x20 &&
	       rest->ptr[len] != 0x7F)
		len++;
	if (len == rest->len || rest->ptr[len] != '"')
		return false;
	*opaque = (struct slice){ rest->ptr, len };
	*rest = slice_skip(*rest, len + 1);
	return true;
}

/* As we write it: no sign, no zero in front, nothing else. */
static bool is_version(struct slice opaque, int64_t *out)
{
	return !(opaque.len > 1 && opaque.ptr[0] == '0') && digits_read(opaque, DIGITS_MAX, out);
}

int etag_versions(struct slice header, int64_t *out, int max)
{
	struct slice opaque;
	int count = 0;

	if (slice_is(header, "*"))
		return ETAG_ANY;
	for (;;) {
		skip_blanks(&header);
		if (slice_starts(header, SLICE(","))) { /* empty members are allowed */
			header = slice_skip(header, 1);
			continue;
		}
		if (header.len == 0)
			return count;
		if (!take_tag(&header, &opaque))
			return 0;
		if (count < max && is_version(opaque, &out[count]))
			count++;
		skip_blanks(&header);
		if (header.len > 0 && *header.ptr != ',')
			return 0;
	}
}
