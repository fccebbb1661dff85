/* user_id: see user_id.h. */
#include "user_id.h"

#include "base/utf8.h"

#include "model/caller.h"

/* Of visitors, of API keys, and of all whose threads are from a time when nobody was asked. */
static bool is_ours(struct slice name)
{
	return slice_starts(name, SLICE("visitor-")) || slice_starts(name, SLICE("key-")) ||
	       slice_is(name, "anonymous");
}

/* C0, DEL and, as UTF-8 has them, C1. */
static bool has_control(struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];

		if (c < 0x20 || c == 0x7F ||
		    (c == 0xC2 && i + 1 < name.len && (unsigned char)name.ptr[i + 1] < 0xA0))
			return true;
	}
	return false;
}

bool user_id_is_foreign(struct slice name)
{
	return name.len > 0 && utf8_valid(name, NULL) &&
	       utf8_prefix(name, USER_ID_MAX).len == name.len && !has_control(name) &&
	       !is_ours(name);
}
