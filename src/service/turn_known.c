/*
 * turn_known: was this question asked before? A resend, by its Idempotency-Key or by the id of its
 * answer, never costs a second call: it rejoins the run from the first byte, or gets the answer
 * that is stored. One that failed before the model was asked counts as never asked.
 */
#include "service_room.h"

#include <stdio.h>

#define LOOK_MS 5

/* --- refusals --- */

static enum turn_look reused(struct error *err)
{
	error_set(err, ERROR_KEY_REUSED, "This key or answer id was used with another question.");
	return LOOK_FAILED;
}

bool turn_refuse_elsewhere(const char *thread_id, struct error *err)
{
	error_set(err, ERROR_RUN_ACTIVE,
		  "An answer is being written on this thread by another node.");
	if (err) {
		err->retry_after_s = 1;
		snprintf(err->link, sizeof err->link, "/api/threads/%s/messages", thread_id);
	}
	return false;
}

bool turn_refuse_again(struct error *err)
{
	error_set(err, ERROR_RUN_ACTIVE, "Others keep asking on this thread; try again.");
	err->retry_after_s = 1;
	return false;
}

/* --- waiting for others --- */

bool turn_may_wait(struct turn_work *work)
{
	return wait_more(&work->wait, LOOK_MS);
}

/* Until the run's turn has come to the engine, or to nothing. */
static void wait_for_start(struct turn_work *work, const char *run_id)
{
	struct board_entry entry;

	while (board_find(work->service->board, run_id, &entry) && entry.state == BOARD_STARTING &&
	       turn_may_wait(work))
		;
}

/* --- a run of this question --- */

/* Threads and answers' ids are chosen by clients, and one may name another's before the store has
 * refused him: a user is only met by himself. */
bool turn_is_twin(const struct turn_work *work, const struct board_entry *entry)
{
	if (work->caller->enforced && strcmp(entry->user_key, work->user_key) != 0)
		return false;
	return strcmp(entry->message_id, work->turn.response_id) == 0 ||
	       (work->key[0] && strcmp(entry->key, work->key) == 0);
}

static bool take_names(struct turn_work *work, const struct spool_record *record)
{
	work->turn.response_id = arena_text(work->arena, record->message_id);
	work->turn.run_id = arena_text(work->arena, record->run_id);
	return !work->arena->failed;
}

/* It ended before the model was asked. */
static bool came_to_nothing(const struct spool_record *record)
{
	return !record->asked &&
	       (record->status == STATUS_ERROR || record->status == STATUS_INTERRUPTED);
}

/* Its file says to come again soon, of a trouble that has passed; but the model was asked, so that
 * would never help. */
static bool says_to_come_again(const struct spool_record *record)
{
	return record->saved && record->length == 0 &&
	       (record->status == STATUS_ERROR || record->status == STATUS_INTERRUPTED) &&
	       error_status(error_of_word(record->error_word)) == 503;
}

/* Takes the reference. */
static enum turn_look join_spool(struct turn_work *work, struct spool *spool, struct error *err)
{
	const struct spool_record *record = spool_record(spool);
	enum turn_look look = LOOK_FOUND;

	if (!runs_check_owner(work->service, work->caller, record, work->arena, err)) {
		look = LOOK_FAILED;
	} else if (strcmp(record->question, work->question) != 0) {
		look = reused(err);
	} else if (came_to_nothing(record)) {
		/* Once it is saved the store's word counts; before, a saver is about to say it. */
		look = record->saved ? LOOK_AGAIN : LOOK_FREE;
	} else if (says_to_come_again(record)) {
		look = LOOK_AGAIN; /* the store's word counts */
	} else if (!take_names(work, record)) {
		error_set(err, ERROR_OVERLOADED, "No memory for this request.");
		look = LOOK_FAILED;
	}
	if (look != LOOK_FOUND) {
		spool_unref(spool);
		return look;
	}
	work->turn.kind = TURN_REJOIN;
	work->turn.followed = spool;
	return look;
}

enum turn_look turn_join(struct turn_work *work, const char *run_id, struct error *err)
{
	struct service *service = work->service;
	struct board_entry entry;
	struct error mine = { 0 };
	struct spool *spool;

