/*
 * net: the library behind it all.
 *
 *   net_multi.c        all transfers of one loop: curl's sockets and timer, ends
 *   net_failure.c      curl's codes -> how a transfer failed
 *   net_transfer.c     one transfer: its options, its deadlines, head and body as curl brings them
 *   net_client.c       requests of many threads on one net_multi
 *   net_retry_after.c  a line of the head, read; net_max_age.c: another
 *   net_ask.c          one blocking request and its answer
 *   net_probe.c        is somebody there?
 */
#include "net/net.h"

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
