/*
 * openapi: the OpenAPI 3.1 document, from the route table: a path for each template, an operation
 * for each line. Schemas are written out here; a test asks each route and compares.
 */
#include "api_room.h"

#include "base/version.h"
#include <stdio.h>

#define DOCUMENT_MAX (256u * 1024)

/* --- schemas: name, JSON --- */

#define TEXT   "{\"type\":\"string\"}"
#define TEXT0  "{\"type\":[\"string\",\"null\"]}"
#define WHEN   "{\"type\":\"string\",\"format\":\"date-time\"}"
#define ID     "{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$\"}"
#define FLAG   "{\"type\":\"boolean\"}"
#define NUMBER "{\"type\":\"integer\"}"
#define OBJECT "{\"type\":\"object\"}"
#define OBJ0   "{\"type\":[\"object\",\"null\"]}"
#define STATUS                                                                                     \
	"{\"enum\":[\"streaming\",\"complete\",\"length\",\"stopped\",\"error\",\"interrupted\"]}"
#define TIMES                                                                                      \
	"\"created_at\":" WHEN ",\"createdAt\":" WHEN ",\"updated_at\":" WHEN ",\"updatedAt\""     \
	":" WHEN

static const struct {
	const char *name, *json;
} schemas[] = {
	{ "Thread",
	  "{\"type\":\"object\",\"required\":[\"id\",\"threadId\",\"title\"],\"properties\":{"
	  "\"id\":" ID ",\"threadId\":" ID ",\"title\":" TEXT ",\"user_id\":" TEXT "," TIMES
	  ",\"archived\":" FLAG ",\"metadata\":" OBJECT "}}" },
	{ "ThreadDraft",
	  "{\"type\":\"object\",\"properties\":{\"title\":" TEXT ",\"metadata\":" OBJECT
	  ",\"user_id\":" TEXT
	  ",\"firstMessage\":{\"type\":\"object\",\"properties\":{\"message\":" TEXT "}}}}" },
	{ "ThreadPatch", "{\"type\":\"object\",\"properties\":{\"title\":" TEXT
			 ",\"archived\":" FLAG ",\"metadata\":" OBJECT "}}" },
	{ "Message",
	  "{\"type\":\"object\",\"required\":[\"id\",\"role\",\"content\",\"status\"],"
	  "\"properties\":{\"id\":" ID ",\"thread_id\":" ID
	  ",\"role\":{\"enum\":[\"user\",\"assistant\",\"system\",\"tool\"]},\"content\":" TEXT
	  ",\"status\":" STATUS ",\"run_id\":" ID "," TIMES ",\"finish_reason\":" TEXT0
	  ",\"usage\":" OBJ0 ",\"metadata\":" OBJECT ",\"feedback\":" OBJ0 "}}" },
	{ "MessageDraft",
	  "{\"type\":\"object\",\"required\":[\"role\",\"content\"],\"properties\":{\"id\":" ID
	  ",\"role\":{\"enum\":[\"user\",\"assistant\",\"tool\"]},\"content\":" TEXT
	  ",\"metadata\":" OBJECT "}}" },
	{ "MessagePatch",
	  "{\"type\":\"object\",\"properties\":{\"content\":" TEXT ",\"metadata\":" OBJECT "}}" },
	{ "Run", "{\"type\":\"object\",\"required\":[\"id\",\"status\",\"bytes\"],\"properties\":{"
		 "\"id\":" ID ",\"thread_id\":" ID ",\"message_id\":" ID ",\"status\":" STATUS
		 ",\"bytes\":" NUMBER ",\"saved\":" FLAG ",\"created_at\":" WHEN
		 ",\"ended_at\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}"
		 ",\"finish_reason\":" TEXT0 ",\"usage\":" OBJ0 "}}" },
	{ "Stopped", "{\"type\":\"object\",\"properties\":{\"id\":" ID ",\"status\":" STATUS
		     ",\"upstream_closed\":" FLAG ",\"bytes\":" NUMBER "}}" },
	{ "Chat",
	  "{\"type\":\"object\",\"properties\":{\"thread_id\":" ID ",\"message\":" TEXT
	  ",\"user_id\":" TEXT ",\"threadId\":" ID ",\"responseId\":" ID
	  ",\"prompt\":{\"type\":\"object\",\"required\":[\"content\"],"
	  "\"properties\":{\"id\":" ID ",\"role\":{\"const\":\"user\"},\"content\":" TEXT
	  "}},\"model\":" TEXT ",\"on_disconnect\":{\"type\":\"string\",\"pattern\":\"^(continue|"
	  "cancel|grace:[0-9]+)$\"},\"metadata\":" OBJECT "}}" },
	{ "Deleted",
	  "{\"type\":\"object\",\"properties\":{\"deleted\":{\"const\":true},\"id\":" ID "}}" },
	{ "Health", "{\"type\":\"object\",\"properties\":{\"status\":{\"enum\":[\"healthy\","
		    "\"degraded\",\"unhealthy\"]},"
		    "\"timestamp\":" WHEN
		    ",\"services\":{\"type\":\"object\",\"properties\":{\"database\":" OBJECT
		    ",\"llm_api\":" OBJECT "}}}}" },
	{ "Object", OBJECT },
	{ "Problem",
	  "{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"code\"],"
	  "\"properties\":{\"type\":" TEXT ",\"title\":" TEXT ",\"status\":" NUMBER
	  ",\"detail\":" TEXT ",\"code\":" TEXT ",\"request_id\":" TEXT ",\"retry_after\":" NUMBER
	  ",\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":"
	  "{\"field\":" TEXT ",\"reason\":" TEXT "}}}}}" },
};

