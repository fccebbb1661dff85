/* firestore_asked: was it asked before? By its key, over all threads, or by the ids of the pair. */
#include "firestore_turn.h"

/* The answer that has this key. The document of a key outlives its message for a while: what it
 * says is true only as long as the message says it, too. */
static enum error_code find_by_key(struct firestore_op *op, const char *owner, const char *key,
				   const struct firestore_document *document,
				   struct firestore_document pair[2],
				   const struct firestore_document **found)
{
	const char *thread_id =
		arena_copy(&op->arena, firestore_text(document->fields, "thread_id"));
	const char *id = arena_copy(&op->arena, firestore_text(document->fields, "message_id"));
	struct firestore_name names[3];
	struct firestore_document documents[3];
	struct firestore_thread thread;
	enum error_code code;

	*found = NULL;
	if (!thread_id || !id || !firestore_is_there(document))
		return store_fits(&op->arena);
	firestore_message_names(op, thread_id, id, names);
	names[2] = (struct firestore_name){ FS_THREADS, firestore_id(op, thread_id) };
	code = firestore_get(op, names, 3, NULL, documents);
	if (code != ERROR_NONE || !firestore_is_there(&documents[2]))
		return code;
	code = firestore_thread_of(&documents[2], owner, &op->arena, &thread);
	pair[0] = documents[0];
	pair[1] = documents[1];
	*found = firestore_pick(pair, thread_id);
	if (*found && (!slice_is(firestore_text((*found)->fields, "key"), key) ||
		       !slice_is(firestore_text((*found)->fields, "role"),
				 message_role_text(ROLE_ASSISTANT)))) /* a question's is none */
		*found = NULL;
	return *found ? code : ERROR_NONE;
}

/* --- by a look --- */

struct looking {
	const char *owner, *thread_id, *answer_id, *key;
	struct arena *arena;
	struct message *out;
};

static enum error_code look_by_key(struct firestore_op *op, void *arg)
{
	struct looking *l = arg;
	const struct firestore_name name = { FS_KEYS, firestore_id(op, l->key) };
	const struct firestore_document *found;
	struct firestore_document document, pair[2];
	enum error_code code = firestore_get(op, &name, 1, NULL, &document);

	if (code == ERROR_NONE)
		code = find_by_key(op, l->owner, l->key, &document, pair, &found);
	if (code != ERROR_NONE)
		return code;
	return found ? firestore_message_take(op, found, l->arena, l->out) : ERROR_NOT_FOUND;
}

static enum error_code look_by_id(struct firestore_op *op, void *arg)
{
	struct looking *l = arg;
	struct firestore_name names[3] = { [2] = { FS_THREADS, firestore_id(op, l->thread_id) } };
	const struct firestore_document *found;
	struct firestore_document documents[3];
	struct firestore_thread thread;
	enum error_code code;

	firestore_message_names(op, l->thread_id, l->answer_id, names);
	code = firestore_get(op, names, 3, NULL, documents);
	if (code == ERROR_NONE)
		code = firestore_thread_of(&documents[2], l->owner, &op->arena, &thread);
	if (code != ERROR_NONE)
		return code;
	found = firestore_pick(documents, l->thread_id);
	return found ? firestore_message_take(op, found, l->arena, l->out) : ERROR_NOT_FOUND;
}

enum error_code firestore_turn_find(void *self, const char *owner, const char *thread_id,
				    const char *answer_id, const char *key, struct arena *arena,
				    struct message *out)
{
	struct looking l = { owner, thread_id, answer_id, key, arena, out };

	return firestore_do(self, key ? look_by_key : look_by_id, &l);
}

/* --- while a turn is opened --- */

/* The answer that a question has, whatever its id. */
static enum error_code find_answer_of(struct firestore_op *op, struct firestore_opening *o)
{
	const struct firestore_find find = { FQ_ANSWERS_OF,
					     { FS_TEXT(o->open->thread_id),
					       FS_TEXT(o->out->question.id),
					       FS_TEXT(message_role_text(ROLE_ASSISTANT)) },
					     1,
					     NULL,
					     NULL };
	struct firestore_found found;
	enum error_code code = firestore_find(op, &find, &found);

	if (code == ERROR_NONE && found.count > 0) {
		o->found_by_question = found.items[0];
		o->found = &o->found_by_question;
	}
	return code;
}

enum error_code firestore_asked(struct firestore_op *op, struct firestore_opening *o)
{
	const struct turn_open *open = o->open;
	const struct firestore_document *question =
		firestore_pick(o->question_pair, open->thread_id);
	enum error_code code = ERROR_NONE;

	o->found = NULL;
	if (open->answer.key)
		code = find_by_key(op, open->owner, open->answer.key, &o->key, o->found_by_key,
				   &o->found);
	if (code == ERROR_NONE && !o->found)
		o->found = firestore_pick(o->answer_pair, open->thread_id);
	if (code == ERROR_NONE && question)
		code = firestore_message_take(op, question, o->arena, &o->out->question);
	if (code == ERROR_NONE && question && !o->found)
		code = find_answer_of(op, o);
	if (code == ERROR_NONE && o->found)
		code = firestore_message_take(op, o->found, o->arena, &o->out->answer);
	return code;
}
