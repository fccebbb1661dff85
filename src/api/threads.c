/* threads: the routes of conversations. */
#include "api_room.h"

#include "base/digits.h"
#include "http/etag.h"

#define VERSIONS_MAX 16   /* of a header */
#define LINK_MAX     6144 /* every letter of the longest filters may need twelve */
#define ROW_USUAL    400  /* bytes of a thread in a list */

/* --- list --- */

/* RFC 3986: all but the unreserved characters. */
static void percent_encode(struct buffer *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    (c && strchr("-._~", c)))
			buffer_append_char(out, c);
		else
			buffer_appendf(out, "%%%02X", (unsigned char)c);
	}
}

static void put_param(struct buffer *link, const char *name, const char *value)
{
	if (!value)
		return;
	buffer_appendf(link, "&%s=", name);
	percent_encode(link, slice_of(value));
}

/* Link: <...>; rel="next" (RFC 8288), with the filters of this page. */
static bool link_next(struct call *call, const struct thread_filter *filter, const char *place,
		      struct error *err)
{
	static const char *const yes_no[] = { "false", "true" };
	const char *next = cursor_sign(call, filter, place);
	struct buffer link;
	bool ok;

	if (!next)
		return budget_refused(err);
	buffer_init(&link, LINK_MAX);
	buffer_appendf(&link, "</api/threads?limit=%zu", filter->limit);
	put_param(&link, "cursor", next);
	put_param(&link, "q", filter->q);
	put_param(&link, "archived", filter->archived < 0 ? NULL : yes_no[filter->archived]);
	put_param(&link, "user_id", query_text(call, "user_id"));
	buffer_append(&link, SLICE(">; rel=\"next\""));
	ok = !link.failed && response_header(call->response, "Link", buffer_slice(&link));
	buffer_done(&link);
	return ok || budget_refused(err);
}

/* The same in the body, where clients look for it there. */
static bool put_cursor(struct call *call, const struct thread_filter *filter, const char *place,
		       struct error *err)
{
	struct buffer *body = &call->response->body;
	const char *next = place ? cursor_sign(call, filter, place) : NULL;

	if (place && !next)
		return budget_refused(err);
	if (next) {
		buffer_append(body, SLICE(",\"nextCursor\":\""));
		json_escape(body, slice_of(next));
		buffer_append_char(body, '"');
	}
	buffer_append_char(body, '}');
	return true;
}

static bool put_row(void *self, const struct thread *thread)
{
	struct buffer *body = self;

	if (body->data[body->len - 1] != '[')
		buffer_append_char(body, ',');
	render_thread(body, thread);
	return !body->failed;
}

bool threads_list(struct call *call, struct error *err)
{
	struct buffer *body = &call->response->body;
	const struct thread_taker taker = { put_row, body };
	bool has_cursor = call->route->flags & ROUTE_CURSOR;
	int archived = query_word(call, "archived");
	struct thread_filter filter = {
		.archived = archived < 0 ? -1 : archived % 2, /* false true 0 1 */
		.q = query_text(call, "q"),
		.limit = (size_t)query_number(call, "limit"),
		.taker = &taker,
	};
	struct thread_list list;

	if (filter.q && !*filter.q)
		filter.q = NULL;
	if (!cursor_read(call, &filter, err))
		return false;
	answer_json(call, 200);
	buffer_reserve(body, filter.limit * ROW_USUAL);
	if (!buffer_append(body, has_cursor ? SLICE("{\"threads\":[") : SLICE("[")))
		return budget_refused(err); /* put_row looks at its last byte */
	if (!service_thread_list(call->api->service, &call->caller, &filter, call->arena, &list,
				 err))
		return body->failed ? budget_refused(err) : false;
	buffer_append_char(body, ']');
	return (has_cursor ? put_cursor(call, &filter, list.next, err)
			   : !list.next || link_next(call, &filter, list.next, err)) &&
	       answer_done(call, err);
}

/* --- one --- */

static void put_version(struct call *call, const struct thread *thread)
{
	char tag[DIGITS_SIZE + 2] = "\"", *end = digits_write(tag + 1, thread->rev);

	*end++ = '"';
	response_header(call->response, "ETag", (struct slice){ tag, (size_t)(end - tag) });
}

