/* store_copy: what every store promises those who copy whole stores: what is put is what is read,
 * however often, whatever was there; a scan meets each thread once. */
#include "contract.h"

#define EVERY_LETTER                                                                               \
	"tab\there, line\nthere, caf\xC3\xA9, \xE6\x9D\xB1\xE4\xBA\xAC, \xF0\x9F\x8E\x89, "        \
	"\xEF\xBF\xBF, \x7F"

static struct thread full_thread(const char *id, const char *user_id)
{
	struct thread thread = thread_of(id, user_id);

	thread.title = "T: " EVERY_LETTER;
	thread.created_ms = 1234567890123;
	thread.updated_ms = 1234567890456;
	thread.rev = 41;
	thread.archived = true;
	thread.metadata = "{\"a\":[1,null,\"\\u0000\"]}";
	return thread;
}

static struct message full_message(const char *thread_id, const char *id, int64_t seq)
{
	struct message message = message_of(thread_id, id);

	message.seq = seq;
	message.role = ROLE_ASSISTANT;
	message.status = STATUS_STOPPED;
	message.content = SLICE("M: " EVERY_LETTER);
	message.run_id = fresh("run");
	message.parent_id = "somebody";
	message.key = fresh("key");
	message.question = "hash";
	message.model = "c1/some/model";
	message.finish_reason = "a word of the upstream's";
	message.usage = (struct usage){ 5, -1, 1LL << 40 };
	message.unasked = true;
	message.feedback = "{\"up\":true}";
	message.metadata = "{}";
	message.created_ms = 1234567890789;
	message.updated_ms = 1234567890999;
	return message;
}

static void assert_thread(const struct thread *got, const struct thread *want)
{
	assert_text(got->id, want->id);
	assert_text(got->user_id, want->user_id);
	assert_text(got->title, want->title);
	assert_text(got->metadata, want->metadata);
	assert_int_equal(got->created_ms, want->created_ms);
	assert_int_equal(got->updated_ms, want->updated_ms);
	assert_int_equal(got->rev, want->rev);
	assert_int_equal(got->archived, want->archived);
}

static void assert_message(const struct message *got, const struct message *want)
{
	assert_text(got->id, want->id);
	assert_text(got->thread_id, want->thread_id);
	assert_int_equal(got->seq, want->seq);
	assert_int_equal(got->role, want->role);
	assert_int_equal(got->status, want->status);
	assert_content(got, want->content);
	assert_text(got->run_id, want->run_id);
	assert_text(got->parent_id, want->parent_id);
	assert_text(got->key, want->key);
	assert_text(got->question, want->question);
	assert_text(got->model, want->model);
	assert_text(got->finish_reason, want->finish_reason);
	assert_memory_equal(&got->usage, &want->usage, sizeof got->usage);
	assert_int_equal(got->unasked, want->unasked);
	assert_text(got->feedback, want->feedback);
	assert_text(got->metadata, want->metadata);
	assert_int_equal(got->created_ms, want->created_ms);
	assert_int_equal(got->updated_ms, want->updated_ms);
}

static void put_thread(const struct thread *thread)
{
	OK(store_threads_put(store, thread, 1, &error));
}

static void put_messages(const struct message *messages, size_t count)
{
	OK(store_messages_put(store, messages, count, &error));
}

static struct store_counts counts_of(const char *user_id)
{
	struct store_counts counts;

	OK(store_counts(store, user_id, &counts, &error));
	return counts;
}

static struct message_list whole_thread(const char *id)
{
	const struct message_filter filter = { .thread_id = id, .from_start = true, .limit = 100 };
	struct message_list list;

	OK(store_message_list(store, &filter, &arena, &list, &error));
	return list;
}

/* --- threads --- */

static void a_thread_that_is_put_is_what_it_was(void **state)
{
	struct thread want = full_thread(fresh("thread"), fresh("ada")), got;

	(void)state;
	for (int i = 0; i < 3; i++) {
		put_thread(&want);
		got = get_thread(want.id);
		assert_thread(&got, &want);
		assert_null(got.run.id);
	}
	want.title = "";
	want.metadata = NULL;
	want.archived = false;
	want.user_id = fresh("bob");
	want.rev = 2;
	put_thread(&want);
	got = get_thread(want.id);
	assert_thread(&got, &want);
}

static void of_one_thread_twice_in_a_call_the_last_stays(void **state)
{
	struct thread twice[2] = { thread_of(fresh("thread"), "ada") };
	struct thread got;

	(void)state;
	twice[1] = twice[0];
	twice[1].title = "The last";
	OK(store_threads_put(store, twice, 2, &error));
	got = get_thread(twice[0].id);
	assert_thread(&got, &twice[1]);
	OK(store_threads_put(store, twice, 0, &error));
}

