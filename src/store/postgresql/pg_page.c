/* pg_page: messages listed: a page of a thread, and its runs. One round trip each: the thread's
 * user and the page's borders come with the rows. */
#include "pg_room.h"

#define COLUMN_USER   0
#define COLUMN_BEHIND 1
#define COLUMN_BEFORE 2
#define COLUMN_ROWS   3

static enum error_code check(const PGresult *rows, const char *owner)
{
	const struct slice user = { PQntuples(rows) > 0 ? PQgetvalue(rows, 0, COLUMN_USER) : "",
				    PQntuples(rows) > 0 ? (size_t)PQgetlength(rows, 0, COLUMN_USER)
							: 0 };

	if (PQntuples(rows) == 0)
		return ERROR_NOT_FOUND;
	return !owner || slice_is(user, owner) ? ERROR_NONE : ERROR_ACCESS_DENIED;
}

static enum error_code list(struct pg_call *call, const struct message_filter *filter,
			    struct arena *arena, struct message_list *out)
{
	const bool is_on = filter->after || (filter->from_start && !filter->before);
	const int64_t bytes = filter->bytes_max && filter->bytes_max < INT64_MAX
				      ? (int64_t)filter->bytes_max
				      : INT64_MAX;
	const PGresult *rows;
	enum error_code code;

	pg_ask(call, is_on ? SQL_MESSAGES_ON : SQL_MESSAGES_BACK,
	       SQL_VALUES(sql_text(filter->thread_id), sql_text(filter->after),
			  sql_text(filter->before), sql_int((int64_t)filter->limit + 1),
			  sql_int(bytes)));
	code = pg_answer(call, &rows);
	if (code == ERROR_NONE)
		code = check(rows, filter->owner);
	if (code == ERROR_NONE && ((filter->after && PQgetisnull(rows, 0, COLUMN_BEHIND)) ||
				   (filter->before && PQgetisnull(rows, 0, COLUMN_BEFORE))))
		code = ERROR_VALIDATION;
	if (code == ERROR_NONE)
		code = pg_message_rows(rows, COLUMN_ROWS, true, filter->limit, arena, out);
	if (code == ERROR_NONE && !is_on)
		store_reverse(out);
	return code;
}

enum error_code pg_message_list(void *self, const struct message_filter *filter,
				struct arena *arena, struct message_list *out)
{
	struct pg_call call = { .pool = self };
	struct message_list found;

	while (pg_begin(&call))
		pg_end(&call, list(&call, filter, arena, &found));
	if (call.code == ERROR_NONE)
		*out = found;
	return call.code;
}

static enum error_code runs(struct pg_call *call, const char *owner, const char *thread_id,
			    size_t limit, struct arena *arena, struct message_list *out)
{
	const PGresult *rows;
	enum error_code code;

	pg_ask(call, SQL_RUNS_OF, SQL_VALUES(sql_text(thread_id), sql_int((int64_t)limit + 1)));
	code = pg_answer(call, &rows);
	if (code == ERROR_NONE)
		code = check(rows, owner);
	return code == ERROR_NONE ? pg_message_rows(rows, 1, false, limit, arena, out) : code;
}

enum error_code pg_runs_of(void *self, const char *owner, const char *thread_id, size_t limit,
			   struct arena *arena, struct message_list *out)
{
	struct pg_call call = { .pool = self };
	struct message_list found;

	while (pg_begin(&call))
		pg_end(&call, runs(&call, owner, thread_id, limit, arena, &found));
	if (call.code == ERROR_NONE)
		*out = found;
	return call.code;
}
