/* bearer: see guard_room.h. */
#include "guard_room.h"

#include <strings.h>

struct slice bearer_of(const struct request *request)
{
	static const char scheme[] = "Bearer "; /* in any case (RFC 9110, 11.1) */
	struct slice value = request->headers[HEADER_AUTHORIZATION];

	if (value.len < sizeof scheme - 1 || strncasecmp(value.ptr, scheme, sizeof scheme - 1) != 0)
		return SLICE("");
	value = slice_skip(value, sizeof scheme - 1);
	while (value.len > 0 && value.ptr[0] == ' ')
		value = slice_skip(value, 1);
	return value;
}