/* It is served while it is copied to. */
static void a_put_leaves_the_claim_that_is_there(void **state)
{
	const char *id = new_thread("ada");
	struct turn_open open = turn_of(id);
	struct thread thread = full_thread(id, "ada");
	const struct finish end = finish_of(&open);

	(void)state;
	open_turn(&open);
	thread.run = (struct run_ref){ "another", "answer", "node" };
	put_thread(&thread);
	assert_text(get_thread(id).run.id, open.run.id);
	assert_true(finish(&end));
	put_thread(&thread);
	assert_null(get_thread(id).run.id);
}

static void a_put_undoes_a_deletion_without_what_was_in_it(void **state)
{
	const char *id = new_thread("ada");
	struct thread thread = full_thread(id, "ada"), got;
	struct message message = full_message(id, "m", 1);
	bool more;

	(void)state;
	insert(message_of(id, "old"));
	delete_thread(id);
	FAILS(ERROR_NOT_FOUND, store_messages_put(store, &message, 1, &error));
	put_thread(&thread);
	got = get_thread(id);
	assert_thread(&got, &thread);
	assert_int_equal(whole_thread(id).count, 0);
	FAILS(ERROR_NOT_FOUND, store_thread_purge(store, id, 100, &more, &error));
	put_messages(&message, 1);
	assert_int_equal(whole_thread(id).count, 1);
}

/* --- scans --- */

/* How often each of count ids is met by a scan in pages of so many. */
static void scan_for(const char *const *ids, size_t count, size_t page, int *met)
{
	struct thread_list list = { .next = NULL };
	const char *last = "";

	memset(met, 0, count * sizeof *met);
	do {
		OK(store_thread_scan(store, list.next, page, &arena, &list, &error));
		assert_true(list.count <= page);
		for (size_t i = 0; i < list.count; i++) {
			assert_true(strcmp(last, list.items[i].id) < 0);
			last = list.items[i].id;
			for (size_t j = 0; j < count; j++)
				met[j] += strcmp(last, ids[j]) == 0;
		}
		if (list.next)
			assert_string_equal(list.next, last);
	} while (list.next);
}

/* Lower and upper case, digits and signs are in the order of their bytes. */
static void a_scan_meets_each_thread_once_in_the_order_of_bytes(void **state)
{
	const char *base = fresh("scan"), *ids[6];
	static const char *const ends[] = { "-", ".", "0", "Z", "_", "a" };
	int met[6];

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct thread thread =
			thread_of(ids[i] = arena_printf(&arena, "%s%s", base, ends[5 - i]), "ada");

		put_thread(&thread);
	}
	for (size_t page = 2; page <= 100; page += 49) {
		scan_for(ids, 6, page, met);
		for (size_t i = 0; i < 6; i++)
			assert_int_equal(met[i], 1);
	}
	delete_thread(ids[2]);
	scan_for(ids, 6, 50, met);
	assert_int_equal(met[2], 0);
	assert_int_equal(met[1] + met[3], 2);
}

static void a_scan_goes_on_behind_an_id_that_is_not_there_and_tells_claims(void **state)
{
	const char *id = new_thread("ada");
	const struct turn_open open = turn_of(id);
	char before[160];
	struct thread_list list;

	(void)state;
	open_turn(&open);
	snprintf(before, sizeof before, "%s", id);
	before[strlen(before) - 1] = '-'; /* below all hexadecimal digits */
	OK(store_thread_scan(store, before, 100, &arena, &list, &error));
	assert_true(list.count > 0);
	for (size_t i = 0; i < list.count; i++)
		if (strcmp(list.items[i].id, id) == 0) {
			assert_text(list.items[i].run.id, open.run.id);
			assert_text(list.items[i].run.node, open.run.node);
			return;
		}
	fail_msg("the scan did not meet it");
}

static void behind_the_last_thread_there_is_an_empty_page(void **state)
{
	struct thread_list list = { .next = "x" };

	(void)state;
	OK(store_thread_scan(store, "zzzz~", 5, &arena, &list, &error));
	assert_int_equal(list.count, 0);
	assert_null(list.next);
}

/* --- messages --- */

static void a_message_that_is_put_is_what_it_was(void **state)
{
	const char *id = new_thread("ada");
	struct message want = full_message(id, "m", 7), got;

	(void)state;
	for (int i = 0; i < 3; i++) {
		put_messages(&want, 1);
		got = get_message(id, "m");
		assert_message(&got, &want);
	}
	want = message_of(id, "m"); /* all that may be missing is */
	want.seq = 1;
	want.content = SLICE("");
	put_messages(&want, 1);
	got = get_message(id, "m");
	assert_message(&got, &want);
	OK(store_messages_put(store, NULL, 0, &error));
}

