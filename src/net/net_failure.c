/* net_failure: see net_failure.h. */
#include "net_failure.h"

static const struct {
	CURLcode code;
	enum net_failure failure;
} failures[] = {
	{ CURLE_OK, NET_OK },
	{ CURLE_COULDNT_RESOLVE_HOST, NET_DNS },
	{ CURLE_COULDNT_CONNECT, NET_CONNECT },
	{ CURLE_INTERFACE_FAILED, NET_CONNECT },
	{ CURLE_SSL_CONNECT_ERROR, NET_TLS },
	{ CURLE_PEER_FAILED_VERIFICATION, NET_TLS },
	{ CURLE_SSL_ISSUER_ERROR, NET_TLS },
	{ CURLE_SSL_CACERT_BADFILE, NET_TLS },
	{ CURLE_SSL_CERTPROBLEM, NET_TLS },
	{ CURLE_SSL_CIPHER, NET_TLS },
	{ CURLE_SSL_ENGINE_INITFAILED, NET_TLS },
	{ CURLE_SSL_INVALIDCERTSTATUS, NET_TLS },
	{ CURLE_USE_SSL_FAILED, NET_TLS },
	{ CURLE_GOT_NOTHING, NET_CUT },
	{ CURLE_SEND_ERROR, NET_CUT },
	{ CURLE_RECV_ERROR, NET_CUT },
	{ CURLE_PARTIAL_FILE, NET_CUT },
	{ CURLE_SEND_FAIL_REWIND, NET_CUT },
	{ CURLE_HTTP2_STREAM, NET_CUT },
	{ CURLE_ABORTED_BY_CALLBACK, NET_CUT }, /* we refused to send a second time */
};

static enum net_failure unconnected(const struct net_curl_transfer *transfer)
{
	curl_off_t resolved_us = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved_us);
	return transfer->resolving && resolved_us == 0 ? NET_DNS : NET_CONNECT;
}

enum net_failure net_failure_no_memory(const struct net_curl_transfer *transfer)
{
	return transfer->was_sent ? NET_NO_MEMORY : NET_UNSENT;
}

enum net_failure net_failure_of(const struct net_curl_transfer *transfer, CURLcode code)
{
	if (code == CURLE_OPERATION_TIMEDOUT)
		return transfer->was_sent ? NET_TIMEOUT : unconnected(transfer);
	if (code == CURLE_OUT_OF_MEMORY)
		return net_failure_no_memory(transfer);
	for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
		if (failures[i].code == code)
			return failures[i].failure;
	return NET_PROTOCOL;
}

enum net_failure net_failure_given_up(const struct net_curl_transfer *transfer)
{
	return transfer->was_sent ? NET_CUT : unconnected(transfer);
}

const char *net_failure_word(enum net_failure failure)
{
	static const char *const words[] = {
		[NET_OK] = "nothing",
		[NET_CONNECT] = "no connection",
		[NET_DNS] = "its name is not found",
		[NET_TLS] = "its certificate, or TLS with it, failed",
		[NET_TIMEOUT] = "no answer in time",
		[NET_CUT] = "the connection was cut",
		[NET_PROTOCOL] = "what it sent is no HTTP",
		[NET_UNSENT] = "no memory or descriptor to ask with",
		[NET_NO_MEMORY] = "no memory for its answer",
	};

	return words[failure];
}
