/* who: see guard/who.h. */
#include "guard/who.h"

#include "base/utf8.h"

bool who_is(const struct request *request, struct slice claimed, struct caller *out,
	    struct error *err)
{
	const char *name;

	if (claimed.len == 0) {
		*out = (struct caller){ .user_id = "anonymous" };
		return true;
	}
	for (size_t i = 0; i < claimed.len; i++)
		if ((unsigned char)claimed.ptr[i] < 0x20 || claimed.ptr[i] == 0x7F)
			return error_field(err, ERROR_VALIDATION, "user_id",
					   "user_id holds a control character.");
	if (utf8_prefix(claimed, USER_ID_MAX).len < claimed.len)
		return error_field(err, ERROR_VALIDATION, "user_id",
				   "user_id has more than %d characters.", USER_ID_MAX);
	if (!(name = arena_copy(request->arena, claimed)))
		return error_set(err, ERROR_OVERLOADED, "No memory for this request.");
	*out = (struct caller){ .user_id = name, .named = true };
	return true;
}