static void messages_of_several_threads_go_in_one_call(void **state)
{
	const char *one = new_thread("ada"), *two = new_thread("bob");
	struct message messages[3] = { full_message(one, "m", 1), full_message(two, "m", 1),
				       full_message(one, "n", 2) };
	struct message_list list;

	(void)state;
	put_messages(messages, 3);
	put_messages(messages, 3);
	list = whole_thread(one);
	assert_int_equal(list.count, 2);
	assert_message(&list.items[0], &messages[0]);
	assert_message(&list.items[1], &messages[2]);
	list = whole_thread(two);
	assert_int_equal(list.count, 1);
	assert_message(&list.items[0], &messages[1]);
}

static void a_message_that_was_put_can_be_found_by_all_its_names(void **state)
{
	const char *id = new_thread("ada");
	struct message want = full_message(id, fresh("m"), 1), got;

	(void)state;
	put_messages(&want, 1);
	OK(store_message_by_run(store, "ada", want.run_id, &arena, &got, &error));
	assert_message(&got, &want);
	OK(store_turn_find(store, "ada", id, NULL, want.key, &arena, &got, &error));
	assert_message(&got, &want);
	insert(message_of(id, "next"));
	assert_int_equal(get_message(id, "next").seq, 2);
}

static void numbers_and_keys_are_taken_from_who_has_them(void **state)
{
	const char *one = new_thread("ada"), *two = new_thread("ada");
	struct message old = full_message(one, "old", 3), other = full_message(two, "other", 3);
	struct message want = full_message(one, "new", 3), got;

	(void)state;
	put_messages(&old, 1);
	put_messages(&other, 1);
	want.key = other.key;
	put_messages(&want, 1);
	assert_int_equal(whole_thread(one).count, 1);
	got = get_message(one, "new");
	assert_message(&got, &want);
	other.key = NULL;
	got = get_message(two, "other");
	assert_message(&got, &other);
}

/* Two messages that changed their numbers meanwhile. */
static void numbers_may_be_exchanged(void **state)
{
	const char *id = new_thread("ada");
	struct message pair[2] = { full_message(id, "a", 1), full_message(id, "b", 2) };
	struct message_list list;

	(void)state;
	put_messages(pair, 2);
	pair[0].seq = 2;
	pair[1].seq = 1;
	for (int i = 0; i < 2; i++)
		put_messages(pair, 2);
	list = whole_thread(id);
	assert_int_equal(list.count, 2);
	assert_message(&list.items[0], &pair[1]);
	assert_message(&list.items[1], &pair[0]);
}

/* As people write it who make such files. */
static void what_is_said_in_a_thread_of_rev_0_is_its_history(void **state)
{
	struct thread thread = full_thread(fresh("thread"), "ada");
	struct turn_open open = turn_of(thread.id);
	struct message messages[2] = { message_of(thread.id, "m5"), message_of(thread.id, "m6") };
	struct turn_opened opened;

	(void)state;
	thread.rev = 0;
	put_thread(&thread);
	messages[0].seq = 5;
	messages[1].seq = 6;
	put_messages(messages, 2);
	opened = open_turn(&open);
	assert_int_equal(opened.history.count, 2);
	assert_int_equal(opened.question.seq, 7);
	assert_text(opened.question.parent_id, "m6");
}

static void a_message_without_its_thread_is_refused(void **state)
{
	struct message messages[2] = { full_message(new_thread("ada"), "m", 1),
				       full_message(fresh("none"), "m", 1) };

	(void)state;
	FAILS(ERROR_NOT_FOUND, store_messages_put(store, messages, 2, &error));
	put_messages(messages, 1);
}

static void four_megabytes_are_put_and_read(void **state)
{
	const char *id = new_thread("ada");
	struct message want = full_message(id, "m", 1), got;
	size_t len = 4 << 20;
	char *text = arena_alloc(&arena, len);

	(void)state;
	memset(text, 'x', len);
	want.content = (struct slice){ text, len };
	for (int i = 0; i < 2; i++)
		put_messages(&want, 1);
	got = get_message(id, "m");
	assert_message(&got, &want);
}

static void what_is_dropped_is_gone_and_nothing_else(void **state)
{
	const char *one = new_thread("ada"), *two = new_thread("ada");
	struct message messages[3] = { full_message(one, "a", 1), full_message(one, "b", 2),
				       full_message(two, "a", 1) };
	const char *ids[] = { "a", "never", "a" };
	struct message_list list;

	(void)state;
	put_messages(messages, 3);
	for (int i = 0; i < 2; i++)
		OK(store_messages_drop(store, one, ids, 3, &error));
	OK(store_messages_drop(store, one, NULL, 0, &error));
	OK(store_messages_drop(store, fresh("none"), ids, 3, &error));
	list = whole_thread(one);
	assert_int_equal(list.count, 1);
	assert_message(&list.items[0], &messages[1]);
	assert_int_equal(whole_thread(two).count, 1);
}

