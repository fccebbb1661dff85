/* threads: `c1d threads`: conversations listed, shown, deleted, and given back their titles. */
#include "admin.h"
#include "admin/erase.h"

#include "base/clock.h"
#include "base/digits.h"
#include "llm/c1.h"
#include "service/service.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PAGE      100
#define ARENA_MAX ((size_t)256 << 20)

static const char usage[] =
	"usage: c1d threads list [--user USER] [--q WORDS] [--archived yes|no]\n"
	"                        [--limit N [--cursor CURSOR]] [--json]\n"
	"       c1d threads show ID [--json]\n"
	"       c1d threads delete ID [--yes]\n"
	"       c1d threads restore-title ID\n"
	"list without --limit shows all, newest change first. delete stops an answer that\n"
	"is being written. restore-title makes the title of the first question again.\n";

/* --- printing --- */

static void print(const struct buffer *text)
{
	fwrite(text->data ? text->data : "", 1, text->len, stdout);
}

static void print_thread_row(struct admin *admin, const struct thread *thread)
{
	char at[CLOCK_TEXT_SIZE];
	struct buffer line;

	buffer_init(&line, RECORD_MAX);
	if (admin->json) {
		record_put_thread(&line, thread);
	} else {
		buffer_appendf(&line, "%-36s  %s  ", thread->id,
			       clock_format(thread->updated_ms, at));
		admin_plain(&line, slice_of(thread->user_id), false);
		buffer_appendf(&line, "  %s", thread->archived ? "(archived) " : "");
		admin_plain(&line, slice_of(thread->title), false);
	}
	buffer_append_char(&line, '\n');
	print(&line);
	buffer_done(&line);
}

static void put_field(struct buffer *out, const char *name, const char *text)
{
	buffer_appendf(out, "%-9s ", name);
	admin_plain(out, slice_of(text), false);
	buffer_append_char(out, '\n');
}

static void print_thread(struct admin *admin, const struct thread *thread)
{
	char at[CLOCK_TEXT_SIZE];
	struct buffer text;

	if (admin->json) {
		print_thread_row(admin, thread);
		return;
	}
	buffer_init(&text, RECORD_MAX);
	put_field(&text, "thread", thread->id);
	put_field(&text, "user", thread->user_id);
	put_field(&text, "title", thread->title);
	put_field(&text, "created", clock_format(thread->created_ms, at));
	put_field(&text, "updated", clock_format(thread->updated_ms, at));
	put_field(&text, "archived", thread->archived ? "yes" : "no");
	if (thread->metadata)
		put_field(&text, "metadata", thread->metadata);
	if (thread->run.id)
		put_field(&text, "answering", thread->run.id);
	print(&text);
	buffer_done(&text);
}

/* What a person reads of it: C1's elements are left to the client. */
static void print_message(struct admin *admin, const struct message *message)
{
	char at[CLOCK_TEXT_SIZE];
	struct buffer text, plain;

	buffer_init(&text, 4 * RECORD_MAX);
	buffer_init(&plain, RECORD_MAX);
	if (admin->json) {
		record_put_message(&text, message);
	} else {
		c1_plain_text(&plain, message->content);
		buffer_appendf(&text, "\n-- %s  %s  %s  %s\n", message->id,
			       message_role_text(message->role),
			       message_status_text(message->status),
			       clock_format(message->created_ms, at));
		admin_plain(&text, buffer_slice(&plain), true);
	}
	buffer_append_char(&text, '\n');
	print(&text);
	buffer_done(&plain);
	buffer_done(&text);
}

static bool printed(struct error *err)
{
	return fflush(stdout) == 0 ||
	       error_set(err, ERROR_INTERNAL, "It cannot be written: %s.", strerror(errno));
}

/* --- list --- */

static bool read_filter(int argc, char **argv, struct thread_filter *filter, int64_t *limit)
{
	const char *archived = command_option(argc, argv, "--archived");
	const char *count = command_option(argc, argv, "--limit");

	*limit = 0;
	*filter = (struct thread_filter){ .user_id = command_option(argc, argv, "--user"),
					  .q = command_option(argc, argv, "--q"),
					  .cursor = command_option(argc, argv, "--cursor"),
					  .archived = -1 };
	if (archived && strcmp(archived, "yes") != 0 && strcmp(archived, "no") != 0)
		fprintf(stderr, "c1d threads: --archived takes yes or no\n");
	else if (count && (!digits_read(slice_of(count), 9, limit) || *limit == 0))
		fprintf(stderr, "c1d threads: --limit takes a number from 1\n");
	else {
		filter->archived = !archived ? -1 : archived[0] == 'y';
		return true;
	}
	return false;
}

/* Up to `limit` (0: all); what it did not come to is told by its cursor. */
static int list_pages(struct admin *admin, const struct thread_filter *wanted, int64_t limit)
{
	struct thread_filter filter = *wanted;
	char cursor[ID_MAX + 64];
	struct error err = { 0 };
	bool ok = true, more = true;

	for (int64_t left = limit; ok && more && !progress_was_stopped();) {
		struct thread_list page = { 0 };
		struct arena arena;

		filter.limit = limit && left < PAGE ? (size_t)left : PAGE;
		arena_init(&arena, ARENA_MAX);
		ok = place_list(&admin->place, &filter, &arena, &page, &err);
		for (size_t i = 0; ok && i < page.count; i++)
			print_thread_row(admin, &page.items[i]);
		ok = ok && printed(&err);
		more = ok && page.next;
		if (more)
			snprintf(cursor, sizeof cursor, "%s", page.next);
		filter.cursor = cursor;
		left -= (int64_t)page.count;
		arena_done(&arena);
		if (limit && left <= 0)
			break;
	}
	if (!ok || progress_was_stopped())
		return admin_failed(admin, &err);
	if (more && limit)
		fprintf(stderr, "There are more: --cursor %s\n", cursor);
	return EXIT_OK;
}

