/* A browser's Cookie header: whatever stands in it and in Host, nobody becomes a visitor whose
 * cookie is not in there as we signed it, for this very host. Lines: Host, then the header, in
 * which '@' stands for a good cookie. */
#include "../../src/guard/cookie.h"
#include "base/log.h"
#include "fuzz.h"
#include "guard/guard.h"

#define HOST   "c1d.example"
#define SECRET "0123456789abcdef0123456789abcdef"

static struct guard *guard;
static struct arena arena;
static char good[256], user[256];

static struct request request_of(struct slice host, struct slice cookie)
{
	struct request request = { .arena = &arena, .remote_addr = SLICE("192.0.2.7") };

	request.headers[HEADER_HOST] = host;
	request.headers[HEADER_COOKIE] = cookie;
	return request;
}

/* Who asks; the answer's headers in *headers. */
static struct caller ask(struct slice host, struct slice cookie, struct buffer *headers)
{
	struct request request = request_of(host, cookie);
	struct caller caller = { .user_id = NULL };
	struct response response;

	response_init(&response);
	CHECK(guard_who(guard, &request, ORIGIN_OURS, &response, &caller, NULL));
	buffer_append(headers, buffer_slice(&response.headers));
	response_done(&response);
	return caller;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct config config;
	static struct config kept;
	struct buffer headers;
	struct caller caller;

	(void)argc;
	(void)argv;
	setenv("C1D_AUTH", "visitor", 1);
	setenv("C1D_VISITOR_SECRET", SECRET, 1);
	log_setup(LOG_ERROR, LOG_TEXT, false);
	CHECK(config_load("/dev/null", &config, NULL, NULL));
	kept = config;
	CHECK((guard = guard_open(&kept, NULL, NULL)));
	arena_init(&arena, 1 << 20);
	buffer_init(&headers, 4096);
	caller = ask(SLICE(HOST), SLICE(""), &headers);
	snprintf(user, sizeof user, "%s", caller.user_id);
	CHECK(sscanf(buffer_slice(&headers).ptr, "Set-Cookie: %255[^;]", good) == 1);
	buffer_done(&headers);
	arena_done(&arena);
	return 0;
}

static void fill_in(struct slice template, struct buffer *out)
{
	for (size_t i = 0; i < template.len; i++)
		if (template.ptr[i] == '@')
			buffer_append(out, slice_of(good));
		else
			buffer_append_char(out, template.ptr[i]);
}

static struct slice without_port(struct slice host)
{
	const char *colon = memrchr(host.ptr, ':', host.len);

	return (struct slice){ host.ptr, colon ? (size_t)(colon - host.ptr) : host.len };
}

static bool come_twice(struct slice cookies)
{
	const char *first = memmem(cookies.ptr, cookies.len, "c1d_visitor", 11);

	return first && fuzz_contains(slice_skip(cookies, (size_t)(first - cookies.ptr) + 1),
				      SLICE("c1d_visitor"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = fuzz_input(data, size), host = fuzz_line(&rest);
	struct buffer cookie, headers;
	struct caller caller;

	host.len = strnlen(host.ptr, host.len);
	arena_init(&arena, 1 << 22);
	buffer_init(&cookie, 1 << 21);
	buffer_init(&headers, 4096);
	fill_in(rest, &cookie);
	caller = ask(host, buffer_slice(&cookie), &headers);
	CHECK(caller.kind == CALLER_VISITOR && caller.enforced &&
	      strlen(caller.user_id) == strlen(user));
	if (strcmp(caller.user_id, user) == 0) {
		host = without_port(host);
		CHECK(fuzz_contains(buffer_slice(&cookie), slice_of(good)));
		CHECK(host.len == strlen(HOST) && strncasecmp(host.ptr, HOST, host.len) == 0);
	} else {
		/* A new one; where several came, one of which may be the browser's own, none. */
		CHECK(fuzz_contains(buffer_slice(&headers), SLICE("Set-Cookie: c1d_visitor=v1.")) ||
		      come_twice(buffer_slice(&cookie)));
	}
	buffer_done(&cookie);
	buffer_done(&headers);
	arena_done(&arena);
	return 0;
}
