/* Every store keeps messages as store/store.h promises. */
#include "contract.h"

#define BIG (8 << 20)

static const struct message_patch no_change = { .now_ms = 5000 };

/* --- one message --- */

static void a_message_comes_back_as_it_was_put_in(void **state)
{
	const char *thread_id = new_thread("ada");
	struct message in = answer_of(thread_id, "answer.1_-A", fresh("run"), 7), out;

	(void)state;
	in.status = STATUS_LENGTH;
	in.content = SLICE("<content>{&quot;a&quot;:1}</content>\n");
	in.parent_id = "question";
	in.key = "0123456789abcdef";
	in.finish_reason = "length";
	in.usage = "{\"total_tokens\":12}";
	in.feedback = "{\"rating\":\"up\"}";
	in.metadata = "{\"z\":1,\"a\":[true, 2.0]}";
	in.updated_ms = 1234567890123;
	insert(in);
	out = get_message(thread_id, in.id);
	assert_string_equal(out.id, in.id);
	assert_string_equal(out.thread_id, thread_id);
	assert_int_equal(out.seq, 7);
	assert_int_equal(out.role, ROLE_ASSISTANT);
	assert_int_equal(out.status, STATUS_LENGTH);
	assert_content(&out, in.content);
	assert_text(out.run_id, in.run_id);
	assert_text(out.parent_id, in.parent_id);
	assert_text(out.key, in.key);
	assert_text(out.finish_reason, in.finish_reason);
	assert_text(out.usage, in.usage);
	assert_text(out.feedback, in.feedback);
	assert_text(out.metadata, in.metadata);
	assert_int_equal(out.created_ms, 2000);
	assert_int_equal(out.updated_ms, 1234567890123);
}

static void what_a_message_lacks_is_lacking_when_read(void **state)
{
	const char *thread_id = new_thread("ada");
	struct message out;

	(void)state;
	insert(message_of(thread_id, "m", 1));
	out = get_message(thread_id, "m");
	assert_null(out.run_id);
	assert_null(out.parent_id);
	assert_null(out.key);
	assert_null(out.finish_reason);
	assert_null(out.usage);
	assert_null(out.feedback);
	assert_null(out.metadata);
}

static void every_role_and_status_is_kept(void **state)
{
	const char *thread_id = new_thread("ada");

	(void)state;
	for (int role = 0; role < ROLE_COUNT; role++)
		for (int status = 0; status < STATUS_COUNT; status++) {
			struct message in = message_of(
				thread_id, arena_printf(&arena, "%d.%d", role, status), 1);
			struct message out;

			in.role = (enum message_role)role;
			in.status = (enum message_status)status;
			insert(in);
			out = get_message(thread_id, in.id);
			assert_int_equal(out.role, role);
			assert_int_equal(out.status, status);
		}
}

/* Every character that JSON could stumble over, and characters of two, three and four bytes. */
static void a_content_of_8_MiB_is_kept_to_the_byte(void **state)
{
	static const char wide[] =
		"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xEF\xBB\xBF\xE2\x80\xA8\xC2\x80";
	const char *thread_id = new_thread("ada");
	struct message in = message_of(thread_id, "big", 1), out;
	char *text = arena_alloc(&arena, BIG);
	size_t at = 0;

	(void)state;
	assert_non_null(text);
	for (char c = 1; c < 0x7F; c++)
		text[at++] = c;
	text[at++] = 0x7F;
	for (; at + sizeof wide - 1 <= BIG; at += sizeof wide - 1)
		memcpy(text + at, wide, sizeof wide - 1);
	memset(text + at, '\\', BIG - at);
	in.content = (struct slice){ text, BIG };
	insert(in);
	out = get_message(thread_id, "big");
	assert_content(&out, in.content);
}

static void an_empty_content_is_kept(void **state)
{
	const char *thread_id = new_thread("ada");
	struct message in = message_of(thread_id, "m", 1), out;

	(void)state;
	in.content = SLICE("");
	insert(in);
	out = get_message(thread_id, "m");
	assert_int_equal(out.content.len, 0);
	assert_non_null(out.content.ptr);
}

static void message_ids_are_unique_within_a_thread_only(void **state)
{
	const char *one = new_thread("ada"), *two = new_thread("ada");
	char id[ID_MAX + 1];
	struct message in, out;

	(void)state;
	memset(id, 'x', ID_MAX);
	id[ID_MAX] = '\0';
	in = message_of(one, id, 1);
	in.content = SLICE("one");
	insert(in);
	in.thread_id = two;
	in.content = SLICE("two");
	insert(in);
	FAILS(ERROR_CONFLICT, store_message_insert(store, &in, 1, &error));
	out = get_message(one, id);
	assert_content(&out, SLICE("one"));
	out = get_message(two, id);
	assert_content(&out, SLICE("two"));
}

static void an_insert_stops_at_the_first_that_exists(void **state)
{
	const char *id = new_thread("ada");
	struct message in[] = { message_of(id, "a", 1), message_of(id, "b", 2),
				message_of(id, "c", 3) };
	struct message out;

	(void)state;
	insert(in[1]);
	in[1].content = SLICE("late");
	FAILS(ERROR_CONFLICT, store_message_insert(store, in, 3, &error));
	get_message(id, "a");
	out = get_message(id, "b");
	assert_content(&out, SLICE("What is the weather like?"));
	FAILS(ERROR_NOT_FOUND, store_message_get(store, id, "c", &arena, &out, &error));
}

