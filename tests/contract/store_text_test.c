/* Every store keeps every text as it was given, however strange, however long. NUL alone never gets
 * here: it is refused in what clients send, and replaced in what the model says. */
#include "contract.h"

#define LAST_CHARACTER 0x10FFFF
#define MIB            (1 << 20)

/* Texts that something on the way might take for something else. */
static const char *const texts[] = {
	"'",
	"''",
	"\"",
	"\\",
	"\\'",
	"\\\\",
	"\\0",
	"\\u0000",
	"\\x41",
	"`",
	"$1",
	"$$",
	"$where",
	"$ne",
	"{$gt: ''}",
	"a.b",
	".",
	"..",
	"%",
	"%s%n",
	"%00",
	"_",
	"*",
	"^a.*$",
	"(?i)a",
	"\\Q.\\E",
	"[a-z]",
	"{}",
	"[]",
	"null",
	"true",
	"NaN",
	"0",
	"-1",
	"1e400",
	"__proto__",
	"__name__",
	"../../etc/passwd",
	"; DROP TABLE \"Thread\"; --",
	"' OR '1'='1",
	"\xC3\xA9",
	"e\xCC\x81",                                 /* the same with a combining accent */
	"a\xCD\xAF\xCD\xAF\xCD\xAF\xCD\xAF\xCD\xAF", /* a pile of them */
	"\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D \xD8\xB3\xD9\x84\xD8\xA7\xD9\x85", /* right to left */
	("\xE2\x80\xAE"
	 "evil\xE2\x80\xAC"),                   /* overridden */
	"\xE2\x80\x8B\xE2\x80\x8D\xEF\xB8\x8F", /* of no width */
	"\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7", /* a family */
	("\xEF\xBB\xBF"
	 "BOM"),
	"\xE2\x80\xA8\xE2\x80\xA9\xC2\x85",     /* ends of lines */
	"\xEF\xBF\xBE\xEF\xBF\xBF\xEF\xB7\x90", /* no characters: U+FFFE, U+FFFF, U+FDD0 */
	"\xF0\x9F\xBF\xBF\xF4\x8F\xBF\xBF",     /* U+1FFFF, U+10FFFF */
	"\xEE\x80\x80\xF3\xB0\x80\x80",         /* for private use */
	"\xEF\xBF\xBD",
	"\xC4\xB0 \xC4\xB1 \xC7\x85 \xEF\xAC\x81 \xE1\xBA\x9E", /* letters whose cases differ in
								   length */
	" both sides ",
	"\xC2\xA0\xE3\x80\x80",
	"\t tab",
	"line\r\nline\n",
	"\x01\x02\x1B[31m\x7F",
};
#define TEXTS (sizeof texts / sizeof *texts)

static void put_character(char *text, size_t *at, unsigned long c)
{
	static const unsigned char lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		text[*at + i] = (char)(0x80 | (c & 0x3F));
	text[*at] = (char)(lead[n] | c);
	*at += n;
}

/* Every character there can be, each once: 4.4 million bytes. */
static struct slice every_character(void)
{
	char *text = arena_alloc(&arena, 4 * (LAST_CHARACTER + 1));
	size_t at = 0;

	assert_non_null(text);
	for (unsigned long c = 1; c <= LAST_CHARACTER; c++)
		if (c < 0xD800 || c > 0xDFFF)
			put_character(text, &at, c);
	return (struct slice){ text, at };
}

static struct slice letters(size_t len, char letter)
{
	char *text = arena_alloc(&arena, len);

	assert_non_null(text);
	memset(text, letter, len);
	return (struct slice){ text, len };
}

/* What is large makes some servers slow for who comes after. */
static void forget(const char *thread_id)
{
	bool more = true;

	delete_thread(thread_id);
	while (more)
		OK(store_thread_purge(store, thread_id, 10, &more, &error));
}

/* --- every character --- */

static void every_character_there_is_is_kept(void **state)
{
	const char *id = new_thread("ada");
	struct message in = message_of(id, "all"), out;

	(void)state;
	in.content = every_character();
	insert(in);
	out = get_message(id, "all");
	assert_content(&out, in.content);
	forget(id);
}

static void every_character_that_a_model_says_is_kept(void **state)
{
	const char *id = new_thread("ada");
	const struct turn_open open = turn_of(id);
	struct finish end = finish_of(&open);
	struct message out;

	(void)state;
	end.content = every_character();
	open_turn(&open);
	assert_true(finish(&end));
	OK(store_message_by_run(store, "ada", open.run.id, &arena, &out, &error));
	assert_content(&out, end.content);
	assert_int_equal(out.status, STATUS_COMPLETE);
	forget(id);
}

