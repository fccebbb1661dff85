/* Documents as they may lie in MongoDB: damaged ones are said to be, and what is read can be
 * written and read again. */
#include "../../src/store/mongodb/mongo_room.h"
#include "base/utf8.h"
#include "fuzz.h"

#define ARENA_MAX (1 << 20)

static void check_text(const char *text, bool needed)
{
	CHECK(text || !needed);
	CHECK(utf8_valid(slice_of(text), NULL));
}

static bool same_text(const char *a, const char *b)
{
	return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static void check_message(const struct message *message, struct arena *arena)
{
	bson_t document = BSON_INITIALIZER;
	struct message again;

	check_text(message->id, true);
	check_text(message->thread_id, true);
	check_text(message->metadata, false);
	CHECK(utf8_valid(message->content, NULL));
	mongo_put_message(&document, message);
	CHECK(mongo_take_message(&document, true, arena, &again) == ERROR_NONE);
	CHECK(same_text(message->id, again.id) && same_text(message->run_id, again.run_id));
	CHECK(same_text(message->key, again.key) && same_text(message->model, again.model));
	CHECK(slice_equal(message->content, again.content) && message->seq == again.seq);
	CHECK(message->status == again.status && message->role == again.role);
	CHECK(message->created_ms == again.created_ms && message->unasked == again.unasked);
	bson_destroy(&document);
}

static void check_thread(const struct thread *thread, struct arena *arena)
{
	bson_t document = BSON_INITIALIZER;
	struct thread again;

	check_text(thread->id, true);
	check_text(thread->user_id, true);
	check_text(thread->title, true);
	CHECK(!thread->run.id || (thread->run.message_id && thread->run.node));
	mongo_put_thread(&document, thread);
	CHECK(mongo_take_thread(&document, arena, &again) == ERROR_NONE);
	CHECK(same_text(thread->id, again.id) && same_text(thread->title, again.title));
	CHECK(same_text(thread->metadata, again.metadata) && thread->rev == again.rev);
	bson_destroy(&document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message message;
	struct thread thread;
	struct arena arena;
	bson_t document;

	if (!bson_init_static(&document, data, size))
		return 0;
	arena_init(&arena, ARENA_MAX);
	if (mongo_take_message(&document, true, &arena, &message) == ERROR_NONE)
		check_message(&message, &arena);
	mongo_take_message(&document, false, &arena, &message);
	if (mongo_take_thread(&document, &arena, &thread) == ERROR_NONE)
		check_thread(&thread, &arena);
	arena_done(&arena);
	return 0;
}
