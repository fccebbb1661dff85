/*
 * openapi: the OpenAPI 3.1 document of the routes' tables: a path for each template, an operation
 * for each line, parameters and bodies from the rows of shape.h. A test asks each route and
 * compares.
 */
#include "api_room.h"

#include "base/version.h"
#include <stdio.h>

#define TEXT "{\"type\":\"string\"}"

/* --- headers --- */

struct header {
	int flag; /* of the routes that have it; 0: all */
	const char *name, *about;
	bool always;        /* of an answer: it always comes */
	const char *schema; /* NULL: a text */
};

static const struct header asked[] = {
	{ ROUTE_KEYED, "Idempotency-Key",
	  "The same question under the same key is answered once, whenever it is sent again", false,
	  "{\"type\":\"string\",\"pattern\":\"^([!-~]([ -~]{0,253}[!-~])?)?$\"}" },
	{ ROUTE_IF_MATCH, "If-Match", "Change it only while it has this version; 412", false,
	  NULL },
	{ ROUTE_IF_NONE_MATCH, "If-None-Match", "A version that need not be sent again; 304", false,
	  NULL },
	{ ROUTE_RESUMES, "Last-Event-ID", "Go on behind this event; the answer is then events",
	  false, NULL },
};
static const struct header answered[] = {
	{ ROUTE_STREAMS, "X-Run-Id", "The run that writes the answer", false, NULL },
	{ ROUTE_STREAMS, "X-Thread-Id", "Its conversation; not on a card", false, NULL },
	{ ROUTE_STREAMS, "X-Response-Id", "The message that the answer becomes; not on a card",
	  false, NULL },
	{ ROUTE_KEYED, "Idempotency-Replayed", "true when the question was asked before", false,
	  NULL },
	{ ROUTE_CALLER, "RateLimit-Policy", "How often you may ask; not where there is no limit",
	  false, NULL },
	{ ROUTE_CALLER, "RateLimit", "How much of that is left", false, NULL },
	{ ROUTE_TAGGED, "ETag", "Its version", true, NULL },
	{ ROUTE_PAGED, "Link", "The next page, rel=next; none on the last", false, NULL },
	{ ROUTE_PLACES, "Location", "Where it is now", true, NULL },
};
static const struct header failed[] = {
	{ 0, "WWW-Authenticate", "Of a 401: how to say who you are", false, NULL },
	{ 0, "Retry-After", "Seconds after which to try again", false, NULL },
	{ 0, "RateLimit-Policy", "How often you may ask", false, NULL },
	{ 0, "RateLimit", "How much of that is left: nothing, of a 429", false, NULL },
	{ 0, "Allow", "Of a 405: what this address takes", false, NULL },
	{ 0, "Link", "Of a 409 or 410: what stands in the way, or is left; rel=related", false,
	  NULL },
};

static void put_headers(struct json_writer *w, const struct header *list, size_t count, int flags)
{
	json_key(w, "headers");
	json_open(w, '{');
	for (size_t i = 0; i < count; i++) {
		if (list[i].flag && !(list[i].flag & flags))
			continue;
		json_key(w, list[i].name);
		json_open(w, '{');
		json_put_text(w, "description", list[i].about);
		if (list[i].always)
			json_put_bool(w, "required", true);
		json_put_raw(w, "schema", list[i].schema ? list[i].schema : TEXT);
		json_close(w, '}');
	}
	json_close(w, '}');
}

/* --- parameters --- */

static void begin_parameter(struct json_writer *w, struct slice name, const char *in)
{
	json_open(w, '{');
	json_put_slice(w, "name", name);
	json_put_text(w, "in", in);
}

static void put_query(struct json_writer *w, const struct shape *shape)
{
	for (size_t i = 0; i < shape->count; i++) {
		const struct field *field = &shape->fields[i];

		begin_parameter(w, slice_of(field->name), "query");
		json_key(w, "schema");
		schema_word(w, field);
		json_close(w, '}');
	}
}

/* The template's segments behind a colon, the words of the query, the headers. */
static void put_parameters(struct json_writer *w, const struct route *route)
{
	json_key(w, "parameters");
	json_open(w, '[');
	for (const char *at = route->template; (at = strchr(at, ':'));) {
		size_t len = strcspn(++at, "/");

		begin_parameter(w, (struct slice){ at, len }, "path");
		json_put_bool(w, "required", true);
		json_put_raw(w, "schema", SCHEMA_ID);
		json_close(w, '}');
		at += len;
	}
	put_query(w, route->query);
	if (route->flags & ROUTE_CALLER)
		put_query(w, &query_owner);
	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		if (!(asked[i].flag & route->flags))
			continue;
		begin_parameter(w, slice_of(asked[i].name), "header");
		json_put_text(w, "description", asked[i].about);
		json_put_raw(w, "schema", asked[i].schema ? asked[i].schema : TEXT);
		json_close(w, '}');
	}
	json_close(w, ']');
}

