/* service_messages: the entries of a conversation. An answer in flight is shown with what its spool
 * has. */
#include "service_room.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "llm/c1.h"

#define PAGE_BYTES_MAX (8u << 20) /* of content: one message of the largest */

/* --- reading --- */

/* The store holds no text of a streaming answer; the spool does, when the run is this node's. One
 * whose run has ended but is not saved yet is shown as it ended. */
static void fill_from_spool(struct service *service, struct message *message, struct arena *arena)
{
	struct spool *spool =
		message->run_id ? spool_open(service->spools, message->run_id, NULL) : NULL;
	struct buffer raw, text;
	char *copy;

	if (!spool)
		return;
	buffer_init(&raw, (size_t)spool_record(spool)->length + 1);
	buffer_init(&text, (size_t)spool_record(spool)->length + 1);
	raw.loan = text.loan = loan_of(arena->loan.budget);
	if (spool_read_all(spool, &raw) && c1_stored(&text, buffer_slice(&raw)) &&
	    (copy = arena_copy(arena, buffer_slice(&text)))) {
		message->content = (struct slice){ copy, text.len };
		message->status = spool_record(spool)->status;
	}
	buffer_done(&raw);
	buffer_done(&text);
	spool_unref(spool);
}

struct showing {
	struct service *service;
	struct arena *arena;
	const struct message_taker *taker;
};

static bool show(void *self, const struct message *message)
{
	const struct showing *showing = self;
	const struct message_taker *taker = showing->taker;
	struct message filled = *message;

	if (message->status != STATUS_STREAMING)
		return taker->take(taker->self, message);
	fill_from_spool(showing->service, &filled, showing->arena);
	return !showing->arena->failed && taker->take(taker->self, &filled);
}

bool service_message_list(struct service *service, const struct caller *caller,
			  const char *thread_id, const struct message_page *page,
			  struct arena *arena, const struct message_taker *taker, bool *more,
			  struct error *err)
{
	struct showing showing = { service, arena, taker };
	const struct message_taker shown = { show, &showing };
	const struct message_filter filter = {
		.owner = owner_of(caller),
		.thread_id = thread_id,
		.before = page->before,
		.after = page->after,
		.limit = page->limit,
		.bytes_max = PAGE_BYTES_MAX,
		.taker = &shown,
	};
	struct message_list list;

	if (!store_message_list(service->store, &filter, arena, &list, err))
		return !arena->failed ? false : budget_refused(err);
	*more = list.more;
	return true;
}

struct c1_form service_c1_form(struct slice content)
{
	struct c1_form form = { .escaped = !c1_is_content(content) };

	form.open = form.escaped ? SLICE(C1_USER_OPEN) : SLICE("");
	form.close = form.escaped ? SLICE(C1_USER_CLOSE) : SLICE("");
	return form;
}

bool service_c1_escape(struct buffer *out, struct slice piece)
{
	return c1_escape(out, piece);
}

bool service_plain_text(struct buffer *out, struct slice content)
{
	return c1_plain_text(out, content);
}

bool service_error_card(const struct error *problem, struct buffer *out)
{
	return c1_error_card(out, error_title(problem->code), problem->detail);
}

/* --- changing --- */

bool service_message_add(struct service *service, const struct caller *caller,
			 const char *thread_id, const struct message_draft *draft,
			 struct arena *arena, struct message *out, struct error *err)
{
	struct message message = {
		.thread_id = thread_id,
		.role = draft->role,
		.status = STATUS_COMPLETE,
		.content = draft->content,
		.metadata = draft->metadata,
		.usage = USAGE_UNKNOWN,
		.created_ms = clock_wall_ms(),
	};
	char made[ID_UUID_SIZE];

	id_uuid7(made);
	message.id = draft->id.len > 0 ? arena_copy(arena, draft->id) : arena_text(arena, made);
	message.updated_ms = message.created_ms;
	if (arena->failed)
		return error_set(err, ERROR_OVERLOADED, "No memory.");
	if (!store_messages_add(service->store, owner_of(caller), thread_id, &message, 1, err))
		return false;
	*out = message;
	return true;
}

/* Clients send an answer as they have drawn it when somebody types into its form, and draw late:
 * what came last is missing then. Of a beginning of the answer that is kept, only what was typed is
 * new. */
static bool take_typed(struct service *service, const struct caller *caller, const char *thread_id,
		       const char *id, struct slice *content, struct arena *arena,
		       struct error *err)
{
	struct c1_drawn drawn = c1_drawn(*content);
	struct slice kept;
	struct message before;
	struct buffer shown;
	bool ok;

	if (!drawn.is_cut)
		return true;
	if (!store_message_get(service->store, owner_of(caller), thread_id, id, arena, &before,
			       err))
		return false;
	kept = c1_drawn(before.content).text;
	buffer_init(&shown, drawn.text.len + kept.len + drawn.typed.len + 1);
	shown.loan = loan_of(arena->loan.budget);
	ok = c1_stored(&shown, drawn.text);
	if (ok && slice_starts(kept, buffer_slice(&shown))) {
		buffer_reset(&shown);
		ok = buffer_append(&shown, kept) && buffer_append(&shown, drawn.typed);
		content->ptr = arena_copy(arena, buffer_slice(&shown));
		content->len = shown.len;
	}
	buffer_done(&shown);
	return (ok && !arena->failed) || error_set(err, ERROR_OVERLOADED, "No memory.");
}

bool service_message_update(struct service *service, const struct caller *caller,
			    const char *thread_id, const char *id, struct message_patch *patch,
			    struct arena *arena, struct message *out, struct error *err)
{
	patch->now_ms = clock_wall_ms();
	if (patch->has_content &&
	    !take_typed(service, caller, thread_id, id, &patch->content, arena, err))
		return false;
	if (store_message_update(service->store, owner_of(caller), thread_id, id, patch, arena, out,
				 err))
		return true;
	if (err && err->code == ERROR_NOT_SAVED)
		err->retry_after_s = 1;
	return false;
}
