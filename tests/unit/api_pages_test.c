/* Threads and messages on their way out are, byte for byte, what a plain writer makes of them,
 * however awkward, in whichever order they are told; and what finds no room leaves nothing. */
#include "../../src/api/api_room.h"

#include "http/problem.h"
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WHOLE_MAX  (64u << 20)
#define LARGE_SIZE (8u << 20)

static struct arena arena;
static struct request request;
static struct response response;
static struct call call;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 1u << 20);
	request = (struct request){ .arena = &arena };
	response_init(&response);
	call = (struct call){ .request = &request, .response = &response, .arena = &arena };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	response_done(&response);
	arena_done(&arena);
	return 0;
}

/* --- as a plain writer has it --- */

static void plain_times(struct json_writer *w, int64_t created_ms, int64_t updated_ms)
{
	json_put_time(w, "created_at", created_ms);
	json_put_time(w, "createdAt", created_ms);
	json_put_time(w, "updated_at", updated_ms);
	json_put_time(w, "updatedAt", updated_ms);
}

static void plain_thread(struct json_writer *w, const struct thread *thread)
{
	json_open(w, '{');
	json_put_text(w, "id", thread->id);
	json_put_text(w, "threadId", thread->id);
	json_put_text(w, "title", thread->title);
	json_put_text(w, "user_id", thread->user_id);
	plain_times(w, thread->created_ms, thread->updated_ms);
	json_put_bool(w, "archived", thread->archived);
	json_put_raw(w, "metadata", thread->metadata ? thread->metadata : "{}");
	json_close(w, '}');
}

static void plain_usage(struct json_writer *w, const struct usage *usage)
{
	json_key(w, "usage");
	if (usage->input < 0 && usage->output < 0 && usage->total < 0) {
		json_null(w);
		return;
	}
	json_open(w, '{');
	if (usage->input >= 0)
		json_put_int(w, "input_tokens", usage->input);
	if (usage->output >= 0)
		json_put_int(w, "output_tokens", usage->output);
	if (usage->total >= 0)
		json_put_int(w, "total_tokens", usage->total);
	json_close(w, '}');
}

static void plain_message(struct json_writer *w, const struct message *message)
{
	json_open(w, '{');
	json_put_text(w, "id", message->id);
	json_put_text(w, "thread_id", message->thread_id);
	json_put_text(w, "role", message_role_text(message->role));
	json_put_slice(w, "content", message->content);
	json_put_text(w, "status", message_status_text(message->status));
	if (message->run_id)
		json_put_text(w, "run_id", message->run_id);
	plain_times(w, message->created_ms, message->updated_ms);
	json_put_text(w, "finish_reason", message->finish_reason);
	plain_usage(w, &message->usage);
	json_put_text(w, "model", message->model);
	json_put_raw(w, "metadata", message->metadata ? message->metadata : "{}");
	json_put_raw(w, "feedback", message->feedback);
	json_close(w, '}');
}

/* --- rows --- */

static const char controls[] = "\x01\x02\x1f\x7f \b\f\n\r\t \"\\\" /</script> ";
static const char beyond[] = "\xe2\x80\xa8\xe2\x80\xa9 \xf0\x9f\x98\x80 \xc3\xa4\xf4\x8f\xbf\xbf";

static const struct thread threads[] = {
	{ .id = "a", .user_id = "ada", .title = "", .created_ms = 0, .updated_ms = 1760000000123 },
	{ .id = "b",
	  .user_id = controls,
	  .title = beyond,
	  .archived = true,
	  .metadata = "{\"n\":9007199254740993,\"e\":1e400,\"s\":\"\\u2028\"}",
	  .created_ms = 253402300799999,
	  .updated_ms = -1 },
	{ .id = controls, .user_id = beyond, .title = controls, .metadata = "{ }" },
};
#define THREADS (sizeof threads / sizeof *threads)

/* Contents around the length from which they are escaped on their way, and the largest. */
static struct slice content_of(size_t size)
{
	static const char pattern[] =
		"plain text, \"quotes\",\n\tcontrols \x01 and \xf0\x9f\x98\x80. ";
	char *text = malloc(size + sizeof pattern);

	assert_non_null(text);
	for (size_t at = 0; at < size; at += sizeof pattern - 1)
		memcpy(text + at, pattern, sizeof pattern - 1);
	return (struct slice){ text, size };
}

static const size_t sizes[] = {
	0, 1, 15, 16, 17, 4095, 4096, 4097, 16384, 16385, 70000, LARGE_SIZE
};
#define SIZES    (sizeof sizes / sizeof *sizes)
#define MESSAGES (SIZES + 2)

static void make_messages(struct message rows[MESSAGES])
{
	for (size_t i = 0; i < MESSAGES; i++)
		rows[i] = (struct message){
			.id = i % 2 ? "m" : beyond,
			.thread_id = "t",
			.role = i % 2 ? ROLE_ASSISTANT : ROLE_USER,
			.status = (enum message_status)(i % STATUS_COUNT),
			.content = i < SIZES    ? content_of(sizes[i])
				   : i == SIZES ? SLICE(controls)
						: SLICE(beyond),
			.run_id = i % 3 ? "r" : NULL,
			.finish_reason = i % 4 ? controls : NULL,
			.model = i % 2 ? controls : NULL,
			.usage = { i % 2 ? -1 : (int64_t)i, i % 3 ? -1 : INT64_MAX,
				   i % 5 ? -1 : 0 },
			.metadata = i % 2 ? "{\"k\":[1.10,12345678901234567890]}" : NULL,
			.feedback = i % 3 ? "{\"v\":-0}" : NULL,
			.created_ms = 1760000000000 + (int64_t)i,
			.updated_ms = (int64_t)i * 86399999,
		};
}

