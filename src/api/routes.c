/* routes: every route there is. Dispatch, metrics' labels, `Allow` and the OpenAPI document come
 * from this table. */
#include "api_room.h"

#define KIB 1024u
#define MIB (1024u * KIB)

#define CHAT    (256 * KIB)
#define MESSAGE (12 * MIB)
#define SMALL   (64 * KIB)

#define CALLER ROUTE_CALLER
#define BODY   (ROUTE_CALLER | ROUTE_BODY)

/* clang-format off */
const struct route routes[] = {
	{ "POST", "/api/chat", chat_post, BODY | ROUTE_STREAMS, CHAT,
	  "Ask, and get the answer as it is written", "stream keepalive errors", "Chat", 200, NULL },
	{ "GET", "/api/threads", threads_list, CALLER, 0,
	  "List conversations, the last changed first", "limit cursor q archived user_id", NULL, 200, "*Thread" },
	{ "POST", "/api/threads", threads_create, BODY, SMALL,
	  "Make a conversation", NULL, "ThreadDraft", 201, "Thread" },
	{ "GET", "/api/threads/:id", thread_get, CALLER, 0,
	  "Read a conversation's entry", NULL, NULL, 200, "Thread" },
	{ "PATCH", "/api/threads/:id", thread_update, BODY, SMALL,
	  "Rename, archive or label a conversation", NULL, "ThreadPatch", 200, "Thread" },
	{ "PUT", "/api/threads/:id", thread_update, BODY, SMALL,
	  "The same as PATCH", NULL, "ThreadPatch", 200, "Thread" },
	{ "DELETE", "/api/threads/:id", thread_delete, CALLER, 0,
	  "Delete a conversation with all that is in it", NULL, NULL, 200, "Deleted" },
	{ "GET", "/api/threads/:id/messages", messages_list, CALLER, 0,
	  "List messages, oldest first", "limit before after as", NULL, 200, "*Message" },
	{ "POST", "/api/threads/:id/messages", message_add, BODY, MESSAGE,
	  "Add a message without asking the model", NULL, "MessageDraft", 201, "Message" },
	{ "PUT", "/api/threads/:id/messages/:mid", message_update, BODY, MESSAGE,
	  "Replace a message's content, as after a form was filled in", NULL, "MessagePatch", 200, "Message" },
	{ "PATCH", "/api/threads/:id/messages/:mid", message_update, BODY, MESSAGE,
	  "The same as PUT", NULL, "MessagePatch", 200, "Message" },
	{ "GET", "/api/threads/:id/runs", thread_runs, CALLER, 0,
	  "List answers in flight and those that ended lately", "active", NULL, 200, "*Run" },
	{ "GET", "/api/runs/:id", run_get, CALLER, 0,
	  "Read how an answer stands", NULL, NULL, 200, "Run" },
	{ "GET", "/api/runs/:id/stream", run_stream, CALLER | ROUTE_STREAMS, 0,
	  "Follow an answer from where you left off", "offset stream last_event_id keepalive", NULL, 200, NULL },
	{ "POST", "/api/runs/:id/stop", run_stop, CALLER, 0,
	  "Stop an answer and keep what there is", NULL, NULL, 200, "Stopped" },
	{ "GET", "/api/openapi.json", openapi_get, 0, 0,
	  "This document", NULL, NULL, 200, "Object" },
	{ "GET", "/health", health_get, 0, 0,
	  "How the service and what it needs are", NULL, NULL, 200, "Health" },
	{ "GET", "/api/health", health_get, 0, 0,
	  "The same as /health", NULL, NULL, 200, "Health" },
	{ "GET", "/livez", livez_get, 0, 0,
	  "Whether the process answers", NULL, NULL, 200, "Object" },
	{ "GET", "/readyz", readyz_get, 0, 0,
	  "Whether requests can be served", NULL, NULL, 200, "Object" },
	{ "GET", "/metrics", metrics_get, 0, 0,
	  "Figures of the whole pool for Prometheus", NULL, NULL, 200, NULL },
};
/* clang-format on */

const size_t route_count = sizeof routes / sizeof routes[0];