/* --- operations --- */

static void put_parameter(struct json_writer *w, struct slice name, const char *in)
{
	json_open(w, '{');
	json_put_slice(w, "name", name);
	json_put_text(w, "in", in);
	if (strcmp(in, "path") == 0)
		json_put_bool(w, "required", true);
	json_key(w, "schema");
	json_raw(w, strcmp(in, "path") == 0 ? SLICE(ID) : SLICE(TEXT));
	json_close(w, '}');
}

/* The template's segments behind a colon, then the names of the query. */
static void put_parameters(struct json_writer *w, const struct route *route)
{
	const char *at = route->template;

	json_key(w, "parameters");
	json_open(w, '[');
	while ((at = strchr(at, ':'))) {
		size_t len = strcspn(++at, "/");

		put_parameter(w, (struct slice){ at, len }, "path");
		at += len;
	}
	for (at = route->query ? route->query : ""; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		put_parameter(w, (struct slice){ at, len }, "query");
		at += len;
	}
	json_close(w, ']');
}

static void put_ref(struct json_writer *w, const char *name)
{
	json_open(w, '{');
	json_key(w, "$ref");
	buffer_appendf(w->out, "\"#/components/schemas/%s\"", name);
	w->need_comma = true;
	json_close(w, '}');
}

static void put_content(struct json_writer *w, const char *type, const char *schema)
{
	json_key(w, "content");
	json_open(w, '{');
	json_key(w, type);
	json_open(w, '{');
	json_key(w, "schema");
	if (!schema) {
		json_raw(w, SLICE(TEXT));
	} else if (schema[0] == '*') {
		json_raw(w, SLICE("{\"type\":\"array\",\"items\":"));
		w->need_comma = false;
		put_ref(w, schema + 1);
		buffer_append_char(w->out, '}');
	} else {
		put_ref(w, schema);
	}
	json_close(w, '}');
	json_close(w, '}');
}

static void put_responses(struct json_writer *w, const struct route *route)
{
	json_key(w, "responses");
	json_open(w, '{');
	buffer_appendf(w->out, "\"%d\":", route->status);
	json_open(w, '{');
	json_put_text(w, "description", "Success");
	put_content(w, route->gives ? "application/json" : "text/plain", route->gives);
	json_close(w, '}');
	json_key(w, "default");
	json_open(w, '{');
	json_put_text(w, "description", "Any failure");
	put_content(w, "application/problem+json", "Problem");
	json_close(w, '}');
	json_close(w, '}');
}

static void put_operation(struct json_writer *w, const struct route *route)
{
	char method[8] = "";

	for (size_t i = 0; route->method[i] && i + 1 < sizeof method; i++)
		method[i] = (char)(route->method[i] | 0x20);
	json_key(w, method);
	json_open(w, '{');
	json_put_text(w, "summary", route->summary);
	put_parameters(w, route);
	if (route->takes) {
		json_key(w, "requestBody");
		json_open(w, '{');
		json_put_bool(w, "required", true);
		put_content(w, "application/json", route->takes);
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

static bool seen_before(size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(routes[i].template, routes[index].template) == 0)
			return true;
	return false;
}

static void put_paths(struct json_writer *w)
{
	json_key(w, "paths");
	json_open(w, '{');
	for (size_t i = 0; i < route_count; i++) {
		if (seen_before(i))
			continue;
		put_path_key(w, routes[i].template);
		json_open(w, '{');
		for (size_t n = i; n < route_count; n++)
			if (strcmp(routes[n].template, routes[i].template) == 0)
				put_operation(w, &routes[n]);
		json_close(w, '}');
	}
	json_close(w, '}');
}

static void put_schemas(struct json_writer *w)
{
	json_key(w, "components");
	json_open(w, '{');
	json_key(w, "schemas");
	json_open(w, '{');
	for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
		json_key(w, schemas[i].name);
		json_raw(w, slice_of(schemas[i].json));
	}
	json_close(w, '}');
	json_close(w, '}');
}

bool api_openapi(struct buffer *out)
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
	put_paths(&w);
	put_schemas(&w);
	json_close(&w, '}');
	return !out->failed;
}

bool openapi_get(struct call *call, struct error *err)
{
	response_json(call->response, 200);
	call->response->body.max = DOCUMENT_MAX;
	api_openapi(&call->response->body);
	return answer_done(call, err);
}
