/* The places of runs: what was taken is given back, whatever becomes of the turn. */
#include "folder.h"
#include "stream/engine.h"

#include <semaphore.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct config config;
static struct spool_dir *dir;
static struct engine *engine;
static sem_t ended;

static void on_ended(void *ctx, struct spool *spool)
{
	(void)ctx;
	assert_int_equal(spool_record(spool)->status, STATUS_INTERRUPTED);
	spool_unref(spool);
	sem_post(&ended);
}

static int set_up(void **state)
{
	static const struct spool_limits limits = { .total = 1 << 20 };
	static const struct engine_hooks hooks = { .ended = on_ended };

	(void)state;
	if (!folder_make("room") || !(dir = spool_dir_open(folder, &limits, NULL, NULL)))
		return -1;
	config = (struct config){ .spool_path = folder, .runs_max = 1 };
	sem_init(&ended, 0, 0);
	engine = engine_open(&config, NULL, NULL, NULL);
	return engine && engine_start(engine, &hooks, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	engine_stop(engine, 1);
	engine_free(engine);
	spool_dir_free(dir);
	return folder_remove();
}

static void r30_a_turn_without_a_sink_gives_its_place_back(void **state)
{
	struct stream_options options = { .format = STREAM_RAW };
	struct spool_record record = { .run_id = "run-1" };
	struct run_start start = { .spool = spool_create(dir, &record, NULL) };
	struct stream_ticket *ticket;

	(void)state;
	assert_true(engine_take_room(engine, NULL));
	assert_false(engine_take_room(engine, NULL));
	ticket = stream_ticket_start(&options, &start, SLICE(""));
	assert_non_null(ticket);
	engine_hand_over(engine, ticket, NULL);
	sem_wait(&ended);
	assert_true(engine_take_room(engine, NULL));
	engine_give_room(engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(r30_a_turn_without_a_sink_gives_its_place_back,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
