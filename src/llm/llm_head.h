/*
 * llm_head: where a request to the C1 API goes, and its headers.
 */
#ifndef LLM_LLM_HEAD_H
#define LLM_LLM_HEAD_H

#include "base/error.h"
#include "config/config.h"

#define LLM_URL_MAX    2048
#define LLM_HEADER_MAX 8192
#define LLM_HEADERS    5

/* Where it was written it stays: headers point into it. */
struct llm_head {
	char url[LLM_URL_MAX], authorization[LLM_HEADER_MAX];
	const char *headers[LLM_HEADERS]; /* the last is NULL */
};

/* False, ERROR_UPSTREAM_CONFIG: the address is too long, or the key would end its header. */
bool llm_head_write(const struct config *config, struct llm_head *head, struct error *err);

#endif