static void every_text_is_kept_as_a_title(void **state)
{
	const char *ids[TEXTS];

	(void)state;
	for (size_t i = 0; i < TEXTS; i++) {
		struct thread thread = thread_of(fresh("thread"), "ada");

		thread.title = texts[i];
		ids[i] = thread.id;
		OK(store_thread_insert(store, &thread, &error));
	}
	for (size_t i = 0; i < TEXTS; i++)
		assert_string_equal(get_thread(ids[i]).title, texts[i]);
}

static void every_text_is_kept_as_a_new_title(void **state)
{
	struct thread_patch patch = { .archived = -1, .if_rev = -1, .now_ms = 2000 };
	const char *id = new_thread("ada");
	struct thread out;

	(void)state;
	for (size_t i = 0; i < TEXTS; i++) {
		patch.title = texts[i];
		OK(store_thread_update(store, NULL, id, &patch, &arena, &out, &error));
		assert_string_equal(out.title, texts[i]);
	}
	assert_string_equal(get_thread(id).title, texts[TEXTS - 1]);
}

static void every_text_is_kept_as_a_content(void **state)
{
	struct message *in = arena_alloc(&arena, TEXTS * sizeof *in);
	const char *id = new_thread("ada");
	struct message_filter all = { .thread_id = id, .from_start = true, .limit = TEXTS };
	struct message_list list;

	(void)state;
	for (size_t i = 0; i < TEXTS; i++) {
		in[i] = message_of(id, arena_printf(&arena, "m%zu", i));
		in[i].content = slice_of(texts[i]);
	}
	OK(store_messages_add(store, NULL, id, in, TEXTS, &error));
	OK(store_message_list(store, &all, &arena, &list, &error));
	assert_int_equal(list.count, TEXTS);
	for (size_t i = 0; i < TEXTS; i++)
		assert_content(&list.items[i], in[i].content);
}

static void every_text_is_kept_as_what_an_upstream_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEXTS; i += 4) {
		const char *id = new_thread("ada");
		const struct turn_open open = turn_of(id);
		struct finish end = finish_of(&open);
		struct message out;

		end.model = texts[i];
		end.finish_reason = texts[TEXTS - 1 - i];
		open_turn(&open);
		assert_true(finish(&end));
		out = get_message(id, open.answer.id);
		assert_text(out.model, texts[i]);
		assert_text(out.finish_reason, texts[TEXTS - 1 - i]);
	}
}

static void a_search_finds_every_text_by_itself(void **state)
{
	const char *user = fresh("user");

	(void)state;
	for (size_t i = 0; i < TEXTS; i++) {
		struct thread thread = thread_of(fresh("thread"), user);

		thread.title = arena_printf(&arena, "<%zu>%s<", i, texts[i]);
		OK(store_thread_insert(store, &thread, &error));
	}
	for (size_t i = 0; i < TEXTS; i++) {
		struct thread_filter filter = { .user_id = user, .archived = -1, .limit = 100 };
		struct thread_list list;

		filter.q = arena_printf(&arena, "%zu>%s<", i, texts[i]);
		OK(store_thread_list(store, &filter, &arena, &list, &error));
		if (list.count != 1 || !strstr(list.items[0].title, texts[i]))
			fail_msg("%zu threads are found by %s", list.count, filter.q);
	}
}

/* --- names --- */

static void users_who_look_alike_are_not_the_same(void **state)
{
	static const char *const names[] = {
		"ada",
		"Ada",
		"ADA",
		"ada ",
		" ada",
		"ad\xC3\xA4",
		"ada\xCC\x88",
		("\xD0\xB0"
		 "da"),
		"ad%",
		"ad_",
		"ad?",
		"ad*",
		"ada:",
		"ada:x",
		"ada/x",
		"ada\\",
		"ada\xC2\xA0",
		"ada\xE2\x80\x8B",
		"ada\xEF\xBF\xBF",
		"__ada__",
		"a'da",
		"a\"da",
		"{ada}",
		"a.da",
		"$ada",
	};
	const char *unique = fresh("");
	struct thread out;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		new_thread(arena_printf(&arena, "%s%s", unique, names[i]));
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *user = arena_printf(&arena, "%s%s", unique, names[i]);
		const char *other = arena_printf(&arena, "%s%s", unique, names[i ? i - 1 : 1]);
		struct thread_filter filter = { .owner = user, .archived = -1, .limit = 100 };
		struct store_counts counts;
		struct thread_list list;

		OK(store_thread_list(store, &filter, &arena, &list, &error));
		if (list.count != 1)
			fail_msg("%s has %zu threads", user, list.count);
		assert_string_equal(list.items[0].user_id, user);
		FAILS(ERROR_ACCESS_DENIED,
		      store_thread_get(store, other, list.items[0].id, &arena, &out, &error));
		OK(store_counts(store, user, &counts, &error));
		assert_int_equal(counts.threads, 1);
	}
}

