/* Where a request comes from: a page elsewhere is never taken for one of ours. Lines: C1D_ORIGINS,
 * Host, Origin, Sec-Fetch-Site. */
#include "fuzz.h"
#include "guard/origin.h"

#include <ctype.h>

static bool is_listed(const char *list, struct slice origin)
{
	char *copy = strdup(list), *save = NULL;
	bool found = false;

	for (char *word = strtok_r(copy, " \t,", &save); word; word = strtok_r(NULL, " \t,", &save))
		found = found || slice_is(origin, word);
	free(copy);
	return found;
}

static bool same_beginning(struct slice a, struct slice b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (tolower((unsigned char)a.ptr[i]) != tolower((unsigned char)b.ptr[i]))
			return false;
	return true;
}

/* As far as both name a host it is the same one. */
static bool may_be_host(struct slice origin, struct slice host)
{
	size_t scheme = slice_starts(origin, SLICE("https://"))  ? 8
			: slice_starts(origin, SLICE("http://")) ? 7
								 : 0;

	origin = slice_skip(origin, scheme);
	return scheme > 0 && host.len > 0 &&
	       same_beginning(origin, host, origin.len < host.len ? origin.len : host.len);
}

/* A header's value is a C string where it comes from. */
static struct slice take_header(struct slice *rest)
{
	struct slice line = fuzz_line(rest);

	return (struct slice){ line.ptr, strnlen(line.ptr, line.len) };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = fuzz_input(data, size);
	char *list = fuzz_text(fuzz_line(&rest));
	const struct config config = { .origins = list };
	struct request request = { .is_https = fuzz_byte(&rest) % 2 };
	struct slice host = take_header(&rest), origin = take_header(&rest);
	struct slice site = take_header(&rest);
	bool says_ours = slice_is(site, "same-origin") || slice_is(site, "none");
	enum origin found;

	request.headers[HEADER_HOST] = host;
	request.headers[HEADER_ORIGIN] = origin;
	request.headers[HEADER_SEC_FETCH_SITE] = site;
	found = origin_of(&config, &request);
	CHECK(!says_ours || found == ORIGIN_OURS);
	if (!says_ours)
		CHECK((found == ORIGIN_LISTED) == (origin.len > 0 && is_listed(list, origin)));
	if (found == ORIGIN_OURS && !says_ours)
		CHECK(site.len == 0 && (origin.len == 0 || may_be_host(origin, host)));
	free(list);
	return 0;
}
