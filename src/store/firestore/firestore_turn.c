/*
 * firestore_turn: a turn begins in three round trips: what there is of it, the history (which also
 * tells the last number), and one commit of the thread with the claim, both messages and the key.
 * What was read holds until all is written, or the commit is lost and all of it is begun anew; so
 * nothing has to be taken back.
 */
#include "firestore_turn.h"

#include "base/clock.h"

#define HISTORY_BATCH 64

/* --- what there is --- */

enum { THREAD, MARK, ANSWER, QUESTION = ANSWER + 2, KEY = QUESTION + 2, NAMES };

static enum error_code read_all(struct firestore_op *op, struct firestore_opening *o)
{
	const struct turn_open *open = o->open;
	const char *thread_id = firestore_id(op, open->thread_id);
	struct firestore_name names[NAMES] = {
		[THREAD] = { FS_THREADS, thread_id },
		[MARK] = { FS_DELETED, thread_id },
		[KEY] = { FS_KEYS, firestore_id(op, open->answer.key ? open->answer.key : "-") },
	};
	struct firestore_document found[NAMES] = { 0 };
	enum error_code code;

	firestore_message_names(op, open->thread_id, open->answer.id, &names[ANSWER]);
	firestore_message_names(op, open->thread_id, open->question.id, &names[QUESTION]);
	code = firestore_get(op, names, open->answer.key ? NAMES : KEY, NULL, found);
	if (code != ERROR_NONE)
		return code;
	memcpy(o->answer_pair, &found[ANSWER], sizeof o->answer_pair);
	memcpy(o->question_pair, &found[QUESTION], sizeof o->question_pair);
	o->key = found[KEY];
	o->thread = (struct firestore_thread){ .document = found[THREAD] };
	if (firestore_is_there(&found[THREAD]))
		return firestore_thread_of(&found[THREAD], open->owner, o->arena, &o->thread);
	return open->make && !firestore_is_there(&found[MARK]) ? ERROR_NONE : ERROR_NOT_FOUND;
}

/* --- history --- */

struct history {
	struct firestore_opening *o;
	struct message_list *list;
	size_t left, batch;
	int64_t at; /* the number that it goes on below; INT64_MAX: from the end */
	bool is_over, is_new;
};

/* Larger than all of the budget, or still being written: left out. */
static enum error_code add(struct firestore_op *op, struct history *h,
			   const struct firestore_document *document)
{
	const struct turn_open *open = h->o->open;
	struct firestore_parts parts;
	struct message message;
	size_t size;
	enum error_code code = firestore_take_message(document, h->o->arena, &message, &parts);

	if (code != ERROR_NONE)
		return code == ERROR_CORRUPT ? ERROR_NONE : code;
	size = (size_t)parts.size;
	if (message.status == STATUS_STREAMING || size > open->history_bytes)
		return ERROR_NONE;
	h->list->more = h->list->count == open->history_max || size > h->left;
	if ((h->is_over = h->list->more))
		return ERROR_NONE;
	if (parts.count > 0)
		code = firestore_message_take(op, document, h->o->arena, &message);
	if (code != ERROR_NONE)
		return code;
	h->list->items =
		store_grow(h->o->arena, h->list->items, h->list->count, sizeof *h->list->items);
	if (!h->list->items)
		return ERROR_OVERLOADED;
	h->list->items[h->list->count++] = message;
	h->left -= size;
	return ERROR_NONE;
}

static enum error_code read_batch(struct firestore_op *op, void *arg)
{
	struct history *h = arg;
	struct firestore_opening *o = h->o;
	const struct firestore_value behind = FS_INT(h->at);
	const struct firestore_find find = { FQ_MESSAGES_BACK,
					     { FS_TEXT(o->open->thread_id) },
					     h->batch,
					     &behind, /* texts would come before all numbers */
					     NULL };
	struct firestore_found found;
	enum error_code code = firestore_find(op, &find, &found);

	if (code == ERROR_NONE && h->is_new && h->at == INT64_MAX && found.count > 0) {
		o->last_seq = firestore_int(found.items[0].fields, "seq");
		o->last = arena_copy(o->arena,
				     firestore_id_of(found.items[0].id, o->open->thread_id));
	}
	for (size_t i = 0; code == ERROR_NONE && !h->is_over && i < found.count; i++) {
		h->at = firestore_int(found.items[i].fields, "seq");
		code = add(op, h, &found.items[i]);
	}
	h->is_over = h->is_over || found.count < h->batch;
	return code;
}

/* Newest first, for as long as the budget lasts. before: INT64_MAX for what stands at the end. */
static enum error_code read_history(struct firestore_op *op, struct firestore_opening *o,
				    int64_t before)
{
	struct history h = { .o = o,
			     .list = &o->out->history,
			     .left = o->open->history_bytes,
			     .batch = o->open->history_max < HISTORY_BATCH
					      ? o->open->history_max + 1
					      : HISTORY_BATCH,
			     .at = before,
			     .is_new = before == INT64_MAX };
	enum error_code code = ERROR_NONE;

	while (code == ERROR_NONE && !h.is_over) {
		code = firestore_part_of(op, read_batch, &h);
		if (code == ERROR_TOO_LARGE && h.batch > 1) {
			h.batch = (h.batch + 7) / 8;
			code = ERROR_NONE;
		}
	}
	store_reverse(h.list);
	return code;
}

/* --- writing --- */

static void write_thread(struct firestore_op *op, struct firestore_opening *o, int64_t last)
{
	struct thread thread;

	if (firestore_is_there(&o->thread.document)) {
		firestore_thread_change(op, &o->thread, o->now_ms);
		firestore_put_int(op, "last", last);
		firestore_put_run(op, &o->open->run, false);
		firestore_written_over(op, &o->thread.document, "");
		return;
	}
	thread = *o->open->make;
	thread.id = o->open->thread_id;
	thread.run = o->open->run;
	thread.rev = 1;
	thread.updated_ms = o->now_ms;
	firestore_thread_make(op, &thread, last);
}

