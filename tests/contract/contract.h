/*
 * contract: what the suites share. They ask the store that C1D_TEST_STORE_URI names for every
 * promise of store/store.h, whichever store it is. All ids are new at each run, so a database may
 * be used again and again.
 */
#ifndef CONTRACT_H
#define CONTRACT_H

#include "base/clock.h"
#include "base/id.h"
#include "store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct store *store;
static struct arena arena; /* of the test that runs */
static struct error error; /* of the last call that was given it */

/* What it takes to open it: the environment's. */
static inline struct config contract_config(void)
{
	struct config config = { .store_uri = getenv("C1D_TEST_STORE_URI"),
				 .firestore_emulator = getenv("FIRESTORE_EMULATOR_HOST") };
	const char *redis = getenv("REDIS_URL");
	static struct arena of_redis;

	if (of_redis.max == 0)
		arena_init(&of_redis, 4096);
	if (redis && !redis_url_parse(redis, &of_redis, &config.redis))
		config.cache_s = 3600;
	return config;
}

/* A server that has just been started takes its time, more so beside other tests; what is marked
 * down would say nothing of all that follows. */
static inline bool is_up(void)
{
	int64_t end_ms = clock_mono_ms() + 60000;

	while (!store_ping(store, &error)) {
		if (error.code == ERROR_CONFIG || clock_mono_ms() > end_ms)
			return false;
		usleep(10000);
	}
	return true;
}

static inline int open_store(void **state)
{
	struct config config = contract_config();

	(void)state;
	if (!config.store_uri) {
		fprintf(stderr, "C1D_TEST_STORE_URI has to name the store to test\n");
		return -1;
	}
	store = store_open(&config, NULL, &error);
	if (!store)
		fprintf(stderr, "store_open: %s\n", error.detail);
	if (!store || !is_up())
		return -1;
	if (config.cache_s > 0) /* from then on it is read from */
		store_node_beat(store, "0cac4e00", NULL, &error);
	return 0;
}

static inline int close_store(void **state)
{
	(void)state;
	store_free(store);
	return 0;
}

