/* Every store that is asked over a wire: what becomes of a call when that is cut, held or refused
 * at any moment. The suite's server stands behind a proxy (tests/store_proxy), which C1D_TEST_PROXY
 * names. A call fails with one of a store's errors or is carried out; sent again until it is, it is
 * carried out once. */
#include "contract.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define UP_S       60
#define BURSTS_MAX 40

/* --- the proxy --- */

static char reply[4096]; /* of the last request */

static int connect_to_proxy(void)
{
	const char *address = getenv("C1D_TEST_PROXY");
	struct sockaddr_in proxy = { .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_non_null(address);
	proxy.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
	assert_int_equal(connect(fd, (struct sockaddr *)&proxy, sizeof proxy), 0);
	return fd;
}

static const char *tell_proxy(const char *method, const char *path, const char *body)
{
	const char *request =
		arena_printf(&arena, "%s %s HTTP/1.1\r\nContent-Length: %zu\r\n\r\n%s", method,
			     path, strlen(body), body);
	int fd = connect_to_proxy();
	size_t at = 0;
	ssize_t got;

	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	while ((got = read(fd, reply + at, sizeof reply - 1 - at)) > 0)
		at += (size_t)got;
	reply[at] = '\0';
	close(fd);
	assert_non_null(strstr(reply, "200 OK"));
	return strstr(reply, "\r\n\r\n") + 4;
}

static int add_rule(const char *action, int skip)
{
	const char *said = tell_proxy(
		"POST", "/rule",
		arena_printf(&arena, "{\"action\":\"%s\",\"skip\":%d,\"times\":2}", action, skip));

	return atoi(strchr(said, ':') + 1);
}

static bool has_fired(int rule)
{
	const char *path = arena_printf(&arena, "/wait?rule=%d&fired=1&timeout=0", rule);

	return strstr(tell_proxy("GET", path, ""), "true");
}

/* Nothing is wrong any more, and the store knows. */
static void heal(void)
{
	int64_t end_ms = clock_mono_ms() + UP_S * 1000LL;

	tell_proxy("POST", "/heal", "");
	while (!store_ping(store, &error))
		if (clock_mono_ms() > end_ms)
			fail_msg("not up again: %s, %s", error_word(error.code), error.detail);
		else
			usleep(10000);
	assert_false(store_is_down(store));
}

static void assert_is_of_the_store(enum error_code code)
{
	if (code != ERROR_STORE_DOWN && code != ERROR_STORE_TIMEOUT && code != ERROR_STORE &&
	    code != ERROR_OVERLOADED)
		fail_msg("a call that was cut is answered %s, %s", error_word(code), error.detail);
}

/* --- one call, cut at each of its moments --- */

/* What a step is tried on; ids are new at each try. */
struct trial {
	const char *id; /* of a thread */
	struct turn_open open;
	struct message pair[2];
	bool failed; /* at least once */
};

struct step {
	const char *name;
	void (*prepare)(struct trial *);
	/* Done. false: it failed with `error`. */
	bool (*act)(struct trial *);
	void (*check)(struct trial *);
};

static void have_thread(struct trial *trial)
{
	trial->id = new_thread("ada");
}

static void have_pair(struct trial *trial)
{
	have_thread(trial);
	trial->pair[0] = message_of(trial->id, "one");
	trial->pair[1] = message_of(trial->id, "two");
}

static void have_messages(struct trial *trial)
{
	have_pair(trial);
	OK(store_messages_add(store, NULL, trial->id, trial->pair, 2, &error));
}

static void have_turn(struct trial *trial)
{
	have_thread(trial);
	trial->open = turn_of(trial->id);
	trial->open.answer.key = fresh("key");
}

static void have_open_turn(struct trial *trial)
{
	have_turn(trial);
	assert_int_equal(open_turn(&trial->open).kind, TURN_OPENED);
}

static void have_name(struct trial *trial)
{
	trial->id = fresh("thread");
}

static bool insert_thread(struct trial *trial)
{
	struct thread thread = thread_of(trial->id, "ada");

	return store_thread_insert(store, &thread, &error) ||
	       (trial->failed && error.code == ERROR_CONFLICT);
}

static void is_inserted(struct trial *trial)
{
	assert_string_equal(get_thread(trial->id).title, "A title");
}

static bool rename_thread(struct trial *trial)
{
	const struct thread_patch patch = { "New", -1, "{\"a\":1}", -1, 7000 };
	struct thread out;

	return store_thread_update(store, "ada", trial->id, &patch, &arena, &out, &error);
}

static void is_renamed(struct trial *trial)
{
	assert_string_equal(get_thread(trial->id).title, "New");
	assert_string_equal(get_thread(trial->id).metadata, "{\"a\":1}");
}

static bool remove_thread(struct trial *trial)
{
	struct thread_deleted deleted;

	return store_thread_delete(store, "ada", trial->id, &arena, &deleted, &error) ||
	       (trial->failed && error.code == ERROR_NOT_FOUND);
}

static void is_removed(struct trial *trial)
{
	struct thread thread;

	FAILS(ERROR_NOT_FOUND, store_thread_get(store, NULL, trial->id, &arena, &thread, &error));
}

static void have_marked(struct trial *trial)
{
	have_messages(trial);
	delete_thread(trial->id);
}

static bool purge_thread(struct trial *trial)
{
	bool more = true;

	while (more)
		if (!store_thread_purge(store, trial->id, 1, &more, &error))
			return false;
	return true;
}

static bool has(const char *thread_id, const char *id)
{
	struct message out;

	return store_message_get(store, NULL, thread_id, id, &arena, &out, NULL);
}

/* As a client: those that are there are not sent again. */
static bool add_messages(struct trial *trial)
{
	size_t first = 0;

	if (trial->failed)
		while (first < 2 && has(trial->id, trial->pair[first].id))
			first++;
	return first == 2 ||
	       store_messages_add(store, "ada", trial->id, trial->pair + first, 2 - first, &error);
}

static void are_added(struct trial *trial)
{
	struct message_filter page = { .thread_id = trial->id, .limit = 10 };
	struct message_list list;

	OK(store_message_list(store, &page, &arena, &list, &error));
	assert_int_equal(list.count, 2);
	assert_string_equal(list.items[0].id, "one");
	assert_int_equal(list.items[1].seq, 2);
	assert_text(list.items[1].parent_id, "one");
}

static bool edit_message(struct trial *trial)
{
	const struct message_patch patch = { .has_content = true,
					     .content = SLICE("edited"),
					     .now_ms = 7000 };
	struct message out;

	return store_message_update(store, "ada", trial->id, "one", &patch, &arena, &out, &error);
}

static void is_edited(struct trial *trial)
{
	struct message out = get_message(trial->id, "one");

	assert_content(&out, SLICE("edited"));
}

/* As a worker: what a turn that failed may have left is ended, then the client asks again. */
static bool begin_turn(struct trial *trial)
{
	struct finish end = finish_of(&trial->open);
	struct turn_opened opened;

	end.status = STATUS_ERROR;
	end.content = SLICE("");
	end.unasked = true;
	if (trial->failed && !store_finish(store, &end, NULL, &error))
		return false;
	if (!store_turn_open(store, &trial->open, &arena, &opened, &error))
		return false;
	if (opened.kind != TURN_OPENED)
		fail_msg("the turn is of kind %d", opened.kind);
	return true;
}

static void is_begun(struct trial *trial)
{
	struct message_filter page = { .thread_id = trial->id, .limit = 10 };
	struct message_list list;

	OK(store_message_list(store, &page, &arena, &list, &error));
	assert_int_equal(list.count, 2);
	assert_string_equal(list.items[0].id, trial->open.question.id);
	assert_int_equal(list.items[1].seq, 2);
	assert_int_equal(list.items[1].status, STATUS_STREAMING);
	assert_text(get_thread(trial->id).run.id, trial->open.run.id);
}

static bool end_turn(struct trial *trial)
{
	const struct finish end = finish_of(&trial->open);

	return store_finish(store, &end, NULL, &error);
}

static void is_ended(struct trial *trial)
{
	struct message out = get_message(trial->id, trial->open.answer.id);

	assert_int_equal(out.status, STATUS_COMPLETE);
	assert_content(&out, SLICE("Sunny."));
	assert_null(get_thread(trial->id).run.id);
	assert_int_equal(get_message(trial->id, trial->open.question.id).seq, 1);
}

static void have_many(struct trial *trial)
{
	struct message *in = arena_alloc(&arena, 40 * sizeof *in);

	have_thread(trial);
	for (int i = 0; i < 40; i++) {
		char *text = arena_alloc(&arena, 4000);

		memset(text, 'a' + i % 26, 4000);
		in[i] = message_of(trial->id, arena_printf(&arena, "m%d", i));
		in[i].content = (struct slice){ text, 4000 };
	}
	OK(store_messages_add(store, NULL, trial->id, in, 40, &error));
}

/* C11: whole or not at all. */
static bool list_messages(struct trial *trial)
{
	struct message_filter page = { .owner = "ada", .thread_id = trial->id, .limit = 100 };
	struct message_list list;

	if (!store_message_list(store, &page, &arena, &list, &error))
		return false;
	assert_int_equal(list.count, 40);
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(list.items[i].content.len, 4000);
	return true;
}

static bool ask_for_a_stop(struct trial *trial)
{
	return store_stop_ask(store, "ada", trial->open.run.id, &error);
}

static bool beat(struct trial *trial)
{
	int64_t now_ms = 0;

	return store_node_beat(store, trial->id, &now_ms, &error) && now_ms > 0;
}

static void have_user(struct trial *trial)
{
	trial->id = fresh("giver");
	for (int i = 0; i < 3; i++)
		new_thread(trial->id);
}

static bool take(struct trial *trial)
{
	size_t taken;
	bool more = true;

	while (more)
		if (!store_threads_take(store, trial->id, fresh("taker"), 2, &taken, &more, &error))
			return false;
	return true;
}

static void are_taken(struct trial *trial)
{
	struct thread_filter filter = { .user_id = trial->id, .archived = -1, .limit = 10 };
	struct thread_list list;

	OK(store_thread_list(store, &filter, &arena, &list, &error));
	assert_int_equal(list.count, 0);
}

static bool put_messages(struct trial *trial)
{
	trial->pair[0].seq = 1;
	trial->pair[1].seq = 2;
	trial->pair[1].parent_id = "one";
	return store_messages_put(store, trial->pair, 2, &error);
}

static void nothing_to_check(struct trial *trial)
{
	(void)trial;
}

static const struct step steps[] = {
	{ "a thread is made", have_name, insert_thread, is_inserted },
	{ "a thread is renamed", have_thread, rename_thread, is_renamed },
	{ "a thread is deleted", have_thread, remove_thread, is_removed },
	{ "a thread is emptied", have_marked, purge_thread, is_removed },
	{ "messages are added", have_pair, add_messages, are_added },
	{ "a message is edited", have_messages, edit_message, is_edited },
	{ "a turn begins", have_turn, begin_turn, is_begun },
	{ "a turn ends", have_open_turn, end_turn, is_ended },
	{ "messages are listed", have_many, list_messages, nothing_to_check },
	{ "a stop is asked for", have_open_turn, ask_for_a_stop, nothing_to_check },
	{ "a node beats", have_name, beat, nothing_to_check },
	{ "threads change hands", have_user, take, are_taken },
	{ "messages are put", have_pair, put_messages, are_added },
};
#define STEPS (sizeof steps / sizeof *steps)

/* Until it has been carried out. */
static void go_on(const struct step *step, struct trial *trial)
{
	for (int tries = 0; !step->act(trial); tries++) {
		assert_is_of_the_store(error.code);
		if (tries == 20)
			fail_msg("%s fails again and again: %s, %s", step->name,
				 error_word(error.code), error.detail);
		heal();
	}
}

/* false: it did not come so far. */
static bool cut_once(const struct step *step, const char *action, int at)
{
	struct trial trial = { 0 };
	bool fired;
	int rule;

	step->prepare(&trial);
	rule = add_rule(action, at);
	error = (struct error){ 0 };
	trial.failed = !step->act(&trial);
	if (trial.failed)
		assert_is_of_the_store(error.code);
	fired = has_fired(rule);
	heal();
	if (trial.failed)
		go_on(step, &trial);
	step->check(&trial);
	return fired;
}

static void cut_at_each_moment(const struct step *step, const char *action)
{
	int at = 0;

	while (at < BURSTS_MAX && cut_once(step, action, at))
		at++;
	if (at == 0)
		fail_msg("%s: nothing was asked of the server", step->name);
}

/* What is cut before a later moment has been cut behind the one before it: that is the next test.
 */
static void c6_a_call_that_never_arrives_is_carried_out_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < STEPS; i++)
		assert_true(cut_once(&steps[i], "cut_before", 0));
}

