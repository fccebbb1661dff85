/* net_ask: one question and its answer, blocking, on a connection of its own: for `c1d check`, and
 * for what is asked now and then by a thread that has nothing else to do. */
#include "net/net.h"

#include "net_max_age.h"
#include <curl/curl.h>
#include <stdatomic.h>

/* --- what comes --- */

static size_t pass_over(char *bytes, size_t size, size_t n, void *userdata)
{
	(void)bytes, (void)userdata;
	return size * n;
}

/* Less than n makes curl give it up. */
static size_t keep(char *bytes, size_t size, size_t n, void *userdata)
{
	return buffer_append(userdata, (struct slice){ bytes, size * n }) ? size * n : 0;
}

static size_t read_header(char *line, size_t size, size_t n, void *userdata)
{
	net_max_age((struct slice){ line, size * n }, userdata);
	return size * n;
}

static int is_to_stop(void *stop, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)a, (void)b, (void)c, (void)d;
	return atomic_load((const _Atomic bool *)stop);
}

/* --- asking --- */

#define SET(option, value) (ok = ok && curl_easy_setopt(easy, (option), (value)) == CURLE_OK)

static bool set_options(CURL *easy, const struct net_request *request, struct slice body,
			struct curl_slist *headers, int64_t ms)
{
	bool ok = true;

	SET(CURLOPT_URL, request->url);
	SET(CURLOPT_HTTPHEADER, headers);
	SET(CURLOPT_WRITEFUNCTION, pass_over);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_ms);
	SET(CURLOPT_TIMEOUT_MS, (long)ms);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	if (request->ca_file)
		SET(CURLOPT_CAINFO, request->ca_file);
	if (body.len > 0) {
		SET(CURLOPT_POSTFIELDS, body.ptr);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
	}
	return ok;
}

static bool copy_headers(const char *const *from, struct curl_slist **out)
{
	for (; from && *from; from++) {
		struct curl_slist *longer = curl_slist_append(*out, *from);

		if (!longer)
			return false;
		*out = longer;
	}
	return true;
}

static bool set_get(CURL *easy, const _Atomic bool *stop, struct buffer *body, struct net_got *got)
{
	bool ok = true;

	SET(CURLOPT_WRITEFUNCTION, keep);
	SET(CURLOPT_WRITEDATA, body);
	SET(CURLOPT_HEADERFUNCTION, read_header);
	SET(CURLOPT_HEADERDATA, &got->max_age_s);
	SET(CURLOPT_XFERINFOFUNCTION, is_to_stop);
	SET(CURLOPT_XFERINFODATA, (void *)(uintptr_t)stop);
	SET(CURLOPT_NOPROGRESS, 0L);
	return ok;
}

static bool perform(CURL *easy, int *status, struct error *err)
{
	CURLcode code = curl_easy_perform(easy);
	long answered = 0;

	if (code != CURLE_OK)
		return error_set(err,
				 code == CURLE_OPERATION_TIMEDOUT ? ERROR_UPSTREAM_TIMEOUT
								  : ERROR_UPSTREAM,
				 "%s", curl_easy_strerror(code));
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answered);
	*status = (int)answered;
	return true;
}

bool net_ask(const struct net_request *request, struct slice body, int64_t ms, int *status,
	     struct error *err)
{
	CURL *easy = curl_easy_init();
	struct curl_slist *headers = NULL;
	bool ok;

	if (easy && copy_headers(request->headers, &headers) &&
	    set_options(easy, request, body, headers, ms))
		ok = perform(easy, status, err);
	else
		ok = error_set(err, ERROR_OVERLOADED, "No memory for a connection.");
	curl_slist_free_all(headers);
	curl_easy_cleanup(easy);
	return ok;
}

bool net_get(const struct net_request *request, int64_t ms, const _Atomic bool *stop,
	     struct buffer *body, struct net_got *got, struct error *err)
{
	CURL *easy = curl_easy_init();
	struct curl_slist *headers = NULL;
	struct net_got found = { .max_age_s = -1 };
	bool ok;

	if (easy && copy_headers(request->headers, &headers) &&
	    set_options(easy, request, SLICE(""), headers, ms) && set_get(easy, stop, body, &found))
		ok = perform(easy, &found.status, err);
	else
		ok = error_set(err, ERROR_OVERLOADED, "No memory for a connection.");
	curl_slist_free_all(headers);
	curl_easy_cleanup(easy);
	if (ok)
		*got = found;
	else if (body->failed)
		error_set(err, ERROR_TOO_LARGE, "The answer has more than %zu bytes.", body->max);
	return ok;
}
