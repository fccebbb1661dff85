/* api: the one walk of a request: route, body, caller, handler, and any error to a problem body in
 * one place. */
#include "api_room.h"

#include "base/id.h"
#include "base/log.h"
#include "base/metrics.h"
#include "guard/who.h"
#include "http/problem.h"
#include <stdio.h>
#include <strings.h>

#define ROUTE_UNKNOWN "(none)"

void api_init(void)
{
	/* The first label is for what no route takes. */
	static const char *names[METRIC_ROUTES_MAX] = { ROUTE_UNKNOWN };

	_Static_assert(METRIC_ROUTES_MAX > 24, "each route needs a label");
	for (size_t i = 0; i < route_count && i + 1 < METRIC_ROUTES_MAX; i++)
		names[i + 1] = routes[i].template;
	metrics_name_labels(M_REQUESTS, 0, names, (int)route_count + 1);
}

/* --- routing --- */

static struct slice next_segment(struct slice *path)
{
	size_t len = 1;

	while (len < path->len && path->ptr[len] != '/')
		len++;
	struct slice segment = { path->ptr + 1, len - 1 };
	*path = slice_skip(*path, len);
	return segment;
}

/* Compares segment by segment. Ids are taken as they stand: none that is well-formed needs an
 * escape. */
static bool matches(const char *template, struct slice path, struct slice ids[API_IDS_MAX])
{
	struct slice rest = slice_of(template);
	int id_count = 0;

	while (rest.len > 0 && path.len > 0) {
		struct slice wanted = next_segment(&rest), found = next_segment(&path);

		if (wanted.len > 0 && wanted.ptr[0] == ':') {
			if (!id_valid(found))
				return false;
			ids[id_count++] = found;
		} else if (!slice_equal(wanted, found)) {
			return false;
		}
	}
	return rest.len == 0 && path.len == 0;
}

static bool method_is(const struct route *route, struct slice method)
{
	return slice_is(method, route->method) ||
	       (slice_is(method, "HEAD") && strcmp(route->method, "GET") == 0);
}

/* The table holds each template with the same method once, so the first match is the only one. */
static const struct route *find_route(struct call *call, struct error *err)
{
	const struct request *request = call->request;
	struct slice ids[API_IDS_MAX] = { { NULL, 0 }, { NULL, 0 } };
	char allow[64] = "";

	for (size_t i = 0; i < route_count; i++) {
		if (!matches(routes[i].template, request->path, ids))
			continue;
		/* One label a template, whatever the method: figures name no method, and no series
		 * may occur twice. */
		if (!allow[0])
			call->response->route_label = (int)i + 1;
		call->response->route = routes[i].template;
		if (method_is(&routes[i], request->method)) {
			for (int n = 0; n < API_IDS_MAX; n++)
				call->ids[n] =
					ids[n].len > 0 ? arena_copy(call->arena, ids[n]) : NULL;
			return &routes[i];
		}
		snprintf(allow + strlen(allow), sizeof allow - strlen(allow), "%s%s",
			 allow[0] ? ", " : "", routes[i].method);
	}
	if (!allow[0]) {
		error_set(err, ERROR_NOT_FOUND, "There is nothing here.");
		return NULL;
	}
	response_header(call->response, "Allow", slice_of(allow));
	error_set(err, ERROR_METHOD, "This address takes %s.", allow);
	return NULL;
}

/* --- the body --- */

static bool is_json_type(struct slice type)
{
	static const char name[] = "application/json";
	size_t len = sizeof name - 1;

	/* None: a program that did not say. A browser always does, and a page elsewhere cannot say
	 * JSON unasked. */
	if (type.len == 0)
		return true;
	return type.len >= len && strncasecmp(type.ptr, name, len) == 0 &&
	       (type.len == len || strchr("; \t", type.ptr[len]));
}

static bool read_body(struct call *call, const struct route *route, struct json **root,
		      struct error *err)
{
	struct request *request = call->request;

	if (!(route->flags & ROUTE_BODY))
		return true;
	if (!is_json_type(request->headers[HEADER_CONTENT_TYPE]))
		return error_set(err, ERROR_MEDIA_TYPE,
				 "Send the body with Content-Type: application/json.");
	if (!request->read_body(request, route->body_max, err))
		return false;
	if (!(*root = json_parse(request->body, err)))
		return false;
	if (json_type(*root) != JSON_OBJECT)
		return error_set(err, ERROR_VALIDATION, "The body has to be a JSON object.");
	call->body = *root;
	return true;
}

/* --- the caller --- */

static bool find_caller(struct call *call, const struct route *route, struct error *err)
{
	struct slice claimed = SLICE("");
	const char *asked = NULL;

	if (!(route->flags & ROUTE_CALLER))
		return true;
	if (!query_text(call, "user_id", USER_ID_MAX * 4, &asked, err) ||
	    !field_text(call, call->body, "user_id", "userId", USER_ID_MAX * 4, &claimed, err))
		return false;
	if (claimed.len == 0 && asked)
		claimed = slice_of(asked);
	return who_is(call->request, claimed, &call->caller, err);
}

/* --- the walk --- */

static bool walk(struct call *call, struct json **root, struct error *err)
{
	const struct route *route;

	return request_split_target(call->request, err) && (route = find_route(call, err)) &&
	       (call->request->body = SLICE(""), read_body(call, route, root, err)) &&
	       find_caller(call, route, err) &&
	       (!call->arena->failed ||
		error_set(err, ERROR_OVERLOADED, "No memory for this request.")) &&
	       route->handle(call, err);
}

void api_handle(struct api *api, struct request *request, struct response *response)
{
	struct call call = {
		.api = api, .request = request, .response = response, .arena = request->arena
	};
	struct error err = { 0 };
	struct json *root = NULL;

	response->route = ROUTE_UNKNOWN;
	response->route_label = 0;
	if (!walk(&call, &root, &err)) {
		if (err.code == ERROR_NONE)
			error_set(&err, ERROR_INTERNAL, "This request could not be served.");
		response->error = err.code;
		problem_response(&err, request->id, response);
	}
	json_free(root);
}
