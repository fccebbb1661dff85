/* Every store holds its promises when several use it at once: threads of one process, workers with
 * a store each, and nodes, which are processes of their own. */
#include "contract.h"
#include <sys/wait.h>
#include <unistd.h>

#define ACTORS 8

/* What each of several does at the same time. */
struct actor {
	bool (*act)(struct actor *);
	const char *thread_id;
	int number;
	bool ok;
	struct error err;
	struct arena arena; /* what `out` lies in */
	struct message message;
	struct thread thread;
	struct turn_open open;
	struct turn_opened opened;
};

static struct actor actors[ACTORS];

static void *run_actor(void *arg)
{
	struct actor *actor = arg;

	actor->ok = actor->act(actor);
	return NULL;
}

/* Runs `act` in each; the memory of what they read lasts until done_with_actors. */
static size_t all_at_once(bool (*act)(struct actor *), const char *thread_id)
{
	size_t ok = 0;

	for (int i = 0; i < ACTORS; i++) {
		actors[i].act = act;
		actors[i].thread_id = thread_id;
		actors[i].number = i;
		actors[i].err = (struct error){ 0 };
		arena_init(&actors[i].arena, 4 << 20);
	}
	at_once(run_actor, actors, sizeof *actors, ACTORS);
	for (int i = 0; i < ACTORS; i++)
		ok += actors[i].ok;
	return ok;
}

static void done_with_actors(void)
{
	for (int i = 0; i < ACTORS; i++)
		arena_done(&actors[i].arena);
}

/* Who did not succeed was told this. */
static void others_were_told(enum error_code code)
{
	for (int i = 0; i < ACTORS; i++)
		if (!actors[i].ok)
			assert_string_equal(error_word(actors[i].err.code), error_word(code));
}

/* --- threads of one process --- */

static bool add_m(struct actor *actor)
{
	struct message message = message_of(actor->thread_id, "m");

	return store_messages_add(store, NULL, actor->thread_id, &message, 1, &actor->err);
}

static void of_8_messages_of_one_id_one_is_added(void **state)
{
	const char *id = new_thread("ada");
	struct message_filter page = { .thread_id = id, .limit = 10 };
	struct message_list list;

	(void)state;
	assert_int_equal(all_at_once(add_m, id), 1);
	others_were_told(ERROR_CONFLICT);
	OK(store_message_list(store, &page, &arena, &list, &error));
	assert_int_equal(list.count, 1);
	done_with_actors();
}

static bool make_thread(struct actor *actor)
{
	struct thread thread = thread_of(actor->thread_id, "ada");

	return store_thread_insert(store, &thread, &actor->err);
}

static void of_8_threads_of_one_id_one_is_made(void **state)
{
	(void)state;
	assert_int_equal(all_at_once(make_thread, fresh("thread")), 1);
	others_were_told(ERROR_CONFLICT);
	done_with_actors();
}

static bool touch(struct actor *actor)
{
	struct thread_patch patch = { .archived = -1, .if_rev = -1, .now_ms = 2000 };
	char title[8];

	snprintf(title, sizeof title, "t%d", actor->number);
	patch.title = title;
	return store_thread_update(store, NULL, actor->thread_id, &patch, &actor->arena,
				   &actor->thread, &actor->err);
}

/* Each is told what it made of the thread, and no two the same revision. */
static void of_8_changes_at_once_each_has_a_revision_of_its_own(void **state)
{
	const char *id = new_thread("ada");
	int64_t rev = get_thread(id).rev;

	(void)state;
	assert_int_equal(all_at_once(touch, id), ACTORS);
	for (int i = 0; i < ACTORS; i++) {
		assert_true(actors[i].thread.rev > rev);
		assert_string_equal(actors[i].thread.title, arena_printf(&arena, "t%d", i));
		for (int j = 0; j < i; j++)
			assert_true(actors[i].thread.rev != actors[j].thread.rev);
	}
	done_with_actors();
}

static bool edit(struct actor *actor)
{
	struct message_patch patch = { .has_content = true, .now_ms = 2000 };
	char content[32];

	snprintf(content, sizeof content, "edited by %d", actor->number);
	patch.content = slice_of(content);
	return store_message_update(store, NULL, actor->thread_id, "m", &patch, &actor->arena,
				    &actor->message, &actor->err);
}

static void of_8_edits_at_once_the_last_stays_whole(void **state)
{
	const char *id = new_thread("ada");
	struct message out;
	int same = 0;

	(void)state;
	insert(message_of(id, "m"));
	assert_int_equal(all_at_once(edit, id), ACTORS);
	out = get_message(id, "m");
	for (int i = 0; i < ACTORS; i++)
		same += slice_equal(out.content, slice_of(arena_printf(&arena, "edited by %d", i)));
	assert_int_equal(same, 1);
	done_with_actors();
}

