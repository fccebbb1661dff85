/* record_sink: a stream's sink of FastCGI records over a non-blocking descriptor. */
#ifndef SERVER_RECORD_SINK_H
#define SERVER_RECORD_SINK_H

#include "access.h"
#include "stream/sink.h"

/* Takes the descriptor. NULL: no memory, the descriptor stays the caller's. */
struct sink *record_sink_new(int fd, uint16_t request_id, const struct access *access);

#endif
