/* net_question: see net_question.h. */
#include "net_question.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool net_question_may_h2(const char *url)
{
	const char *rest = url + 8;

	return strncasecmp(url, "https://", 8) == 0 && rest[strcspn(rest, "/?#@")] != '@';
}

/* --- copies --- */

/* All texts of a question lie behind it, one after the other. */
static char *put(char **at, const char *text)
{
	char *copy = *at;

	*at = stpcpy(copy, text) + 1;
	return copy;
}

static char *put_both(char **at, const char *a, const char *between, const char *b)
{
	char *copy = *at;

	*at = stpcpy(stpcpy(stpcpy(copy, a), between), b) + 1;
	return copy;
}

static size_t size_of(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static char *put_header(char **at, const char *header)
{
	char *copy = put(at, header);

	for (char *c = copy; *c && *c != ':'; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

/* --- the address, taken apart --- */

struct parts {
	char *host, *port, *path, *query; /* curl's memory */
};

static void parts_done(struct parts *parts)
{
	curl_free(parts->host);
	curl_free(parts->port);
	curl_free(parts->path);
	curl_free(parts->query);
}

static bool take_apart(const char *text, struct parts *parts)
{
	CURLU *url = curl_url();
	bool ok =
		url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_HOST, &parts->host, 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_PORT, &parts->port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_PATH, &parts->path, 0) == CURLUE_OK;

	if (ok)
		curl_url_get(url, CURLUPART_QUERY, &parts->query, 0); /* there may be none */
	curl_url_cleanup(url);
	return ok;
}

static void put_parts(struct net_question *question, const struct parts *parts, char **at)
{
	size_t len = strlen(parts->host);
	bool is_v6 = *parts->host == '[' && len > 2;

	question->host = put(at, parts->host + is_v6);
	if (is_v6)
		question->host[len - 2] = '\0';
	question->port = put(at, parts->port);
	question->authority = strcmp(parts->port, "443") == 0
				      ? put(at, parts->host)
				      : put_both(at, parts->host, ":", parts->port);
	question->path =
		parts->query ? put_both(at, parts->path, "?", parts->query) : put(at, parts->path);
}

/* --- the door --- */

static struct net_question *make(const struct net_request *request, const struct parts *parts)
{
	size_t n = 0, size = size_of(request->url) + size_of(request->ca_file) +
			     2 * (size_of(parts->host) + size_of(parts->port)) +
			     size_of(parts->path) + size_of(parts->query);
	struct net_question *question;
	const char **headers;
	char *at;

	for (; request->headers[n]; n++)
		size += size_of(request->headers[n]);
	if (n > NET_HEADERS_MAX)
		return NULL;
	question = calloc(1, sizeof *question + (n + 1) * sizeof *headers + size);
	if (!question)
		return NULL;
	headers = (const char **)(question + 1);
	at = (char *)(headers + n + 1);
	question->request = *request;
	question->request.headers = headers;
	question->request.url = put(&at, request->url);
	if (request->ca_file)
		question->request.ca_file = put(&at, request->ca_file);
	for (size_t i = 0; i < n; i++)
		headers[i] = put_header(&at, request->headers[i]);
	put_parts(question, parts, &at);
	return question;
}

struct net_question *net_question_new(const struct net_request *request, struct buffer *body)
{
	struct parts parts = { 0 };
	struct net_question *question = NULL;

	if (take_apart(request->url, &parts))
		question = make(request, &parts);
	parts_done(&parts);
	if (!question) {
		buffer_done(body);
		return NULL;
	}
	question->body = *body;
	*body = (struct buffer){ 0 };
	return question;
}

void net_question_free(struct net_question *question)
{
	if (!question)
		return;
	for (const char *const *header = question->request.headers; *header; header++)
		if (strncmp(*header, "authorization:", 14) == 0)
			explicit_bzero((char *)*header, strlen(*header));
	buffer_done(&question->body);
	free(question);
}