static inline int set_up(void **state)
{
	(void)state;
	if (store && store_is_down(store) && !is_up())
		return -1;
	error = (struct error){ 0 };
	arena_init(&arena, 64 << 20);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* The call succeeds; or it fails with exactly this code. */
#define OK(call)                                                                                   \
	do {                                                                                       \
		error = (struct error){ 0 };                                                       \
		if (!(call))                                                                       \
			fail_msg("%s: %s, %s", #call, error_word(error.code), error.detail);       \
	} while (0)
#define FAILS(want, call)                                                                          \
	do {                                                                                       \
		error = (struct error){ 0 };                                                       \
		assert_false(call);                                                                \
		assert_string_equal(error_word(error.code), error_word(want));                     \
	} while (0)

/* There was no time for it: on a busy machine one of several may be late. It is done or not. */
static inline bool was_late(const struct error *err)
{
	return err->code == ERROR_STORE_TIMEOUT || err->code == ERROR_OVERLOADED ||
	       err->code == ERROR_STORE_DOWN;
}

/* As OK, of what only reads: where it was late it is asked again. */
#define READS(call)                                                                                \
	do {                                                                                       \
		int tries = 0;                                                                     \
		do                                                                                 \
			error = (struct error){ 0 };                                               \
		while (!(call) && was_late(&error) && tries++ < 5 && is_up());                     \
		if (error.code != ERROR_NONE)                                                      \
			fail_msg("%s: %s, %s", #call, error_word(error.code), error.detail);       \
	} while (0)

/* A new name: "thread" gives "thread-0190...". */
static inline const char *fresh(const char *kind)
{
	char id[ID_UUID_SIZE];

	id_uuid7(id);
	return arena_printf(&arena, "%s-%s", kind, id);
}

static inline struct thread thread_of(const char *id, const char *user_id)
{
	return (struct thread){
		.id = id,
		.user_id = user_id,
		.title = "A title",
		.created_ms = 1000,
		.updated_ms = 1000,
	};
}

/* The id of a thread that was just made. */
static inline const char *new_thread(const char *user_id)
{
	struct thread thread = thread_of(fresh("thread"), user_id);

	OK(store_thread_insert(store, &thread, &error));
	return thread.id;
}

static inline struct thread get_thread(const char *id)
{
	struct thread thread;

	OK(store_thread_get(store, NULL, id, &arena, &thread, &error));
	return thread;
}

static inline struct message message_of(const char *thread_id, const char *id)
{
	return (struct message){
		.id = id,
		.thread_id = thread_id,
		.role = ROLE_USER,
		.status = STATUS_COMPLETE,
		.content = SLICE("What is the weather like?"),
		.usage = USAGE_UNKNOWN,
		.created_ms = 2000,
		.updated_ms = 2000,
	};
}

static inline struct message answer_of(const char *thread_id, const char *id, const char *run_id)
{
	struct message message = message_of(thread_id, id);

	message.role = ROLE_ASSISTANT;
	message.status = STATUS_STREAMING;
	message.content = SLICE("");
	message.run_id = run_id;
	return message;
}

static inline void insert(struct message message)
{
	OK(store_messages_add(store, NULL, message.thread_id, &message, 1, &error));
}

static inline struct message get_message(const char *thread_id, const char *id)
{
	struct message message;

	OK(store_message_get(store, NULL, thread_id, id, &arena, &message, &error));
	return message;
}

static inline struct thread_deleted delete_thread(const char *id)
{
	struct thread_deleted deleted;

	OK(store_thread_delete(store, NULL, id, &arena, &deleted, &error));
	return deleted;
}

/* A turn of the thread, with ids of its own unless the caller changes them. */
static inline struct turn_open turn_of(const char *thread_id)
{
	struct turn_open open = {
		.thread_id = thread_id,
		.run = { fresh("run"), fresh("answer"), "0badcafe" },
		.question = message_of(thread_id, fresh("question")),
		.history_bytes = 100000,
		.history_max = 100,
	};

	open.answer = answer_of(thread_id, open.run.message_id, open.run.id);
	open.answer.question = "hash of the question";
	return open;
}

static inline struct turn_opened open_turn(const struct turn_open *open)
{
	struct turn_opened opened;

	OK(store_turn_open(store, open, &arena, &opened, &error));
	return opened;
}

static inline struct finish finish_of(const struct turn_open *open)
{
	return (struct finish){
		.thread_id = open->thread_id,
		.message_id = open->answer.id,
		.run_id = open->run.id,
		.status = STATUS_COMPLETE,
		.content = SLICE("Sunny."),
		.finish_reason = "stop",
		.model = "c1/some/model",
		.usage = { 1, 2, 3 },
	};
}

static inline bool finish(const struct finish *end)
{
	bool applied = false;

	OK(store_finish(store, end, &applied, &error));
	return applied;
}

/* Question and answer, from beginning to end. */
static inline struct turn_open whole_turn(const char *thread_id)
{
	struct turn_open open = turn_of(thread_id);
	const struct finish end = finish_of(&open);

	assert_int_equal(open_turn(&open).kind, TURN_OPENED);
	assert_true(finish(&end));
	return open;
}

/* Is it the same text? Both may be NULL. */
static inline void assert_text(const char *got, const char *want)
{
	if (want) {
		assert_non_null(got);
		assert_string_equal(got, want);
	} else {
		assert_null(got);
	}
}

static inline void assert_content(const struct message *message, struct slice want)
{
	assert_int_equal(message->content.len, want.len);
	assert_true(slice_equal(message->content, want));
}

/* count threads run work(&items[i]) at once. */
static inline void at_once(void *(*work)(void *), void *items, size_t size, size_t count)
{
	pthread_t threads[32];

	assert_true(count <= 32);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, (char *)items + i * size),
				 0);
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

#endif