static bool answer_thread(struct call *call, int status, const struct thread *thread,
			  struct error *err)
{
	answer_json(call, status);
	put_version(call, thread);
	render_thread(&call->response->body, thread);
	return answer_done(call, err);
}

/* The title is given, or made of a first message: {firstMessage:{message}}, its text, or the
 * message as clients hold it. */
static struct slice read_title(const struct call *call)
{
	const struct field *row = shape_find(call->route->takes, SLICE("firstMessage"));
	struct slice title = json_text(body_value(call, "title"));
	const struct json *first = body_value(call, "firstMessage");

	if (call->said.len > 0)
		return call->said;
	if (title.len > 0 || !first)
		return title;
	if (json_type(first) == JSON_OBJECT)
		first = shape_value(row->members, first, "message");
	return json_text(first);
}

bool threads_create(struct call *call, struct error *err)
{
	struct thread_draft draft = { .title = read_title(call) };
	struct thread thread;

	if (!body_object(call, "metadata", &draft.metadata, err) ||
	    !service_thread_create(call->api->service, &call->caller, &draft, call->arena, &thread,
				   err))
		return false;
	response_headerf(call->response, "Location", "/api/threads/%s", thread.id);
	return answer_thread(call, call->route->status, &thread, err);
}

/* Does the header name this version, or any? */
static bool names_version(struct slice header, int64_t rev)
{
	int64_t versions[VERSIONS_MAX];
	int count = etag_versions(header, versions, VERSIONS_MAX);

	for (int i = 0; i < count; i++)
		if (versions[i] == rev)
			return true;
	return count == ETAG_ANY;
}

bool thread_get(struct call *call, struct error *err)
{
	struct slice seen = call->request->headers[HEADER_IF_NONE_MATCH];
	struct thread thread;

	if (!service_thread_get(call->api->service, &call->caller, call->ids[0], call->arena,
				&thread, err))
		return false;
	if (!names_version(seen, thread.rev))
		return answer_thread(call, 200, &thread, err);
	put_version(call, &thread);
	call->response->status = 304;
	return true;
}

/* The version that If-Match wants to be the thread's, -1 when any will do. Of several the one that
 * it has is meant; the store looks once more while it writes. */
static bool read_if_match(const struct call *call, int64_t *rev, struct error *err)
{
	struct slice wanted = call->request->headers[HEADER_IF_MATCH];
	int64_t versions[VERSIONS_MAX];
	int count = etag_versions(wanted, versions, VERSIONS_MAX);
	struct thread thread;

	*rev = -1;
	if (wanted.len == 0 || count == ETAG_ANY)
		return true;
	if (count == 0)
		return error_set(err, ERROR_PRECONDITION,
				 "If-Match names no version of this conversation.");
	*rev = versions[0];
	if (count == 1)
		return true;
	if (!service_thread_get(call->api->service, &call->caller, call->ids[0], call->arena,
				&thread, err))
		return false;
	if (names_version(wanted, thread.rev))
		*rev = thread.rev;
	return true;
}

bool thread_update(struct call *call, struct error *err)
{
	struct thread_patch patch = {
		.title = body_text(call, "title").ptr,
		.archived = body_flag(call, "archived"),
	};
	struct thread thread;

	if (!body_object(call, "metadata", &patch.metadata, err) ||
	    !read_if_match(call, &patch.if_rev, err))
		return false;
	if (!service_thread_update(call->api->service, &call->caller, call->ids[0], &patch,
				   call->arena, &thread, err))
		return false;
	return answer_thread(call, 200, &thread, err);
}

bool thread_delete(struct call *call, struct error *err)
{
	struct json_writer w;

	if (!service_thread_delete(call->api->service, &call->caller, call->ids[0], call->arena,
				   err))
		return false;
	w = answer_json(call, 200);
	json_open(&w, '{');
	json_put_bool(&w, "deleted", true);
	json_put_text(&w, "id", call->ids[0]);
	json_close(&w, '}');
	return answer_done(call, err);
}