/* --- content --- */

static void put_ref(struct json_writer *w, const char *kind, const char *name)
{
	json_open(w, '{');
	json_key(w, "$ref");
	buffer_appendf(w->out, "\"#/components/%s/%s\"", kind, name);
	w->need_comma = true;
	json_close(w, '}');
}

/* schema: NULL: plain text; a leading '*': an array of it. */
static void put_content(struct json_writer *w, const char *type, const char *schema)
{
	json_key(w, type);
	json_open(w, '{');
	json_key(w, "schema");
	if (!schema) {
		json_raw(w, SLICE(TEXT));
	} else if (schema[0] == '*') {
		json_raw(w, SLICE("{\"type\":\"array\",\"items\":"));
		w->need_comma = false;
		put_ref(w, "schemas", schema + 1);
		buffer_append_char(w->out, '}');
	} else {
		put_ref(w, "schemas", schema);
	}
	json_close(w, '}');
}

static void begin_response(struct json_writer *w, int status, const char *description)
{
	buffer_appendf(w->out, "%s\"%d\":", w->need_comma ? "," : "", status);
	w->need_comma = false;
	json_open(w, '{');
	json_put_text(w, "description", description);
}

/* What a route may refuse with, besides what any may. */
enum refusal_cause { BY_CALLER, BY_ID, BY_CONFLICT, BY_VERSION, BY_BODY };

static const struct refusal {
	int status;
	enum refusal_cause cause;
} refusals[] = {
	{ 401, BY_CALLER },  { 403, BY_CALLER }, { 404, BY_ID },   { 409, BY_CONFLICT },
	{ 412, BY_VERSION }, { 413, BY_BODY },   { 415, BY_BODY }, { 429, BY_CALLER },
};

static bool may_refuse(const struct route *route, enum refusal_cause cause)
{
	switch (cause) {
	case BY_CALLER: return route->flags & ROUTE_CALLER;
	case BY_ID: return strchr(route->template, ':') != NULL;
	case BY_CONFLICT: return route->takes && strchr(route->template, ':');
	case BY_VERSION: return route->flags & ROUTE_IF_MATCH;
	default: return route->takes != NULL;
	}
}

static void put_failures(struct json_writer *w, const struct route *route)
{
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		if (!may_refuse(route, refusals[i].cause))
			continue;
		buffer_appendf(w->out, ",\"%d\":", refusals[i].status);
		w->need_comma = false;
		put_ref(w, "responses", "Problem");
	}
	json_key(w, "default");
	put_ref(w, "responses", "Problem");
}

#define PUT_HEADERS(w, list, flags) put_headers(w, list, sizeof(list) / sizeof((list)[0]), flags)

/* What comes without a word of the query stands first. */
static void put_streams(struct json_writer *w, const struct route *route)
{
	bool is_raw = shape_find(route->query, SLICE("stream"))->fallback == STREAM_RAW;

	if (is_raw)
		put_content(w, "text/plain", NULL);
	put_content(w, "text/event-stream", is_raw ? "Events" : "Chunks");
	if (!is_raw)
		put_content(w, "text/plain", NULL);
}

static void put_success(struct json_writer *w, const struct route *route)
{
	begin_response(w, route->status, "Success");
	PUT_HEADERS(w, answered, route->flags);
	if (route->status != 204) {
		json_key(w, "content");
		json_open(w, '{');
		if (route->flags & ROUTE_STREAMS)
			put_streams(w, route);
		else
			put_content(w, route->gives ? "application/json" : "text/plain",
				    route->gives);
		json_close(w, '}');
	}
	json_close(w, '}');
}

static void put_responses(struct json_writer *w, const struct route *route)
{
	json_key(w, "responses");
	json_open(w, '{');
	put_success(w, route);
	if (route->flags & ROUTE_RESUMES) {
		begin_response(w, 204, "The answer has ended and nothing of it is missing");
		PUT_HEADERS(w, answered, route->flags);
		json_close(w, '}');
	}
	if (route->flags & ROUTE_IF_NONE_MATCH) {
		begin_response(w, 304, "It still has this version");
		PUT_HEADERS(w, answered, route->flags);
		json_close(w, '}');
	}
	put_failures(w, route);
	json_close(w, '}');
}

