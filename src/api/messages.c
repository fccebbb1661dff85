/* messages: the routes of a conversation's entries. */
#include "api_room.h"

/* --- list --- */

/* Back in time from the newest, or onwards from `after`. */
static void link_next(struct call *call, const struct message_page *page, const char *last_id,
		      enum page_form form)
{
	response_headerf(call->response, "Link",
			 "</api/threads/%s/messages?limit=%zu&%s=%s%s>; rel=\"next\"", call->ids[0],
			 page->limit, page->after ? "after" : "before", last_id,
			 form == PAGE_C1 ? "&as=c1" : "");
}

bool messages_list(struct call *call, struct error *err)
{
	enum page_form form = query_word(call, "as") == 1 ? PAGE_C1 : PAGE_STORED; /* stored c1 */
	struct message_page page = {
		.before = query_text(call, "before"),
		.after = query_text(call, "after"),
		.limit = (size_t)query_number(call, "limit"),
	};
	struct page *rows;
	bool is_cut;

	if (call->route->flags & ROUTE_BARE)
		form = PAGE_BARE;
	if (page.before && page.after)
		return error_field(err, ERROR_VALIDATION, "before",
				   "Send before or after, not both.");
	if (!(rows = page_open(call, page.limit, form)))
		return budget_refused(err);
	if (!service_message_list(call->api->service, &call->caller, call->ids[0], &page,
				  call->arena, &(struct message_taker){ page_take, rows }, &is_cut,
				  err))
		return page_is_full(rows) ? budget_refused(err) : false;
	if (is_cut && page_last_id(rows))
		link_next(call, &page, page_last_id(rows), form);
	return page_answer(call, rows, 200, !page.after, err);
}

/* --- one --- */

static bool answer_message(struct call *call, int status, const struct message *message,
			   struct error *err)
{
	struct page *page = page_open(call, 0, PAGE_STORED);

	if (!page || !page_take(page, message))
		return budget_refused(err);
	return page_answer(call, page, status, false, err);
}

bool message_add(struct call *call, struct error *err)
{
	struct message_draft draft = {
		.id = json_text(body_value(call, "id")),
		.content = body_text(call, "content"),
	};
	struct message message;

	message_role_parse(body_text(call, "role"), &draft.role);
	if (!body_object(call, "metadata", &draft.metadata, err))
		return false;
	if (draft.role == ROLE_SYSTEM && !(call->caller.scopes & SCOPE_ADMIN))
		return error_field(err, ERROR_ACCESS_DENIED, "role",
				   "Only an administrator adds system messages.");
	if (!service_message_add(call->api->service, &call->caller, call->ids[0], &draft,
				 call->arena, &message, err))
		return false;
	return answer_message(call, 201, &message, err);
}

bool message_update(struct call *call, struct error *err)
{
	struct message_patch patch = { .content = body_text(call, "content") };
	struct message message;

	if (!body_object(call, "metadata", &patch.metadata, err))
		return false;
	patch.has_content = patch.content.ptr != NULL;
	if (!patch.has_content && !patch.metadata)
		return field_missing("content", err);
	if (!service_message_update(call->api->service, &call->caller, call->ids[0], call->ids[1],
				    &patch, call->arena, &message, err))
		return false;
	return answer_message(call, 200, &message, err);
}
