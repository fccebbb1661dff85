/* Fields as they may lie in Redis: damaged ones are said to be, and what is read can be written and
 * read again. The input is a line a field; its first byte says what Redis calls it. */
#include "../../src/store/redis/redis_room.h"
#include "base/id.h"
#include "base/utf8.h"
#include "fuzz.h"

#define ARENA_MAX (1 << 20)
#define CELLS     24

struct row {
	redisReply reply, cells[CELLS], *list[CELLS];
};

static void add_cell(struct row *row, int type, struct slice text)
{
	size_t at = row->reply.elements;

	row->cells[at] = (redisReply){ .type = type, .integer = (long long)text.len };
	if (type == REDIS_REPLY_STRING || type == REDIS_REPLY_ERROR) {
		row->cells[at].str = fuzz_text(text);
		row->cells[at].len = text.len;
	}
	row->list[at] = &row->cells[at];
	row->reply.elements++;
}

static void begin(struct row *row)
{
	*row = (struct row){ .reply = { .type = REDIS_REPLY_ARRAY } };
	row->reply.element = row->list;
}

static void done(struct row *row)
{
	for (size_t i = 0; i < row->reply.elements; i++)
		free(row->cells[i].str);
}

static void read_row(struct row *row, struct slice rest)
{
	begin(row);
	while (rest.len > 0 && row->reply.elements < CELLS) {
		struct slice line = fuzz_line(&rest);

		switch (fuzz_byte(&line)) {
		case '-': add_cell(row, REDIS_REPLY_NIL, line); break;
		case ':': add_cell(row, REDIS_REPLY_INTEGER, line); break;
		case '!': add_cell(row, REDIS_REPLY_ERROR, line); break;
		case '*': add_cell(row, REDIS_REPLY_ARRAY, SLICE("")); break;
		default: add_cell(row, REDIS_REPLY_STRING, line); break;
		}
	}
}

/* What the words of a write, behind their count, are when they are asked for in that order. */
static void written(struct row *row, const struct redis_command *words,
		    const struct redis_command *names)
{
	begin(row);
	for (size_t i = 1; i < names->count; i++) {
		struct slice name = { names->words[i], names->lengths[i] };
		size_t at = 2;

		while (at < words->count &&
		       !slice_equal((struct slice){ words->words[at], words->lengths[at] }, name))
			at += 2;
		if (at < words->count)
			add_cell(row, REDIS_REPLY_STRING,
				 (struct slice){ words->words[at + 1], words->lengths[at + 1] });
		else
			add_cell(row, REDIS_REPLY_NIL, SLICE(""));
	}
}

static bool same_text(const char *a, const char *b)
{
	return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static void check_text(const char *text, bool needed)
{
	CHECK(text || !needed);
	CHECK(utf8_valid(slice_of(text), NULL));
}

static void check_message(struct redis_call *call, const struct message *m, struct arena *arena)
{
	struct redis_command words = redis_command(call, "write"), names = redis_command(call, "");
	struct message again;
	struct row row;

	check_text(m->metadata, false);
	check_text(m->parent_id, false);
	CHECK(id_valid(slice_of(m->id)) && (!m->run_id || id_valid(slice_of(m->run_id))));
	CHECK(utf8_valid(m->content, NULL) && m->created_ms >= 0 && m->seq >= 0);
	redis_add_fields(&words, m, false);
	redis_add_message_fields(&names);
	if (m->seq == 0 || m->created_ms > 9999999999999999LL || m->updated_ms > 9999999999999999LL)
		return; /* ours are given */
	written(&row, &words, &names);
	CHECK(redis_take_message(&row.reply, "thread", slice_of(m->id), true, arena, &again) ==
	      ERROR_NONE);
	CHECK(same_text(m->run_id, again.run_id) && same_text(m->key, again.key));
	CHECK(same_text(m->model, again.model) && same_text(m->feedback, again.feedback));
	CHECK(slice_equal(m->content, again.content) && m->seq == again.seq);
	CHECK(m->status == again.status && m->role == again.role && m->unasked == again.unasked);
	CHECK(m->created_ms == again.created_ms && m->usage.total == again.usage.total);
	done(&row);
}

static void check_thread(struct redis_call *call, const struct thread *t, struct arena *arena)
{
	struct redis_command words = redis_command(call, "write"), names = redis_command(call, "");
	struct thread again;
	struct row row;

	check_text(t->user_id, true);
	check_text(t->title, true);
	check_text(t->metadata, false);
	CHECK(!t->run.id || (t->run.message_id && t->run.node));
	redis_add_thread(&words, t);
	redis_add_thread_fields(&names);
	written(&row, &words, &names);
	CHECK(redis_take_thread(&row.reply, slice_of(t->id), arena, &again) == ERROR_NONE);
	CHECK(same_text(t->title, again.title) && same_text(t->user_id, again.user_id));
	CHECK(same_text(t->metadata, again.metadata) && t->rev == again.rev);
	CHECK(t->archived == again.archived);
	done(&row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = fuzz_input(data, size), id = fuzz_line(&rest);
	const char *one, *other;
	struct redis_call call = { .owed = 0 };
	struct message message;
	struct thread thread;
	struct arena arena;
	struct row row;

	arena_init(&arena, ARENA_MAX);
	arena_init(&call.scratch, ARENA_MAX);
	read_row(&row, rest);
	if (redis_take_message(&row.reply, "thread", id, true, &arena, &message) == ERROR_NONE)
		check_message(&call, &message, &arena);
	redis_take_message(&row.reply, "thread", id, false, &arena, &message);
	if (redis_take_thread(&row.reply, id, &arena, &thread) == ERROR_NONE)
		check_thread(&call, &thread, &arena);
	if (redis_split(id, &arena, &one, &other))
		CHECK(id_valid(slice_of(one)) && id_valid(slice_of(other)));
	done(&row);
	arena_done(&call.scratch);
	arena_done(&arena);
	return 0;
}
