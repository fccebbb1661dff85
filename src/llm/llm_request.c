/*
 * llm_request: the body of a chat completion request.
 */
#include "llm/llm.h"

#include "base/json.h"

bool llm_request_body(const char *model, const struct llm_message *messages, size_t count,
		      struct buffer *out)
{
	struct json_writer w;

	json_writer_init(&w, out);
	json_open(&w, '{');
	json_put_text(&w, "model", model);
	json_key(&w, "messages");
	json_open(&w, '[');
	for (size_t i = 0; i < count; i++) {
		json_open(&w, '{');
		json_put_text(&w, "role", message_role_text(messages[i].role));
		json_put_slice(&w, "content", messages[i].content);
		json_close(&w, '}');
	}
	json_close(&w, ']');
	json_put_bool(&w, "stream", true);
	json_close(&w, '}');
	return !out->failed;
}
