/* query: the words behind '?', each taken apart once, checked against its row, and kept. */
#include "api_room.h"

static const struct field *find_row(const struct route *route, struct slice name)
{
	const struct field *field = shape_find(route->query, name);

	if (!field && route->flags & ROUTE_CALLER)
		field = shape_find(&query_owner, name);
	return field;
}

static const struct query_value *find_value(const struct call *call, const struct field *field)
{
	for (size_t i = 0; i < call->query_count; i++)
		if (call->query[i].field == field)
			return &call->query[i];
	return NULL;
}

/* No row can come twice, so the list cannot run over as long as no route has more rows. */
static bool add(struct call *call, const struct field *field, const char *shown, struct slice raw,
		struct error *err)
{
	struct slice text;

	if (find_value(call, field) || call->query_count == API_QUERY_MAX)
		return error_field(err, ERROR_BAD_REQUEST, shown, "%s occurs twice in the address.",
				   shown);
	if (!request_decode(call->arena, raw, true, &text, err) ||
	    !field_check_text(field, shown, text, err))
		return false;
	call->query[call->query_count++] = (struct query_value){ field, text };
	return true;
}

bool query_read(struct call *call, struct error *err)
{
	const struct route *route = call->route;
	struct slice rest = call->request->query, name, raw;
	char shown[SHOWN_SIZE];

	while (request_next_param(&rest, &name, &raw)) {
		const struct field *field = find_row(route, name);

		field_show(shown, "", name);
		if (!field)
			return field_unknown(route->query,
					     route->flags & ROUTE_CALLER ? &query_owner : NULL,
					     shown, name, err);
		if (!add(call, field, shown, raw, err))
			return false;
	}
	return true;
}

/* --- what was read --- */

static const struct query_value *value_of(const struct call *call, const char *name)
{
	const struct field *field = find_row(call->route, slice_of(name));

	return field ? find_value(call, field) : NULL;
}

const char *query_text(const struct call *call, const char *name)
{
	const struct query_value *value = value_of(call, name);

	return value ? value->text.ptr : NULL; /* decoded text ends with a NUL */
}

int64_t query_number(const struct call *call, const char *name)
{
	const struct field *field = find_row(call->route, slice_of(name));
	const struct query_value *value = find_value(call, field);
	int64_t n = field ? field->fallback : 0;

	if (value)
		field_number(value->text, &n);
	return n;
}

int query_word(const struct call *call, const char *name)
{
	const struct field *field = find_row(call->route, slice_of(name));
	const struct query_value *value = find_value(call, field);

	if (value)
		return field_word(field, value->text);
	return field ? (int)field->fallback : -1;
}
