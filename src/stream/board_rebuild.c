/*
 * board_rebuild: the board of a pool that starts, from the files that the one before left: each is
 * an orphan, to be adopted and saved.
 */
#include "base/log.h"
#include "stream/board.h"
#include "stream/spool.h"
#include <stdio.h>

/* From texts of the same bounds. */
#define COPY_TEXT(name) snprintf(entry.name, sizeof entry.name, "%s", record->name)

static void add_one(void *ctx, const struct spool_record *record, bool is_owned)
{
	struct board *board = ctx;
	struct board_entry entry = { .created_ms = record->created_ms, .state = BOARD_ORPHAN };

	/* A turn that began meanwhile is on the board before its file is there. */
	if (board_find(board, record->run_id, &entry))
		return;
	COPY_TEXT(run_id);
	COPY_TEXT(thread_id);
	COPY_TEXT(message_id);
	COPY_TEXT(user_key);
	COPY_TEXT(key);
	COPY_TEXT(question);
	if (!board_add(board, BOARD_NOBODY, &entry, NULL))
		log_warn("no room on the board: an answer waits for the next start",
			 LOG_T("run", record->run_id));
	log_info(is_owned ? "answer of an older worker found" : "answer of a dead worker found",
		 LOG_T("run", record->run_id));
}

void board_rebuild(struct board *board, int slot, struct spool_dir *dir)
{
	if (!board_begin_rebuild(board, slot))
		return;
	spool_survey(dir, add_one, board);
	board_rebuilt(board);
}
