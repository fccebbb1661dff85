/* request: the target taken apart, and query parameters decoded when they are asked for. */
#include "http/request.h"

#include "base/utf8.h"
#include <stdlib.h>

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

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
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
		high = i + 2 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
		low = i + 2 < text.len ? hex_digit(text.ptr[i + 2]) : -1;
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

/* Cuts the next `name=value` off. */
static struct slice next_pair(struct slice *query)
{
	const char *amp = memchr(query->ptr, '&', query->len);
	struct slice pair = { query->ptr, amp ? (size_t)(amp - query->ptr) : query->len };

	*query = slice_skip(*query, amp ? pair.len + 1 : pair.len);
	return pair;
}

bool request_query(const struct request *request, const char *name, struct slice *out,
		   struct error *err)
{
	struct slice rest = request->query, raw = { NULL, 0 };

	while (rest.len > 0) {
		struct slice pair = next_pair(&rest);
		const char *equals = pair.len ? memchr(pair.ptr, '=', pair.len) : NULL;
		struct slice key = { pair.ptr, equals ? (size_t)(equals - pair.ptr) : pair.len };

		if (!slice_is(key, name))
			continue;
		if (raw.ptr)
			return error_field(err, ERROR_BAD_REQUEST, name,
					   "%s occurs twice in the address.", name);
		raw = equals ? slice_skip(pair, key.len + 1) : SLICE("");
	}
	return raw.ptr && request_decode(request->arena, raw, true, out, err);
}

bool request_query_int(const struct request *request, const char *name, int64_t min, int64_t max,
		       int64_t absent, int64_t *out, struct error *err)
{
	struct error mine = { 0 };
	struct slice text = { NULL, 0 };
	char *end = NULL;
	long long n = 0;

	if (!request_query(request, name, &text, &mine)) {
		if (mine.code == ERROR_NONE)
			*out = absent;
		else if (err)
			*err = mine;
		return mine.code == ERROR_NONE;
	}
	if (text.len > 0 && text.len <= 18 &&
	    (text.ptr[0] == '-' || (text.ptr[0] >= '0' && text.ptr[0] <= '9')))
		n = strtoll(text.ptr, &end, 10); /* decoded text ends with a NUL */
	if (!end || *end || n < min || n > max)
		return error_field(err, ERROR_VALIDATION, name,
				   "%s has to be a whole number from %lld to %lld.", name,
				   (long long)min, (long long)max);
	*out = n;
	return true;
}
