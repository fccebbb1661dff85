/*
 * message: one entry of a thread. Plain data; strings belong to the arena of whoever read or made
 * them.
 */
#ifndef MODEL_MESSAGE_H
#define MODEL_MESSAGE_H

#include "base/slice.h"
#include <stdint.h>

#define MESSAGE_ROLES(X)                                                                           \
	X(USER, "user") X(ASSISTANT, "assistant") X(SYSTEM, "system") X(TOOL, "tool")

/* How it stands; behind STREAMING in the order of METRIC_OUTCOMES. */
#define MESSAGE_STATUSES(X)                                                                        \
	X(STREAMING, "streaming")                                                                  \
	X(COMPLETE, "complete")                                                                    \
	X(LENGTH, "length")                                                                        \
	X(STOPPED, "stopped")                                                                      \
	X(ERROR, "error")                                                                          \
	X(INTERRUPTED, "interrupted")

enum message_role {
#define X(id, text) ROLE_##id,
	MESSAGE_ROLES(X)
#undef X
		ROLE_COUNT
};

enum message_status {
#define X(id, text) STATUS_##id,
	MESSAGE_STATUSES(X)
#undef X
		STATUS_COUNT
};

/* Tokens as the upstream counted them; -1: it did not say. */
struct usage {
	int64_t input, output, total;
};
#define USAGE_UNKNOWN ((struct usage){ -1, -1, -1 })
#define USAGE_TEXT    160

/* As a JSON object's text; NULL when nothing is known. */
const char *usage_text(const struct usage *usage, char out[USAGE_TEXT]);

struct message {
	const char *id, *thread_id;
	int64_t seq; /* order within the thread, without holes */
	enum message_role role;
	enum message_status status;
	struct slice content;
	const char *run_id;        /* NULL: no run made it, or it was edited since */
	const char *parent_id;     /* NULL or the message before it; of an answer: its question */
	const char *key;           /* NULL or, of an answer, the hash of user and Idempotency-Key */
	const char *question;      /* NULL or, of an answer, the hash of what was asked */
	const char *model;         /* NULL or, of an answer, the model that gave it */
	const char *finish_reason; /* NULL or the upstream's word, verbatim */
	struct usage usage;        /* of an answer */
	bool unasked;              /* an answer that failed before the model was asked */
	const char *feedback;      /* NULL or a JSON object's text */
	const char *metadata;      /* NULL or a JSON object's text */
	int64_t created_ms, updated_ms; /* wall */
};

struct message_list {
	struct message *items;
	size_t count;
	bool more; /* the limit cut the list */
};

const char *message_role_text(enum message_role role);
bool message_role_parse(struct slice text, enum message_role *out);
const char *message_status_text(enum message_status status);
bool message_status_parse(struct slice text, enum message_status *out);

#endif
