/*
 * net_max_age: one header line, read: for how long an answer may be kept (RFC 9111, 5.2.2).
 */
#ifndef NET_NET_MAX_AGE_H
#define NET_NET_MAX_AGE_H

#include "base/slice.h"
#include <stdint.h>

/* *seconds: what Cache-Control says: its max-age, or -1 for none, or when it forbids keeping
 * (no-store, no-cache). Any other header changes nothing. */
void net_max_age(struct slice line, int64_t *seconds);

#endif
