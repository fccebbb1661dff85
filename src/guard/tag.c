/* tag: a user as logs may name it. */
#include "guard_room.h"

#include <inttypes.h>
#include <stdio.h>

void guard_tag(struct guard *guard, const char *user_id, char out[GUARD_TAG_SIZE])
{
	snprintf(out, GUARD_TAG_SIZE, "%016" PRIx64, secret_tag(guard->secrets, slice_of(user_id)));
}
