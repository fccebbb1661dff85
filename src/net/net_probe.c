/* net_probe: is somebody there? A connection with TLS, nothing more: a call would cost money. */
#include "net/net.h"

#include <curl/curl.h>

bool net_probe(const char *url, const char *ca_file, int64_t ms, struct error *err)
{
	CURL *easy = curl_easy_init();
	CURLcode code;

	if (!easy)
		return error_set(err, ERROR_OVERLOADED, "No memory for a connection.");
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)ms);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	if (ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
	code = curl_easy_perform(easy);
	curl_easy_cleanup(easy);
	return code == CURLE_OK ||
	       error_set(err,
			 code == CURLE_OPERATION_TIMEDOUT ? ERROR_UPSTREAM_TIMEOUT : ERROR_UPSTREAM,
			 "No connection: %s.", curl_easy_strerror(code));
}
