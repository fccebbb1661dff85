/* Replies of Firestore: read within their bounds; documents that are damaged are said to be, and
 * what is read can be written and read again. */
#include "../../src/store/firestore/firestore_room.h"
#include "base/log.h"
#include "base/utf8.h"
#include "fuzz.h"

#define ARENA_MAX (8 << 20)

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_setup(LOG_ERROR, LOG_TEXT, false); /* what is damaged is only a warning */
	return 0;
}

static void check_text(const char *text, bool needed)
{
	CHECK(text || !needed);
	CHECK(utf8_valid(slice_of(text), NULL));
}

static bool same_text(const char *a, const char *b)
{
	return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

/* What was put between these two, read as a document of that id. */
static void begin(struct firestore_op *op)
{
	buffer_init(&op->body, ARENA_MAX);
	buffer_init(&op->mask, 4096);
	firestore_body(op);
	json_open(&op->w, '{');
}

static struct firestore_document end(struct firestore_op *op, const struct firestore_document *as,
				     struct arena *arena)
{
	struct firestore_document document = *as;

	json_close(&op->w, '}');
	CHECK(!op->body.failed);
	document.fields = firestore_json(op->body.data, op->body.len, arena);
	CHECK(document.fields);
	return document;
}

static void done(struct firestore_op *op)
{
	buffer_done(&op->body);
	buffer_done(&op->mask);
}

static void check_message(const struct firestore_document *document, const struct message *message,
			  struct arena *arena)
{
	const struct firestore_long text = { .content = message->content };
	struct firestore_op op = { 0 };
	struct firestore_document copy;
	struct firestore_parts parts;
	struct message again;

	check_text(message->id, true);
	check_text(message->thread_id, true);
	check_text(message->metadata, false);
	CHECK(id_valid(slice_of(message->id)));
	CHECK(utf8_valid(message->content, NULL));
	begin(&op);
	firestore_put_message(&op, message);
	firestore_put_content(&op, &text);
	copy = end(&op, document, arena);
	CHECK(firestore_take_message(&copy, arena, &again, &parts) == ERROR_NONE);
	CHECK(same_text(message->id, again.id) && same_text(message->run_id, again.run_id));
	CHECK(same_text(message->key, again.key) && same_text(message->model, again.model));
	CHECK(same_text(message->metadata, again.metadata));
	CHECK(slice_equal(message->content, again.content) && message->seq == again.seq);
	CHECK(message->status == again.status && message->role == again.role);
	CHECK(message->created_ms == again.created_ms && message->unasked == again.unasked);
	done(&op);
}

static void check_thread(const struct firestore_document *document, const struct thread *thread,
			 struct arena *arena)
{
	struct firestore_op op = { 0 };
	struct firestore_document copy;
	struct firestore_thread again;

	check_text(thread->user_id, true);
	check_text(thread->title, true);
	check_text(thread->metadata, false);
	CHECK(id_valid(slice_of(thread->id)));
	CHECK(!thread->run.id || (thread->run.message_id && thread->run.node));
	begin(&op);
	firestore_put_thread(&op, thread);
	firestore_put_run(&op, &thread->run, false);
	copy = end(&op, document, arena);
	CHECK(firestore_take_thread(&copy, arena, &again) == ERROR_NONE);
	CHECK(same_text(thread->id, again.thread.id) &&
	      same_text(thread->title, again.thread.title));
	CHECK(same_text(thread->metadata, again.thread.metadata) &&
	      thread->rev == again.thread.rev);
	CHECK(same_text(thread->run.id, again.thread.run.id));
	CHECK(thread->updated_ms == again.thread.updated_ms);
	done(&op);
}

static void look_at(const struct firestore_json *root, struct arena *arena)
{
	struct slice name = firestore_member_text(root, "name");
	const char *slash = name.ptr ? memrchr(name.ptr, '/', name.len) : NULL;
	struct firestore_document document = {
		.id = slash ? slice_skip(name, (size_t)(slash + 1 - name.ptr)) : SLICE("id"),
		.fields = firestore_member(root, "fields"),
		.update_time = firestore_member_text(root, "updateTime"),
		.create_time = firestore_member_text(root, "createTime"),
	};
	struct firestore_parts parts;
	struct firestore_thread thread;
	struct message message;

	if (firestore_take_message(&document, arena, &message, &parts) == ERROR_NONE)
		check_message(&document, &message, arena);
	firestore_take_message(&document, arena, &message, NULL);
	if (firestore_take_thread(&document, arena, &thread) == ERROR_NONE)
		check_thread(&document, &thread.thread, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1); /* of its size: the reader stays within */
	const struct firestore_json *root;
	struct arena arena;

	CHECK(copy);
	memcpy(copy, data, size);
	arena_init(&arena, ARENA_MAX);
	if ((root = firestore_json(copy, size, &arena)))
		look_at(root, &arena);
	arena_done(&arena);
	free(copy);
	return 0;
}
