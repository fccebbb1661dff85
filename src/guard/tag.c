/* tag: a user as logs may name it. */
#include "guard_room.h"

#include <stdio.h>

void guard_tag(struct guard *guard, const char *user_id, char out[GUARD_TAG_SIZE])
{
	unsigned char mac[SECRET_MAC_SIZE];

	out[0] = '\0';
	if (!secret_mac(guard->secrets, "log", slice_of(user_id), mac))
		return;
	for (int i = 0; i < (GUARD_TAG_SIZE - 1) / 2; i++)
		snprintf(out + 2 * i, 3, "%02x", mac[i]);
}