static void make_answer(struct firestore_op *op, struct firestore_opening *o, int64_t seq)
{
	const struct firestore_long empty = { .content = SLICE("") };
	struct message *answer = &o->out->answer;

	*answer = store_new_answer(o->open, seq, o->out->question.id);
	firestore_message_make(op, answer, &empty);
	firestore_key_make(op, answer, &o->key);
}

/* The question unless it stands there already, and the answer. */
static enum error_code put_pair(struct firestore_op *op, struct firestore_opening *o)
{
	struct message *question = &o->out->question;
	bool is_there = question->id != NULL;
	int64_t seq = o->last_seq > o->thread.last ? o->last_seq : o->thread.last;
	enum error_code code = ERROR_NONE;

	o->question.thread_id = o->open->thread_id;
	o->question.document_id =
		firestore_message_id(op, o->open->thread_id, o->open->question.id);
	o->question.content = o->open->question.content;
	if (!is_there)
		code = firestore_long_put(op, &o->question);
	if (code != ERROR_NONE)
		return code;
	firestore_body(op);
	write_thread(op, o, seq + (is_there ? 1 : 2));
	if (!is_there) {
		*question = store_new_question(o->open, ++seq,
					       *o->last ? arena_text(o->arena, o->last) : NULL);
		firestore_message_make(op, question, &o->question);
	}
	make_answer(op, o, ++seq);
	return firestore_commit(op, NULL);
}

/* Its question is its parent, whatever id the new one has. */
static enum error_code find_parent(struct firestore_op *op, struct firestore_opening *o)
{
	const char *parent = o->out->answer.parent_id;
	enum error_code code;

	o->out->question = (struct message){ 0 };
	code = parent ? firestore_message_find(op, o->open->thread_id, parent, o->arena,
					       &o->out->question)
		      : ERROR_NOT_FOUND;
	return code == ERROR_NOT_FOUND ? ERROR_NONE : code;
}

static enum error_code take_over(struct firestore_op *op, struct firestore_opening *o)
{
	struct message *answer = &o->out->answer;
	const char *id = arena_copy(&op->arena, o->found->id);

	if (!id)
		return ERROR_OVERLOADED;
	*answer = store_answer_again(answer, o->open, o->now_ms);
	firestore_body(op);
	write_thread(op, o, o->thread.last);
	firestore_write(op, FS_MESSAGES, id);
	firestore_put_text(op, "run_id", answer->run_id);
	firestore_put_text(op, "status", message_status_text(answer->status));
	firestore_put_slice(op, "content", answer->content);
	firestore_put_int(op, "size", 0);
	firestore_put_text(op, "key", answer->key);
	firestore_put_time(op, "updated_at", answer->updated_ms);
	firestore_written_over(op, o->found, FS_ANSWER_GONE);
	firestore_parts_delete(op, id, o->found->fields);
	if (o->open->answer.key)
		firestore_key_make(op, answer, &o->key);
	return firestore_commit(op, NULL);
}

/* --- opening --- */

static enum error_code begin(struct firestore_op *op, struct firestore_opening *o,
			     enum turn_step step)
{
	struct turn_opened *out = o->out;
	int64_t before = INT64_MAX;
	enum error_code code = step == TURN_STEP_AGAIN ? find_parent(op, o) : ERROR_NONE;

	if (out->question.id)
		before = out->question.seq;
	else if (step == TURN_STEP_AGAIN)
		before = out->answer.seq;
	if (code == ERROR_NONE && firestore_is_there(&o->thread.document) && o->thread.last > 0)
		code = read_history(op, o, before);
	if (code == ERROR_NONE && step == TURN_STEP_ANSWER)
		code = firestore_message_last(op, o->open->thread_id, &o->last_seq, &o->last);
	if (code != ERROR_NONE)
		return code;
	return step == TURN_STEP_AGAIN ? take_over(op, o) : put_pair(op, o);
}

static enum error_code open_turn(struct firestore_op *op, void *arg)
{
	struct firestore_opening *o = arg;
	enum turn_step step;
	enum error_code code;

	*o->out = (struct turn_opened){ .kind = TURN_OPENED };
	o->last_seq = 0;
	o->last = "";
	code = read_all(op, o);
	if (code == ERROR_NONE && o->thread.thread.run.id) {
		o->out->kind = TURN_HELD;
		o->out->holder = o->thread.thread.run;
		return ERROR_NONE;
	}
	if (code == ERROR_NONE && firestore_is_there(&o->thread.document))
		code = firestore_number(op, &o->thread);
	if (code == ERROR_NONE)
		code = firestore_asked(op, o);
	if (code != ERROR_NONE)
		return code;
	step = store_turn_step(o->open, &o->out->question, &o->out->answer);
	if (step == TURN_STEP_ASKED) {
		o->out->kind = TURN_ASKED;
		return ERROR_NONE;
	}
	code = begin(op, o, step);
	return code == ERROR_NONE ? store_fits(o->arena) : code;
}

enum error_code firestore_turn_open(void *self, const struct turn_open *open, struct arena *arena,
				    struct turn_opened *out)
{
	struct turn_opened opened = { .kind = TURN_OPENED };
	struct firestore_opening o = {
		.open = open, .arena = arena, .out = &opened, .now_ms = clock_wall_ms()
	};
	enum error_code code = firestore_do(self, open_turn, &o);

	if (code == ERROR_NONE)
		*out = opened;
	return code;
}
