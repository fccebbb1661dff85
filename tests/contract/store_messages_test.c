/* Every store keeps messages as store/store.h promises. */
#include "contract.h"
#include <stdatomic.h>

#define BIG (8 << 20)

static const struct message_patch no_change = { .now_ms = 5000 };

/* --- one message --- */

static void a_message_comes_back_as_it_was_put_in(void **state)
{
	const char *thread_id = new_thread("ada");
	struct message in = answer_of(thread_id, "answer.1_-A", fresh("run")), out;

	(void)state;
	in.status = STATUS_LENGTH;
	in.content = SLICE("<content>{&quot;a&quot;:1}</content>\n");
	in.parent_id = "question";
	in.key = fresh("key");
	in.finish_reason = "length";
	in.question = "hash of the question";
	in.model = "c1/some/model";
	in.usage = (struct usage){ 5, 7, 12 };
	in.unasked = true;
	in.feedback = "{\"rating\":\"up\"}";
	in.metadata = "{\"z\":1,\"a\":[true, 2.0]}";
	in.updated_ms = 1234567890123;
	insert(in);
	out = get_message(thread_id, in.id);
	assert_string_equal(out.id, in.id);
	assert_string_equal(out.thread_id, thread_id);
	assert_int_equal(out.seq, 1);
	assert_int_equal(out.role, ROLE_ASSISTANT);
	assert_int_equal(out.status, STATUS_LENGTH);
	assert_content(&out, in.content);
	assert_text(out.run_id, in.run_id);
	assert_text(out.parent_id, in.parent_id);
	assert_text(out.key, in.key);
	assert_text(out.finish_reason, in.finish_reason);
	assert_text(out.question, in.question);
	assert_text(out.model, in.model);
	assert_int_equal(out.usage.input, 5);
	assert_int_equal(out.usage.output, 7);
	assert_int_equal(out.usage.total, 12);
	assert_true(out.unasked);
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
	insert(message_of(thread_id, "m"));
	out = get_message(thread_id, "m");
	assert_null(out.run_id);
	assert_null(out.parent_id);
	assert_null(out.key);
	assert_null(out.finish_reason);
	assert_null(out.question);
	assert_null(out.model);
	assert_int_equal(out.usage.input, -1);
	assert_int_equal(out.usage.total, -1);
	assert_false(out.unasked);
	assert_null(out.feedback);
	assert_null(out.metadata);
}

