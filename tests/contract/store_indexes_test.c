/* What MongoDB is asked, as the driver sends it: each filter and order is that of an index, the
 * indexes are there, and an operation takes as many round trips as is promised. Of SQLite the unit
 * test of its tables proves the same. */
#include "contract.h"

#include "../../src/store/mongodb/mongo_room.h"

#define FIELDS 8

extern const struct store_maker store_mongodb;

static const struct store_ops *ops;
static struct mongo *mongo; /* NULL: the store is another */
static int commands;        /* since it was zeroed */
static char complaint[1024];
static bson_t *asked; /* the filter of the last find */

/* --- is there an index for it? --- */

struct fields {
	char names[FIELDS][32];
	int count;
};

static void add(struct fields *fields, const char *name)
{
	assert_true(fields->count < FIELDS);
	snprintf(fields->names[fields->count++], sizeof fields->names[0], "%s", name);
}

static bool has(const struct fields *fields, const char *name)
{
	for (int i = 0; i < fields->count; i++)
		if (strcmp(fields->names[i], name) == 0)
			return true;
	return false;
}

/* What is equal to something, and what lies in a range. */
static void read_filter(const bson_t *filter, struct fields *equal, struct fields *range)
{
	bson_iter_t it, inner;

	for (bson_iter_init(&it, filter); bson_iter_next(&it);) {
		const char *name = bson_iter_key(&it);

		if (name[0] == '$' || BSON_ITER_HOLDS_REGEX(&it))
			continue;
		if (!BSON_ITER_HOLDS_DOCUMENT(&it)) {
			add(equal, name);
			continue;
		}
		bson_iter_recurse(&it, &inner);
		if (!bson_iter_next(&inner) || strcmp(bson_iter_key(&inner), "$in") == 0)
			add(equal, name);
		else if (strcmp(bson_iter_key(&inner), "$ne") != 0)
			add(range, name);
	}
}

/* Equal fields first, then the order or one range. */
static bool fits(const bson_t *keys, const struct fields *equal, const struct fields *range,
		 const bson_t *sort)
{
	bson_iter_t key, by;
	bool more = bson_iter_init(&key, keys) && bson_iter_next(&key);
	bool found = false;
	int turned = 0;

	for (; more && has(equal, bson_iter_key(&key)); more = bson_iter_next(&key))
		found = true;
	if (!sort || bson_empty(sort))
		return found || (more && has(range, bson_iter_key(&key)));
	for (bson_iter_init(&by, sort); bson_iter_next(&by); more = bson_iter_next(&key)) {
		int turn = more ? (int)(bson_iter_as_int64(&key) * bson_iter_as_int64(&by)) : 0;

		if (!more || strcmp(bson_iter_key(&key), bson_iter_key(&by)) != 0 ||
		    (turned && turn != turned))
			return false;
		turned = turn;
	}
	return true;
}

static bool is_by_id(const bson_t *sort)
{
	bson_iter_t by;

	return bson_iter_init(&by, sort) && bson_iter_next(&by) &&
	       strcmp(bson_iter_key(&by), "_id") == 0;
}

static bool has_index(const char *collection, const bson_t *filter, const bson_t *sort)
{
	struct fields equal = { .count = 0 }, range = { .count = 0 };
	bool found;

	read_filter(filter, &equal, &range);
	found = has(&equal, "_id") || (has(&range, "_id") && sort && is_by_id(sort));
	for (const struct mongo_index *index = mongo_indexes; !found && index->name; index++) {
		bson_t keys;

		mongo_index_keys(index, &keys);
		found = strcmp(mongo_collections[index->in], collection) == 0 &&
			fits(&keys, &equal, &range, sort);
		bson_destroy(&keys);
	}
	return found;
}

/* --- what is sent --- */

