/* source_file: see source_file.h. */
#include "source_file.h"

#include "base/log.h"
#include "spool_file.h"
#include <stdlib.h>

struct file {
	struct source source; /* first */
	const struct files *files;
	struct spool *spool;
	struct notice notice;
	struct loop_timer look;
	int64_t unowned_ms; /* since when nobody holds its lock; 0: somebody does */
	bool has_ended, is_saved;
};

static struct file *file_of_notice(struct notice *notice)
{
	return (struct file *)((char *)notice - offsetof(struct file, notice));
}

static void end(struct file *file, const struct source_end *how)
{
	file->has_ended = true;
	file->source.events->end(file->source.ctx, how);
}

/* The file keeps the word of an error, not its sentence. */
static void tell_end(struct file *file)
{
	const struct spool_record *record = spool_record(file->spool);
	struct source_end how = { .status = record->status,
				  .finish_reason = record->finish_reason,
				  .usage = record->usage,
				  .asked = record->asked };

	if (record->error_word[0]) {
		enum error_code code = error_of_word(record->error_word);
		error_set(&how.error, code, "%s.", error_title(code));
	}
	end(file, &how);
}

/* Nobody will write to it any more, and nobody has said how it ended (a full disk may have kept
 * that from being written), or it cannot be read. */
static void tell_lost(struct file *file, const struct error *error)
{
	struct source_end how = { .status = STATUS_INTERRUPTED,
				  .finish_reason = "",
				  .usage = USAGE_UNKNOWN,
				  .asked = true,
				  .error = *error };

	if (!file->has_ended) {
		log_warn("followed answer lost", LOG_T("run", spool_record(file->spool)->run_id),
			 LOG_T("reason", error->detail));
		end(file, &how);
	}
	file->is_saved = true;
	file->source.events->saved(file->source.ctx);
}

static bool is_deserted(struct file *file, int64_t now_ms)
{
	if (spool_file_is_locked(file->spool))
		file->unowned_ms = 0;
	else if (file->unowned_ms == 0)
		file->unowned_ms = now_ms;
	return file->unowned_ms && now_ms - file->unowned_ms >= file->files->patience_ms;
}

static void look(struct file *file)
{
	struct error err = { 0 };

	if (file->is_saved)
		return;
	if (!spool_refresh(file->spool, &err)) {
		tell_lost(file, &err);
		return;
	}
	if (!file->has_ended) {
		if (spool_record(file->spool)->status == STATUS_STREAMING)
			file->source.events->grown(file->source.ctx);
		else
			tell_end(file);
	}
	file->is_saved = spool_record(file->spool)->saved;
	if (file->is_saved)
		file->source.events->saved(file->source.ctx);
}

static void on_changed(struct notice *notice)
{
	look(file_of_notice(notice));
}

/* Now and then by itself: for one that cannot be watched, and for what no change tells, that its
 * owner is gone. */
static void on_time(struct loop_timer *timer)
{
	static const struct error lost = { .code = ERROR_UPSTREAM,
					   .detail = "The answer broke off; ask again." };
	struct file *file = timer->owner;
	struct loop *loop = file->files->loop;

	look(file);
	if (!file->is_saved && is_deserted(file, loop_now_ms(loop)))
		tell_lost(file, &lost);
	if (!file->is_saved)
		loop_set_timer(loop, timer, loop_now_ms(loop) + file->files->look_ms);
}

static void begin(struct source *source)
{
	struct file *file = (struct file *)source;
	const struct spool_record *record = spool_record(file->spool);

	/* Watch first, then look: no growth falls between the two. */
	if (file->files->notices && !record->saved)
		notices_watch(file->files->notices, &file->notice, record->run_id);
	spool_file_ask(file->spool);
	on_time(&file->look);
}

static void free_file(struct source *source)
{
	struct file *file = (struct file *)source;

	if (file->files->notices)
		notices_forget(file->files->notices, &file->notice);
	loop_clear_timer(file->files->loop, &file->look);
	free(file);
}

struct source *source_file(const struct files *files, struct spool *spool)
{
	static const struct source_ops ops = { begin, free_file };
	struct file *file = calloc(1, sizeof *file);

	if (!file)
		return NULL;
	file->source.ops = &ops;
	file->files = files;
	file->spool = spool;
	file->notice.changed = on_changed;
	file->look = (struct loop_timer){ .fire = on_time, .owner = file };
	return &file->source;
}
