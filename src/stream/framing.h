/*
 * framing: the bytes of the two forms of a stream. Raw is exactly the C1 bytes; SSE (HTML standard,
 * server-sent events) carries them as JSON strings, each event named, each delta with the id
 * `<run>.<offset behind it>`. Pure.
 */
#ifndef STREAM_FRAMING_H
#define STREAM_FRAMING_H

#include "base/buffer.h"
#include "base/error.h"
#include "stream/stream.h"

/* A piece of text at most: what a follower that does not keep up leaves in its sink is no more. An
 * SSE event fits SINK_CHUNK_MAX even if each byte needs six. */
#define FRAMING_RAW_TEXT_MAX 4096
#define FRAMING_SSE_TEXT_MAX 1024

bool framing_sse_run(const struct spool_record *record, struct buffer *out);
bool framing_sse_delta(const struct spool_record *record, int64_t offset_behind, struct slice text,
		       struct buffer *out);
bool framing_sse_error(const struct error *error, const char *request_id, struct buffer *out);
/* error (when there is one), usage (when known), done. */
bool framing_sse_end(const struct spool_record *record, enum message_status status,
		     const struct error *error, const char *request_id, struct buffer *out);

/* What a silent stream gets, so that no proxy takes it for dead. */
struct slice framing_heartbeat(enum stream_format format);

#endif