static bool inner(const bson_t *document, const char *path, bson_t *out)
{
	bson_iter_t it, at;
	const uint8_t *data;
	uint32_t len;

	if (!bson_iter_init(&it, document) || !bson_iter_find_descendant(&it, path, &at) ||
	    !BSON_ITER_HOLDS_DOCUMENT(&at))
		return false;
	bson_iter_document(&at, &len, &data);
	return bson_init_static(out, data, len);
}

static void on_command(const mongoc_apm_command_started_t *event)
{
	static const char *const filters[][2] = { { "find", "filter" },
						  { "findAndModify", "query" },
						  { "update", "updates.0.q" },
						  { "delete", "deletes.0.q" } };
	const char *name = mongoc_apm_command_started_get_command_name(event);
	const bson_t *command = mongoc_apm_command_started_get_command(event);
	bson_t filter, sort;

	commands++;
	if (strcmp(name, "find") == 0 && inner(command, "filter", &filter)) {
		bson_destroy(asked);
		asked = bson_copy(&filter);
	}
	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
		if (strcmp(name, filters[i][0]) != 0 || !inner(command, filters[i][1], &filter))
			continue;
		if (!has_index(mongo_text(command, name), &filter,
			       inner(command, "sort", &sort) ? &sort : NULL) &&
		    !complaint[0]) {
			char *text = bson_as_relaxed_extended_json(command, NULL);

			snprintf(complaint, sizeof complaint, "no index for %s", text);
			bson_free(text);
		}
	}
}

static int open_mongo(void **state)
{
	const struct store_options options = { .uri = getenv("C1D_TEST_STORE_URI"),
					       .callers = 4,
					       .limit_ms = 4000 };
	mongoc_apm_callbacks_t *callbacks;

	(void)state;
	if (!options.uri || strncmp(options.uri, "mongodb", 7) != 0)
		return options.uri ? 0 : -1;
	mongo = store_mongodb.open(&options, &ops, &error);
	if (!mongo)
		return -1;
	callbacks = mongoc_apm_callbacks_new();
	mongoc_apm_set_command_started_cb(callbacks, on_command);
	mongoc_client_pool_set_apm_callbacks(mongo->pool, callbacks, NULL);
	mongoc_apm_callbacks_destroy(callbacks);
	return ops->ping(mongo, &error) == ERROR_NONE ? 0 : -1;
}

static int close_mongo(void **state)
{
	(void)state;
	if (mongo)
		ops->free(mongo);
	bson_destroy(asked);
	return 0;
}

/* --- the tests --- */

