/*
 * shapes: every member of every body and every word of every query. Names as the interface has
 * them, in both spellings where clients of both kinds exist.
 */
#include "api_room.h"

#include "model/caller.h"

#define KIB 1024
#define MIB (1024 * KIB)

#define QUESTION_MAX (256 * KIB)
#define CONTENT_MAX  (8 * MIB)
#define METADATA_MAX (16 * KIB)
#define KEEP_MAX_S   300

#define SHAPE(id, schema, rule)                                                                    \
	const struct shape id = { schema, id##_fields, sizeof id##_fields / sizeof id##_fields[0], \
				  rule }

/* In a rule: this member is there, and not null. */
#define NEEDS(name, type)                                                                          \
	"{\"required\":[\"" name "\"],\"properties\":{\"" name "\":{\"type\":\"" type "\"}}}"

/* clang-format off */
#define OWNER \
	{ "user_id", "userId", FIELD_LINE, .max = USER_ID_MAX, .about = "Whose it is, where nobody signs in" }
#define METADATA \
	{ "metadata", .kind = FIELD_OBJECT, .max = METADATA_MAX, .about = "Kept as it is, at most 16 KiB; replaces what was there" }
#define ECHO(name, alias) \
	{ name, alias, FIELD_ECHO, .about = "Taken and not looked at: clients send back what they got" }
#define ECHO_TIMES ECHO("created_at", "createdAt"), ECHO("updated_at", "updatedAt")

/* --- bodies --- */

static const struct field prompt_fields[] = {
	{ "id", .kind = FIELD_ID, .about = "Id of the question; one is made unless given" },
	{ "role", .kind = FIELD_WORD, .words = "user", .about = "A question is the user's" },
	{ "content", .kind = FIELD_BYTES, .min = 1, .max = QUESTION_MAX, .is_required = true, .about = "The question, as text or in C1 form" },
};
static SHAPE(prompt, NULL, NULL);

static const struct field shape_chat_fields[] = {
	{ "thread_id", "threadId", FIELD_ID, .about = "The conversation; a new one unless given" },
	{ "response_id", "responseId", FIELD_ID, .about = "Id of the answer; one is made unless given" },
	{ "message", .kind = FIELD_BYTES, .min = 1, .max = QUESTION_MAX, .about = "The question; this or prompt" },
	{ "prompt", .kind = FIELD_OBJECT, .members = &prompt, .about = "The question as the C1 client sends it" },
	{ "model", .kind = FIELD_TEXT, .max = 256, .about = "One of those that are offered" },
	{ "on_disconnect", "onDisconnect", FIELD_LEAVE, .about = "What becomes of the answer when nobody follows it; wins over the query's" },
	{ "metadata", .kind = FIELD_OBJECT, .max = METADATA_MAX, .about = "Kept with the question, at most 16 KiB; replaces: the id of an earlier question in whose place this one is asked" },
	OWNER,
};
SHAPE(shape_chat, "Chat", "\"oneOf\":[" NEEDS("message", "string") "," NEEDS("prompt", "object") "]");

static const struct field first_message_fields[] = {
	{ "message", "content", FIELD_BYTES, .max = 64 * KIB, .about = "Its text" },
	ECHO("id", NULL), ECHO("type", NULL), ECHO("role", NULL), ECHO("context", NULL),
};
static SHAPE(first_message, NULL, NULL);

static const struct field shape_thread_draft_fields[] = {
	{ "title", "name", FIELD_BYTES, .max = 64 * KIB, .about = "Cut to 80 characters" },
	{ "firstMessage", "first_message", FIELD_EITHER, .max = 64 * KIB, .members = &first_message, .about = "What a title is made of when there is none" },
	METADATA,
	OWNER,
};
SHAPE(shape_thread_draft, "ThreadDraft", NULL);

static const struct field shape_thread_patch_fields[] = {
	{ "title", "name", FIELD_TEXT, .min = 1, .max = 1000 },
	{ "archived", .kind = FIELD_FLAG },
	METADATA,
	OWNER,
	ECHO("id", "threadId"), ECHO_TIMES, ECHO("isRunning", "is_running"),
};
SHAPE(shape_thread_patch, "ThreadPatch", NULL);

/* What clients that send all of an entry back want changed is its title; the rest may be of long ago. */
static const struct field shape_thread_title_fields[] = {
	{ "title", "name", FIELD_TEXT, .min = 1, .max = 1000, .is_required = true },
	OWNER,
	ECHO("id", "threadId"), ECHO_TIMES, ECHO("archived", NULL), ECHO("metadata", NULL), ECHO("isRunning", "is_running"),
	ECHO("isPending", NULL),
};
SHAPE(shape_thread_title, "ThreadTitle", NULL);

#define ECHO_MESSAGE \
	ECHO("thread_id", "threadId"), ECHO_TIMES, ECHO("status", NULL), ECHO("run_id", "runId"), \
	ECHO("finish_reason", "finishReason"), ECHO("usage", NULL), ECHO("model", NULL), ECHO("feedback", NULL)

static const struct field shape_message_draft_fields[] = {
	{ "id", .kind = FIELD_ID, .about = "One is made unless given" },
	{ "role", .kind = FIELD_WORD, .words = "user assistant tool system", .is_required = true, .about = "system: only an administrator's" },
	{ "content", "message", FIELD_BYTES, .max = CONTENT_MAX, .is_required = true },
	METADATA,
	OWNER,
	ECHO_MESSAGE,
};
SHAPE(shape_message_draft, "MessageDraft", NULL);