static void every_role_and_status_is_kept(void **state)
{
	const char *thread_id = new_thread("ada");

	(void)state;
	for (int role = 0; role < ROLE_COUNT; role++)
		for (int status = 0; status < STATUS_COUNT; status++) {
			struct message in =
				message_of(thread_id, arena_printf(&arena, "%d.%d", role, status));
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
	struct message in = message_of(thread_id, "big"), out;
	char *text = arena_alloc(&arena, BIG);
	size_t at = 0;
	bool more;

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
	delete_thread(thread_id); /* it would make all that follows slow on some servers */
	OK(store_thread_purge(store, thread_id, 10, &more, &error));
}

static void an_empty_content_is_kept(void **state)
{
	const char *thread_id = new_thread("ada");
	struct message in = message_of(thread_id, "m"), out;

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
	in = message_of(one, id);
	in.content = SLICE("one");
	insert(in);
	in.thread_id = two;
	in.content = SLICE("two");
	insert(in);
	FAILS(ERROR_CONFLICT, store_messages_add(store, NULL, two, &in, 1, &error));
	out = get_message(one, id);
	assert_content(&out, SLICE("one"));
	out = get_message(two, id);
	assert_content(&out, SLICE("two"));
}

static void messages_get_numbers_and_parents_in_order(void **state)
{
	const char *id = new_thread("ada");
	struct message in[] = { message_of(id, "a"), message_of(id, "b"), message_of(id, "c") };

	(void)state;
	in[1].parent_id = "of the caller's";
	OK(store_messages_add(store, NULL, id, in, 2, &error));
	assert_int_equal(in[0].seq, 1);
	assert_int_equal(in[1].seq, 2);
	OK(store_messages_add(store, NULL, id, in + 2, 1, &error));
	assert_int_equal(in[2].seq, 3);
	assert_int_equal(get_message(id, "c").seq, 3);
	assert_null(get_message(id, "a").parent_id);
	assert_text(get_message(id, "b").parent_id, "of the caller's");
	assert_text(get_message(id, "c").parent_id, "b");
}

static void five_hundred_messages_are_added_in_one_call(void **state)
{
	const char *id = new_thread("ada");
	struct message *in = arena_alloc(&arena, 500 * sizeof *in);

	(void)state;
	for (int i = 0; i < 500; i++)
		in[i] = message_of(id, arena_printf(&arena, "m%d", i));
	OK(store_messages_add(store, NULL, id, in, 500, &error));
	assert_int_equal(in[499].seq, 500);
	assert_int_equal(get_message(id, "m499").seq, 500);
	assert_text(get_message(id, "m499").parent_id, "m498");
}

static void an_id_that_exists_is_a_conflict(void **state)
{
	const char *id = new_thread("ada");
	struct message in[] = { message_of(id, "a"), message_of(id, "b"), message_of(id, "c") };
	struct message out;

	(void)state;
	insert(in[1]);
	in[1].content = SLICE("late");
	FAILS(ERROR_CONFLICT, store_messages_add(store, NULL, id, in, 3, &error));
	assert_string_equal(error.field, "id");
	out = get_message(id, "b");
	assert_content(&out, SLICE("What is the weather like?"));
	FAILS(ERROR_NOT_FOUND, store_message_get(store, NULL, id, "c", &arena, &out, &error));
}

/* --- R32: forward paging beside those who add --- */

#define ADDERS 3
#define EACH   4

struct adder {
	const char *thread_id;
	int number;
	bool ok;
	atomic_int *left; /* of those who add */
	struct error error;
};

static void *add_some(void *arg)
{
	struct adder *adder = arg;

	adder->ok = true;
	for (int i = 0; i < EACH && adder->ok; i++) {
		char id[32], second[40];
		struct message pair[2];

		snprintf(id, sizeof id, "m%d.%d", adder->number, i);
		snprintf(second, sizeof second, "%s.b", id);
		pair[0] = message_of(adder->thread_id, id);
		pair[1] = message_of(adder->thread_id, second);
		adder->ok =
			store_messages_add(store, NULL, adder->thread_id, pair, 2, &adder->error);
		/* On a busy machine one of several may be late: it is done or not, and the next
		 * follows. */
		if (adder->error.code == ERROR_STORE_TIMEOUT)
			adder->ok = true;
	}
	atomic_fetch_sub(adder->left, 1);
	return NULL;
}

/* Reads on from the last message seen until all are there, or nobody adds any more. */
static void *read_on(void *arg)
{
	struct adder *reader = arg;
	struct message_filter page = { .thread_id = reader->thread_id, .limit = 5 };
	char last[ID_MAX + 1] = "first";
	int64_t seq = 1;

	page.after = last;
	reader->ok = true;
	while (reader->ok && seq < 1 + ADDERS * EACH * 2) {
		bool is_last = atomic_load(reader->left) == 0;
		struct message_list list;
		struct arena mine;

		arena_init(&mine, 1 << 20);
		if (!store_message_list(store, &page, &mine, &list, &reader->error)) {
			reader->ok = reader->error.code == ERROR_STORE_TIMEOUT; /* as who adds */
			list.count = 0;
		} else if (is_last && list.count == 0) {
			break;
		}
		for (size_t i = 0; reader->ok && i < list.count; i++) {
			reader->ok = list.items[i].seq == ++seq; /* none was passed by */
			snprintf(last, sizeof last, "%s", list.items[i].id);
		}
		arena_done(&mine);
		usleep(5000); /* some servers serve one at a time: those who add have to get in */
	}
	return NULL;
}

static void *add_or_read(void *arg)
{
	struct adder *adder = arg;

	return adder->number < ADDERS ? add_some(arg) : read_on(arg);
}

static void r32_a_reader_that_pages_on_passes_nothing_by(void **state)
{
	struct adder all[ADDERS + 1];
	const char *id = new_thread("ada");
	atomic_int left = ADDERS;

	(void)state;
	insert(message_of(id, "first"));
	for (int i = 0; i <= ADDERS; i++)
		all[i] = (struct adder){ .thread_id = id, .number = i, .left = &left };
	at_once(add_or_read, all, sizeof *all, ADDERS + 1);
	for (int i = 0; i <= ADDERS; i++) {
		if (!all[i].ok)
			print_error("%d: %s\n", i, error_word(all[i].error.code));
		assert_true(all[i].ok);
	}
}

static void a_message_that_is_not_there_is_not_found(void **state)
{
	const char *id = new_thread("ada");
	struct message out = { .id = "untouched" };

	(void)state;
	FAILS(ERROR_NOT_FOUND, store_message_get(store, NULL, id, "m", &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND,
	      store_message_get(store, NULL, fresh("t"), "m", &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND,
	      store_message_update(store, NULL, id, "m", &no_change, &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND,
	      store_message_by_run(store, NULL, fresh("run"), &arena, &out, &error));
	assert_string_equal(out.id, "untouched");
}

/* --- changing it --- */

static void a_patch_changes_what_it_names_and_nothing_else(void **state)
{
	const char *id = new_thread("ada");
	struct message in = message_of(id, "m"), out;
	struct message_patch patch = no_change;

	(void)state;
	in.metadata = "{\"old\":1}";
	in.feedback = "{\"rating\":\"down\"}";
	insert(in);
	patch.metadata = "{\"new\":2}";
	OK(store_message_update(store, NULL, id, "m", &patch, &arena, &out, &error));
	assert_text(out.metadata, patch.metadata);
	assert_text(out.feedback, in.feedback);
	assert_content(&out, in.content);
	assert_int_equal(out.updated_ms, 5000);
	patch = no_change;
	patch.has_content = true;
	patch.content = SLICE("");
	OK(store_message_update(store, NULL, id, "m", &patch, &arena, &out, &error));
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
	struct message in = answer_of(id, "answer", run), out;
	struct message_patch patch = no_change;

	(void)state;
	in.status = STATUS_COMPLETE;
	insert(in);
	patch.metadata = "{}";
	OK(store_message_update(store, NULL, id, "answer", &patch, &arena, &out, &error));
	assert_text(out.run_id, run);
	OK(store_message_by_run(store, NULL, run, &arena, &out, &error));
	assert_string_equal(out.id, "answer");
	assert_string_equal(out.thread_id, id);
	patch.has_content = true;
	patch.content = SLICE("edited");
	OK(store_message_update(store, NULL, id, "answer", &patch, &arena, &out, &error));
	assert_null(out.run_id);
	FAILS(ERROR_NOT_FOUND, store_message_by_run(store, NULL, run, &arena, &out, &error));
}

static void a_streaming_message_is_not_changed(void **state)
{
	const char *id = new_thread("ada"), *run = fresh("run");
	struct message_patch patch = no_change;
	struct message out;

	(void)state;
	insert(answer_of(id, "answer", run));
	patch.has_content = true;
	patch.content = SLICE("edited");
	FAILS(ERROR_NOT_SAVED,
	      store_message_update(store, NULL, id, "answer", &patch, &arena, &out, &error));
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
		TEST(an_empty_content_is_kept),
		TEST(message_ids_are_unique_within_a_thread_only),
		TEST(messages_get_numbers_and_parents_in_order),
		TEST(five_hundred_messages_are_added_in_one_call),
		TEST(an_id_that_exists_is_a_conflict),
		TEST(r32_a_reader_that_pages_on_passes_nothing_by),
		TEST(a_message_that_is_not_there_is_not_found),
		TEST(a_patch_changes_what_it_names_and_nothing_else),
		TEST(an_edit_of_the_content_takes_the_message_from_its_run),
		TEST(a_streaming_message_is_not_changed),
		TEST(a_content_of_8_MiB_is_kept_to_the_byte), /* last: some are slow behind it */
	};

	return cmocka_run_group_tests_name("store: messages", tests, open_store, close_store);
}
