/* Every store forgets what it is told to forget: a user with all that was his, a thread with all
 * that is in it, and nothing besides. */
#include "contract.h"

#define ANY_AGE  (-3600000)
#define LONG_AGO (1000LL * 86400000)

static void purge(const char *id)
{
	bool more = true;

	while (more)
		OK(store_thread_purge(store, id, 3, &more, &error));
}

/* Marks that are old and messages of marked threads go, of whomever. */
static void sweep_all(void)
{
	bool more = true;

	while (more)
		OK(store_sweep(store, LONG_AGO, ANY_AGE, 1000, &more, &error));
}

static struct store_counts counts_of(const char *user_id)
{
	struct store_counts counts = { -1, -1 };

	OK(store_counts(store, user_id, &counts, &error));
	return counts;
}

/* As the administrators' command does it: page by page until there is none. */
static size_t erase(const char *user_id)
{
	const struct thread_filter filter = { .user_id = user_id, .archived = -1, .limit = 2 };
	struct thread_list list;
	size_t erased = 0;

	for (;;) {
		OK(store_thread_list(store, &filter, &arena, &list, &error));
		if (list.count == 0)
			return erased;
		for (size_t i = 0; i < list.count; i++, erased++) {
			delete_thread(list.items[i].id);
			purge(list.items[i].id);
		}
	}
}

static void a_user_is_erased_with_all_that_was_his(void **state)
{
	const char *user = fresh("user"), *other = fresh("other"), *theirs = new_thread(other);
	struct turn_open turns[3], kept = whole_turn(theirs);
	struct store_counts counts;

	(void)state;
	for (int i = 0; i < 3; i++) {
		turns[i] = whole_turn(new_thread(user));
		insert(message_of(turns[i].thread_id, "m"));
	}
	counts = counts_of(user);
	assert_int_equal(counts.threads, 3);
	assert_int_equal(counts.messages, 9);
	assert_int_equal(erase(user), 3);
	counts = counts_of(user);
	assert_int_equal(counts.threads, 0);
	assert_int_equal(counts.messages, 0);
	for (int i = 0; i < 3; i++) {
		struct message out;
		struct thread thread;

		FAILS(ERROR_NOT_FOUND,
		      store_thread_get(store, NULL, turns[i].thread_id, &arena, &thread, &error));
		FAILS(ERROR_NOT_FOUND,
		      store_message_by_run(store, NULL, turns[i].run.id, &arena, &out, &error));
		FAILS(ERROR_NOT_FOUND, store_message_get(store, NULL, turns[i].thread_id,
							 turns[i].answer.id, &arena, &out, &error));
	}
	assert_int_equal(counts_of(other).messages, 2);
	assert_int_equal(get_message(theirs, kept.answer.id).status, STATUS_COMPLETE);
	assert_int_equal(erase(user), 0);
}

static void what_was_erased_leaves_no_key_behind(void **state)
{
	const char *user = fresh("user"), *key = fresh("key");
	struct turn_open open = turn_of(new_thread(user)), again;
	struct message out;

	(void)state;
	open.answer.key = key;
	open_turn(&open);
	erase(user);
	FAILS(ERROR_NOT_FOUND, store_turn_find(store, NULL, open.thread_id, open.answer.id, key,
					       &arena, &out, &error));
	again = turn_of(new_thread(user));
	again.answer.key = key;
	assert_int_equal(open_turn(&again).kind, TURN_OPENED);
}

static void a_thread_that_is_made_anew_is_empty(void **state)
{
	const char *id = new_thread("ada");
	struct thread twin = thread_of(id, "bob");
	struct message_filter page = { .thread_id = id, .limit = 10 };
	struct turn_open before = whole_turn(id), open;
	struct message_list list;
	struct message out;

	(void)state;
	delete_thread(id);
	purge(id);
	sweep_all();
	OK(store_thread_insert(store, &twin, &error));
	OK(store_message_list(store, &page, &arena, &list, &error));
	assert_int_equal(list.count, 0);
	OK(store_runs_of(store, NULL, id, 10, &arena, &list, &error));
	assert_int_equal(list.count, 0);
	FAILS(ERROR_NOT_FOUND,
	      store_message_get(store, NULL, id, before.question.id, &arena, &out, &error));
	open = turn_of(id);
	assert_int_equal(open_turn(&open).kind, TURN_OPENED);
	assert_int_equal(get_message(id, open.question.id).seq, 1);
	assert_string_equal(get_thread(id).user_id, "bob");
}