static bool ask(struct actor *actor)
{
	return store_turn_open(store, &actor->open, &actor->arena, &actor->opened, &actor->err);
}

/* One key on threads of each one's own, as a client that resends before it knows its thread. */
static void r24_of_8_turns_with_one_key_one_is_opened(void **state)
{
	struct thread make[ACTORS];
	const char *key = fresh("key");
	int opened = 0;

	(void)state;
	for (int i = 0; i < ACTORS; i++) {
		make[i] = thread_of(fresh("thread"), "ada");
		actors[i].open = turn_of(make[i].id);
		actors[i].open.make = &make[i];
		actors[i].open.answer.key = key;
	}
	all_at_once(ask, NULL);
	for (int i = 0; i < ACTORS; i++) {
		struct message out;

		if (!actors[i].ok)
			fail_msg("%s: %s", error_word(actors[i].err.code), actors[i].err.detail);
		opened += actors[i].opened.kind == TURN_OPENED;
		if (actors[i].opened.kind == TURN_OPENED)
			get_message(make[i].id, actors[i].open.answer.id);
		else
			FAILS(ERROR_NOT_FOUND,
			      store_message_get(store, NULL, make[i].id, actors[i].open.answer.id,
						&arena, &out, &error));
	}
	assert_int_equal(opened, 1);
	done_with_actors();
}

/* One ends the run, the others ask for it to be stopped or look at it. */
static bool end_or_look(struct actor *actor)
{
	const struct finish end = finish_of(&actors[0].open);
	bool applied;

	switch (actor->number % 4) {
	case 0: return store_finish(store, &end, &applied, &actor->err);
	case 1:
		return store_stop_ask(store, NULL, end.run_id, &actor->err) ||
		       actor->err.code == ERROR_NOT_FOUND;
	case 2:
		return store_message_by_run(store, NULL, end.run_id, &actor->arena, &actor->message,
					    &actor->err);
	default:
		return store_thread_get(store, NULL, end.thread_id, &actor->arena, &actor->thread,
					&actor->err);
	}
}

static void an_end_that_is_told_beside_wishes_and_looks_is_whole(void **state)
{
	const char *id = new_thread("ada");
	struct message out;

	(void)state;
	actors[0].open = turn_of(id);
	open_turn(&actors[0].open);
	assert_int_equal(all_at_once(end_or_look, id), ACTORS);
	for (int i = 2; i < ACTORS; i += 4) /* never half of an end */
		assert_int_equal(actors[i].message.content.len,
				 actors[i].message.status == STATUS_STREAMING ? 0 : 6);
	out = get_message(id, actors[0].open.answer.id);
	assert_int_equal(out.status, STATUS_COMPLETE);
	assert_null(get_thread(id).run.id);
	done_with_actors();
}

static const char *giver; /* whose thread becomes another's */

static bool take_or_ask(struct actor *actor)
{
	size_t taken;
	bool more;

	if (actor->number == 0)
		return store_threads_take(store, giver, "to", 10, &taken, &more, &actor->err);
	return ask(actor);
}

/* Whoever it is of by then, the turn is whole, and its thread is held by it. */
static void a_thread_that_changes_hands_while_turns_begin_is_held_by_one(void **state)
{
	const char *winner = NULL, *id;

	(void)state;
	giver = fresh("giver");
	id = new_thread(giver);
	for (int i = 1; i < ACTORS; i++)
		actors[i].open = turn_of(id);
	assert_int_equal(all_at_once(take_or_ask, id), ACTORS);
	for (int i = 1; i < ACTORS; i++)
		if (actors[i].opened.kind == TURN_OPENED) {
			assert_null(winner);
			winner = actors[i].open.run.id;
		}
	assert_text(get_thread(id).run.id, winner);
	assert_string_equal(get_thread(id).user_id, "to");
	done_with_actors();
}

/* --- two workers --- */

static void what_one_worker_wrote_the_other_reads(void **state)
{
	struct config config = contract_config();
	struct store *mine = store, *other = store_open(&config, NULL, &error);
	const char *id = new_thread("ada");
	struct turn_open open = turn_of(id);
	struct message out;
	struct thread thread;

	(void)state;
	assert_non_null(other);
	for (int i = 0; i < 4; i++) {
		struct message in = message_of(id, arena_printf(&arena, "m%d", i));

		OK(store_messages_add(i & 1 ? other : mine, NULL, id, &in, 1, &error));
		OK(store_message_get(i & 1 ? mine : other, NULL, id, in.id, &arena, &out, &error));
		assert_int_equal(out.seq, i + 1);
	}
	open_turn(&open);
	store = other;
	assert_int_equal(open_turn(&(struct turn_open[]){ turn_of(id) }[0]).kind, TURN_HELD);
	finish(&(struct finish[]){ finish_of(&open) }[0]);
	store = mine;
	OK(store_thread_get(mine, NULL, id, &arena, &thread, &error));
	assert_null(thread.run.id);
	store_free(other);
}

