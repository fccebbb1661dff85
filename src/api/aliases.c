/*
 * aliases: the routes of other clients' backends, so that a page which was written for one of those
 * works with c1d as it stands, on the same data. Each is another address of a route of ours and
 * goes the same walk: its row says of which, what its client sends, how that is turned into what
 * the handler reads, and how the answer looks. Whose they are:
 *
 *   /api/thread...      Thesys' Next.js examples (github.com/thesysdev/examples,
 *                       persistence-with-c1-chat), whose list is our own GET /api/threads
 *   /threads, /chat     Thesys' FastAPI example (langgraph-with-c1-python)
 *   /api/openui/...     restStorage and fetchLLM of @openuidev/react-headless
 *
 * None of them asks for a second page of messages, so these are long.
 */
#include "route_rows.h"

#define QUESTION_MAX (256 * KIB)

static api_handler take_question, take_message_id;

/* clang-format off */
const struct route aliases[] = {
	{ "POST", "/api/thread", threads_create, WRITES | TAGGED | ROUTE_PLACES, &query_none, &shape_thread_draft, SMALL,
	  "Make a conversation: {name}", 201, .gives = "Thread", .same_as = "POST /api/threads" },
	{ "PUT", "/api/thread/:id", thread_update, WRITES | TAGGED | ROUTE_IF_MATCH, &query_none, &shape_thread_title, SMALL,
	  "Rename a conversation: its entry", 200, .gives = "Thread", .same_as = "PUT /api/threads/:id" },
	{ "DELETE", "/api/thread/:id", thread_delete, WRITES, &query_none, NULL, 0,
	  "Delete a conversation", 200, .gives = "Said", .same_as = "DELETE /api/threads/:id",
	  .says = "Thread deleted successfully" },
	{ "GET", "/api/thread/:id/messages", messages_list, READS | ROUTE_PAGED, &query_history, NULL, 0,
	  "List messages, oldest first, as the C1 client loads them", 200, .gives = "*Message",
	  .same_as = "GET /api/threads/:id/messages" },
	{ "POST", "/api/thread/:id/message", message_add, WRITES, &query_none, &shape_message_draft, MESSAGE,
	  "Add a message", 200, .gives = "Said", .same_as = "POST /api/threads/:id/messages",
	  .says = "Message added" },
	{ "PUT", "/api/thread/:id/message", message_update, WRITES, &query_none, &shape_message_whole, MESSAGE,
	  "Replace the message that the body names", 200, .gives = "Said",
	  .same_as = "PUT /api/threads/:id/messages/:mid", .turn = take_message_id, .says = "Message updated" },

	{ "POST", "/chat", chat_post, CHATS | ROUTE_STREAMS | ROUTE_KEYED, &query_chat, &shape_chat, CHAT,
	  "Ask, and get the answer as it is written", 200, .same_as = "POST /api/chat" },
	{ "GET", "/threads", threads_list, READS | ROUTE_PAGED, &query_all_threads, NULL, 0,
	  "List conversations, the last changed first", 200, .gives = "*Thread", .same_as = "GET /api/threads" },
	{ "POST", "/threads", threads_create, WRITES | TAGGED | ROUTE_PLACES, &query_none, &shape_thread_draft, SMALL,
	  "Make a conversation: {title}", 200, .gives = "Thread", .same_as = "POST /api/threads" },
	{ "PUT", "/threads/:id", thread_update, WRITES | TAGGED | ROUTE_IF_MATCH, &query_none, &shape_thread_title, SMALL,
	  "Rename a conversation: {title}", 200, .gives = "Thread", .same_as = "PUT /api/threads/:id" },
	{ "DELETE", "/threads/:id", thread_delete, WRITES, &query_none, NULL, 0,
	  "Delete a conversation", 204, .same_as = "DELETE /api/threads/:id" },
	{ "GET", "/threads/:id/messages", messages_list, READS | ROUTE_PAGED, &query_history, NULL, 0,
	  "List messages, oldest first, as the C1 client loads them", 200, .gives = "*Message",
	  .same_as = "GET /api/threads/:id/messages" },
	{ "PUT", "/threads/:id/message", message_update, WRITES, &query_none, &shape_message_whole, MESSAGE,
	  "Replace the message that the body names", 200, .gives = "Said",
	  .same_as = "PUT /api/threads/:id/messages/:mid", .turn = take_message_id,
	  .says = "Message update acknowledged" },

	{ "GET", "/api/openui/get", threads_list, READS | ROUTE_CURSOR, &query_threads, NULL, 0,
	  "List conversations, the last changed first", 200, .gives = "ThreadPage", .same_as = "GET /api/threads" },
	{ "POST", "/api/openui/create", threads_create, WRITES | TAGGED | ROUTE_PLACES, &query_none, &shape_openui_draft, CHAT,
	  "Make a conversation: its first message", 201, .gives = "Thread", .same_as = "POST /api/threads",
	  .turn = take_question },
	{ "GET", "/api/openui/get/:id", messages_list, READS | ROUTE_PAGED | ROUTE_BARE, &query_bare, NULL, 0,
	  "List messages, oldest first, as a person reads them", 200, .gives = "*BareMessage",
	  .same_as = "GET /api/threads/:id/messages" },
	{ "PATCH", "/api/openui/update/:id", thread_update, WRITES | TAGGED | ROUTE_IF_MATCH, &query_none, &shape_thread_title, SMALL,
	  "Rename a conversation: its entry", 200, .gives = "Thread", .same_as = "PATCH /api/threads/:id" },
	{ "DELETE", "/api/openui/delete/:id", thread_delete, WRITES, &query_none, NULL, 0,
	  "Delete a conversation", 200, .gives = "Deleted", .same_as = "DELETE /api/threads/:id" },
	{ "POST", "/api/openui/chat", chat_post, CHATS | ROUTE_STREAMS | ROUTE_KEYED | ROUTE_HISTORY, &query_openui_chat,
	  &shape_openui_chat, MESSAGE, "Ask what the last message of the user says; the others are here already", 200,
	  .same_as = "POST /api/chat", .turn = take_question },
	{ .more = NULL },
};
/* clang-format on */

