/*
 * net_retry_after: one header line, read: how long a server wants to be left alone.
 */
#ifndef NET_NET_RETRY_AFTER_H
#define NET_NET_RETRY_AFTER_H

#include "base/slice.h"

/* *seconds: 0..86400, or -1 when the value is neither a number nor a date. Any other header changes
 * nothing. */
void net_retry_after(struct slice line, int *seconds);
/* The same of the value alone, without white space around it. */
void net_retry_after_value(struct slice value, int *seconds);

#endif
