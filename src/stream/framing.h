/*
 * framing: the bytes of each form of a stream, a row a form. Raw is exactly the C1 bytes; SSE (HTML
 * standard, server-sent events) carries them as JSON strings, each event named, each delta with the
 * id `<run>.<offset behind it>`; OpenAI is the chunks of a chat completion (platform.openai.com,
 * API reference, "Chat Completions", streaming). Pure.
 */
#ifndef STREAM_FRAMING_H
#define STREAM_FRAMING_H

#include "base/buffer.h"
#include "base/error.h"
#include "stream/stream.h"

struct framing {
	const char *type; /* Content-Type */
	/* A piece of text at most: what a follower that does not keep up leaves in its sink is no
	 * more. A frame fits SINK_CHUNK_MAX even if each byte needs six. */
	size_t text_max;
	/* What a silent stream gets, so that no proxy takes it for dead: always, or when its reader
	 * asked for it. */
	const char *heartbeat;
	bool always_beats;
	/* The frames, all of them or none: without them the text is sent as it is. */
	/* First. offset: of the text that follows. */
	bool (*run)(const struct spool_record *record, int64_t offset, struct buffer *out);
	bool (*delta)(const struct spool_record *record, int64_t offset_behind, struct slice text,
		      struct buffer *out);
	bool (*error)(const struct error *error, const char *request_id, struct buffer *out);
	/* All that is behind the text. error: with ERROR_NONE there is none. */
	bool (*end)(const struct spool_record *record, enum message_status status,
		    const struct error *error, const char *request_id, struct buffer *out);
};

const struct framing *framing_of(enum stream_format format);

#endif
