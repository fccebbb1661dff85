/*
 * prompt: what the model is asked: the system prompt, as much of the conversation as fits, and the
 * question.
 *
 * Messages are passed on as they came: the C1 API reads its own form, <content> and <context>
 * included.
 */
#include "service_room.h"

#include "llm/llm.h"

#define HISTORY_MESSAGES 200
#define BODY_SLACK       4096

static bool counts(const struct message *message)
{
	return message->content.len > 0 && message->status != STATUS_STREAMING &&
	       (message->role == ROLE_USER || message->role == ROLE_ASSISTANT ||
		message->role == ROLE_SYSTEM);
}

/* The first message that is sent: from the newest back for as long as the budget lasts. */
static size_t first_within(const struct message_list *history, int64_t budget)
{
	size_t first = history->count;

	while (first > 0) {
		const struct message *message = &history->items[first - 1];
		if (counts(message) && (budget -= (int64_t)message->content.len) < 0)
			break;
		first--;
	}
	return first;
}

bool prompt_build(struct service *service, const struct turn *turn, struct slice question,
		  struct slice model, int64_t before_seq, struct arena *arena, struct buffer *out,
		  struct error *err)
{
	const struct config *config = service->config;
	struct message_filter filter = { .thread_id = turn->thread_id,
					 .before = turn->message_id,
					 .limit = HISTORY_MESSAGES };
	struct message_list history;
	struct llm_message *messages;
	size_t count = 0;

	if (before_seq <= 1)
		history = (struct message_list){ 0 };
	else if (!store_message_list(service->store, &filter, arena, &history, err))
		return false;
	messages = arena_alloc(arena, (history.count + 2) * sizeof *messages);
	if (!messages)
		return error_set(err, ERROR_OVERLOADED,
				 "The conversation is too long for the server's memory.");
	if (config->system_prompt)
		messages[count++] =
			(struct llm_message){ ROLE_SYSTEM, slice_of(config->system_prompt) };
	for (size_t i = first_within(&history, config->history_max); i < history.count; i++)
		if (counts(&history.items[i]))
			messages[count++] = (struct llm_message){ history.items[i].role,
								  history.items[i].content };
	messages[count++] = (struct llm_message){ ROLE_USER, question };
	/* JSON needs at most six bytes for one. */
	buffer_init(out, ((size_t)config->history_max + question.len) * 6 + BODY_SLACK +
				 strlen(config->system_prompt ? config->system_prompt : "") * 6);
	out->loan = loan_of(arena->loan.budget); /* until it is sent */
	if (llm_request_body(arena_copy(arena, model), messages, count, out))
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