static void a_deleted_thread_tells_nothing_of_what_it_was(void **state)
{
	const char *id = new_thread("ada");
	struct turn_open open = whole_turn(id);
	const struct message_patch edit = { .now_ms = 5000 };
	struct message_list list;
	struct message out;

	(void)state;
	delete_thread(id);
	FAILS(ERROR_NOT_FOUND,
	      store_message_update(store, NULL, id, open.answer.id, &edit, &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND, store_runs_of(store, NULL, id, 10, &arena, &list, &error));
	FAILS(ERROR_NOT_FOUND,
	      store_message_by_run(store, NULL, open.run.id, &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND, store_stop_ask(store, NULL, open.run.id, &error));
	FAILS(ERROR_NOT_FOUND, store_thread_get(store, "bob", id, &arena, &(struct thread){ 0 },
						&error)); /* nor that it was another's */
}

static void a_purge_of_what_nobody_deleted_removes_nothing(void **state)
{
	const char *id = new_thread("ada");
	bool more;

	(void)state;
	insert(message_of(id, "m"));
	FAILS(ERROR_NOT_FOUND, store_thread_purge(store, id, 10, &more, &error));
	get_message(id, "m");
	sweep_all();
	get_message(id, "m");
}

static void a_thousand_messages_are_removed_in_steps(void **state)
{
	const char *id = new_thread("ada");
	struct message *in = arena_alloc(&arena, 500 * sizeof *in);
	bool more = true;
	int steps = 0;

	(void)state;
	for (int half = 0; half < 2; half++) {
		for (int i = 0; i < 500; i++)
			in[i] = message_of(id, arena_printf(&arena, "m%d.%d", half, i));
		OK(store_messages_add(store, NULL, id, in, 500, &error));
	}
	delete_thread(id);
	for (; more; steps++)
		OK(store_thread_purge(store, id, 300, &more, &error));
	assert_int_equal(steps, 4);
}

/* --- at once --- */

struct actor {
	void (*act)(struct actor *);
	const char *thread_id;
	int number, done;
	struct error err;
	struct arena mine;
};

static void *run_actor(void *arg)
{
	struct actor *actor = arg;

	arena_init(&actor->mine, 4 << 20);
	actor->act(actor);
	arena_done(&actor->mine);
	return NULL;
}

static void delete_it(struct actor *actor)
{
	struct thread_deleted deleted;

	actor->done = store_thread_delete(store, NULL, actor->thread_id, &actor->mine, &deleted,
					  &actor->err);
}

static void of_8_deletions_at_once_one_is_carried_out(void **state)
{
	const char *id = new_thread("ada");
	struct actor actors[8];
	int done = 0;

	(void)state;
	for (int i = 0; i < 8; i++)
		actors[i] = (struct actor){ .act = delete_it, .thread_id = id };
	at_once(run_actor, actors, sizeof *actors, 8);
	for (int i = 0; i < 8; i++) {
		done += actors[i].done;
		if (!actors[i].done)
			assert_string_equal(error_word(actors[i].err.code),
					    error_word(ERROR_NOT_FOUND));
	}
	assert_int_equal(done, 1);
}

/* Until it is refused. */
static void add_to_it(struct actor *actor)
{
	char id[32];
	struct message message = message_of(actor->thread_id, id);

	do
		snprintf(id, sizeof id, "m%d.%d", actor->number, actor->done++);
	while (store_messages_add(store, NULL, actor->thread_id, &message, 1, &actor->err));
}

/* Turns are begun and ended until the thread is gone. */
static void talk_on_it(struct actor *actor)
{
	bool ok = true;

	while (ok) {
		char run[ID_UUID_SIZE], answer[ID_UUID_SIZE], question[ID_UUID_SIZE];
		struct turn_opened opened;
		struct turn_open open = { .thread_id = actor->thread_id,
					  .run = { run, answer, "0badcafe" },
					  .question = message_of(actor->thread_id, question),
					  .answer = answer_of(actor->thread_id, answer, run),
					  .history_bytes = 1000,
					  .history_max = 4 };

		id_uuid7(run);
		id_uuid7(answer);
		id_uuid7(question);
		ok = store_turn_open(store, &open, &actor->mine, &opened, &actor->err);
		if (ok && opened.kind == TURN_OPENED) {
			const struct finish end = finish_of(&open);

			ok = store_finish(store, &end, NULL, &actor->err);
			actor->done++;
		}
	}
}

static void delete_in_the_midst(struct actor *actor)
{
	struct message_filter page = { .thread_id = actor->thread_id, .limit = 20 };
	struct message_list list = { 0 };

	while (list.count < 5) /* the others are at it */
		if (!store_message_list(store, &page, &actor->mine, &list, &actor->err))
			return;
	delete_it(actor);
}

/* Nothing that came too late is left, neither seen nor unseen. */
static void nothing_is_left_of_a_thread_that_is_deleted_while_others_write(void **state)
{
	const char *id = new_thread("ada");
	struct thread twin = thread_of(id, "ada");
	struct message_filter page = { .thread_id = id, .limit = 10 };
	struct message_list list;
	struct actor actors[5];

	(void)state;
	for (int i = 0; i < 5; i++)
		actors[i] = (struct actor){ .act = i < 2   ? add_to_it
						   : i < 4 ? talk_on_it
							   : delete_in_the_midst,
					    .thread_id = id,
					    .number = i };
	at_once(run_actor, actors, sizeof *actors, 5);
	assert_true(actors[4].done);
	for (int i = 0; i < 4; i++)
		assert_string_equal(error_word(actors[i].err.code), error_word(ERROR_NOT_FOUND));
	purge(id);
	sweep_all();
	OK(store_thread_insert(store, &twin, &error));
	OK(store_message_list(store, &page, &arena, &list, &error));
	assert_int_equal(list.count, 0);
	assert_null(get_thread(id).run.id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_user_is_erased_with_all_that_was_his),
		TEST(what_was_erased_leaves_no_key_behind),
		TEST(a_thread_that_is_made_anew_is_empty),
		TEST(a_deleted_thread_tells_nothing_of_what_it_was),
		TEST(a_purge_of_what_nobody_deleted_removes_nothing),
		TEST(a_thousand_messages_are_removed_in_steps),
		TEST(of_8_deletions_at_once_one_is_carried_out),
		TEST(nothing_is_left_of_a_thread_that_is_deleted_while_others_write),
	};

	return cmocka_run_group_tests_name("store: erasing", tests, open_store, close_store);
}
