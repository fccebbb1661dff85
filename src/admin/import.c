/* import: lines, taken in batches. A batch is what lies in one arena. */
#include "admin/export.h"

#include "base/id.h"
#include "lines.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH       1000 /* threads, and messages */
#define BATCH_BYTES ((size_t)8 << 20)
#define ARENA_MAX   (2 * RECORD_MAX)

struct importing {
	struct place *place;
	const char *user_id;
	int64_t size;
	void (*wrong)(void *ctx, int64_t line, const char *why);
	void *ctx;
	struct lines lines;
	struct arena arena; /* of what waits to be put */
	struct thread threads[BATCH];
	struct message messages[BATCH];
	size_t thread_count, message_count;
	struct record_sum read;     /* all that is good, also what is another user's */
	char thread_id[ID_MAX + 1]; /* whose messages follow; "": none that is taken */
	bool skips, begun, ended;   /* skips: that thread is another user's */
	struct import_report *report;
};

static void refuse(struct importing *im, const char *why)
{
	im->report->refused++;
	im->wrong(im->ctx, im->lines.number, why);
}

static bool put(struct importing *im, struct error *err)
{
	bool ok = place_put(im->place, im->threads, im->thread_count, im->messages,
			    im->message_count, err);

	im->thread_count = im->message_count = 0;
	arena_done(&im->arena);
	arena_init(&im->arena, ARENA_MAX);
	return ok;
}

static bool put_when_full(struct importing *im, struct error *err)
{
	return (im->thread_count < BATCH && im->message_count < BATCH &&
		im->arena.used < BATCH_BYTES) ||
	       put(im, err);
}

/* --- a line of each kind --- */

static bool take_header(struct importing *im, const struct record_header *header, struct error *err)
{
	if (im->begun)
		refuse(im, "a second header: are these two files in one?");
	else if (header->version != RECORD_VERSION)
		return error_set(err, ERROR_VALIDATION,
				 "It is an export of version %lld, and this program knows version "
				 "%d: import it with a newer one.",
				 (long long)header->version, RECORD_VERSION);
	im->begun = true;
	return true;
}

static bool take_thread(struct importing *im, const struct thread *thread, struct error *err)
{
	if (!record_sum_thread(&im->read, thread))
		return error_set(err, ERROR_OVERLOADED, "No memory for a line.");
	snprintf(im->thread_id, sizeof im->thread_id, "%s", thread->id);
	im->skips = im->user_id && strcmp(im->user_id, thread->user_id) != 0;
	if (im->skips) {
		im->report->others++;
		return true;
	}
	record_sum_thread(&im->report->sum, thread);
	im->threads[im->thread_count++] = *thread;
	return true;
}

static bool take_message(struct importing *im, const struct message *message, struct error *err)
{
	if (strcmp(im->thread_id, message->thread_id) != 0) {
		refuse(im, "a message whose thread is not in the lines before it");
		return true;
	}
	if (!record_sum_message(&im->read, message))
		return error_set(err, ERROR_OVERLOADED, "No memory for a line.");
	if (im->skips)
		return true;
	record_sum_message(&im->report->sum, message);
	im->messages[im->message_count++] = *message;
	return true;
}

static void take_end(struct importing *im, const struct record_end *end)
{
	char text[RECORD_SUM_TEXT];

	im->ended = true;
	im->report->whole =
		(end->threads < 0 || end->threads == im->read.threads) &&
		(end->messages < 0 || end->messages == im->read.messages) &&
		(!end->checksum || strcmp(end->checksum, record_sum_text(&im->read, text)) == 0);
	if (!im->report->whole)
		refuse(im, "the last line tells of other threads and messages than were read: the "
			   "file was changed or damaged");
}

static bool take_line(struct importing *im, struct slice line, struct error *err)
{
	struct error mine = { 0 };
	struct record record;
	bool ok = true;

	if (!record_read(line, &im->arena, &record, &mine)) {
		if (mine.code == ERROR_OVERLOADED) {
			if (err)
				*err = mine;
			return false;
		}
		if (!im->begun)
			return error_set(err, ERROR_VALIDATION,
					 "It is no export of c1d: its first line is no header.");
		refuse(im, mine.detail);
		return put_when_full(im, err);
	}
	if (!im->begun && record.kind != RECORD_HEADER)
		return error_set(err, ERROR_VALIDATION,
				 "It is no export of c1d: its first line is no header.");
	switch (record.kind) {
	case RECORD_HEADER: ok = take_header(im, &record.header, err); break;
	case RECORD_THREAD: ok = take_thread(im, &record.thread, err); break;
	case RECORD_MESSAGE: ok = take_message(im, &record.message, err); break;
	case RECORD_END: take_end(im, &record.end); break;
	}
	return ok && put_when_full(im, err);
}

/* --- all lines --- */

static void tell(const struct importing *im)
{
	const struct watch *watch = im->place->watch;
	const struct watch_step step = { .doing = "importing",
					 .done = im->lines.bytes >> 10,
					 .whole = im->size >> 10,
					 .unit = "KiB",
					 .messages = im->read.messages };

	watch->step(watch->ctx, &step);
}

/* Lines behind the end are another file's, or somebody's by hand. */
static bool take_lines(struct importing *im, struct error *err)
{
	for (;;) {
		struct slice line = { 0 };
		enum lines_got got = lines_next(&im->lines, &line, err);

		if (got == LINES_END)
			return true;
		if (got == LINES_FAILED || !watch_goes_on(im->place->watch, err))
			return false;
		if (got == LINES_TOO_LONG)
			refuse(im, "a line of more than 96 MiB");
		else if (im->ended)
			refuse(im, "a line behind the last one");
		else if (!take_line(im, line, err))
			return false;
		tell(im);
	}
}

/* A file that is cut, or of no length, ends early; what was read of it is taken. */
static bool take_all(struct importing *im, struct error *err)
{
	if (!take_lines(im, err) || !put(im, err))
		return false;
	if (!im->begun)
		return error_set(err, ERROR_VALIDATION, "It is no export of c1d: it is empty.");
	if (!im->ended)
		refuse(im, "the last line is missing: the file was cut, and what was behind that "
			   "is lost");
	return true;
}

bool import_from(struct place *place, const char *user_id, int fd, int64_t size,
		 void (*wrong)(void *ctx, int64_t line, const char *why), void *ctx,
		 struct import_report *out, struct error *err)
{
	struct importing *im = calloc(1, sizeof *im);
	bool ok;

	if (!im)
		return error_set(err, ERROR_OVERLOADED, "No memory.");
	*out = (struct import_report){ 0 };
	im->place = place;
	im->user_id = user_id;
	im->size = size;
	im->wrong = wrong;
	im->ctx = ctx;
	im->report = out;
	lines_init(&im->lines, fd, place->watch);
	arena_init(&im->arena, ARENA_MAX);
	ok = take_all(im, err);
	out->lines = im->lines.number;
	lines_done(&im->lines);
	arena_done(&im->arena);
	free(im);
	return ok;
}
