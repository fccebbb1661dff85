/* Every store's pages show everything once, whatever others write meanwhile. */
#include "contract.h"
#include <stdatomic.h>

#define PAGE_THREADS 30
#define WRITERS      2

/* --- those who write while somebody reads --- */

static atomic_bool reading; /* writers go on until it ends */

struct writer {
	void (*write)(struct writer *);
	const char *user_id, *thread_id;
	int number, round;
	atomic_bool failed;
	char id[96];
};

static void *write_on(void *arg)
{
	struct writer *writer = arg;

	for (writer->round = 0; atomic_load(&reading) && !writer->failed; writer->round++)
		writer->write(writer);
	return NULL;
}

/* The next round is with names of its own, whatever became of one that was late. */
static void note(struct writer *writer, const struct error *err)
{
	if (err->code != ERROR_NONE && !was_late(err))
		atomic_store(&writer->failed, true);
}

/* Makes a thread, changes it, deletes it. */
static void stir_threads(struct writer *writer)
{
	struct thread_patch patch = { .title = "changed", .archived = -1, .if_rev = -1 };
	struct thread thread = thread_of(writer->id, writer->user_id), out;
	struct thread_deleted deleted;
	struct error err = { 0 };
	struct arena mine;

	arena_init(&mine, 1 << 20);
	snprintf(writer->id, sizeof writer->id, "t%d.%d-%s", writer->number, writer->round,
		 writer->user_id);
	patch.now_ms = thread.updated_ms = clock_wall_ms();
	if (store_thread_insert(store, &thread, &err) &&
	    store_thread_update(store, NULL, thread.id, &patch, &mine, &out, &err))
		store_thread_delete(store, NULL, thread.id, &mine, &deleted, &err);
	note(writer, &err);
	arena_done(&mine);
}

static void add_message(struct writer *writer)
{
	struct message message = message_of(writer->thread_id, writer->id);
	struct error err = { 0 };

	snprintf(writer->id, sizeof writer->id, "new%d.%d", writer->number, writer->round);
	store_messages_add(store, NULL, writer->thread_id, &message, 1, &err);
	note(writer, &err);
}

static pthread_t threads[WRITERS];
static struct writer writers[WRITERS];

static void begin_writing(void (*write)(struct writer *), const char *user_id,
			  const char *thread_id)
{
	atomic_store(&reading, true);
	for (int i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){
			.write = write, .user_id = user_id, .thread_id = thread_id, .number = i
		};
		assert_int_equal(pthread_create(&threads[i], NULL, write_on, &writers[i]), 0);
	}
}

static void end_writing(void)
{
	atomic_store(&reading, false);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < WRITERS; i++)
		assert_false(writers[i].failed);
}

/* How many of these ids are in what was read, each once; what is of nobody is passed over. */
struct met {
	const char **ids;
	size_t count;
	unsigned char times[PAGE_THREADS];
};

static void meet(struct met *met, const char *id)
{
	for (size_t i = 0; i < met->count; i++)
		if (strcmp(met->ids[i], id) == 0)
			met->times[i]++;
}

static void assert_all_met_once(const struct met *met)
{
	for (size_t i = 0; i < met->count; i++)
		if (met->times[i] != 1)
			fail_msg("%s was met %d times", met->ids[i], met->times[i]);
}

static struct met make_threads(const char *user_id, int64_t updated_ms)
{
	struct met met = { .ids = arena_alloc(&arena, PAGE_THREADS * sizeof *met.ids),
			   .count = PAGE_THREADS };

	for (size_t i = 0; i < PAGE_THREADS; i++) {
		struct thread thread = thread_of(fresh("still"), user_id);

		thread.updated_ms = updated_ms;
		OK(store_thread_insert(store, &thread, &error));
		met.ids[i] = thread.id;
	}
	return met;
}

/* --- threads --- */

static void read_threads(const char *user_id, size_t limit, struct met *met)
{
	struct thread_filter filter = { .user_id = user_id, .archived = -1, .limit = limit };
	struct thread_list list;

	do {
		READS(store_thread_list(store, &filter, &arena, &list, &error));
		assert_true(list.count <= limit);
		for (size_t i = 0; i < list.count; i++)
			meet(met, list.items[i].id);
		filter.cursor = list.next;
	} while (list.next);
}

