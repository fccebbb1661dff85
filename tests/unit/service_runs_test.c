/* Whose runs a deletion stops, and what becomes of one whose file a power loss has damaged: with a
 * board, a spool and a store of their own. */
#include "service_site.h"

#include "service/runs.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define RUN "01990000-0000-7000-8000-000000000000-0badcafe"

/* The name that RUN ends with is this node's. */
static bool name_node(void)
{
	char path[128];
	FILE *file;
	bool ok;

	snprintf(path, sizeof path, "%s/node", folder);
	if (!(file = fopen(path, "w")))
		return false;
	ok = fputs("0badcafe", file) >= 0;
	return fclose(file) == 0 && ok;
}

static int set_up(void **state)
{
	(void)state;
	return folder_make("runs") && name_node() && service_begin() ? 0 : -1;
}

/* A question on this thread has come so far that its run is on the board, and no further. */
static void begin_a_turn(const char *thread_id)
{
	struct board_entry entry = { .state = BOARD_STARTING, .run_id = RUN };

	snprintf(entry.thread_id, sizeof entry.thread_id, "%s", thread_id);
	assert_true(board_add(service->board, service->slot, &entry, NULL));
}

static bool is_asked_to_stop(void)
{
	char path[256];

	snprintf(path, sizeof path, "%s/stop/" RUN, spool);
	return access(path, F_OK) == 0;
}

static void who_deletes_a_thread_that_is_not_there_stops_nobodys_turn(void **state)
{
	const struct caller other = { .user_id = "other", .enforced = true };
	struct error err = { 0 };

	(void)state;
	begin_a_turn("to-be-made");
	assert_false(service_thread_delete(service, &other, "to-be-made", &arena, &err));
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	assert_false(is_asked_to_stop());
}

static void who_deletes_a_thread_stops_the_turn_that_begins_on_it(void **state)
{
	const struct caller owner = { .user_id = "owner", .enforced = true };
	const struct thread_draft draft = { .title = SLICE("t") };
	struct error err = { 0 };
	struct thread thread;

	(void)state;
	assert_true(service_thread_create(service, &owner, &draft, &arena, &thread, &err));
	begin_a_turn(thread.id);
	assert_true(service_thread_delete(service, &owner, thread.id, &arena, &err));
	assert_true(is_asked_to_stop());
}

/* The store has the claim, and of the header on the disk only zeros are left. */
static void hold_with_a_damaged_file(const struct run_ref *run)
{
	static const char zeros[SPOOL_HEADER];
	struct thread made = { .id = "t", .user_id = "anonymous", .title = "t" };
	const struct turn_open open = {
		.thread_id = "t",
		.make = &made,
		.run = *run,
		.question = { .id = "q", .role = ROLE_USER, .status = STATUS_COMPLETE },
		.answer = { .id = run->message_id, .role = ROLE_ASSISTANT, .run_id = run->id },
	};
	struct turn_opened opened;
	char path[256];
	FILE *file;

	assert_true(store_turn_open(service->store, &open, &arena, &opened, NULL));
	assert_int_equal(opened.kind, TURN_OPENED);
	snprintf(path, sizeof path, "%s/%s", spool, run->id);
	assert_non_null(file = fopen(path, "w"));
	assert_int_equal(fwrite(zeros, sizeof zeros, 1, file), 1);
	fclose(file);
}

static void a_claim_whose_file_is_damaged_is_ended_as_lost(void **state)
{
	const struct run_ref run = { RUN, "a", service->node };
	const struct held_claim claim = { "t", run };
	struct error err = { 0 };
	struct thread thread;
	struct message answer;

	(void)state;
	hold_with_a_damaged_file(&run);
	assert_true(runs_end_unlisted(service, &claim, &err));
	assert_true(store_message_get(service->store, NULL, "t", "a", &arena, &answer, &err));
	assert_int_equal(answer.status, STATUS_INTERRUPTED);
	assert_true(store_thread_get(service->store, NULL, "t", &arena, &thread, &err));
	assert_null(thread.run.id);
}

static void a_run_whose_file_is_damaged_is_told_as_the_store_knows_it(void **state)
{
	const struct caller caller = { .user_id = "anonymous" };
	const struct run_ref run = { RUN, "a", service->node };
	struct error err = { 0 };
	struct run_info info;

	(void)state;
	hold_with_a_damaged_file(&run);
	assert_true(service_run_get(service, &caller, RUN, &arena, &info, &err));
	assert_string_equal(info.message_id, "a");
	assert_null(service_run_open(service, &caller, RUN, &arena, &info, &err));
	assert_int_equal(err.code, ERROR_GONE);
	assert_non_null(strstr(err.link, "/api/threads/t/messages"));
}

/* From now on the disk takes nothing of it. */
static void fill_the_disk_under(const char *run_id)
{
	char link[64], path[256];
	int full = open("/dev/full", O_RDWR | O_CLOEXEC);
	bool found = false;

	for (int fd = 0; fd < 1024 && !found; fd++) {
		ssize_t n;

		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		n = readlink(link, path, sizeof path - 1);
		path[n > 0 ? n : 0] = '\0';
		found = strstr(path, run_id) && dup2(full, fd) == fd;
	}
	assert_true(found);
	close(full);
}

/* Its file says that it is written still, and will say so for ever. */
static void c9_an_answer_whose_file_cannot_be_marked_is_told_by_the_store_alone(void **state)
{
	const struct run_ref run = { RUN, "a", service->node };
	const struct spool_record record = { .run_id = RUN, .thread_id = "t", .message_id = "a" };
	const struct spool_ending stopped = { .status = STATUS_STOPPED, .usage = USAGE_UNKNOWN };
	const struct caller caller = { .user_id = "anonymous" };
	struct error err = { 0 };
	struct run_info info;
	struct spool *file;

	(void)state;
	hold_with_a_damaged_file(&run);
	spool_remove(service->spools, RUN);
	assert_non_null(file = spool_create(service->spools, &record, &err));
	fill_the_disk_under(RUN);
	assert_false(spool_end(file, &stopped, &err));
	assert_true(savers_save_now(service, file, &err));
	assert_true(service_run_get(service, &caller, RUN, &arena, &info, &err));
	assert_int_equal(info.status, STATUS_STOPPED);
	assert_null(spool_open(service->spools, RUN, &err));
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	spool_unref(file);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(who_deletes_a_thread_that_is_not_there_stops_nobodys_turn),
		T(who_deletes_a_thread_stops_the_turn_that_begins_on_it),
		T(a_claim_whose_file_is_damaged_is_ended_as_lost),
		T(a_run_whose_file_is_damaged_is_told_as_the_store_knows_it),
		T(c9_an_answer_whose_file_cannot_be_marked_is_told_by_the_store_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
