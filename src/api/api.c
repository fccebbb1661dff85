/* api: the one walk of a request: origin, route, body, caller, handler, and any error to a problem
 * body in one place. */
#include "api_room.h"

#include "base/id.h"
#include "base/log.h"
#include "base/metrics.h"
#include "guard/limit.h"
#include "http/problem.h"
#include <stdio.h>
#include <strings.h>

#define ROUTE_UNKNOWN "(none)"

/* Three keys and four values a message: some two thousand of them. */
#define HISTORY_KEYS_MAX   8192
#define HISTORY_VALUES_MAX 16384

void api_init(void)
{
	/* The first label is for what no route takes. */
	static const char *names[METRIC_ROUTES_MAX] = { ROUTE_UNKNOWN };

	int count = 1;

	_Static_assert(METRIC_ROUTES_MAX > 44, "each route needs a label");
	for (const struct route *at = routes; at && count < METRIC_ROUTES_MAX; at = route_next(at))
		names[count++] = at->template;
	metrics_name_labels(M_REQUESTS, 0, names, count);
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

/* The line for this method, which the tables hold once, or the methods that the path takes. */
static const struct route *match(struct call *call, struct slice ids[API_IDS_MAX], char allow[64])
{
	const struct request *request = call->request;
	int label = 0;

	allow[0] = '\0';
	for (const struct route *at = routes; at; at = route_next(at)) {
		label++;
		if (!matches(at->template, request->path, ids))
			continue;
		/* One label a template, whatever the method: figures name no method, and no series
		 * may occur twice. */
		if (!allow[0])
			call->response->route_label = label;
		call->response->route = at->template;
		if (method_is(at, request->method))
			return at;
		snprintf(allow + strlen(allow), 64 - strlen(allow), "%s%s", allow[0] ? ", " : "",
			 at->method);
	}
	return NULL;
}

/* NULL with an error, or, for OPTIONS, with none: that is answered here. */
static const struct route *find_route(struct call *call, struct error *err)
{
	struct slice ids[API_IDS_MAX] = { { NULL, 0 }, { NULL, 0 } };
	const struct route *route;
	char allow[64];

	if ((route = match(call, ids, allow))) {
		for (int n = 0; n < API_IDS_MAX; n++)
			call->ids[n] = ids[n].len > 0 ? arena_copy(call->arena, ids[n]) : NULL;
		return route;
	}
	if (!allow[0]) {
		error_set(err, ERROR_NOT_FOUND, "There is nothing here.");
	} else if (slice_is(call->request->method, "OPTIONS")) {
		cors_answer_options(call, allow);
	} else {
		response_header(call->response, "Allow", slice_of(allow));
		response_keep(call->response);
		error_set(err, ERROR_METHOD, "This address takes %s.", allow);
	}
	return NULL;
}

/* --- the body --- */

/* Said, not guessed: a page elsewhere cannot say JSON without being asked for leave first. */
static bool is_json_type(struct slice type)
{
	static const char name[] = "application/json";
	size_t len = sizeof name - 1;

	return type.len >= len && strncasecmp(type.ptr, name, len) == 0 &&
	       (type.len == len || strchr("; \t", type.ptr[len]));
}

/* The parsed body. Answers may be made of it, so it lives until they are out. */
struct tree {
	struct json *root;
	struct loan loan;
};

static void let_go(void *ctx)
{
	struct tree *tree = ctx;

	json_free(tree->root);
	loan_resize(&tree->loan, 0);
}

/* The text becomes a tree, which has copies of its own, and goes. */
static bool parse(struct call *call, const struct route *route, struct error *err)
{
	static const struct json_bounds of_a_history = { JSON_DEPTH_MAX, HISTORY_KEYS_MAX,
							 HISTORY_VALUES_MAX };
	struct buffer *text = &call->request->body;
	struct tree *tree = arena_alloc(call->arena, sizeof *tree);

	if (!tree)
		return budget_refused(err);
	tree->loan = loan_of(call->request->budget);
	call->response->let_go = let_go;
	call->response->let_go_ctx = tree;
	if (!loan_resize(&tree->loan, text->len))
		return budget_refused(err);
	tree->root = route->flags & ROUTE_HISTORY
			     ? json_parse_within(buffer_slice(text), &of_a_history, err)
			     : json_parse(buffer_slice(text), err);
	buffer_done(text);
	call->body = tree->root;
	return tree->root != NULL;
}

static bool read_body(struct call *call, const struct route *route, struct error *err)
{
	struct request *request = call->request;

	if (!route->takes)
		return true;
	if (!is_json_type(request->headers[HEADER_CONTENT_TYPE]))
		return error_set(err, ERROR_MEDIA_TYPE,
				 "Send the body with Content-Type: application/json.");
	return request->read_body(request, route->body_max, err) && parse(call, route, err) &&
	       (json_type(call->body) == JSON_OBJECT ||
		error_set(err, ERROR_VALIDATION, "The body has to be a JSON object.")) &&
	       shape_check(route->takes, call->body, "", err) &&
	       (!route->turn || route->turn(call, err));
}

/* --- the caller --- */

/* Before a byte of the body is read. What its client is told of it stays, whatever becomes of the
 * request. */
static bool find_caller(struct call *call, const struct route *route, struct error *err)
{
	bool ok = !(route->flags & ROUTE_CALLER) ||
		  guard_who(call->api->guard, call->request, call->origin, call->response,
			    &call->caller, err);

	response_keep(call->response);
	return ok;
}

/* The user_id that the request says, once it is read. */
static bool name_caller(struct call *call, const struct route *route, struct error *err)
{
	struct slice said = SLICE("");

	if (!(route->flags & ROUTE_CALLER))
		return true;
	if (route->takes)
		said = json_text(body_value(call, "user_id"));
	if (said.len == 0)
		said = slice_of(query_text(call, "user_id"));
	return guard_act_as(call->arena, said, &call->caller, err);
}

/* How often it may: a question is asked for when it is known to be no resend (chat.c). */
static bool is_not_too_often(struct call *call, const struct route *route, struct error *err)
{
	bool reads = strcmp(route->method, "GET") == 0;
	struct limit_taken taken;

	return !(route->flags & ROUTE_CALLER) || route->handle == chat_post ||
	       limit_take(call->api->guard, &call->caller, reads ? LIMIT_READ : LIMIT_WRITE,
			  call->response, &taken, err);
}

/* --- the walk --- */

static bool serve(struct call *call, const struct route *route, struct error *err)
{
	call->route = route;
	return query_read(call, err) && find_caller(call, route, err) && scopes_check(call, err) &&
	       read_body(call, route, err) && name_caller(call, route, err) &&
	       !call->arena->failed && is_not_too_often(call, route, err) &&
	       route->handle(call, err) && alias_answer(call, err);
}

static bool walk(struct call *call, struct error *err)
{
	const struct route *route;

	cors_begin(call);
	if (!request_split_target(call->request, err))
		return false;
	if (!(route = find_route(call, err)))
		return err->code == ERROR_NONE;
	return cors_admit(call, err) && serve(call, route, err);
}

/* For the log. Where nobody signs in and no user_id is said, everybody is the same one. */
static void name_user(const struct call *call)
{
	const struct caller *caller = &call->caller;

	_Static_assert(sizeof call->response->user == GUARD_TAG_SIZE, "a tag is kept whole");
	if (caller->user_id && (caller->kind != CALLER_ANYBODY || caller->named))
		guard_tag(call->api->guard, caller->user_id, call->response->user);
}

void api_handle(struct api *api, struct request *request, struct response *response)
{
	struct call call = {
		.api = api, .request = request, .response = response, .arena = request->arena
	};
	struct error err = { 0 };
	bool ok;

	response_shield(response);
	response->body.loan = loan_of(request->budget);
	response->route = ROUTE_UNKNOWN;
	response->route_label = 0;
	request->remote_addr = guard_client(api->guard, request);
	ok = walk(&call, &err);
	name_user(&call);
	if (!ok || (response->header_refused && !response->stream)) {
		/* Whatever the rooms below took it for. */
		if (request->arena->failed)
			budget_refused(&err);
		if (err.code == ERROR_NONE)
			error_set(&err, ERROR_INTERNAL, "This request could not be served.");
		response->error = err.code;
		if (call.route && call.route->handle == chat_post && chat_wants_card(&call))
			chat_card(&call, &err);
		else
			problem_response(&err, request->id, response);
	}
}
