/*
 * prompt: what the model is asked: the system prompt, as much of the conversation as the store
 * gave, and the question.
 *
 * Messages are passed on as they came: the C1 API reads its own form, <content> and <context>
 * included. A conversation begins with a user: an answer whose question is too far back is left
 * out. In its middle the store leaves out what is larger than the whole budget; the model is told,
 * so that it neither answers an old question anew nor takes two questions for one.
 */
#include "service_room.h"

#include "llm/llm.h"

#define BODY_SLACK 4096
#define LEFT_OUT   SLICE("(A message that is too long to repeat is left out here.)")

static bool counts(const struct message *message)
{
	return message->content.len > 0 && message->status != STATUS_STREAMING &&
	       (message->role == ROLE_USER || message->role == ROLE_ASSISTANT ||
		message->role == ROLE_SYSTEM);
}

/* Where the conversation begins. */
static size_t first_of(const struct message_list *history)
{
	size_t first = 0;

	while (first < history->count &&
	       (!counts(&history->items[first]) || history->items[first].role == ROLE_ASSISTANT))
		first++;
	return first;
}

/* The numbers of a thread have no holes, so where one is the store left something out. */
static void put_gap(const struct message *before, int64_t seq, enum message_role *role,
		    struct llm_message *out, size_t *count)
{
	if (seq <= before->seq + 1)
		return;
	*role = *role == ROLE_USER ? ROLE_ASSISTANT : ROLE_USER;
	out[(*count)++] = (struct llm_message){ *role, LEFT_OUT };
}

/* Twice as many as there are is room for a word on each gap. Returns how many it put. */
static size_t put_history(const struct message_list *history, int64_t question_seq,
			  struct llm_message *out)
{
	const struct message *before = NULL;
	enum message_role role = ROLE_SYSTEM;
	size_t count = 0;

	for (size_t i = first_of(history); i < history->count; i++) {
		const struct message *message = &history->items[i];

		if (before)
			put_gap(before, message->seq, &role, out, &count);
		before = message;
		if (!counts(message))
			continue;
		role = message->role;
		out[count++] = (struct llm_message){ role, message->content };
	}
	if (before)
		put_gap(before, question_seq, &role, out, &count);
	return count;
}

bool prompt_build(const struct config *config, const struct message_list *history,
		  const struct message *question, struct slice model, struct arena *arena,
		  struct buffer *out, struct error *err)
{
	struct llm_message *messages =
		arena_alloc(arena, (history->count * 2 + 2) * sizeof *messages);
	const char *model_text = arena_copy(arena, model);
	size_t count = 0, bytes = 0;

	if (!messages || !model_text)
		return budget_refused(err);
	if (config->system_prompt)
		messages[count++] =
			(struct llm_message){ ROLE_SYSTEM, slice_of(config->system_prompt) };
	count += put_history(history, question->seq, messages + count);
	messages[count++] = (struct llm_message){ ROLE_USER, question->content };
	for (size_t i = 0; i < count; i++)
		bytes += messages[i].content.len + 64;
	buffer_init(out, bytes * 6 + BODY_SLACK); /* JSON needs at most six bytes for one */
	out->loan = loan_of(arena->loan.budget);  /* it outlives the request */
	if (llm_request_body(model_text, messages, count, out))
		return true;
	buffer_done(out);
	return budget_refused(err);
}

bool prompt_model_allowed(const struct config *config, struct slice model)
{
	const char *at = config->models ? config->models : "";

	if (slice_is(model, config->model))
		return true;
	while (*(at += strspn(at, " \t,"))) {
		size_t len = strcspn(at, " \t,");
		if (slice_equal(model, (struct slice){ at, len }))
			return true;
		at += len;
	}
	return false;
}