static void a_user_of_128_wide_characters_is_kept(void **state)
{
	const char *tail = fresh("");
	size_t at = 0;
	char *user = arena_alloc(&arena, 4 * 128 + 1);
	const char *id;

	(void)state;
	while (at < 4 * (128 - strlen(tail)))
		put_character(user, &at, 0x1F600);
	strcpy(user + at, tail);
	id = new_thread(user);
	assert_string_equal(get_thread(id).user_id, user);
}

/* Ids of messages, all in one thread; each is the name of a document, row or key somewhere. */
static void ids_that_look_alike_are_not_the_same(void **state)
{
	static const char *const ids[] = {
		"a",        "A",   "-",    "_",  "__",  "___", "__a__",       "__proto__",
		"__name__", "_id", "id",   "0",  "00",  "0.0", "1e3",         "-1",
		"null",     "a.b", "a..b", "a.", "a-b", "a_b", "constructor",
	};
	const char *id = new_thread("ada");

	(void)state;
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		struct message in = message_of(id, ids[i]);

		in.content = slice_of(ids[i]);
		insert(in);
	}
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		struct message out = get_message(id, ids[i]);

		assert_content(&out, slice_of(ids[i]));
		assert_int_equal(out.seq, i + 1);
	}
}

static void a_thread_may_be_named_as_a_store_names_its_own(void **state)
{
	static const char *const around[][2] = {
		{ "__", "__" }, { "_", "" },      { "-", "" },
		{ "", "." },    { "", "..json" }, { "0", "" },
	};
	struct thread in[sizeof around / sizeof *around];

	(void)state;
	for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
		in[i] = thread_of(
			arena_printf(&arena, "%s%s%s", around[i][0], fresh("t"), around[i][1]),
			"ada");
		OK(store_thread_insert(store, &in[i], &error));
		whole_turn(in[i].id);
	}
	for (size_t i = 0; i < sizeof around / sizeof *around; i++)
		assert_string_equal(get_thread(in[i].id).id, in[i].id);
}

/* --- metadata --- */

static void metadata_comes_back_to_the_byte(void **state)
{
	static const char *const kinds[] = {
		"{}",
		"{ }",
		"{\"a\":1,\"b\":{\"a\":1}}",
		"{\"$where\":\"1\",\"a.b\":2,\"\":3}",
		"{\"__proto__\":{},\"__name__\":\"x\",\"_id\":0}",
		"{\"b\":1,\"a\":2}",
		"{\"n\":[1.0,1.50,1e3,-0,9007199254740993,1E400]}",
		"{\"s\":\"\\u0000\\ud83d\\ude00\\/\\\\ \xF0\x9F\x98\x80\xEF\xBF\xBF\"}",
		"{\"deep\":[[[[[[[[[[[[[[[[[[[[{\"x\":[]}]]]]]]]]]]]]]]]]]]]]}",
	};
	const char *id = new_thread("ada");
	struct thread_patch patch = { .archived = -1, .if_rev = -1, .now_ms = 2000 };

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct message in = message_of(id, arena_printf(&arena, "m%zu", i));
		struct thread thread;

		in.metadata = in.feedback = patch.metadata = kinds[i];
		insert(in);
		OK(store_thread_update(store, NULL, id, &patch, &arena, &thread, &error));
		assert_text(get_thread(id).metadata, kinds[i]);
		assert_text(get_message(id, in.id).metadata, kinds[i]);
		assert_text(get_message(id, in.id).feedback, kinds[i]);
	}
}

static void metadata_of_16_KiB_is_kept(void **state)
{
	char *text = arena_alloc(&arena, 16384 + 1);
	struct thread in = thread_of(fresh("thread"), "ada");

	(void)state;
	memset(text, 'x', 16384);
	memcpy(text, "{\"a\":\"", 6);
	memcpy(text + 16384 - 2, "\"}", 3);
	in.metadata = text;
	OK(store_thread_insert(store, &in, &error));
	assert_text(get_thread(in.id).metadata, text);
}

