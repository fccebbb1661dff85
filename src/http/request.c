/* request: the target taken apart, down to its parameters. */
#include "http/request.h"

#include "base/digits.h"
#include "base/utf8.h"

bool request_split_target(struct request *request, struct error *err)
{
	struct slice target = request->target;
	const char *mark;

	if (target.len == 0 || target.ptr[0] != '/')
		return error_set(err, ERROR_BAD_REQUEST, "The address has to be an absolute path.");
	for (size_t i = 0; i < target.len; i++)
		if (target.ptr[i] <= 0x20 || target.ptr[i] >= 0x7F)
			return error_set(
				err, ERROR_BAD_REQUEST,
				"The address holds a byte that has to be percent-encoded.");
	mark = memchr(target.ptr, '?', target.len);
	request->path =
		(struct slice){ target.ptr, mark ? (size_t)(mark - target.ptr) : target.len };
	request->query = mark ? slice_skip(target, request->path.len + 1) : SLICE("");
	return true;
}

bool request_decode(struct arena *arena, struct slice text, bool form, struct slice *out,
		    struct error *err)
{
	char *decoded = arena_alloc(arena, text.len + 1);
	size_t n = 0, bad_at;

	if (!decoded)
		return error_set(err, ERROR_OVERLOADED, "No memory for this request.");
	for (size_t i = 0; i < text.len; i++) {
		int high, low;

		if (text.ptr[i] != '%') {
			decoded[n++] = form && text.ptr[i] == '+' ? ' ' : text.ptr[i];
			continue;
		}
		high = i + 2 < text.len ? hex_value(text.ptr[i + 1]) : -1;
		low = i + 2 < text.len ? hex_value(text.ptr[i + 2]) : -1;
		if (high < 0 || low < 0)
			return error_set(
				err, ERROR_BAD_REQUEST,
				"A '%%' in the address needs two hexadecimal digits behind it.");
		decoded[n++] = (char)(high << 4 | low);
		i += 2;
	}
	if (memchr(decoded, '\0', n))
		return error_set(err, ERROR_BAD_REQUEST, "The address holds %%00.");
	if (!utf8_valid((struct slice){ decoded, n }, &bad_at))
		return error_set(err, ERROR_BAD_UTF8, "The address is not valid UTF-8.");
	*out = (struct slice){ decoded, n };
	return true;
}

bool request_next_param(struct slice *rest, struct slice *name, struct slice *value)
{
	while (rest->len > 0) {
		const char *amp = memchr(rest->ptr, '&', rest->len), *equals;
		struct slice pair = { rest->ptr, amp ? (size_t)(amp - rest->ptr) : rest->len };

		*rest = slice_skip(*rest, amp ? pair.len + 1 : pair.len);
		if (pair.len == 0)
			continue;
		equals = memchr(pair.ptr, '=', pair.len);
		*name = (struct slice){ pair.ptr, equals ? (size_t)(equals - pair.ptr) : pair.len };
		*value = equals ? slice_skip(pair, name->len + 1) : SLICE("");
		return true;
	}
	return false;
}
