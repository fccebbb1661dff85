/*
 * board_rebuild: the board of a pool that starts, from the files that the one before left: each is
 * an orphan, to be adopted and saved.
 */
#include "base/log.h"
#include "stream/board.h"
#include "stream/spool.h"
#include <string.h>

static void add_one(void *ctx, const struct spool_record *record, bool is_owned)
{
	struct board *board = ctx;
	struct board_entry entry = { .created_ms = record->created_ms, .state = BOARD_ORPHAN };

	/* A turn that began meanwhile is on the board before its file is there. */
	if (board_find(board, record->run_id, &entry))
		return;
	memcpy(entry.run_id, record->run_id, sizeof entry.run_id);
	memcpy(entry.thread_id, record->thread_id, sizeof entry.thread_id);
	memcpy(entry.message_id, record->message_id, sizeof entry.message_id);
	memcpy(entry.user_key, record->user_key, sizeof entry.user_key);
	memcpy(entry.key, record->key, sizeof entry.key);
	memcpy(entry.question, record->question, sizeof entry.question);
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
