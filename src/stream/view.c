/*
 * view: a run that another worker owns, or that is over, as the followers of this worker see it:
 * through its file. It has no upstream and no say; it only looks how far the file has come.
 */
#include "engine_room.h"

#include "base/log.h"
#include <stdlib.h>

/* The file keeps the word of an error, not its sentence. */
static void take_error(struct run *view)
{
	const struct spool_record *record = spool_record(view->spool);

	if (record->error_word[0] && view->error.code == ERROR_NONE) {
		enum error_code code = error_of_word(record->error_word);
		error_set(&view->error, code, "%s.", error_title(code));
	}
}

void view_look(struct run *view)
{
	struct error err = { 0 };

	if (!view->is_view || view->state == RUN_OVER)
		return;
	if (!spool_refresh(view->spool, &err)) {
		view->error = err;
		view->state = RUN_OVER;
	} else if (spool_record(view->spool)->status != STATUS_STREAMING &&
		   view->state < RUN_SAVING) {
		take_error(view);
		view->state = run_next(view->state, RUN_END);
		view->ended_ms = loop_now_ms(view->engine->loop);
	}
	if (spool_record(view->spool)->saved)
		view->state = run_next(view->state, RUN_SAVED);
	run_pump(view);
}

struct run *view_begin(struct engine *engine, struct spool *spool)
{
	struct run *view = calloc(1, sizeof *view);

	if (!view)
		return NULL;
	view->engine = engine;
	view->spool = spool;
	view->is_view = true;
	view->fresh_at = -1;
	view->started_ms = view->arrived_ms = loop_now_ms(engine->loop);
	/* Watch first, then look: no growth falls between the two. */
	view->notice = notices_watch(engine, run_id(view));
	view_look(view);
	return view;
}
