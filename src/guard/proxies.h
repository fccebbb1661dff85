/*
 * proxies: whose address a request has that came through proxies of ours.
 *
 * Each proxy adds the address that it was asked from behind those that the header had
 * (X-Forwarded-For), so what stands there is only as true as who wrote it: read from the right, for
 * as long as the address that was read last is a proxy's of C1D_TRUSTED_PROXIES. What a client
 * writes there itself stands further left and is never reached.
 *
 * Pure; any thread.
 */
#ifndef GUARD_PROXIES_H
#define GUARD_PROXIES_H

#include "config/config.h"

#define PROXIES_HOPS_MAX 16 /* addresses that are read of a header */

/* remote: whom the web server talked to. forwarded: its header X-Forwarded-For, "" without one.
 * Gives remote or a part of forwarded. One that is malformed counts as the last proxy's own. */
struct slice proxies_client(const struct config *config, struct slice remote,
			    struct slice forwarded);

#endif