static void a_message_that_is_not_there_is_not_found(void **state)
{
	const char *id = new_thread("ada");
	struct message out = { .id = "untouched" };

	(void)state;
	FAILS(ERROR_NOT_FOUND, store_message_get(store, id, "m", &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND, store_message_get(store, fresh("t"), "m", &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND,
	      store_message_update(store, id, "m", &no_change, &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND, store_message_by_run(store, fresh("run"), &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND, store_message_by_key(store, id, "key", &arena, &out, &error));
	assert_string_equal(out.id, "untouched");
}

static void an_answer_is_found_by_its_key_in_its_thread(void **state)
{
	const char *id = new_thread("ada"), *other = new_thread("ada"), *key = fresh("key");
	struct message question = message_of(id, "question", 1);
	struct message in = answer_of(id, "answer", fresh("run"), 2), out;

	(void)state;
	in.key = key;
	insert(question);
	insert(in);
	OK(store_message_by_key(store, id, key, &arena, &out, &error));
	assert_string_equal(out.id, "answer");
	assert_string_equal(out.thread_id, id);
	FAILS(ERROR_NOT_FOUND, store_message_by_key(store, other, key, &arena, &out, &error));
}

/* A late insert may be refused, but no reader ever sees it. */
static void a_deleted_thread_gets_no_late_messages(void **state)
{
	const char *id = new_thread("ada"), *run = fresh("run");
	struct message late = answer_of(id, "late", run, 1), out;
	struct message_filter filter = { .thread_id = id, .limit = 10 };
	struct message_list list;

	(void)state;
	OK(store_thread_delete(store, id, 9000, &error));
	error = (struct error){ 0 };
	if (!store_message_insert(store, &late, 1, &error))
		assert_string_equal(error_word(error.code), error_word(ERROR_NOT_FOUND));
	FAILS(ERROR_NOT_FOUND, store_message_get(store, id, "late", &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND, store_message_by_run(store, run, &arena, &out, &error));
	OK(store_message_list(store, &filter, &arena, &list, &error));
	assert_int_equal(list.count, 0);
}

/* --- changing it --- */

static void a_patch_changes_what_it_names_and_nothing_else(void **state)
{
	const char *id = new_thread("ada");
	struct message in = message_of(id, "m", 1), out;
	struct message_patch patch = no_change;

	(void)state;
	in.metadata = "{\"old\":1}";
	insert(in);
	patch.feedback = "{\"rating\":\"down\"}";
	OK(store_message_update(store, id, "m", &patch, &arena, &out, &error));
	assert_text(out.feedback, patch.feedback);
	assert_text(out.metadata, in.metadata);
	assert_content(&out, in.content);
	assert_int_equal(out.updated_ms, 5000);
	patch = no_change;
	patch.has_content = true;
	patch.content = SLICE("");
	patch.metadata = "{\"new\":2}";
	OK(store_message_update(store, id, "m", &patch, &arena, &out, &error));
	out = get_message(id, "m");
	assert_content(&out, SLICE(""));
	assert_text(out.metadata, "{\"new\":2}");
	assert_text(out.feedback, "{\"rating\":\"down\"}");
	assert_int_equal(out.created_ms, 2000);
	assert_int_equal(out.seq, 1);
}

static void an_edit_of_the_content_takes_the_message_from_its_run(void **state)
{
	const char *id = new_thread("ada"), *run = fresh("run");
	struct message in = answer_of(id, "answer", run, 1), out;
	struct message_patch patch = no_change;

	(void)state;
	in.status = STATUS_COMPLETE;
	insert(in);
	patch.feedback = "{}";
	OK(store_message_update(store, id, "answer", &patch, &arena, &out, &error));
	assert_text(out.run_id, run);
	OK(store_message_by_run(store, run, &arena, &out, &error));
	assert_string_equal(out.id, "answer");
	assert_string_equal(out.thread_id, id);
	patch.has_content = true;
	patch.content = SLICE("edited");
	OK(store_message_update(store, id, "answer", &patch, &arena, &out, &error));
	assert_null(out.run_id);
	FAILS(ERROR_NOT_FOUND, store_message_by_run(store, run, &arena, &out, &error));
}

static void a_streaming_message_is_not_changed(void **state)
{
	const char *id = new_thread("ada"), *run = fresh("run");
	struct message_patch patch = no_change;
	struct message out;

	(void)state;
	insert(answer_of(id, "answer", run, 1));
	patch.has_content = true;
	patch.content = SLICE("edited");
	FAILS(ERROR_NOT_SAVED,
	      store_message_update(store, id, "answer", &patch, &arena, &out, &error));
	out = get_message(id, "answer");
	assert_content(&out, SLICE(""));
	assert_text(out.run_id, run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_comes_back_as_it_was_put_in),
		TEST(what_a_message_lacks_is_lacking_when_read),
		TEST(every_role_and_status_is_kept),
		TEST(a_content_of_8_MiB_is_kept_to_the_byte),
		TEST(an_empty_content_is_kept),
		TEST(message_ids_are_unique_within_a_thread_only),
		TEST(an_insert_stops_at_the_first_that_exists),
		TEST(a_message_that_is_not_there_is_not_found),
		TEST(an_answer_is_found_by_its_key_in_its_thread),
		TEST(a_deleted_thread_gets_no_late_messages),
		TEST(a_patch_changes_what_it_names_and_nothing_else),
		TEST(an_edit_of_the_content_takes_the_message_from_its_run),
		TEST(a_streaming_message_is_not_changed),
	};

	return cmocka_run_group_tests_name("store: messages", tests, open_store, close_store);
}
