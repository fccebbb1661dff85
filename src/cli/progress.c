/* progress: see progress.h. */
#include "progress.h"

#include "base/clock.h"
#include "base/json.h"
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TTY_EVERY_MS  100
#define LINE_EVERY_MS 5000
#define LINE_SIZE     256
#define BAR_MAX       30

static atomic_bool stopped; /* by a signal; lanes read it */

static void stop(int signal)
{
	(void)signal;
	stopped = true;
}

bool progress_was_stopped(void)
{
	return stopped;
}

static bool is_stopped(void *ctx)
{
	(void)ctx;
	return stopped;
}

/* --- the words --- */

/* 82311 as "82 311". */
static const char *grouped(int64_t number, char out[32])
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%lld", (long long)number), at = 0;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[at++] = ' ';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

static const char *rate_text(double rate, char out[32])
{
	if (rate >= 1000)
		snprintf(out, 32, "%.1fk/s", rate / 1000);
	else
		snprintf(out, 32, "%.0f/s", rate);
	return out;
}

static const char *eta_text(double seconds, char out[32])
{
	long s = seconds < 360000 ? (long)(seconds + 0.5) : 360000;

	if (s >= 3600)
		snprintf(out, 32, "ETA %ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(out, 32, "ETA %ld:%02ld", s / 60, s % 60);
	return out;
}

struct figures {
	double part, rate, left_s; /* part: of 1, or below 0: unknown */
};

static struct figures figures_of(const struct progress *progress, const struct watch_step *step,
				 int64_t now_ms)
{
	double seconds = (double)(now_ms - progress->began_ms) / 1000;
	double rate = seconds > 0.05 ? (double)(step->done - progress->first) / seconds : 0;
	double whole = (double)(step->whole > step->done ? step->whole : step->done);

	return (struct figures){ .part = step->whole > 0 ? (double)step->done / whole : -1,
				 .rate = rate,
				 .left_s = rate > 0 ? (whole - (double)step->done) / rate : 0 };
}

/* As many of its parts as `width` columns have room for; the first ones matter most. All of it is
 * ASCII. */
static size_t compose(const struct watch_step *step, const struct figures *figures, size_t width,
		      char out[LINE_SIZE])
{
	char parts[6][64] = { 0 }, a[32], b[32];
	size_t len;

	if (figures->part >= 0)
		snprintf(parts[0], sizeof parts[0], "  %d %%", (int)(100 * figures->part));
	if (figures->part >= 0)
		snprintf(parts[1], sizeof parts[1], "  %s/%s %s", grouped(step->done, a),
			 grouped(step->whole, b), step->unit);
	else
		snprintf(parts[1], sizeof parts[1], "  %s %s", grouped(step->done, a), step->unit);
	if (step->messages > 0)
		snprintf(parts[2], sizeof parts[2], "  %s messages", grouped(step->messages, a));
	snprintf(parts[3], sizeof parts[3], "  %s", rate_text(figures->rate, a));
	if (figures->part >= 0 && figures->rate > 0)
		snprintf(parts[4], sizeof parts[4], "  %s", eta_text(figures->left_s, a));
	len = (size_t)snprintf(out, LINE_SIZE, "%.20s", step->doing);
	for (size_t i = 0; i < 5 && len + strlen(parts[i]) < width; i++)
		len += (size_t)snprintf(out + len, LINE_SIZE - len, "%s", parts[i]);
	return len;
}

/* Where a terminal has columns to spare. */
static size_t add_bar(double part, size_t len, size_t width, char out[LINE_SIZE])
{
	size_t room = width > len + 16 ? width - len - 5 : 0, full;

	if (part < 0 || room == 0)
		return len;
	room = room < BAR_MAX ? room : BAR_MAX;
	full = (size_t)(part * (double)room);
	out[len++] = ' ';
	out[len++] = ' ';
	out[len++] = '[';
	for (size_t i = 0; i < room; i++)
		out[len++] = i < full ? '#' : '.';
	out[len++] = ']';
	out[len] = '\0';
	return len;
}

/* --- where they go --- */

static size_t columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col < 200 ? size.ws_col : 200;
}

