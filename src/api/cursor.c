/*
 * cursor: where a page of a list ends, as its Link names it: `<signature>.<the store's own>`.
 * Signed for the user and the filters of its list, so that it goes on nowhere else, and nobody asks
 * the store to begin at a place of his own making.
 */
#include "api_room.h"

#include "base/base64url.h"
#include "guard/secret.h"

#define PURPOSE "cursor"
#define MAC_LEN BASE64URL_LEN(SECRET_MAC_SIZE)

/* No user's name and no cursor of a store holds a line's end; what is looked for may, so it stands
 * last. NULL: no memory. */
static const char *signed_text(const struct call *call, const struct thread_filter *filter,
			       const char *place)
{
	const struct caller *caller = &call->caller;

	return arena_printf(call->arena, "%s\n%d\n%d\n%s\n%s", caller->user_id,
			    caller->enforced || caller->named, filter->archived, place,
			    filter->q ? filter->q : "");
}

const char *cursor_sign(const struct call *call, const struct thread_filter *filter,
			const char *place)
{
	const char *text = signed_text(call, filter, place);
	unsigned char mac[SECRET_MAC_SIZE];
	char letters[MAC_LEN + 1];

	if (!text || !secret_mac(guard_secrets(call->api->guard), PURPOSE, slice_of(text), mac))
		return NULL;
	base64url_write(mac, sizeof mac, letters);
	return arena_printf(call->arena, "%s.%s", letters, place);
}

static bool is_ours(const struct call *call, const struct thread_filter *filter, const char *cursor)
{
	unsigned char mac[SECRET_MAC_SIZE];
	const char *text;
	size_t len;

	if (strcspn(cursor, ".") != MAC_LEN || !cursor[MAC_LEN] ||
	    !base64url_read((struct slice){ cursor, MAC_LEN }, mac, sizeof mac, &len) ||
	    len != sizeof mac)
		return false;
	text = signed_text(call, filter, cursor + MAC_LEN + 1);
	return text &&
	       secret_is_mac(guard_secrets(call->api->guard), PURPOSE, slice_of(text), mac, NULL);
}

bool cursor_read(const struct call *call, struct thread_filter *filter, struct error *err)
{
	const char *cursor = query_text(call, "cursor");

	if (!cursor || !*cursor)
		return true;
	if (!is_ours(call, filter, cursor))
		return error_field(err, ERROR_VALIDATION, "cursor",
				   "This cursor is not one of ours, or of another list.");
	filter->cursor = cursor + MAC_LEN + 1;
	return true;
}