/* --- operations --- */

/* Which of them a site asks for is in its settings, so each of them, or none, may do. Of a bearer
 * the scopes are told that an API key needs: one is enough. */
static void put_security(struct json_writer *w, const struct route *route)
{
	char word[CALLER_SCOPES_TEXT];

	json_key(w, "security");
	json_open(w, '[');
	json_raw(w, SLICE("{},{\"visitor\":[]}"));
	for (unsigned scope = 1; scope <= scopes_of(route); scope <<= 1)
		if (scopes_of(route) & scope)
			buffer_appendf(w->out, ",{\"bearer\":[\"%s\"]}",
				       caller_scopes_text(scope, word));
	json_close(w, ']');
}

static void put_operation(struct json_writer *w, const struct route *route)
{
	char method[8] = "";

	for (size_t i = 0; route->method[i] && i + 1 < sizeof method; i++)
		method[i] = (char)(route->method[i] | 0x20);
	json_key(w, method);
	json_open(w, '{');
	json_put_text(w, "summary", route->summary);
	if (route->same_as) {
		json_key(w, "description");
		buffer_appendf(w->out, "\"Another address of %s\"", route->same_as);
		w->need_comma = true;
	}
	if (route->flags & ROUTE_CALLER)
		put_security(w, route);
	put_parameters(w, route);
	if (route->takes) {
		json_key(w, "requestBody");
		json_open(w, '{');
		json_put_bool(w, "required", true);
		json_key(w, "content");
		json_open(w, '{');
		put_content(w, "application/json", route->takes->name);
		json_close(w, '}');
		json_close(w, '}');
	}
	put_responses(w, route);
	json_close(w, '}');
}

/* "/api/threads/:id" is "/api/threads/{id}" in OpenAPI. */
static void put_path_key(struct json_writer *w, const char *template)
{
	char path[128] = "";

	while (*template) {
		bool is_id = template[0] == '/' && template[1] == ':';
		size_t skip = is_id ? 2 : 1, len = strcspn(template + skip, "/"), at = strlen(path);

		snprintf(path + at, sizeof path - at, is_id ? "/{%.*s}" : "/%.*s", (int)len,
			 template + skip);
		template += skip + len;
	}
	json_key(w, path);
}

static bool seen_before(const struct route *first, const struct route *route)
{
	for (; first != route; first = route_next(first))
		if (strcmp(first->template, route->template) == 0)
			return true;
	return false;
}

static void put_paths(struct json_writer *w, const struct route *first)
{
	json_key(w, "paths");
	json_open(w, '{');
	for (const struct route *at = first; at; at = route_next(at)) {
		if (seen_before(first, at))
			continue;
		put_path_key(w, at->template);
		json_open(w, '{');
		for (const struct route *of = at; of; of = route_next(of))
			if (strcmp(of->template, at->template) == 0)
				put_operation(w, of);
		json_close(w, '}');
	}
	json_close(w, '}');
}

#define SCHEMES                                                                                    \
	"{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":"                    \
	"\"A token of the site's sign-in, or an API key\"},"                                       \
	"\"visitor\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"c1d_visitor\","             \
	"\"description\":\"Set by the first answer; __Host-c1d_visitor behind TLS\"}}"

static void put_components(struct json_writer *w, const struct route *first)
{
	json_key(w, "components");
	json_open(w, '{');
	json_put_raw(w, "securitySchemes", SCHEMES);
	json_key(w, "responses");
	json_open(w, '{');
	json_key(w, "Problem");
	json_open(w, '{');
	json_put_text(w, "description", "Any failure");
	PUT_HEADERS(w, failed, 0);
	json_key(w, "content");
	json_open(w, '{');
	put_content(w, "application/problem+json", "Problem");
	json_close(w, '}');
	json_close(w, '}');
	json_close(w, '}');
	json_key(w, "schemas");
	json_open(w, '{');
	schema_bodies(w, first);
	schema_answers(w);
	json_close(w, '}');
	json_close(w, '}');
}

void openapi_write(struct buffer *out, const struct route *first)
{
	struct json_writer w;

	json_writer_init(&w, out);
	json_open(&w, '{');
	json_put_text(&w, "openapi", "3.1.0");
	json_key(&w, "info");
	json_open(&w, '{');
	json_put_text(&w, "title", "c1d");
	json_put_text(&w, "version", C1D_VERSION);
	json_close(&w, '}');
	put_paths(&w, first);
	put_components(&w, first);
	json_close(&w, '}');
}
