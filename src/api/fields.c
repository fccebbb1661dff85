/* fields: what the body said, read by its rows' names once the walk has checked it. */
#include "api_room.h"

const struct json *body_value(const struct call *call, const char *name)
{
	return shape_value(call->route->takes, call->body, name);
}

struct slice body_text(const struct call *call, const char *name)
{
	const struct json *value = body_value(call, name);

	return value ? json_text(value) : (struct slice){ NULL, 0 };
}

int body_flag(const struct call *call, const char *name)
{
	const struct json *value = body_value(call, name);

	return value ? json_true(value) : -1;
}

bool body_object(const struct call *call, const char *name, const char **out, struct error *err)
{
	const struct json *value = body_value(call, name);
	struct buffer text;
	bool is_written;
	int64_t max;

	if (!value)
		return true;
	max = shape_find(call->route->takes, slice_of(name))->max;
	buffer_init(&text,
		    call->route->body_max); /* written compact it is no longer than it came */
	is_written = json_print(value, &text);
	if (is_written && text.len > (size_t)max)
		error_field(err, ERROR_VALIDATION, name, "%s is larger than %lld bytes.", name,
			    (long long)max);
	else if (!is_written || !(*out = arena_copy(call->arena, buffer_slice(&text))))
		budget_refused(err);
	buffer_done(&text);
	return *out != NULL;
}
