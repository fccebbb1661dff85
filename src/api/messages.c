/* messages: the routes of a conversation's entries. */
#include "api_room.h"

#include "base/id.h"

#define LIMIT_DEFAULT 200
#define LIMIT_MAX     1000
#define CONTENT_MAX   (8u * 1024 * 1024)

/* --- list --- */

/* Back in time from the newest, or onwards from `after`. */
static void link_next(struct call *call, const struct message_page *page,
		      const struct message_list *list, bool c1)
{
	const struct message *at = &list->items[page->after ? list->count - 1 : 0];

	response_headerf(call->response, "Link",
			 "</api/threads/%s/messages?limit=%zu&%s=%s%s>; rel=\"next\"", call->ids[0],
			 page->limit, page->after ? "after" : "before", at->id, c1 ? "&as=c1" : "");
}

bool messages_list(struct call *call, struct error *err)
{
	static const char *const forms[] = { "stored", "c1" };
	struct message_page page = { 0 };
	struct message_list list;
	int64_t limit;
	int form = 0;

	if (!request_query_int(call->request, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &limit, err) ||
	    !query_id(call, "before", &page.before, err) ||
	    !query_id(call, "after", &page.after, err) ||
	    !query_word(call, "as", forms, 2, &form, err))
		return false;
	if (page.before && page.after)
		return error_field(err, ERROR_VALIDATION, "before",
				   "Send before or after, not both.");
	page.limit = (size_t)limit;
	if (!service_message_list(call->api->service, &call->caller, call->ids[0], &page,
				  call->arena, &list, err))
		return false;
	if (list.more && list.count > 0)
		link_next(call, &page, &list, form == 1);
	return answer_messages(call, 200, &list, true, form == 1, err);
}

/* --- one --- */

/* The message is copied: it goes out when its handler has returned. */
static bool answer_message(struct call *call, int status, const struct message *message,
			   struct error *err)
{
	struct message *copy = arena_alloc(call->arena, sizeof *copy);
	struct message_list list = { copy, 1, false };

	if (!copy)
		return budget_refused(err);
	*copy = *message;
	return answer_messages(call, status, &list, false, false, err);
}

bool message_add(struct call *call, struct error *err)
{
	struct message_draft draft = { .id = SLICE(""), .content = { NULL, 0 } };
	struct slice role = { NULL, 0 };
	struct message message;

	if (!field_id(call, call->body, "id", NULL, &draft.id, err) ||
	    !field_text(call, call->body, "role", NULL, 32, &role, err) ||
	    !field_text(call, call->body, "content", "message", CONTENT_MAX, &draft.content, err) ||
	    !field_object(call, call->body, "metadata", &draft.metadata, err))
		return false;
	if (!role.ptr || !message_role_parse(role, &draft.role))
		return error_field(err, ERROR_VALIDATION, "role",
				   "role has to be user, assistant or tool.");
	if (draft.role == ROLE_SYSTEM)
		return error_field(err, ERROR_ACCESS_DENIED, "role",
				   "Only an administrator adds system messages.");
	if (!draft.content.ptr)
		return field_missing("content", err);
	if (!service_message_add(call->api->service, &call->caller, call->ids[0], &draft,
				 call->arena, &message, err))
		return false;
	return answer_message(call, 201, &message, err);
}

bool message_update(struct call *call, struct error *err)
{
	struct message_patch patch = { .content = { NULL, 0 } };
	struct message message;

	if (!field_text(call, call->body, "content", NULL, CONTENT_MAX, &patch.content, err) ||
	    !field_object(call, call->body, "metadata", &patch.metadata, err))
		return false;
	patch.has_content = patch.content.ptr != NULL;
	if (!patch.has_content && !patch.metadata)
		return field_missing("content", err);
	if (!service_message_update(call->api->service, &call->caller, call->ids[0], call->ids[1],
				    &patch, call->arena, &message, err))
		return false;
	return answer_message(call, 200, &message, err);
}