	wait_for_start(work, run_id);
	if (board_find(service->board, run_id, &entry) && entry.state == BOARD_ORPHAN)
		return runs_end_orphan(service, run_id, err) ? LOOK_AGAIN : LOOK_FAILED;
	if ((spool = spool_open(service->spools, run_id, &mine)))
		return join_spool(work, spool, err);
	if (mine.code == ERROR_NOT_FOUND || mine.code == ERROR_CORRUPT)
		return LOOK_AGAIN; /* nothing of it is left */
	*err = mine;
	return LOOK_FAILED;
}

/* --- an answer that the store knows --- */

/* Nothing of it is left on this node, so nobody writes it. */
static enum turn_look close_lost(struct turn_work *work, const struct message *answer,
				 struct error *err)
{
	const struct held_claim claim = {
		.thread_id = work->turn.thread_id,
		.run = { .id = answer->run_id, .message_id = answer->id },
	};

	return runs_end_lost(work->service, &claim, err) ? LOOK_AGAIN : LOOK_FAILED;
}

static enum turn_look replay(struct turn_work *work, const struct message *answer)
{
	work->turn.kind = TURN_REPLAY;
	work->turn.response_id = answer->id;
	work->turn.run_id = answer->run_id;
	work->turn.answer = *answer;
	return LOOK_FOUND;
}

/* It may be asked again: under the ids that it has. */
static enum turn_look ask_again(struct turn_work *work, const struct message *answer)
{
	work->turn.response_id = answer->id;
	if (answer->parent_id)
		work->turn.message_id = answer->parent_id;
	return LOOK_FREE;
}

enum turn_look turn_judge(struct turn_work *work, const struct message *answer, struct error *err)
{
	bool is_over = answer->status != STATUS_STREAMING;
	struct board_entry entry;
	enum turn_look look;
	struct error mine = { 0 };

	if (!answer->question || strcmp(answer->question, work->question) != 0)
		return reused(err);
	if (is_over && answer->unasked)
		return ask_again(work, answer);
	if (answer->parent_id)
		work->turn.message_id = answer->parent_id;
	if (!answer->run_id) /* edited since */
		return replay(work, answer);
	if (!runs_is_ours(work->service, answer->run_id)) {
		if (is_over)
			return replay(work, answer);
		turn_refuse_elsewhere(work->turn.thread_id, err);
		return LOOK_FAILED;
	}
	look = turn_join(work, answer->run_id, &mine);
	if (is_over && (look == LOOK_AGAIN || look == LOOK_FAILED))
		return replay(work, answer);
	if (look == LOOK_AGAIN && !board_find(work->service->board, answer->run_id, &entry))
		return close_lost(work, answer, err);
	if (look == LOOK_FREE)
		ask_again(work, answer);
	if (look == LOOK_FAILED)
		*err = mine;
	return look;
}

/* A twin that is on its way, so that many at once do not all ask the store. */
static enum turn_look look_at_board(struct turn_work *work, struct error *err)
{
	struct board_entry live[LIVE_MAX];
	size_t count = board_of_thread(work->service->board, work->turn.thread_id, live, LIVE_MAX);

	for (size_t i = 0; i < count && i < LIVE_MAX; i++)
		if (turn_is_twin(work, &live[i]) && live[i].state != BOARD_ORPHAN)
			return turn_join(work, live[i].run_id, err);
	return LOOK_FREE;
}

static enum turn_look look_in_store(struct turn_work *work, struct error *err)
{
	const struct turn *turn = &work->turn;
	struct message answer;

	if (store_turn_find(work->service->store, owner_of(work->caller), turn->thread_id,
			    turn->response_id, work->key[0] ? work->key : NULL, work->arena,
			    &answer, err))
		return turn_judge(work, &answer, err);
	return err->code == ERROR_NOT_FOUND ? LOOK_FREE : LOOK_FAILED;
}

bool turn_known(struct turn_work *work, bool *known, struct error *err)
{
	enum turn_look look;

	do {
		look = look_at_board(work, err);
		if (look == LOOK_FREE)
			look = look_in_store(work, err);
	} while (look == LOOK_AGAIN && turn_may_wait(work));
	*known = look == LOOK_FOUND;
	if (look == LOOK_AGAIN)
		return turn_refuse_again(err);
	return look != LOOK_FAILED;
}