/* --- what is sent --- */

/* The message is named in the body, and not in the address. */
static bool take_message_id(struct call *call, struct error *err)
{
	call->ids[1] = arena_copy(call->arena, body_text(call, "id"));
	return call->ids[1] || budget_refused(err);
}

static bool is_role(struct slice role)
{
	/* As AG-UI and OpenAI have them. */
	static const char *const roles[] = { "user", "assistant", "system",    "developer",
					     "tool", "function",  "reasoning", "activity" };

	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
		if (slice_is(role, roles[i]))
			return true;
	return false;
}

static bool wrong(const char *why, struct error *err)
{
	return error_field(err, ERROR_VALIDATION, "messages", "%s", why);
}

static bool too_long(struct error *err)
{
	return wrong("A message of the user is longer than 262144 bytes.", err);
}

static struct slice part_text(const struct json *part)
{
	bool is_text = slice_is(json_text(json_get(part, "type")), "text");

	return is_text ? json_text(json_get(part, "text")) : SLICE("");
}

static bool join_parts(struct call *call, const struct json *parts, struct slice *out,
		       struct error *err)
{
	size_t len = 0;
	char *text, *at;

	for (const struct json *part = json_first(parts); part; part = json_next(part)) {
		if (part_text(part).len == 0)
			return wrong("A message of the user has to be text, and has other or "
				     "empty parts.",
				     err);
		len += part_text(part).len;
	}
	if (len > QUESTION_MAX)
		return too_long(err);
	text = at = arena_alloc(call->arena, len + 1);
	if (!text)
		return budget_refused(err);
	for (const struct json *part = json_first(parts); part; part = json_next(part))
		at = mempcpy(at, part_text(part).ptr, part_text(part).len);
	*out = (struct slice){ text, len };
	return true;
}

/* Text comes as a string, or in parts. */
static bool read_content(struct call *call, const struct json *content, struct slice *out,
			 struct error *err)
{
	*out = json_text(content);
	if (content && json_type(content) == JSON_ARRAY && !join_parts(call, content, out, err))
		return false;
	if (out->len == 0)
		return wrong("A message of the user has no text.", err);
	return out->len <= QUESTION_MAX || too_long(err);
}

/* A client may leave ids out, and then one is made. */
static bool read_id(const struct json *id, struct slice *out, struct error *err)
{
	static const struct field row = { "id", .kind = FIELD_ID };

	*out = (struct slice){ NULL, 0 };
	if (!id || json_type(id) == JSON_NULL)
		return true;
	*out = json_text(id);
	return field_check_text(&row, "messages.id", *out, err);
}

/* The last message of the user. What else there is the client has from here, or made up: the
 * history is ours, and what is in it is no reason to refuse a question. */
static bool take_question(struct call *call, struct error *err)
{
	const struct json *messages = body_value(call, "messages"), *last = NULL;

	for (const struct json *at = json_first(messages); at; at = json_next(at)) {
		struct slice role = json_text(json_get(at, "role"));

		if (!is_role(role))
			return wrong("A message has to be an object with a role.", err);
		if (slice_is(role, "user"))
			last = at;
	}
	if (!last)
		return wrong("There is no message of the user.", err);
	return read_content(call, json_get(last, "content"), &call->said, err) &&
	       read_id(json_get(last, "id"), &call->said_id, err);
}

/* --- what is answered --- */

bool alias_answer(struct call *call, struct error *err)
{
	const struct route *route = call->route;
	struct json_writer w;

	if (!route->says && route->status != 204)
		return true;
	response_restart(call->response);
	if (!route->says) {
		call->response->status = route->status;
		return true;
	}
	w = answer_json(call, route->status);
	json_open(&w, '{');
	json_put_text(&w, "message", route->says);
	json_close(&w, '}');
	return answer_done(call, err);
}
