/*
 * h2_connection: one connection to a host that speaks HTTP/2 (RFC 9113), by nghttp2, which is fed
 * with what each read brought and asked once a round for what there is to write.
 *
 *   DIALS --TCP--> SHAKES HANDS --TLS, h2--> OPEN --GOAWAY--> DRAINS --its last stream ends--> OVER
 *     '--------------'-- failed, or h2 is not spoken here --> OVER <-- cut, silent, idle ------'
 *     '<-- no TLS, another address --'
 *
 * What is OVER tells its streams and its owner when the round ends, never from within a call.
 */
#ifndef NET_H2_CONNECTION_H
#define NET_H2_CONNECTION_H

#include "h2_shared.h"

/* False: no memory. Zeroed before; `round` is the owner's to fill. */
bool h2_shared_open(struct h2_shared *shared, struct loop *loop);
void h2_shared_close(struct h2_shared *shared); /* behind all its connections */
/* What is to be written is, and what is OVER ends: from `round`. */
void h2_shared_flush(struct h2_shared *shared);

/* Begins; nothing is told from within. All that is given stays where it is until `over`. addresses:
 * where TLS fails at one it is put behind the others, and the next is tried. usual_max: how many
 * streams it takes until it has said so. NULL: no memory. */
struct h2_connection *h2_connection_open(struct h2_shared *shared, struct h2_addresses *addresses,
					 struct h2_tls *tls, const char *host, SSL_SESSION **resume,
					 uint32_t usual_max, int64_t connect_ms,
					 const struct h2_connection_calls *calls, void *ctx);
/* At once; neither its streams nor its owner are told. */
void h2_connection_free(struct h2_connection *connection);

/* What time has brought: silence, an answer that did not come, nothing to do. Each two seconds, by
 * a timer of its own. */
void h2_connection_look(struct h2_connection *connection);

/* How many more streams it takes now. None, too, while it has been silent for long: it is asked
 * whether it is there, and `ready` comes with its answer. */
uint32_t h2_connection_room(struct h2_connection *connection);
/* Is there reason to hope that it will take streams in a moment? */
bool h2_connection_comes(const struct h2_connection *connection);

#endif