#define DONE(op, ...)                                                                              \
	do {                                                                                       \
		enum error_code code_ = ops->op(mongo, __VA_ARGS__);                               \
		if (code_ != ERROR_NONE)                                                           \
			fail_msg("%s: %s", #op, error_word(code_));                                \
		if (complaint[0])                                                                  \
			fail_msg("%s: %s", #op, complaint);                                        \
	} while (0)
#define TRIPS(most, op, ...)                                                                       \
	do {                                                                                       \
		commands = 0;                                                                      \
		DONE(op, __VA_ARGS__);                                                             \
		print_message("%2d round trips: %s\n", commands, #op " " #most);                   \
		if (commands > (most))                                                             \
			fail_msg("%s takes %d round trips", #op, commands);                        \
	} while (0)

static void only_mongodb(void)
{
	if (!mongo)
		skip();
	complaint[0] = '\0';
}

static void the_indexes_are_there(void **state)
{
	struct mongo_call call;

	(void)state;
	only_mongodb();
	assert_int_equal(mongo_begin(mongo, &call), ERROR_NONE);
	for (const struct mongo_index *index = mongo_indexes; index->name; index++) {
		mongoc_cursor_t *cursor =
			mongoc_collection_find_indexes_with_opts(call.in[index->in], NULL);
		const bson_t *found;
		bool is_there = false;

		while (mongoc_cursor_next(cursor, &found))
			is_there = is_there || strcmp(mongo_text(found, "name"), index->name) == 0;
		mongoc_cursor_destroy(cursor);
		if (!is_there)
			fail_msg("no index %s", index->name);
	}
	mongo_end(&call);
}

static void c6_a_turn_takes_three_round_trips(void **state)
{
	struct thread make = thread_of(fresh("thread"), "ada"), made = thread_of(fresh("t"), "ada");
	struct thread unused = thread_of(fresh("t"), "ada"), spoken = thread_of(fresh("t"), "ada");
	struct message said = message_of(spoken.id, "said");
	struct turn_open open = turn_of(make.id), next = turn_of(make.id), keyed = turn_of(make.id);
	struct turn_open first = turn_of(made.id);
	struct finish end = finish_of(&open), second = finish_of(&next);
	struct thread_deleted deleted;
	struct turn_opened opened;
	struct message out;

	(void)state;
	only_mongodb();
	open.make = &make;
	open.owner = first.owner = "ada";
	keyed.answer.key = fresh("key");
	TRIPS(2, turn_open, &open, &arena, &opened);
	TRIPS(2, finish, &end, NULL);
	TRIPS(3, turn_open, &next, &arena, &opened);
	TRIPS(2, finish, &second, NULL);
	assert_int_equal(ops->turn_find(mongo, NULL, NULL, NULL, keyed.answer.key, &arena, &out),
			 ERROR_NOT_FOUND);
	TRIPS(3, turn_open, &keyed, &arena, &opened);
	TRIPS(2, turn_find, "ada", make.id, open.answer.id, NULL, &arena, &out);
	TRIPS(1, thread_insert, &made);
	TRIPS(2, turn_open, &first, &arena, &opened);
	assert_int_equal(opened.kind, TURN_OPENED);
	TRIPS(1, thread_insert, &unused);
	TRIPS(1, thread_insert, &spoken);
	TRIPS(2, messages_add, "ada", spoken.id, &said, 1);
	TRIPS(1, thread_delete, "ada", unused.id, &arena, &deleted);
}

/* Moves a thread's time an hour back. */
static void age(const char *thread_id, const char *field)
{
	const int64_t then_ms = clock_wall_ms() - 3600000;
	struct mongo_call call;

	assert_int_equal(mongo_begin(mongo, &call), ERROR_NONE);
	assert_int_equal(mongo_update(&call, THREADS, BCON_NEW("_id", BCON_UTF8(thread_id)),
				      BCON_NEW("$set", "{", field, BCON_DATE_TIME(then_ms), "}"),
				      NULL),
			 ERROR_NONE);
	mongo_end(&call);
}

static void turn_done(const char *thread_id)
{
	struct thread make = thread_of(thread_id, "ada");
	struct turn_open open = turn_of(thread_id);
	struct finish end = finish_of(&open);
	struct turn_opened opened;

	open.make = &make;
	DONE(turn_open, &open, &arena, &opened);
	DONE(finish, &end, NULL);
}

/* R18: where a turn has begun or ended lately the deletion looks for it; elsewhere it is one trip.
 */
static void r18_a_deletion_looks_for_runs_only_where_one_may_have_ended_lately(void **state)
{
	const char *quiet = fresh("quiet"), *ended = fresh("ended"), *begun = fresh("begun");
	const char *old = fresh("old");
	struct thread_deleted deleted;
	struct mongo_call call;

	(void)state;
	only_mongodb();
	for (int i = 0; i < 4; i++)
		turn_done(((const char *[]){ quiet, ended, begun, old })[i]);
	age(quiet, "updated_at");
	age(quiet, "ended_at");
	TRIPS(1, thread_delete, "ada", quiet, &arena, &deleted);
	age(ended, "updated_at");
	TRIPS(2, thread_delete, "ada", ended, &arena, &deleted);
	assert_int_equal(deleted.run_count, 1);
	age(begun, "ended_at");
	TRIPS(2, thread_delete, "ada", begun, &arena, &deleted);
	assert_int_equal(deleted.run_count, 1);
	/* as an older c1d left it */
	age(old, "updated_at");
	assert_int_equal(mongo_begin(mongo, &call), ERROR_NONE);
	assert_int_equal(mongo_update(&call, THREADS, BCON_NEW("_id", BCON_UTF8(old)),
				      BCON_NEW("$unset", "{", "ended_at", "", "}"), NULL),
			 ERROR_NONE);
	mongo_end(&call);
	TRIPS(2, thread_delete, "ada", old, &arena, &deleted);
	assert_int_equal(deleted.run_count, 1);
}

/* R18: an answer that comes in when its claim was taken from it has ended just now, too. */
static void r18_a_run_that_ends_without_its_claim_is_named_by_a_deletion(void **state)
{
	const char *id = fresh("late");
	struct thread make = thread_of(id, "ada");
	struct turn_open open = turn_of(id);
	struct finish lost = finish_of(&open), late = finish_of(&open);
	struct thread_deleted deleted;
	struct turn_opened opened;

	(void)state;
	only_mongodb();
	open.make = &make;
	lost.status = STATUS_INTERRUPTED;
	lost.if_streaming = true;
	DONE(turn_open, &open, &arena, &opened);
	DONE(finish, &lost, NULL);
	age(id, "updated_at");
	age(id, "ended_at");
	TRIPS(3, finish, &late, NULL);
	TRIPS(2, thread_delete, "ada", id, &arena, &deleted);
	assert_int_equal(deleted.run_count, 1);
	assert_string_equal(deleted.run_ids[0], open.run.id);
}

static void every_filter_and_order_is_that_of_an_index(void **state)
{
	struct thread thread = thread_of(fresh("thread"), "ada"), out;
	const struct thread_patch patch = { .archived = -1, .if_rev = -1, .now_ms = 1 };
	const struct message_patch edit = { .now_ms = 1 };
	struct thread_page page = { .user_id = "ada", .archived = 0, .q = "x", .limit = 5 };
	struct message_filter filter = { .owner = "ada", .thread_id = thread.id, .limit = 5 };
	struct turn_open open = turn_of(thread.id);
	struct message messages[2] = { message_of(thread.id, "a"), message_of(thread.id, "b") };
	struct message third = message_of(thread.id, "c");
	struct thread_list threads;
	struct message_list list;
	struct thread_deleted deleted;
	struct turn_opened opened;
	struct claim_list claims;
	struct message message;
	struct store_counts counts;
	size_t taken;
	bool more;

	(void)state;
	only_mongodb();
	TRIPS(1, thread_insert, &thread);
	TRIPS(1, thread_get, "ada", thread.id, &arena, &out);
	TRIPS(1, thread_update, "ada", thread.id, &patch, &arena, &out);
	TRIPS(2, threads_take, "ada", "bob", 5, &taken, &more);
	TRIPS(1, threads_take, "nobody", "bob", 5, &taken, &more);
	TRIPS(2, threads_take, "bob", "ada", 5, &taken, &more);
	TRIPS(3, messages_add, "ada", thread.id, messages,
	      2); /* it has been changed since it was made */
	TRIPS(2, messages_add, "ada", thread.id, &third, 1);
	assert_int_equal(third.seq, messages[1].seq + 1);
	TRIPS(2, message_get, "ada", thread.id, "a", &arena, &message);
	TRIPS(2, message_update, "ada", thread.id, "a", &edit, &arena, &message);
	TRIPS(2, message_list, &filter, &arena, &list);
	filter.before = "b";
	TRIPS(3, message_list, &filter, &arena, &list);
	TRIPS(1, thread_list, &page, &arena, &threads);
	page = (struct thread_page){ .archived = -1, .last_ms = 9, .last = "x", .limit = 5 };
	TRIPS(1, thread_list, &page, &arena, &threads);
	TRIPS(3, turn_open, &open, &arena, &opened);
	TRIPS(2, message_by_run, "ada", open.run.id, &arena, &message);
	TRIPS(2, runs_of, "ada", thread.id, 5, &arena, &list);
	TRIPS(1, stop_ask, "ada", open.run.id);
	TRIPS(1, stops_of, open.run.node, &arena, &claims);
	TRIPS(1, node_beat, open.run.node, NULL);
	DONE(claims_of_dead, -1000, 100, &arena, &claims);
	TRIPS(3, thread_delete, "ada", thread.id, &arena, &deleted);
	TRIPS(4, thread_purge, thread.id, 100, &more);
	DONE(sweep, 1000LL * 86400000, -1000, 1000, &more);
	DONE(thread_scan, "a", 10, &arena, &threads);
	DONE(threads_put, &thread, 1);
	DONE(messages_put, messages, 2);
	DONE(messages_drop, thread.id, &messages[0].id, 1);
	DONE(counts, "ada", &counts);
	DONE(counts, NULL, &counts);
}

/* How many threads lie in the range that the last list asked its index for. */
static int in_range(void)
{
	bson_t *filter = bson_new();
	struct mongo_call call;
	mongoc_cursor_t *cursor;
	const bson_t *found;
	int count = 0;

	assert_non_null(asked);
	bson_copy_to_excluding_noinit(asked, filter, "deleted_at", NULL);
	assert_int_equal(mongo_begin(mongo, &call), ERROR_NONE);
	cursor = mongo_find(&call, THREADS, filter, mongo_options(&call, 100));
	while (mongoc_cursor_next(cursor, &found))
		count++;
	assert_int_equal(mongo_found_all(&call, cursor), ERROR_NONE);
	mongo_end(&call);
	return count;
}

/* A page of a list is read from as many entries of its index, however many threads were deleted. */
static void a_list_walks_past_no_thread_that_was_deleted(void **state)
{
	const char *owner = fresh("walker");
	struct thread threads[4];
	struct thread_page page = { .user_id = owner, .archived = -1, .limit = 5 };
	struct thread_deleted deleted;
	struct thread_list list;

	(void)state;
	only_mongodb();
	for (int i = 0; i < 4; i++) {
		threads[i] = thread_of(fresh("thread"), owner);
		DONE(thread_insert, &threads[i]);
	}
	for (int i = 1; i < 4; i++)
		DONE(thread_delete, owner, threads[i].id, &arena, &deleted);
	DONE(thread_list, &page, &arena, &list);
	assert_int_equal(list.count, 1);
	assert_int_equal(in_range(), 1);
	page.last = "~";
	page.last_ms = threads[0].updated_ms;
	DONE(thread_list, &page, &arena, &list);
	assert_int_equal(list.count, 1);
	assert_int_equal(in_range(), 1);
}

/* --- the way to the indexes --- */

/* The store of a database of its own, which nobody has seen yet. */
static struct mongo *open_new(const char *name)
{
	const struct store_options options = {
		.uri = arena_printf(&arena, "%s%s", getenv("C1D_TEST_STORE_URI"), name),
		.callers = 4,
		.limit_ms = 4000
	};
	struct mongo *other = store_mongodb.open(&options, &ops, &error);

	assert_non_null(other);
	return other;
}

static void put(struct mongo *other, enum mongo_collection in, bson_t *document)
{
	const bson_t *documents[] = { document };
	struct mongo_call call;
	size_t done;

	assert_int_equal(mongo_begin(other, &call), ERROR_NONE);
	assert_int_equal(mongo_insert(&call, in, documents, 1, &done), ERROR_NONE);
	mongo_end(&call);
	bson_destroy(document);
}

static void drop(struct mongo *other)
{
	struct mongo_call call;
	mongoc_database_t *database;

	assert_int_equal(mongo_begin(other, &call), ERROR_NONE);
	database = mongoc_client_get_database(call.client, other->database);
	assert_true(mongoc_database_drop(database, NULL));
	mongoc_database_destroy(database);
	mongo_end(&call);
}

/* R31: two messages of one number stand in the way of an index; when they are gone it is made. */
static void r31_indexes_that_could_not_be_made_are_tried_for_again(void **state)
{
	struct mongo *other;
	struct mongo_call call;

	(void)state;
	only_mongodb();
	other = open_new(fresh("-late"));
	for (int i = 0; i < 2; i++)
		put(other, MESSAGES,
		    BCON_NEW("_id", BCON_INT32(i), "thread_id", "t", "seq", BCON_INT64(1)));
	assert_int_equal(ops->ping(other, &error), ERROR_STORE);
	assert_int_equal(ops->ping(other, &error), ERROR_STORE);
	assert_int_equal(mongo_begin(other, &call), ERROR_NONE);
	assert_int_equal(mongo_delete(&call, MESSAGES, BCON_NEW("_id", BCON_INT32(0))), ERROR_NONE);
	mongo_end(&call);
	assert_int_equal(ops->ping(other, &error), ERROR_NONE);
	drop(other);
	ops->free(other);
}

static void a_database_of_a_newer_version_is_refused(void **state)
{
	struct mongo *other;

	(void)state;
	only_mongodb();
	other = open_new(fresh("-newer"));
	put(other, META, BCON_NEW("_id", "schema", "version", BCON_INT64(99)));
	assert_int_equal(ops->ping(other, &error), ERROR_CONFIG);
	assert_non_null(strstr(error.detail, "newer"));
	drop(other);
	ops->free(other);
}

static void *ping_once(void *arg)
{
	*(bool *)arg = false;
	for (int i = 0; i < 2; i++)
		*(bool *)arg = ops->ping(mongo, NULL) == ERROR_NONE;
	return NULL;
}

static void workers_that_start_at_once_bring_it_up_to_date(void **state)
{
	struct mongo *before = mongo;
	bool ok[8];

	(void)state;
	only_mongodb();
	mongo = open_new(fresh("-many"));
	at_once(ping_once, ok, sizeof *ok, 8);
	for (int i = 0; i < 8; i++)
		assert_true(ok[i]);
	drop(mongo);
	ops->free(mongo);
	mongo = before;
}

/* --- R7: more callers than clients --- */

static void *ask_once(void *arg)
{
	struct error *err = arg;
	struct thread thread;
	struct arena mine;

	arena_init(&mine, 1 << 16);
	store_thread_get(store, NULL, "no-such-thread", &mine, &thread, err);
	arena_done(&mine);
	return NULL;
}

/* A pool of two that waits for nothing: who finds it empty would end the process. */
static void r7_more_callers_than_clients_never_meet_an_empty_pool(void **state)
{
	struct error errors[32] = { { 0 } };
	struct config config = { .threads = 192 };

	(void)state;
	only_mongodb();
	config.store_uri = arena_printf(&arena, "%s?maxPoolSize=2&waitQueueTimeoutMS=1",
					getenv("C1D_TEST_STORE_URI"));
	store = store_open(&config, NULL, &error);
	assert_non_null(store);
	at_once(ask_once, errors, sizeof *errors, 32);
	for (int i = 0; i < 32; i++)
		if (errors[i].code != ERROR_NOT_FOUND) {
			assert_int_equal(errors[i].code, ERROR_OVERLOADED);
			assert_string_equal(errors[i].detail,
					    "The store is busy; try again in a moment.");
		}
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_indexes_are_there),
		TEST(c6_a_turn_takes_three_round_trips),
		TEST(r18_a_deletion_looks_for_runs_only_where_one_may_have_ended_lately),
		TEST(r18_a_run_that_ends_without_its_claim_is_named_by_a_deletion),
		TEST(every_filter_and_order_is_that_of_an_index),
		TEST(a_list_walks_past_no_thread_that_was_deleted),
		TEST(r31_indexes_that_could_not_be_made_are_tried_for_again),
		TEST(a_database_of_a_newer_version_is_refused),
		TEST(workers_that_start_at_once_bring_it_up_to_date),
		TEST(r7_more_callers_than_clients_never_meet_an_empty_pool),
	};

	return cmocka_run_group_tests_name("store: indexes", tests, open_mongo, close_mongo);
}
