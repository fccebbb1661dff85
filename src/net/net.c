/*
 * net: the libraries behind it all.
 *
 *   net_multi.c        the door of one loop's transfers: who carries which
 *   net_curl.c         those by curl: its sockets and timer, ends
 *   net_failure.c      curl's codes -> how a transfer failed
 *   net_curl_transfer.c  one of them: its options, its deadlines, head and body as curl brings them
 *   h2.c               those by HTTP/2: its hosts
 *   h2_host.c          a server: who waits, its connections; h2_names.c: its addresses
 *   h2_connection.c    one connection; h2_shared.h tells of its parts
 *   h2_stream.c        one request and its answer; net_question.c: what was asked
 *   net_client.c       requests of many threads on one net_multi
 *   net_retry_after.c  a line of the head, read; net_max_age.c: another
 *   net_ask.c          one blocking request and its answer
 *   net_probe.c        is somebody there?
 */
#include "net/net.h"

#include "h2.h"
#include <curl/curl.h>

bool net_init(struct error *err)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return error_set(err, ERROR_INTERNAL, "libcurl does not start");
	return true;
}

void net_done(void)
{
	curl_global_cleanup();
}

const char *net_version(bool running)
{
	return running ? curl_version_info(CURLVERSION_NOW)->version : LIBCURL_VERSION;
}

const char *net_h2_version(bool running)
{
	return h2_version(running);
}
