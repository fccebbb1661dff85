/*
 * h2_session: what nghttp2 knows of a connection: frames come in and become the streams' events,
 * requests go out. Nothing is read or written here.
 */
#ifndef NET_H2_SESSION_H
#define NET_H2_SESSION_H

#include "h2_shared.h"

#define H2_STREAMS_MAX 100 /* on one connection; what a server allows before it has said so */

/* callbacks and option. False: no memory. */
bool h2_session_init(struct h2_shared *shared);

/* With our SETTINGS, which go out first. False: no memory. */
bool h2_session_open(struct h2_connection *connection);
/* What came. When it cannot go on the connection is OVER. */
void h2_session_feed(struct h2_connection *connection, const unsigned char *bytes, size_t n);

uint32_t h2_session_max(const struct h2_connection *connection); /* streams at once */
/* False: not on this one. */
bool h2_session_begin(struct h2_connection *connection, struct h2_stream *stream);
/* It leaves the connection and is reset, which is on its way with the end of the round. */
void h2_session_drop(struct h2_stream *stream);
void h2_session_ping(struct h2_connection *connection);

#endif
