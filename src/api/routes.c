/*
 * routes: every route of ours; aliases.c has those of other clients' backends. Dispatch, metrics'
 * labels, `Allow` and the OpenAPI document come from these tables. Handlers stand below them: the
 * one that tells of the tables themselves is here.
 */
#include "route_rows.h"

#define DOCUMENT_MAX (256u * KIB)

static api_handler openapi_get;

/* clang-format off */
const struct route routes[] = {
	{ "POST", "/api/chat", chat_post, CHATS | ROUTE_STREAMS | ROUTE_KEYED, &query_chat, &shape_chat, CHAT,
	  "Ask, and get the answer as it is written", 200, .gives = NULL },
	{ "GET", "/api/threads", threads_list, READS | ROUTE_PAGED, &query_threads, NULL, 0,
	  "List conversations, the last changed first", 200, .gives = "*Thread" },
	{ "POST", "/api/threads", threads_create, WRITES | TAGGED | ROUTE_PLACES, &query_none, &shape_thread_draft, SMALL,
	  "Make a conversation", 201, .gives = "Thread" },
	{ "GET", "/api/threads/:id", thread_get, READS | TAGGED | ROUTE_IF_NONE_MATCH, &query_none, NULL, 0,
	  "Read a conversation's entry", 200, .gives = "Thread" },
	{ "PATCH", "/api/threads/:id", thread_update, WRITES | TAGGED | ROUTE_IF_MATCH, &query_none, &shape_thread_patch, SMALL,
	  "Rename, archive or label a conversation", 200, .gives = "Thread" },
	{ "PUT", "/api/threads/:id", thread_update, WRITES | TAGGED | ROUTE_IF_MATCH, &query_none, &shape_thread_patch, SMALL,
	  "The same as PATCH", 200, .gives = "Thread" },
	{ "DELETE", "/api/threads/:id", thread_delete, WRITES, &query_none, NULL, 0,
	  "Delete a conversation with all that is in it", 200, .gives = "Deleted" },
	{ "GET", "/api/threads/:id/messages", messages_list, READS | ROUTE_PAGED, &query_messages, NULL, 0,
	  "List messages, oldest first", 200, .gives = "*Message" },
	{ "POST", "/api/threads/:id/messages", message_add, WRITES, &query_none, &shape_message_draft, MESSAGE,
	  "Add a message without asking the model", 201, .gives = "Message" },
	{ "PUT", "/api/threads/:id/messages/:mid", message_update, WRITES, &query_none, &shape_message_patch, MESSAGE,
	  "Replace a message's content, as after a form was filled in", 200, .gives = "Message" },
	{ "PATCH", "/api/threads/:id/messages/:mid", message_update, WRITES, &query_none, &shape_message_patch, MESSAGE,
	  "The same as PUT", 200, .gives = "Message" },
	{ "GET", "/api/threads/:id/runs", thread_runs, READS, &query_runs, NULL, 0,
	  "List answers in flight and those that ended lately", 200, .gives = "*Run" },
	{ "GET", "/api/runs/:id", run_get, READS | ROUTE_CHATS, &query_none, NULL, 0,
	  "Read how an answer stands", 200, .gives = "Run" },
	{ "GET", "/api/runs/:id/stream", run_stream, READS | ROUTE_CHATS | ROUTE_STREAMS | ROUTE_RESUMES, &query_stream, NULL, 0,
	  "Follow an answer from where you left off", 200, .gives = NULL },
	{ "POST", "/api/runs/:id/stop", run_stop, WRITES | ROUTE_CHATS, &query_none, NULL, 0,
	  "Stop an answer and keep what there is", 200, .gives = "Stopped" },
	{ "POST", "/api/me/claim", me_claim, WRITES, &query_none, NULL, 0,
	  "Take along what this browser had before its user signed in", 200, .gives = "Claimed" },
	{ "GET", "/api/openapi.json", openapi_get, 0, &query_none, NULL, 0,
	  "This document", 200, .gives = "Object" },
	{ "GET", "/health", health_get, 0, &query_none, NULL, 0,
	  "How the service and what it needs are", 200, .gives = "Health" },
	{ "GET", "/api/health", health_get, 0, &query_none, NULL, 0,
	  "The same as /health", 200, .gives = "Health" },
	{ "GET", "/livez", livez_get, 0, &query_none, NULL, 0,
	  "Whether the process answers", 200, .gives = "Object" },
	{ "GET", "/readyz", readyz_get, 0, &query_none, NULL, 0,
	  "Whether requests can be served", 200, .gives = "Object" },
	{ "GET", "/metrics", metrics_get, 0, &query_none, NULL, 0,
	  "Figures of the whole pool for Prometheus", 200, .gives = NULL },
	{ .more = aliases },
};
/* clang-format on */

static bool openapi_get(struct call *call, struct error *err)
{
	response_json(call->response, 200);
	call->response->body.max = DOCUMENT_MAX;
	openapi_write(&call->response->body, routes);
	return answer_done(call, err);
}
