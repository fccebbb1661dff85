/*
 * net_failure: what curl's result codes mean to the rest of the program.
 */
#ifndef NET_NET_FAILURE_H
#define NET_NET_FAILURE_H

#include "net_curl_transfer.h"

enum net_failure net_failure_of(const struct net_curl_transfer *transfer, CURLcode code);
/* Of one that was given up by ourselves, wherever it was. */
enum net_failure net_failure_given_up(const struct net_curl_transfer *transfer);
/* Of one that cannot go on for want of memory or descriptors. */
enum net_failure net_failure_no_memory(const struct net_curl_transfer *transfer);

#endif