/* --- two nodes --- */

#define NODES      2
#define NODE_TURNS 6 /* of each thread of a node */

/* What a thread of a node does: turns on a thread that all share, each begun until the claim is
 * had. */
static bool talk(struct actor *actor)
{
	for (int turn = 0; turn < NODE_TURNS;) {
		struct turn_opened opened;
		struct turn_open open;
		struct finish end;

		if (actor->arena.used > 1 << 20) {
			arena_done(&actor->arena);
			arena_init(&actor->arena, 4 << 20);
		}
		open = (struct turn_open){
			.thread_id = actor->thread_id,
			.run = { arena_printf(&actor->arena, "r%d.%d.%d", getpid(), actor->number,
					      turn),
				 arena_printf(&actor->arena, "a%d.%d.%d", getpid(), actor->number,
					      turn),
				 "0badcafe" },
			.history_bytes = 1000,
			.history_max = 2,
		};
		open.question =
			message_of(open.thread_id, arena_printf(&actor->arena, "q%d.%d.%d",
								getpid(), actor->number, turn));
		open.answer = answer_of(open.thread_id, open.run.message_id, open.run.id);
		end = finish_of(&open);
		end.content = slice_of(open.run.id);
		if (!store_turn_open(store, &open, &actor->arena, &opened, &actor->err))
			return false;
		if (opened.kind == TURN_ASKED)
			return false; /* its ids are its own */
		if (opened.kind == TURN_HELD)
			continue;
		if (!store_finish(store, &end, NULL, &actor->err))
			return false;
		turn++;
	}
	return true;
}

/* The program again, as another node: 0 when all its threads could talk. */
static int be_a_node(const char *thread_id)
{
	bool ok = true;

	if (open_store(NULL) != 0)
		return 2;
	for (int i = 0; i < 2; i++) {
		actors[i] = (struct actor){ .act = talk, .thread_id = thread_id, .number = i };
		arena_init(&actors[i].arena, 4 << 20);
	}
	at_once(run_actor, actors, sizeof *actors, 2);
	for (int i = 0; i < 2; i++) {
		if (!actors[i].ok)
			fprintf(stderr, "%s: %s\n", error_word(actors[i].err.code),
				actors[i].err.detail);
		ok = ok && actors[i].ok;
		arena_done(&actors[i].arena);
	}
	store_free(store);
	return ok ? 0 : 1;
}

static pid_t start_node(const char *thread_id)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/proc/self/exe", "a node", thread_id, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void turns_of_two_nodes_follow_each_other(void **state)
{
	const char *id = new_thread("ada");
	struct message_filter page = { .thread_id = id, .from_start = true, .limit = 100 };
	struct message_list list;
	pid_t nodes[NODES];

	(void)state;
	for (int i = 0; i < NODES; i++)
		nodes[i] = start_node(id);
	for (int i = 0; i < NODES; i++) {
		int status = -1;

		assert_int_equal(waitpid(nodes[i], &status, 0), nodes[i]);
		assert_int_equal(status, 0);
	}
	OK(store_message_list(store, &page, &arena, &list, &error));
	assert_int_equal(list.count, NODES * 2 * NODE_TURNS * 2);
	for (size_t i = 0; i < list.count; i += 2) {
		const struct message *question = &list.items[i], *answer = &list.items[i + 1];

		assert_int_equal(question->seq, i + 1);
		assert_int_equal(question->role, ROLE_USER);
		assert_int_equal(answer->seq, i + 2);
		assert_string_equal(answer->parent_id, question->id);
		assert_string_equal(answer->id + 1, question->id + 1); /* never one between */
		assert_int_equal(answer->status, STATUS_COMPLETE);
		assert_content(answer, slice_of(answer->run_id));
	}
	assert_null(get_thread(id).run.id);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(of_8_messages_of_one_id_one_is_added),
		TEST(of_8_threads_of_one_id_one_is_made),
		TEST(of_8_changes_at_once_each_has_a_revision_of_its_own),
		TEST(of_8_edits_at_once_the_last_stays_whole),
		TEST(r24_of_8_turns_with_one_key_one_is_opened),
		TEST(an_end_that_is_told_beside_wishes_and_looks_is_whole),
		TEST(a_thread_that_changes_hands_while_turns_begin_is_held_by_one),
		TEST(what_one_worker_wrote_the_other_reads),
		TEST(turns_of_two_nodes_follow_each_other),
	};

	if (argc == 2)
		return be_a_node(argv[1]);
	return cmocka_run_group_tests_name("store: races", tests, open_store, close_store);
}