static void c6_a_call_that_is_cut_when_it_was_carried_out_is_carried_out_once(void **state)
{
	(void)state;
	if (strcmp(store_kind(store), "mongodb") == 0)
		skip(); /* test_store_faults.py does it; half a second each, for the driver's sake
			 */
	for (size_t i = 0; i < STEPS; i++)
		cut_at_each_moment(&steps[i], "cut_after");
}

static void c11_half_of_a_list_is_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < STEPS; i++)
		if (steps[i].act == list_messages)
			cut_at_each_moment(&steps[i], "half");
}

/* --- away --- */

static size_t descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

struct caller {
	struct error err;
	bool ok;
	int calls;
};

static void *call_often(void *arg)
{
	struct caller *caller = arg;
	struct thread thread;
	struct arena mine;

	arena_init(&mine, 1 << 16);
	for (int i = 0; i < caller->calls; i++)
		caller->ok = store_thread_get(store, NULL, "nobody", &mine, &thread, &caller->err);
	arena_done(&mine);
	return NULL;
}

/* Eight at once, of what nobody has; each of the last errors is this one, or of a store that lets
 * them wait. */
static void all_are_told(int calls, enum error_code code, bool or_wait)
{
	struct caller callers[8] = { 0 };

	for (int i = 0; i < 8; i++)
		callers[i].calls = calls;
	at_once(call_often, callers, sizeof *callers, 8);
	for (int i = 0; i < 8; i++) {
		assert_false(callers[i].ok);
		if (callers[i].err.code != code &&
		    !(or_wait && (callers[i].err.code == ERROR_STORE_TIMEOUT ||
				  callers[i].err.code == ERROR_OVERLOADED)))
			fail_msg("told %s, %s", error_word(callers[i].err.code),
				 callers[i].err.detail);
	}
}

