/* messages: the routes of a conversation's entries. */
#include "api_room.h"

#include "base/id.h"

#define LIMIT_DEFAULT 200
#define LIMIT_MAX     1000
#define CONTENT_MAX   (8u * 1024 * 1024)

/* --- list --- */

/* As the C1 client loads it: user text in its form, and nothing that it cannot show. */
static bool as_c1(struct call *call, struct message_list *list, struct error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct message message = list->items[i];

		if (message.role != ROLE_USER && message.role != ROLE_ASSISTANT)
			continue;
		if (message.role == ROLE_USER)
			message.content.ptr =
				service_as_c1(call->arena, message.content, &message.content.len);
		if (!message.content.ptr)
			return error_set(err, ERROR_OVERLOADED, "No memory for this page.");
		list->items[kept++] = message;
	}
	list->count = kept;
	return true;
}

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
	struct json_writer w;
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
	if (form == 1 && !as_c1(call, &list, err))
		return false;
	w = answer_json(call, 200);
	json_open(&w, '[');
	for (size_t i = 0; i < list.count; i++)
		render_message(&w, &list.items[i]);
	json_close(&w, ']');
	return answer_done(call, err);
}

/* --- one --- */

static bool answer_message(struct call *call, int status, const struct message *message,
			   struct error *err)
{
	struct json_writer w = answer_json(call, status);

	render_message(&w, message);
	return answer_done(call, err);
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
