/*
 * h2_dial: a TCP connection to whichever of a host's addresses takes it first. They are tried in
 * turn: the next one when one fails, or has said nothing for a quarter of a second, beside it
 * (RFC 8305, 5).
 */
#ifndef NET_H2_DIAL_H
#define NET_H2_DIAL_H

#include "h2_names.h"

struct h2_dial;

/* Once: a connected socket, the receiver's from then on, and the address that took it; or fd -1 and
 * why none did (errno). The dial is gone behind it. */
typedef void h2_dial_done(void *ctx, int fd, const struct h2_address *at, int error);

/* `done` is never called from within. NULL: no memory. */
struct h2_dial *h2_dial_start(struct loop *loop, const struct h2_addresses *addresses,
			      h2_dial_done *done, void *ctx);
void h2_dial_stop(struct h2_dial *dial); /* NULL is fine; without `done` */

#endif
