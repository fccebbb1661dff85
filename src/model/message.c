/* message: the words of roles and statuses, and usage as text. */
#include "model/message.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const roles[ROLE_COUNT] = {
#define X(id, text) [ROLE_##id] = text,
	MESSAGE_ROLES(X)
#undef X
};
static const char *const statuses[STATUS_COUNT] = {
#define X(id, text) [STATUS_##id] = text,
	MESSAGE_STATUSES(X)
#undef X
};

const char *message_role_text(enum message_role role)
{
	return roles[role];
}

bool message_role_parse(struct slice text, enum message_role *out)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		if (slice_is(text, roles[i])) {
			*out = (enum message_role)i;
			return true;
		}
	return false;
}

const char *message_status_text(enum message_status status)
{
	return statuses[status];
}

bool message_status_parse(struct slice text, enum message_status *out)
{
	for (int i = 0; i < STATUS_COUNT; i++)
		if (slice_is(text, statuses[i])) {
			*out = (enum message_status)i;
			return true;
		}
	return false;
}

const char *usage_text(const struct usage *usage, char out[USAGE_TEXT])
{
	if (usage->input < 0 && usage->output < 0 && usage->total < 0)
		return NULL;
	snprintf(out, USAGE_TEXT,
		 "{\"input_tokens\":%" PRId64 ",\"output_tokens\":%" PRId64
		 ",\"total_tokens\":%" PRId64 "}",
		 usage->input, usage->output, usage->total);
	return out;
}