/* --- pages from the start --- */

static void a_thread_is_read_from_its_start_page_by_page(void **state)
{
	const char *id = new_thread("ada");
	struct message_filter filter = { .thread_id = id, .from_start = true, .limit = 3 };
	struct message messages[7];
	struct message_list list;
	int seen = 0;

	(void)state;
	for (int i = 0; i < 7; i++) {
		messages[i] = full_message(id, arena_printf(&arena, "m%d", i), 10 * (i + 1));
		put_messages(&messages[i], 1);
	}
	do {
		OK(store_message_list(store, &filter, &arena, &list, &error));
		for (size_t i = 0; i < list.count; i++)
			assert_message(&list.items[i], &messages[seen++]);
		filter.after = list.items[list.count - 1].id;
	} while (list.more);
	assert_int_equal(seen, 7);
	filter = (struct message_filter){ .thread_id = id, .from_start = true, .limit = 9 };
	filter.bytes_max = 1; /* one comes in any case */
	OK(store_message_list(store, &filter, &arena, &list, &error));
	assert_int_equal(list.count, 1);
	assert_message(&list.items[0], &messages[0]);
	assert_true(list.more);
}

/* --- counts --- */

static void counts_are_of_what_can_be_seen(void **state)
{
	const char *user = fresh("user"), *one = new_thread(user), *two = new_thread(user);
	struct store_counts all = counts_of(NULL), some;

	(void)state;
	assert_int_equal(counts_of(user).threads, 2);
	assert_int_equal(counts_of(user).messages, 0);
	insert(message_of(one, "a"));
	insert(message_of(one, "b"));
	insert(message_of(two, "a"));
	some = counts_of(user);
	assert_int_equal(some.threads, 2);
	assert_int_equal(some.messages, 3);
	some = counts_of(NULL);
	assert_int_equal(some.threads, all.threads);
	assert_int_equal(some.messages, all.messages + 3);
	delete_thread(one);
	some = counts_of(user);
	assert_int_equal(some.threads, 1);
	assert_int_equal(some.messages, 1);
	some = counts_of(NULL);
	assert_int_equal(some.threads, all.threads - 1);
	assert_int_equal(some.messages, all.messages + 1);
	some = counts_of(fresh("nobody"));
	assert_int_equal(some.threads + some.messages, 0);
}

/* --- the schema --- */

static void a_store_in_use_is_of_this_version_and_migrated_again_it_stays(void **state)
{
	struct config config = contract_config();
	const char *id = new_thread("ada");
	struct store *found = store_open_as_found(config.store_uri, &config, &error);
	struct store_version version;

	(void)state;
	assert_non_null(found);
	for (int i = 0; i < 2; i++) {
		OK(store_version(found, &version, &error));
		assert_int_equal(version.there, version.here);
		assert_true(version.here > 0);
		OK(store_migrate(found, &error));
	}
	store_free(found);
	OK(store_version(store, &version, &error));
	assert_int_equal(version.there, version.here);
	assert_text(get_thread(id).user_id, "ada");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_thread_that_is_put_is_what_it_was),
		TEST(of_one_thread_twice_in_a_call_the_last_stays),
		TEST(a_put_leaves_the_claim_that_is_there),
		TEST(a_put_undoes_a_deletion_without_what_was_in_it),
		TEST(a_scan_meets_each_thread_once_in_the_order_of_bytes),
		TEST(a_scan_goes_on_behind_an_id_that_is_not_there_and_tells_claims),
		TEST(behind_the_last_thread_there_is_an_empty_page),
		TEST(a_message_that_is_put_is_what_it_was),
		TEST(messages_of_several_threads_go_in_one_call),
		TEST(a_message_that_was_put_can_be_found_by_all_its_names),
		TEST(numbers_and_keys_are_taken_from_who_has_them),
		TEST(numbers_may_be_exchanged),
		TEST(what_is_said_in_a_thread_of_rev_0_is_its_history),
		TEST(a_message_without_its_thread_is_refused),
		TEST(four_megabytes_are_put_and_read),
		TEST(what_is_dropped_is_gone_and_nothing_else),
		TEST(a_thread_is_read_from_its_start_page_by_page),
		TEST(counts_are_of_what_can_be_seen),
		TEST(a_store_in_use_is_of_this_version_and_migrated_again_it_stays),
	};

	return cmocka_run_group_tests_name("store: copy", tests, open_store, close_store);
}