static void c2_c13_a_server_that_refuses_is_told_at_once_and_leaves_nothing(void **state)
{
	size_t before;

	(void)state;
	all_are_told(20, ERROR_NOT_FOUND, false);
	before = descriptors();
	tell_proxy("POST", "/mode?mode=refuse", "");
	all_are_told(125, ERROR_STORE_DOWN, false);
	assert_true(store_is_down(store));
	assert_false(store_ping(store, &error));
	assert_string_equal(error_word(error.code), error_word(ERROR_STORE_DOWN));
	heal();
	all_are_told(20, ERROR_NOT_FOUND, false);
	assert_true(descriptors() <= before + 8); /* as many as were asked at once */
	whole_turn(new_thread("ada"));
}

static void c4_a_server_that_hangs_is_given_up(void **state)
{
	(void)state;
	whole_turn(new_thread("ada"));
	tell_proxy("POST", "/mode?mode=hang", "");
	all_are_told(1, ERROR_STORE_DOWN, true);
	heal();
	all_are_told(1, ERROR_NOT_FOUND, false);
	whole_turn(new_thread("ada"));
}

static void c4_a_server_that_is_late_is_waited_for(void **state)
{
	(void)state;
	tell_proxy("POST", "/rule", "{\"action\":\"delay\",\"ms\":50,\"times\":0}");
	whole_turn(new_thread("ada"));
	heal();
}