static void drop_messages(struct message rows[MESSAGES])
{
	for (size_t i = 0; i < SIZES; i++)
		free((char *)(uintptr_t)rows[i].content.ptr);
}

/* --- the whole of an answer --- */

static void read_answer(struct buffer *out)
{
	buffer_init(out, WHOLE_MAX);
	for (;;) {
		assert_false(response.body.failed);
		assert_true(buffer_append(out, buffer_slice(&response.body)));
		if (!response.more)
			return;
		buffer_reset(&response.body);
		if (!response.more(response.more_ctx, &response.body))
			response.more = NULL;
	}
}

static void assert_same(const struct buffer *found, const struct buffer *wanted)
{
	size_t at = 0;

	while (at < found->len && at < wanted->len && found->data[at] == wanted->data[at])
		at++;
	if (found->len != wanted->len || at < wanted->len)
		fail_msg("at %zu: %.40s, not %.40s", at, found->data + at, wanted->data + at);
}

static void threads_are_written_as_a_plain_writer_has_them(void **state)
{
	struct buffer found, wanted;

	(void)state;
	buffer_init(&found, WHOLE_MAX);
	buffer_init(&wanted, WHOLE_MAX);
	for (size_t i = 0; i < THREADS; i++) {
		struct json_writer w;

		json_writer_init(&w, &wanted);
		plain_thread(&w, &threads[i]);
		render_thread(&found, &threads[i]);
		assert_same(&found, &wanted);
	}
	buffer_done(&found);
	buffer_done(&wanted);
}

static void check_page(const struct message *rows, bool is_turned)
{
	struct page *page = page_open(&call, MESSAGES, false);
	struct buffer found, wanted;
	struct json_writer w;

	assert_non_null(page);
	for (size_t i = 0; i < MESSAGES; i++)
		assert_true(page_take(page, &rows[is_turned ? MESSAGES - 1 - i : i]));
	assert_string_equal(page_last_id(page), rows[is_turned ? 0 : MESSAGES - 1].id);
	assert_true(page_answer(&call, page, 200, is_turned, NULL));
	read_answer(&found);
	buffer_init(&wanted, WHOLE_MAX);
	json_writer_init(&w, &wanted);
	json_open(&w, '[');
	for (size_t i = 0; i < MESSAGES; i++)
		plain_message(&w, &rows[i]);
	json_close(&w, ']');
	assert_same(&found, &wanted);
	buffer_done(&found);
	buffer_done(&wanted);
}

static void a_page_is_written_as_a_plain_writer_has_it(void **state)
{
	struct message rows[MESSAGES];

	make_messages(rows);
	for (int is_turned = 0; is_turned < 2; is_turned++) {
		check_page(rows, is_turned);
		tear_down(state);
		set_up(state);
	}
	drop_messages(rows);
}

static void one_message_is_no_list(void **state)
{
	struct message rows[MESSAGES];
	struct buffer found, wanted;

	make_messages(rows);
	for (size_t i = 0; i < MESSAGES; i++) {
		struct page *page = page_open(&call, 0, false);
		struct json_writer w;

		assert_true(page && page_take(page, &rows[i]));
		assert_true(page_answer(&call, page, 201, false, NULL));
		read_answer(&found);
		buffer_init(&wanted, WHOLE_MAX);
		json_writer_init(&w, &wanted);
		plain_message(&w, &rows[i]);
		assert_same(&found, &wanted);
		buffer_done(&found);
		buffer_done(&wanted);
		tear_down(state);
		set_up(state);
	}
	drop_messages(rows);
}

/* In the middle of a page: what was written by then is no part of the problem that is told. */
static void r11_a_page_without_room_becomes_a_problem(void **state)
{
	struct budget *budget = budget_open(1 << 20, NULL, NULL, NULL);
	struct message rows[MESSAGES];
	struct error err = { 0 };
	struct page *page;
	size_t taken = 0;

	(void)state;
	assert_non_null(budget);
	request.budget = budget;
	make_messages(rows);
	page = page_open(&call, MESSAGES, false);
	while (taken < MESSAGES && page_take(page, &rows[taken]))
		taken++;
	assert_int_equal(taken, SIZES - 1);
	assert_true(page_is_full(page));
	assert_false(page_answer(&call, page, 200, false, &err));
	assert_int_equal(err.code, ERROR_OVERLOADED);
	problem_response(&err, "x", &response);
	assert_true(slice_starts(buffer_slice(&response.body), SLICE("{\"type\":")));
	assert_null(response.more);
	response_done(&response);
	response_init(&response);
	drop_messages(rows);
	budget_free(budget);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(threads_are_written_as_a_plain_writer_has_them),
		TEST(a_page_is_written_as_a_plain_writer_has_it),
		TEST(one_message_is_no_list),
		TEST(r11_a_page_without_room_becomes_a_problem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