static void threads_of_one_moment_are_all_shown_once(void **state)
{
	const char *user = fresh("user");
	struct met met = make_threads(user, 1000);

	(void)state;
	read_threads(user, 7, &met);
	assert_all_met_once(&met);
	memset(met.times, 0, sizeof met.times);
	read_threads(user, 1, &met);
	assert_all_met_once(&met);
}

static void threads_that_nobody_touches_are_shown_once_while_others_change(void **state)
{
	const char *user = fresh("user");
	struct met met = make_threads(user, 1000);

	(void)state;
	begin_writing(stir_threads, user, NULL);
	for (int i = 0; i < 2; i++) {
		memset(met.times, 0, sizeof met.times);
		read_threads(user, 4, &met);
		assert_all_met_once(&met);
	}
	end_writing();
}

/* What is deleted behind a page's back is no end of the list. */
static void a_page_goes_on_behind_a_thread_that_was_deleted(void **state)
{
	const char *user = fresh("user"), *ids[4];
	struct thread_filter filter = { .user_id = user, .archived = -1, .limit = 2 };
	struct thread_list list;

	(void)state;
	for (int i = 0; i < 4; i++)
		ids[i] = new_thread(user); /* the later has the larger id */
	OK(store_thread_list(store, &filter, &arena, &list, &error));
	delete_thread(ids[2]);
	filter.cursor = list.next;
	OK(store_thread_list(store, &filter, &arena, &list, &error));
	assert_int_equal(list.count, 2);
	assert_string_equal(list.items[0].id, ids[1]);
	assert_string_equal(list.items[1].id, ids[0]);
}

static void a_search_has_pages_too(void **state)
{
	const char *user = fresh("user"), *word = fresh("word");
	struct thread_filter filter = { .user_id = user, .archived = -1, .q = word, .limit = 2 };
	struct thread_list list;
	size_t seen = 0;

	(void)state;
	for (int i = 0; i < 14; i++) {
		struct thread thread = thread_of(fresh("thread"), user);

		thread.title = i % 2 ? arena_printf(&arena, "a %s b", word) : "something else";
		thread.updated_ms = 1000 + i;
		OK(store_thread_insert(store, &thread, &error));
	}
	do {
		OK(store_thread_list(store, &filter, &arena, &list, &error));
		for (size_t i = 0; i < list.count; i++)
			assert_int_equal(list.items[i].updated_ms, 1013 - 2 * seen++);
		filter.cursor = list.next;
	} while (list.next);
	assert_int_equal(seen, 7);
}

static void filters_go_together(void **state)
{
	const char *user = fresh("user"), *word = fresh("word");
	struct thread_filter filter = { .owner = user, .archived = 1, .q = word, .limit = 10 };
	struct thread_list list;

	(void)state;
	for (int i = 0; i < 8; i++) {
		struct thread thread = thread_of(fresh("thread"), i & 1 ? user : fresh("other"));

		thread.title = i & 2 ? word : "something else";
		thread.archived = i & 4;
		thread.updated_ms = 1000 + i;
		OK(store_thread_insert(store, &thread, &error));
	}
	OK(store_thread_list(store, &filter, &arena, &list, &error));
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].updated_ms, 1007);
}

/* --- the scan of an export --- */

static void a_scan_meets_what_stays_once_while_others_change(void **state)
{
	const char *user = fresh("user");
	struct met met = make_threads(user, 1000);
	const char *after = NULL;
	char last[ID_MAX + 1] = "";
	struct thread_list list;

	(void)state;
	begin_writing(stir_threads, user, NULL);
	do {
		READS(store_thread_scan(store, after, 9, &arena, &list, &error));
		for (size_t i = 0; i < list.count; i++) {
			assert_true(strcmp(last, list.items[i].id) < 0);
			snprintf(last, sizeof last, "%s", list.items[i].id);
			meet(&met, last);
		}
		after = list.next;
	} while (after);
	end_writing();
	assert_all_met_once(&met);
}

/* --- messages --- */

static const char *with_messages(size_t count)
{
	const char *id = new_thread("ada");
	struct message *in = arena_alloc(&arena, count * sizeof *in);

	for (size_t i = 0; i < count; i++)
		in[i] = message_of(id, arena_printf(&arena, "m%zu", i));
	OK(store_messages_add(store, NULL, id, in, count, &error));
	return id;
}