/* C1: opened while it is away, it is there as soon as that is. */
static void c1_a_store_is_opened_while_its_server_is_away(void **state)
{
	struct config config = contract_config();
	struct store *before = store;

	(void)state;
	tell_proxy("POST", "/mode?mode=refuse", "");
	store = store_open(&config, NULL, &error);
	assert_non_null(store);
	all_are_told(1, ERROR_STORE_DOWN, false);
	heal();
	whole_turn(new_thread("ada"));
	store_free(store);
	store = before;
	heal(); /* it has been away for this one, too */
}

static int set_up_and_heal(void **state)
{
	arena_init(&arena, 1 << 16);
	heal(); /* whatever became of the test before */
	arena_done(&arena);
	return set_up(state);
}

#define WIRE(name) cmocka_unit_test_setup_teardown(name, set_up_and_heal, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WIRE(c6_a_call_that_never_arrives_is_carried_out_once),
		WIRE(c6_a_call_that_is_cut_when_it_was_carried_out_is_carried_out_once),
		WIRE(c11_half_of_a_list_is_none),
		WIRE(c2_c13_a_server_that_refuses_is_told_at_once_and_leaves_nothing),
		WIRE(c4_a_server_that_hangs_is_given_up),
		WIRE(c4_a_server_that_is_late_is_waited_for),
		WIRE(c1_a_store_is_opened_while_its_server_is_away),
	};

	return cmocka_run_group_tests_name("store: wire", tests, open_store, close_store);
}
