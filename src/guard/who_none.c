/*
 * who_none: nobody is asked. One trusted site or a demo: ownership is not enforced, and a user_id
 * that a request says is only a label.
 */
#include "guard_room.h"

static enum who_found who(struct guard *guard, const struct who_ask *ask, struct caller *out,
			  struct error *err)
{
	const struct request *request = ask->request;
	const char *counted_as = address_counted(request->arena, request->remote_addr);

	(void)guard;
	if (!counted_as)
		return who_no_memory(err);
	*out = (struct caller){ .kind = CALLER_ANYBODY,
				.user_id = "anonymous",
				.counted_as = counted_as,
				.scopes = SCOPES_ORDINARY };
	return WHO_FOUND;
}

const struct who_mode who_none = { .who = who };