/* --- long ones --- */

static void c8_a_long_content_grows_and_shrinks_and_nothing_of_it_stays(void **state)
{
	static const size_t sizes[] = { 10, 4 * MIB, 900000, 3 * MIB, 0, 1100000, 1 };
	const char *id = new_thread("ada");
	struct message_patch edit = { .has_content = true };
	struct message out;

	(void)state;
	insert(message_of(id, "m"));
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		edit.content = letters(sizes[i], (char)('a' + i));
		edit.now_ms = 3000 + (int64_t)i;
		OK(store_message_update(store, NULL, id, "m", &edit, &arena, &out, &error));
		assert_content(&out, edit.content);
		out = get_message(id, "m");
		assert_content(&out, edit.content);
	}
	forget(id);
}

static void long_answers_are_history_in_their_order(void **state)
{
	const char *id = new_thread("ada");
	struct turn_open open = turn_of(id);
	struct turn_opened opened;

	(void)state;
	for (int i = 0; i < 3; i++) {
		const struct turn_open one = turn_of(id);
		struct finish end = finish_of(&one);

		end.content = letters(MIB + MIB / 2, (char)('a' + i));
		open_turn(&one);
		assert_true(finish(&end));
	}
	open.history_bytes = 4 * MIB;
	opened = open_turn(&open);
	assert_int_equal(opened.history.count, 4); /* the two last turns; the third is over */
	assert_content(&opened.history.items[1], letters(MIB + MIB / 2, 'b'));
	assert_content(&opened.history.items[3], letters(MIB + MIB / 2, 'c'));
	forget(id);
}

static void a_page_of_long_messages_ends_where_its_bytes_do(void **state)
{
	const char *id = new_thread("ada");
	struct message_filter page = {
		.thread_id = id, .from_start = true, .limit = 10, .bytes_max = 3 * MIB
	};
	struct message_list list;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct message in = message_of(id, arena_printf(&arena, "m%d", i));

		in.content = letters(MIB + 1000, (char)('a' + i));
		insert(in);
	}
	OK(store_message_list(store, &page, &arena, &list, &error));
	assert_int_equal(list.count, 2);
	assert_true(list.more);
	assert_content(&list.items[1], letters(MIB + 1000, 'b'));
	page.from_start = false;
	page.after = "m1";
	OK(store_message_list(store, &page, &arena, &list, &error));
	assert_int_equal(list.count, 2);
	assert_false(list.more);
	assert_content(&list.items[1], letters(MIB + 1000, 'd'));
	forget(id);
}

static void what_was_long_and_is_removed_does_not_come_back(void **state)
{
	const char *id = new_thread("ada"), *ids[] = { "m" };
	struct message in = message_of(id, "m"), out;

	(void)state;
	in.content = letters(3 * MIB, 'x');
	insert(in);
	OK(store_messages_drop(store, id, ids, 1, &error));
	FAILS(ERROR_NOT_FOUND, store_message_get(store, NULL, id, "m", &arena, &out, &error));
	in.content = SLICE("short");
	insert(in);
	out = get_message(id, "m");
	assert_content(&out, SLICE("short"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_character_there_is_is_kept),
		TEST(every_character_that_a_model_says_is_kept),
		TEST(every_text_is_kept_as_a_title),
		TEST(every_text_is_kept_as_a_new_title),
		TEST(every_text_is_kept_as_a_content),
		TEST(every_text_is_kept_as_what_an_upstream_names),
		TEST(a_search_finds_every_text_by_itself),
		TEST(users_who_look_alike_are_not_the_same),
		TEST(a_user_of_128_wide_characters_is_kept),
		TEST(ids_that_look_alike_are_not_the_same),
		TEST(a_thread_may_be_named_as_a_store_names_its_own),
		TEST(metadata_comes_back_to_the_byte),
		TEST(metadata_of_16_KiB_is_kept),
		TEST(c8_a_long_content_grows_and_shrinks_and_nothing_of_it_stays),
		TEST(long_answers_are_history_in_their_order),
		TEST(a_page_of_long_messages_ends_where_its_bytes_do),
		TEST(what_was_long_and_is_removed_does_not_come_back),
	};

	return cmocka_run_group_tests_name("store: texts", tests, open_store, close_store);
}
