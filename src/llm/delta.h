/*
 * delta: one chunk of a streamed chat completion, read in one walk without a tree.
 * {"choices":[{"delta":{"content":"..."},"finish_reason":null}],"usage":{...},"error":...}
 */
#ifndef LLM_DELTA_H
#define LLM_DELTA_H

#include "base/buffer.h"
#include "base/slice.h"
#include <stdint.h>

#define DELTA_DEPTH_MAX 32

struct delta {
	struct slice content;       /* unescaped; in the frame or in `scratch` */
	struct slice finish_reason; /* as it stands in the frame; ptr NULL when null or absent */
	struct slice error;         /* the error's JSON; ptr NULL when null or absent */
	struct slice error_type, error_code; /* of it, as they stand in the frame; "" when absent */
	bool has_usage;
	int64_t input_tokens, output_tokens,
		total_tokens; /* clamped to 0..2^53; -1: absent or no number */
};

/* False: not a JSON object, or nested too deep. scratch is overwritten when the content holds
 * escapes; what they stand for is UTF-8 (a lone surrogate and NUL become U+FFFD), raw bytes are as
 * they came. */
bool delta_read(struct slice frame, struct buffer *scratch, struct delta *out);

#endif
