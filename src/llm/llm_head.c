/* llm_head: see llm_head.h. */
#include "llm_head.h"

#include <stdio.h>
#include <string.h>

static bool write_url(const struct config *config, char url[LLM_URL_MAX])
{
	size_t len = strlen(config->base_url);

	while (len && config->base_url[len - 1] == '/')
		len--;
	return snprintf(url, LLM_URL_MAX, "%.*s/chat/completions", (int)len, config->base_url) <
	       LLM_URL_MAX;
}

static bool write_authorization(const struct config *config, char header[LLM_HEADER_MAX])
{
	const char *key = config->api_key;

	for (const char *c = key; *c; c++)
		if ((unsigned char)*c <= 0x20 || *c == 0x7F)
			return false; /* it would end the header */
	return snprintf(header, LLM_HEADER_MAX, "Authorization: Bearer %s", key) < LLM_HEADER_MAX;
}

bool llm_head_write(const struct config *config, struct llm_head *head, struct error *err)
{
	size_t n = 0;

	if (!write_url(config, head->url) ||
	    (config->api_key && !write_authorization(config, head->authorization)))
		return error_set(err, ERROR_UPSTREAM_CONFIG,
				 "The C1 API's address or key is not usable.");
	if (config->api_key)
		head->headers[n++] = head->authorization;
	head->headers[n++] = "Content-Type: application/json";
	head->headers[n++] = "Accept: text/event-stream";
	head->headers[n++] = "User-Agent: c1d";
	head->headers[n] = NULL;
	return true;
}
