/* pg_claim: how a run lets go of its thread: its end, the wish that it stop, what the dead left. */
#include "pg_room.h"

#include "base/clock.h"

/* --- the end of a run --- */

/* The thread's row first, as everybody takes it, or two would wait for each other. */
static enum error_code save(struct pg_call *call, const struct finish *f,
			    const struct pg_content *content, bool *applied)
{
	enum error_code code;

	pg_ask(call, SQL_CLAIM_CLEAR, SQL_VALUES(sql_text(f->thread_id), sql_text(f->run_id)));
	pg_ask(call, SQL_MESSAGE_FINISH,
	       SQL_VALUES(sql_text(f->thread_id), sql_text(f->message_id), sql_text(f->run_id),
			  sql_text(message_status_text(f->status)), content->text, content->bytes,
			  sql_text(f->finish_reason), sql_text(f->model), sql_count(f->usage.input),
			  sql_count(f->usage.output), sql_count(f->usage.total),
			  sql_int(f->unasked), sql_time(clock_wall_ms()),
			  sql_int(f->if_streaming)));
	pg_commit(call);
	code = pg_answer(call, NULL);
	if (code == ERROR_NONE)
		code = pg_answer(call, NULL);
	*applied = pg_changed(call) > 0;
	return code;
}

enum error_code pg_finish(void *self, const struct finish *finish, bool *applied)
{
	struct pg_call call = { .pool = self, .is_write = true };
	struct pg_content content;
	bool was_applied = false;

	if (!pg_content_of(finish->content, &content))
		return ERROR_OVERLOADED;
	while (pg_begin(&call))
		pg_end(&call, save(&call, finish, &content, &was_applied));
	pg_content_done(&content);
	if (call.code == ERROR_NONE && applied)
		*applied = was_applied;
	return call.code;
}

/* --- lists of claims --- */

static enum error_code take_claims(struct pg_call *call, struct arena *arena,
				   struct claim_list *out)
{
	const PGresult *rows;
	enum error_code code = pg_answer(call, &rows);

	*out = (struct claim_list){ 0 };
	for (int i = 0; code == ERROR_NONE && i < PQntuples(rows); i++) {
		out->items = store_grow(arena, out->items, out->count, sizeof *out->items);
		if (out->items)
			out->items[out->count++] = (struct held_claim){
				.thread_id = pg_column_text(rows, i, 0, arena),
				.run = { .id = pg_column_text(rows, i, 1, arena),
					 .message_id = pg_column_text(rows, i, 2, arena),
					 .node = pg_column_text(rows, i, 3, arena) },
			};
		code = store_fits(arena);
	}
	return code;
}

static enum error_code claims(void *self, enum sql_id id, struct sql_value of, size_t limit,
			      struct arena *arena, struct claim_list *out)
{
	struct pg_call call = { .pool = self };
	struct claim_list found;

	while (pg_begin(&call)) {
		pg_ask(&call, id, SQL_VALUES(of, sql_int((int64_t)limit)));
		pg_end(&call, take_claims(&call, arena, &found));
	}
	if (call.code == ERROR_NONE)
		*out = found;
	return call.code;
}

enum error_code pg_claims_of_dead(void *self, int64_t silent_ms, size_t limit, struct arena *arena,
				  struct claim_list *out)
{
	return claims(self, SQL_CLAIMS_OF_DEAD, sql_int(silent_ms), limit, arena, out);
}

enum error_code pg_stops_of(void *self, const char *node, struct arena *arena,
			    struct claim_list *out)
{
	return claims(self, SQL_STOPS_OF, sql_text(node), CLAIMS_MAX, arena, out);
}

/* --- wishes --- */

static enum error_code ask_stop(struct pg_call *call, const char *owner, const char *run_id)
{
	enum error_code code;

	pg_ask(call, SQL_STOP_SET, SQL_VALUES(sql_text(run_id), sql_text(owner)));
	pg_ask(call, SQL_CLAIM_USER, SQL_VALUES(sql_text(run_id)));
	pg_commit(call);
	code = pg_answer(call, NULL);
	return code == ERROR_NONE ? pg_user_answer(call, owner) : code;
}

enum error_code pg_stop_ask(void *self, const char *owner, const char *run_id)
{
	struct pg_call call = { .pool = self, .is_write = true };

	while (pg_begin(&call))
		pg_end(&call, ask_stop(&call, owner, run_id));
	return call.code;
}