static int list(struct admin *admin, int argc, char **argv)
{
	struct thread_filter filter;
	int64_t limit;

	return read_filter(argc, argv, &filter, &limit) ? list_pages(admin, &filter, limit)
							: EXIT_USAGE;
}

/* --- one thread --- */

static bool show_messages(struct admin *admin, const char *id, struct error *err)
{
	struct message_list page = { .more = true };
	char last[ID_MAX + 1] = "";
	bool ok = true;

	while (ok && page.more && watch_goes_on(&admin->progress.watch, err)) {
		struct arena arena;

		arena_init(&arena, ARENA_MAX);
		ok = place_messages(&admin->place, id, *last ? last : NULL, &arena, &page, err);
		for (size_t i = 0; ok && i < page.count; i++)
			print_message(admin, &page.items[i]);
		ok = ok && printed(err);
		if (ok && page.count > 0)
			snprintf(last, sizeof last, "%s", page.items[page.count - 1].id);
		arena_done(&arena);
	}
	return ok && !page.more;
}

static int show(struct admin *admin, const char *id)
{
	struct error err = { 0 };
	struct thread thread;
	struct arena arena;
	bool ok;

	arena_init(&arena, ARENA_MAX);
	ok = place_thread(&admin->place, id, &arena, &thread, &err);
	if (ok) {
		print_thread(admin, &thread);
		ok = show_messages(admin, id, &err);
	}
	arena_done(&arena);
	return ok ? EXIT_OK : admin_failed(admin, &err);
}

static int delete (struct admin *admin, const char *id, bool yes)
{
	struct spool_dir *spools;
	struct error err = { 0 };
	int code = admin_ask(admin, yes, "Delete the thread %s with all its messages?", id);
	bool ok;

	if (code != EXIT_OK)
		return code;
	spools = admin_spools(admin);
	ok = erase_thread(&admin->place, spools, id, &err);
	spool_dir_free(spools);
	if (!ok)
		return admin_failed(admin, &err);
	fprintf(stderr, "%s is gone.\n", id);
	return EXIT_OK;
}

/* The first question's content; "" where there is none: then the title is that of an empty thread.
 */
static bool first_question(struct admin *admin, const char *id, struct arena *arena,
			   struct slice *out, struct error *err)
{
	struct message_list page;

	if (!place_messages(&admin->place, id, NULL, arena, &page, err))
		return false;
	*out = SLICE("");
	for (size_t i = page.count; i-- > 0;)
		if (page.items[i].role == ROLE_USER)
			*out = page.items[i].content;
	return true;
}

static int restore_title(struct admin *admin, const char *id)
{
	struct thread_patch patch = { .archived = -1, .if_rev = -1, .now_ms = clock_wall_ms() };
	struct slice question = SLICE("");
	struct error err = { 0 };
	struct thread thread;
	struct arena arena;
	bool ok;

	arena_init(&arena, ARENA_MAX);
	ok = first_question(admin, id, &arena, &question, &err);
	patch.title = ok ? service_title(&arena, question) : NULL;
	ok = ok && store_thread_update(admin->place.store, NULL, id, &patch, &arena, &thread, &err);
	if (ok)
		print_thread_row(admin, &thread);
	arena_done(&arena);
	return ok ? EXIT_OK : admin_failed(admin, &err);
}

/* --- which --- */

static int run(struct admin *admin, int argc, char **argv)
{
	const char *verb = argv[1], *id = command_operand(TAKES_THREADS, argc, argv, 0);
	bool reads = strcmp(verb, "list") == 0 || strcmp(verb, "show") == 0;
	int code = EXIT_USAGE;

	if (!admin_open(admin, reads ? PLACE_READ : PLACE_WRITE, &code))
		return code;
	if (strcmp(verb, "list") == 0)
		return list(admin, argc, argv);
	if (strcmp(verb, "show") == 0)
		return show(admin, id);
	if (strcmp(verb, "delete") == 0)
		return delete (admin, id, command_has(argc, argv, "--yes"));
	return restore_title(admin, id);
}

static bool is_whole(int argc, char **argv)
{
	static const char *const verbs[] = { "show", "delete", "restore-title" };
	const char *id = command_operand(TAKES_THREADS, argc, argv, 0);

	if (argc > 1 && strcmp(argv[1], "list") == 0)
		return !id;
	for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(argv[1], verbs[i]) == 0)
			return id && id_valid(slice_of(id));
	return false;
}

int command_threads(int argc, char **argv)
{
	struct config config;
	struct admin admin;
	int code;

	if (!is_whole(argc, argv)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (!command_settings(argc, argv, &config, &code))
		return code;
	if (admin_begin(&admin, &config, argc, argv, &code)) {
		code = run(&admin, argc, argv);
		admin_end(&admin);
	}
	config_done(&config);
	return code;
}
