/* net_ask: one question and the status of its answer, blocking, on a connection of its own: for
 * `c1d check`. */
#include "net/net.h"

#include <curl/curl.h>

static size_t pass_over(char *bytes, size_t size, size_t n, void *userdata)
{
	(void)bytes, (void)userdata;
	return size * n;
}

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
