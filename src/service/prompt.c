/*
 * prompt: what the model is asked: the system prompt, as much of the conversation as the store
 * gave, and the question.
 *
 * Messages are passed on as they came: the C1 API reads its own form, <content> and <context>
 * included. A conversation begins with a user: an answer whose question is too far back is left
 * out. In its middle the store leaves out what is larger than the whole budget; the model is told,
 * so that it neither answers an old question anew nor takes two questions for one.
 *
 * A question that was asked in place of an earlier one (`replaces` in its metadata has that one's
 * id) stands where that one stood: of it, and of all that was said between the two, the model is
 * not told any more. The store keeps them, so a new attempt that fails has cost nothing. What the
 * store gave may not reach back to it; whether it is there at all is looked up then, for a question
 * that was never stored is asked again under its id, too, and replaces nothing.
 */
#include "service_room.h"

#include "base/id.h"
#include "base/json.h"
#include "llm/llm.h"
#include <string.h>

#define BODY_SLACK 4096
#define LOOKS_MAX  4 /* for names that nothing has: who sends more of them means none */
#define LEFT_OUT   SLICE("(A message that is too long to repeat is left out here.)")

static bool counts(const struct message *message)
{
	return message->content.len > 0 && message->status != STATUS_STREAMING &&
	       (message->role == ROLE_USER || message->role == ROLE_ASSISTANT ||
		message->role == ROLE_SYSTEM);
}

/* What is told: a message, and where it stands: at its own number, or at that of the first version
 * of a question that was asked again. */
struct said {
	const struct message *message;
	int64_t place;
	const char *replaces; /* an id; NULL: nothing */
};

/* The id that a question's metadata names under `replaces`, in the arena; NULL: none. */
static const char *replaced_id(const struct message *question, struct arena *arena)
{
	const char *text = question->metadata, *id = NULL;
	struct error err;
	struct json *metadata;
	struct slice named;

	if (question->role != ROLE_USER || !text || !strstr(text, "\"replaces\""))
		return NULL;
	if (!(metadata = json_parse(slice_of(text), &err)))
		return NULL;
	named = json_text(json_type(metadata) == JSON_OBJECT ? json_get(metadata, "replaces")
							     : NULL);
	if (id_valid(named))
		id = arena_copy(arena, named);
	json_free(metadata);
	return id;
}

static void read_said(const struct message *message, struct said *out, struct arena *arena)
{
	*out = (struct said){ message, message->seq, replaced_id(message, arena) };
}

/* The question of this id among the first `count`; NULL: it is not there. */
static const struct said *find_question(const struct said *all, size_t count, const char *id)
{
	while (count-- > 0)
		if (all[count].message->role == ROLE_USER &&
		    strcmp(all[count].message->id, id) == 0)
			return &all[count];
	return NULL;
}

/* Names that are not among what was read, the newest first: that one, if it is further back,
 * replaces all that was read before it, so the older ones need no look. */
static bool look_further_back(struct said *all, size_t count, bool is_whole,
			      const struct prompt_look *look, struct error *err)
{
	int looks = is_whole ? 0 : LOOKS_MAX;

	for (size_t i = count; i-- > 0;) {
		int64_t seq = 0;

		if (!all[i].replaces || find_question(all, i, all[i].replaces))
			continue;
		if (looks > 0 && !look->question(look->ctx, all[i].replaces, &seq, err))
			return false;
		looks = seq > 0 ? 0 : looks - 1;
		all[i].replaces = NULL;
		if (seq > 0 && seq < all[i].place)
			all[i].place = seq;
	}
	return true;
}

/* Oldest first: what is replaced may have replaced something itself. */
static void find_places(struct said *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (all[i].replaces)
			all[i].place = find_question(all, i, all[i].replaces)->place;
}

/* How many of the first `count` stand before this place. They are in its order. */
static size_t before_place(const struct said *kept, size_t count, int64_t place)
{
	while (count > 0 && kept[count - 1].place >= place)
		count--;
	return count;
}

/* What of the history stands before the question, which is the last of all, into `kept`; *count:
 * how much that is. */
static bool keep(struct said *all, size_t history_count, const struct prompt_look *look,
		 struct said *kept, size_t *count, struct error *err)
{
	const struct said *question = &all[history_count];
	bool is_whole = (int64_t)history_count + 1 >= question->message->seq;

	if (!look_further_back(all, history_count + 1, is_whole, look, err))
		return false;
	find_places(all, history_count + 1);
	*count = 0;
	for (size_t i = 0; i < history_count; i++) {
		*count = before_place(kept, *count, all[i].place);
		kept[(*count)++] = all[i];
	}
	*count = before_place(kept, *count, question->place);
	return true;
}

/* Where the conversation begins. */
static size_t first_of(const struct said *said, size_t count)
{
	size_t first = 0;

	while (first < count &&
	       (!counts(said[first].message) || said[first].message->role == ROLE_ASSISTANT))
		first++;
	return first;
}

/* The numbers of a thread have no holes, so where one is the store left something out. */
static void put_gap(const struct message *before, int64_t place, enum message_role *role,
		    struct llm_message *out, size_t *count)
{
	if (place <= before->seq + 1)
		return;
	*role = *role == ROLE_USER ? ROLE_ASSISTANT : ROLE_USER;
	out[(*count)++] = (struct llm_message){ *role, LEFT_OUT };
}

/* Twice as many as there are is room for a word on each gap. Returns how many it put. */
static size_t put_history(const struct said *said, size_t said_count, int64_t question_place,
			  struct llm_message *out)
{
	const struct message *before = NULL;
	enum message_role role = ROLE_SYSTEM;
	size_t count = 0;

	for (size_t i = first_of(said, said_count); i < said_count; i++) {
		const struct message *message = said[i].message;

		if (before)
			put_gap(before, said[i].place, &role, out, &count);
		before = message;
		if (!counts(message))
			continue;
		role = message->role;
		out[count++] = (struct llm_message){ role, message->content };
	}
	if (before)
		put_gap(before, question_place, &role, out, &count);
	return count;
}

bool prompt_build(const struct config *config, const struct message_list *history,
		  const struct message *question, const struct prompt_look *look,
		  struct slice model, struct arena *arena, struct buffer *out, struct error *err)
{
	struct llm_message *messages =
		arena_alloc(arena, (history->count * 2 + 2) * sizeof *messages);
	struct said *all = arena_alloc(arena, (history->count * 2 + 1) * sizeof *all);
	struct said *kept = all ? all + history->count + 1 : NULL;
	const char *model_text = arena_copy(arena, model);
	size_t count = 0, bytes = 0, kept_count;

	if (!messages || !all || !model_text)
		return budget_refused(err);
	for (size_t i = 0; i < history->count; i++)
		read_said(&history->items[i], &all[i], arena);
	read_said(question, &all[history->count], arena);
	if (!keep(all, history->count, look, kept, &kept_count, err))
		return false;
	if (config->system_prompt)
		messages[count++] =
			(struct llm_message){ ROLE_SYSTEM, slice_of(config->system_prompt) };
	count += put_history(kept, kept_count, all[history->count].place, messages + count);
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