/* Written over with blanks: not every terminal knows how to erase. */
void progress_clear(struct progress *progress)
{
	if (progress->shown > 0)
		fprintf(stderr, "\r%*s\r", (int)progress->shown, "");
	progress->shown = 0;
}

static void tell_terminal(struct progress *progress, const struct watch_step *step,
			  const struct figures *figures)
{
	char line[LINE_SIZE];
	size_t width = columns(), len = compose(step, figures, width, line);
	size_t before = progress->shown;

	len = add_bar(figures->part, len, width, line);
	progress->shown = len;
	fprintf(stderr, "\r%s%*s", line, before > len ? (int)(before - len) : 0, "");
	fflush(stderr);
}

static void tell_json(const struct watch_step *step, const struct figures *figures)
{
	struct json_writer w;
	struct buffer line;

	buffer_init(&line, 4096);
	json_writer_init(&w, &line);
	json_open(&w, '{');
	json_put_text(&w, "doing", step->doing);
	json_put_text(&w, "unit", step->unit);
	json_put_int(&w, "done", step->done);
	json_put_int(&w, "whole", step->whole);
	json_put_int(&w, "messages", step->messages);
	json_put_int(&w, "per_second", (int64_t)figures->rate);
	json_put_int(&w, "eta_seconds", (int64_t)figures->left_s);
	json_close(&w, '}');
	fprintf(stderr, "%.*s\n", SLICE_ARG(buffer_slice(&line)));
	buffer_done(&line);
}

static void tell(struct progress *progress, const struct watch_step *step, int64_t now_ms)
{
	struct figures figures = figures_of(progress, step, now_ms);
	char line[LINE_SIZE];

	progress->told_ms = now_ms;
	if (progress->json) {
		tell_json(step, &figures);
	} else if (progress->tty) {
		tell_terminal(progress, step, &figures);
	} else {
		compose(step, &figures, LINE_SIZE, line);
		fprintf(stderr, "%s\n", line);
	}
}

static void on_step(void *ctx, const struct watch_step *step)
{
	struct progress *progress = ctx;
	int64_t now_ms = progress->clock();
	int64_t every_ms = progress->tty && !progress->json ? TTY_EVERY_MS : LINE_EVERY_MS;

	if (progress->quiet)
		return;
	pthread_mutex_lock(&progress->lock);
	if (progress->doing != step->doing) {
		progress->doing = step->doing;
		progress->began_ms = progress->told_ms = now_ms;
		progress->first = step->done;
	}
	if (now_ms - progress->told_ms >= every_ms)
		tell(progress, step, now_ms);
	pthread_mutex_unlock(&progress->lock);
}

static void say_json(const char *text)
{
	struct json_writer w;
	struct buffer line;

	buffer_init(&line, 4096);
	json_writer_init(&w, &line);
	json_open(&w, '{');
	json_put_text(&w, "note", text);
	json_close(&w, '}');
	fprintf(stderr, "%.*s\n", SLICE_ARG(buffer_slice(&line)));
	buffer_done(&line);
}

__attribute__((format(printf, 2, 3))) static void on_say(void *ctx, const char *format, ...)
{
	struct progress *progress = ctx;
	char text[512];
	va_list ap;

	if (progress->quiet)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	pthread_mutex_lock(&progress->lock);
	progress_clear(progress);
	if (progress->json)
		say_json(text);
	else
		fprintf(stderr, "%s\n", text);
	pthread_mutex_unlock(&progress->lock);
}

void progress_open(struct progress *progress, bool quiet, bool json)
{
	struct sigaction action = { .sa_handler = stop, .sa_flags = (int)SA_RESETHAND };

	*progress = (struct progress){
		.watch = { progress, on_step, on_say, is_stopped },
		.quiet = quiet,
		.json = json,
		.tty = isatty(STDERR_FILENO) == 1,
		.clock = clock_mono_ms,
	};
	pthread_mutex_init(&progress->lock, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error of a write */
}

void progress_close(struct progress *progress)
{
	progress_clear(progress);
	pthread_mutex_destroy(&progress->lock);
}
