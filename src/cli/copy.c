/*
 * copy: `c1d copy FROM TO`. A store is named by its address, by @FILE, whose first line is one, or
 * by the word `settings`: the one that the service has. The list of processes shows everybody what
 * stands on a command line, so a password there is painted over at once.
 */
#include "admin/copy.h"

#include "admin.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define URI_MAX     4096
#define JOURNAL_MAX 4096

struct ends {
	char from[URI_MAX], to[URI_MAX];
	char id[17]; /* of the copy */
	char journal[JOURNAL_MAX];
};

/* --- addresses --- */

/* First line of a file that root alone may be able to read. */
static bool read_address(const char *path, char out[URI_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, out, URI_MAX - 1) : -1;

	if (n < 0)
		fprintf(stderr, "c1d copy: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	return n >= 0;
}

/* What stands between "//" and the last '@'. */
static struct slice login_of(char *uri)
{
	char *host = strstr(uri, "//"), *end = host ? strrchr(host, '@') : NULL;

	return end ? (struct slice){ host + 2, (size_t)(end - host - 2) } : SLICE("");
}

/* PostgreSQL takes a password behind the '?', too. */
static void paint_over(char *word)
{
	struct slice login = login_of(word);
	char *query = strchr(login.len > 0 ? login.ptr + login.len : word, '?');

	memset((char *)(uintptr_t)login.ptr, 'x', login.len);
	if (query)
		memset(query + 1, 'x', strlen(query + 1));
}

static bool take_address(const struct config *config, char *word, char out[URI_MAX])
{
	if (strcmp(word, "settings") == 0) {
		snprintf(out, URI_MAX, "%s", config->store_uri);
	} else if (word[0] == '@') {
		if (!read_address(word + 1, out))
			return false;
	} else if (strlen(word) >= URI_MAX) {
		fprintf(stderr, "c1d copy: an address of more than %d bytes\n", URI_MAX - 1);
		return false;
	} else {
		memcpy(out, word, strlen(word) + 1);
		paint_over(word);
	}
	if (login_of(out).len > 0)
		log_redact(out);
	return true;
}

/* A name for the copy that a new password does not change. */
static void name_copy(struct ends *ends)
{
	struct slice parts[4];
	char hash[ID_UUID_SIZE];

	for (size_t i = 0; i < 2; i++) {
		char *uri = i == 0 ? ends->from : ends->to;
		struct slice login = login_of(uri);
		size_t before = login.len > 0 ? (size_t)(login.ptr - uri) : strlen(uri);

		parts[2 * i] = (struct slice){ uri, before };
		parts[2 * i + 1] = login.len > 0 ? slice_of(login.ptr + login.len) : SLICE("");
	}
	id_hash(parts, 4, hash);
	snprintf(ends->id, sizeof ends->id, "%.16s", hash);
}

static bool read_ends(const struct config *config, int argc, char **argv, struct ends *ends)
{
	const char *state = command_option(argc, argv, "--state");
	const char *from = command_operand(TAKES_COPY, argc, argv, 0);
	const char *to = command_operand(TAKES_COPY, argc, argv, 1);

	if (!take_address(config, (char *)(uintptr_t)from, ends->from) ||
	    !take_address(config, (char *)(uintptr_t)to, ends->to))
		return false;
	name_copy(ends);
	if (state)
		snprintf(ends->journal, sizeof ends->journal, "%s", state);
	else
		snprintf(ends->journal, sizeof ends->journal, "%s/copy-%s", config->state_dir,
			 ends->id);
	if (strcmp(ends->from, ends->to) != 0)
		return true;
	fprintf(stderr, "c1d copy: FROM and TO are the same store\n");
	return false;
}

/* --- what came of it --- */

static void print_json(const struct ends *ends, const struct copy_report *report, bool whole)
{
	char from[RECORD_SUM_TEXT], to[RECORD_SUM_TEXT];
	struct json_writer w;
	struct buffer line;

	admin_json_begin(&line, &w);
	json_put_text(&w, "copy", ends->id);
	json_put_bool(&w, "identical", whole);
	json_put_bool(&w, "settled", report->settled);
	json_put_int(&w, "threads", report->from.threads);
	json_put_int(&w, "messages", report->from.messages);
	json_put_text(&w, "checksum_from", record_sum_text(&report->from, from));
	json_put_text(&w, "checksum_to", record_sum_text(&report->to, to));
	json_put_int(&w, "copied", report->copied);
	json_put_int(&w, "copied_again", report->again);
	json_put_int(&w, "removed", report->removed);
	json_put_int(&w, "others_at_target", report->others);
	json_put_int(&w, "differing", report->differing);
	admin_json_end(&line, &w, false);
}

static void print_text(const struct copy_report *report)
{
	char text[RECORD_SUM_TEXT];

	printf("%lld threads, %lld messages on both sides; checksum %s\n",
	       (long long)report->from.threads, (long long)report->from.messages,
	       record_sum_text(&report->from, text));
	printf("%lld threads copied, %lld once more, %lld removed; %lld others at the target\n",
	       (long long)report->copied, (long long)report->again, (long long)report->removed,
	       (long long)report->others);
	if (!report->settled)
		printf("The source is in use: the same command fetches what has changed since.\n");
}

static int copy(struct admin *admin, const struct ends *ends, struct place *from, struct place *to)
{
	const struct watch *watch = &admin->progress.watch;
	struct copy_report report;
	struct error err = { 0 };
	bool whole;

	watch->say(watch->ctx, "copy %s: %s to %s, journal %s", ends->id, from->name, to->name,
		   ends->journal);
	if (!copy_run(from, to, ends->journal, ends->id, &report, &err)) {
		int code = admin_failed(admin, &err);

		fprintf(stderr, "The same command goes on from there (copy %s).\n", ends->id);
		return code;
	}
	progress_clear(&admin->progress);
	whole = report.differing == 0 && record_sum_equal(&report.from, &report.to);
	if (admin->json)
		print_json(ends, &report, whole);
	else if (whole)
		print_text(&report);
	if (whole)
		return EXIT_OK;
	fprintf(stderr,
		"c1d copy: %lld threads differ, the first is %s: either they change too fast to be "
		"compared, then the same command finds them equal later, or the target does not "
		"keep what it is given\n",
		(long long)report.differing, report.first_differing);
	return EXIT_FAILED;
}

static int copy_between(struct admin *admin, const struct ends *ends)
{
	const struct watch *watch = &admin->progress.watch;
	struct place from = { 0 }, to = { 0 };
	struct error err = { 0 };
	int code;

	if (place_open(&from, ends->from, admin->config, PLACE_READ, watch, &err) &&
	    place_open(&to, ends->to, admin->config, PLACE_MAKE, watch, &err))
		code = copy(admin, ends, &from, &to);
	else
		code = admin_failed(admin, &err);
	place_close(&from);
	place_close(&to);
	return code;
}

int command_copy(int argc, char **argv)
{
	struct config config;
	struct admin admin;
	struct ends ends;
	int code;

	if (!command_operand(TAKES_COPY, argc, argv, 1)) {
		fprintf(stderr,
			"usage: c1d copy FROM TO [--state FILE] [--quiet] [--json]\n"
			"FROM and TO are addresses of stores, or @FILE, which holds one, or\n"
			"settings: the store of the service.\n");
		return EXIT_USAGE;
	}
	if (!command_settings(argc, argv, &config, &code))
		return code;
	code = EXIT_USAGE;
	if (read_ends(&config, argc, argv, &ends) &&
	    admin_begin(&admin, &config, argc, argv, &code)) {
		code = copy_between(&admin, &ends);
		admin_end(&admin);
	}
	OPENSSL_cleanse(&ends, sizeof ends);
	config_done(&config);
	return code;
}