static const struct field shape_message_patch_fields[] = {
	{ "content", "message", FIELD_BYTES, .max = CONTENT_MAX, .about = "All of it, as after a form was filled in" },
	METADATA,
	OWNER,
	ECHO("id", NULL), ECHO("role", NULL),
	ECHO_MESSAGE,
};
SHAPE(shape_message_patch, "MessagePatch",
      "\"anyOf\":[" NEEDS("content", "string") "," NEEDS("message", "string") "," NEEDS("metadata", "object") "]");

static const struct field shape_message_whole_fields[] = {
	{ "id", .kind = FIELD_ID, .is_required = true, .about = "Which one" },
	{ "content", .kind = FIELD_BYTES, .max = CONTENT_MAX, .is_required = true, .about = "All of it, as after a form was filled in" },
	METADATA,
	OWNER,
	ECHO("role", NULL),
	ECHO_MESSAGE,
};
SHAPE(shape_message_whole, "MessageWhole", NULL);

#define HISTORY(about_) { "messages", .kind = FIELD_MESSAGES, .is_required = true, .about = about_ }

static const struct field shape_openui_draft_fields[] = {
	HISTORY("The first message; its text becomes the title"),
	OWNER,
};
SHAPE(shape_openui_draft, "OpenuiDraft", NULL);

/* AG-UI's RunAgentInput. The run's id is fresh for each question, so it names the answer. */
static const struct field shape_openui_chat_fields[] = {
	{ "thread_id", "threadId", FIELD_ID, .about = "The conversation; a new one unless given" },
	{ "response_id", "runId", FIELD_ID, .about = "Id of the answer; one is made unless given" },
	HISTORY("The last of the user is the question"),
	{ "model", .kind = FIELD_TEXT, .max = 256, .about = "One of those that are offered" },
	{ "on_disconnect", "onDisconnect", FIELD_LEAVE, .about = "What becomes of the answer when nobody follows it; wins over the query's" },
	METADATA,
	OWNER,
	ECHO("tools", NULL), ECHO("context", NULL), ECHO("state", NULL), ECHO("forwardedProps", NULL),
};
SHAPE(shape_openui_chat, "OpenuiChat", NULL);

/* --- queries --- */

#define FORM(usual) \
	{ "stream", .kind = FIELD_WORD, .words = "raw sse openai", .fallback = usual, .about = "raw: the answer's bytes and nothing else; sse: events; openai: chunks of a chat completion" }
#define STREAM \
	FORM(STREAM_RAW), \
	{ "keepalive", .kind = FIELD_NUMBER, .min = 1, .max = KEEP_MAX_S, .about = "Raw: a comment that the C1 client passes over after so many silent seconds" }, \
	{ "errors", .kind = FIELD_WORD, .words = "status card", .about = "Raw: card shows a failure as a C1 card, with status 200" }
#define YES_NO "false true 0 1"
#define LIMIT(most, usual) \
	{ "limit", .kind = FIELD_NUMBER, .min = 1, .max = most, .fallback = usual, .about = "The page's length at most" }

static const struct field query_owner_fields[] = { OWNER };
SHAPE(query_owner, NULL, NULL);

#define LEAVE \
	{ "on_disconnect", "onDisconnect", FIELD_LEAVE, .about = "As in the body, for clients that can only set the address" }

static const struct field query_chat_fields[] = {
	STREAM,
	LEAVE,
};
SHAPE(query_chat, NULL, NULL);

static const struct field query_openui_chat_fields[] = {
	FORM(STREAM_OPENAI),
	LEAVE,
};
SHAPE(query_openui_chat, NULL, NULL);

static const struct field query_stream_fields[] = {
	{ "offset", .kind = FIELD_NUMBER, .max = INT64_MAX, .fallback = -1, .about = "Go on from this byte of the answer" },
	{ "last_event_id", "lastEventId", FIELD_TEXT, .max = 256, .about = "Go on behind this event, where the header cannot be set" },
	STREAM,
};
SHAPE(query_stream, NULL, NULL);

#define THREADS(usual) \
	LIMIT(100, usual), \
	{ "cursor", .kind = FIELD_TEXT, .max = 256, .about = "Of the page before, from its Link header" }, \
	{ "q", .kind = FIELD_TEXT, .max = 200, .about = "Part of a title (or of what was said: SQLite, PostgreSQL), any case" }, \
	{ "archived", .kind = FIELD_WORD, .words = YES_NO, .fallback = -1, .about = "Only such; both unless given" }

static const struct field query_threads_fields[] = { THREADS(50) };
SHAPE(query_threads, NULL, NULL);

static const struct field query_all_threads_fields[] = { THREADS(100) };
SHAPE(query_all_threads, NULL, NULL);

#define BETWEEN \
	{ "before", .kind = FIELD_ID, .about = "The newest before this message" }, \
	{ "after", .kind = FIELD_ID, .about = "The oldest behind this message" }
#define AS(usual) \
	{ "as", .kind = FIELD_WORD, .words = "stored c1", .fallback = usual, .about = "c1: as the C1 client loads them" }

static const struct field query_messages_fields[] = { LIMIT(1000, 200), BETWEEN, AS(0) };
SHAPE(query_messages, NULL, NULL);

static const struct field query_history_fields[] = { LIMIT(1000, 1000), BETWEEN, AS(1) };
SHAPE(query_history, NULL, NULL);

static const struct field query_bare_fields[] = { LIMIT(1000, 1000), BETWEEN };
SHAPE(query_bare, NULL, NULL);

static const struct field query_runs_fields[] = {
	{ "active", .kind = FIELD_WORD, .words = YES_NO, .fallback = -1, .about = "Only those that run" },
};
SHAPE(query_runs, NULL, NULL);

const struct shape query_none = { NULL, NULL, 0, NULL };
/* clang-format on */