/* Backwards from the end, as a page that is scrolled up, while the thread grows. */
static void pages_back_are_whole_while_the_thread_grows(void **state)
{
	const char *id = with_messages(50);
	struct message_filter page = { .thread_id = id, .limit = 7 };
	struct message_list list;
	int64_t next = 0;

	(void)state;
	begin_writing(add_message, NULL, id);
	do {
		READS(store_message_list(store, &page, &arena, &list, &error));
		assert_true(list.count > 0);
		for (size_t i = list.count; i-- > 0; next--) {
			if (next == 0)
				next = list.items[i].seq;
			assert_int_equal(list.items[i].seq, next);
		}
		page.before = list.items[0].id;
	} while (list.more);
	end_writing();
	assert_int_equal(next, 0);
}

/* As an export reads a thread that goes on. */
static void pages_from_the_start_are_whole_while_the_thread_grows(void **state)
{
	const char *id = with_messages(50);
	struct message_filter page = { .thread_id = id, .from_start = true, .limit = 7 };
	struct message_list list;
	int64_t last = 0;

	(void)state;
	begin_writing(add_message, NULL, id);
	do {
		READS(store_message_list(store, &page, &arena, &list, &error));
		for (size_t i = 0; i < list.count; i++)
			assert_int_equal(list.items[i].seq, ++last);
		if (list.count > 0)
			page.after = list.items[list.count - 1].id;
		page.from_start = false;
	} while (list.more && last < 90);
	end_writing();
	assert_true(last >= 50);
}

static void messages_are_numbered_without_holes_by_whoever_adds(void **state)
{
	const char *id = with_messages(1);
	struct message_filter page = { .thread_id = id, .from_start = true, .limit = 100 };
	struct message_list list;
	int64_t last = 0;

	(void)state;
	begin_writing(add_message, NULL, id);
	while (last < 40) {
		page.after = last ? list.items[list.count - 1].id : NULL;
		page.from_start = !last;
		do {
			READS(store_message_list(store, &page, &arena, &list, &error));
			assert_false(writers[0].failed && writers[1].failed);
		} while (list.count == 0);
		for (size_t i = 0; i < list.count; i++)
			assert_int_equal(list.items[i].seq, ++last);
	}
	end_writing();
}

static void a_page_of_one_goes_both_ways(void **state)
{
	const char *id = with_messages(5);
	struct message_filter page = { .thread_id = id, .limit = 1, .after = "m2" };
	struct message_list list;

	(void)state;
	OK(store_message_list(store, &page, &arena, &list, &error));
	assert_int_equal(list.count, 1);
	assert_true(list.more);
	assert_string_equal(list.items[0].id, "m3");
	page.after = NULL;
	page.before = "m2";
	OK(store_message_list(store, &page, &arena, &list, &error));
	assert_string_equal(list.items[0].id, "m1");
	page.before = "m0";
	OK(store_message_list(store, &page, &arena, &list, &error));
	assert_int_equal(list.count, 0);
	assert_false(list.more);
	page.before = NULL;
	page.after = "m4";
	OK(store_message_list(store, &page, &arena, &list, &error));
	assert_int_equal(list.count, 0);
	assert_false(list.more);
}

/* What others added in the same millisecond, or with a clock that goes wrong, stays where it was
 * put. */
static void the_order_is_that_of_numbers_and_not_of_clocks(void **state)
{
	static const int64_t created_ms[] = { 5000, 4000, 4000, 9000, 1, 4000 };
	const char *id = new_thread("ada");
	struct message_filter page = { .thread_id = id, .limit = 10 };
	struct message_list list;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct message in = message_of(id, arena_printf(&arena, "m%zu", 9 - i));

		in.created_ms = in.updated_ms = created_ms[i];
		insert(in);
	}
	OK(store_message_list(store, &page, &arena, &list, &error));
	assert_int_equal(list.count, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(list.items[i].seq, i + 1);
		assert_int_equal(list.items[i].created_ms, created_ms[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(threads_of_one_moment_are_all_shown_once),
		TEST(threads_that_nobody_touches_are_shown_once_while_others_change),
		TEST(a_page_goes_on_behind_a_thread_that_was_deleted),
		TEST(a_search_has_pages_too),
		TEST(filters_go_together),
		TEST(a_scan_meets_what_stays_once_while_others_change),
		TEST(pages_back_are_whole_while_the_thread_grows),
		TEST(pages_from_the_start_are_whole_while_the_thread_grows),
		TEST(messages_are_numbered_without_holes_by_whoever_adds),
		TEST(a_page_of_one_goes_both_ways),
		TEST(the_order_is_that_of_numbers_and_not_of_clocks),
	};

	return cmocka_run_group_tests_name("store: pages", tests, open_store, close_store);
}
