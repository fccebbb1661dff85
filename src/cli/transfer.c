/* transfer: `c1d export` and `c1d import`. The file is opened as whoever asked, the store as the
 * service's user. */
#include "admin.h"
#include "admin/export.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRONG_MAX 20 /* lines that are told; the others are counted */

/* --- export --- */

static void print_export(struct admin *admin, const struct record_sum *sum, bool to_stderr)
{
	char text[RECORD_SUM_TEXT];
	struct json_writer w;
	struct buffer line;

	if (admin->quiet)
		return;
	if (!admin->json) {
		fprintf(stderr, "%lld threads, %lld messages; checksum %s\n",
			(long long)sum->threads, (long long)sum->messages,
			record_sum_text(sum, text));
		return;
	}
	admin_json_begin(&line, &w);
	json_put_int(&w, "threads", sum->threads);
	json_put_int(&w, "messages", sum->messages);
	json_put_text(&w, "checksum", record_sum_text(sum, text));
	admin_json_end(&line, &w, to_stderr);
}

/* The service's user may not remove what another one made. */
static void tell_broken(const char *path, int fd)
{
	if (fd == STDOUT_FILENO)
		fprintf(stderr, "What was written is not whole.\n");
	else
		fprintf(stderr, "What was written to %s is not whole: remove it.\n", path);
}

static int export(struct admin *admin, const char *path, const char *user_id, int fd)
{
	struct record_sum sum;
	struct error err = { 0 };
	int code = EXIT_FAILED;
	bool ok;

	if (!admin_open(admin, PLACE_READ, &code)) {
		tell_broken(path, fd);
		return code;
	}
	ok = export_to(&admin->place, user_id, fd, &sum, &err) &&
	     (fd == STDOUT_FILENO || fsync(fd) == 0 ||
	      error_set(&err, ERROR_INTERNAL, "It cannot be written: %s.", strerror(errno)));
	progress_clear(&admin->progress);
	if (!ok) {
		code = admin_failed(admin, &err);
		tell_broken(path, fd);
		return code;
	}
	print_export(admin, &sum, fd == STDOUT_FILENO);
	return EXIT_OK;
}

int command_export(int argc, char **argv)
{
	const char *path = command_operand(TAKES_EXPORT, argc, argv, 0);
	struct config config;
	struct admin admin;
	int code, fd;

	if (!path) {
		fprintf(stderr, "usage: c1d export FILE|- [--user USER] [--quiet] [--json]\n");
		return EXIT_USAGE;
	}
	if (!command_settings(argc, argv, &config, &code))
		return code;
	code = EXIT_FAILED;
	if ((fd = admin_open_file(argv[0], path, true)) >= 0 &&
	    admin_begin(&admin, &config, argc, argv, &code)) {
		code = export(&admin, path, command_option(argc, argv, "--user"), fd);
		admin_end(&admin);
	}
	config_done(&config);
	return code;
}

/* --- import --- */

struct wrong {
	struct admin *admin;
	const char *path;
	int64_t count;
};

static void tell_wrong(void *ctx, int64_t line, const char *why)
{
	struct wrong *wrong = ctx;

	progress_clear(&wrong->admin->progress);
	if (++wrong->count <= WRONG_MAX)
		fprintf(stderr, "%s:%lld: %s\n", wrong->path, (long long)line, why);
	else if (wrong->count == WRONG_MAX + 1)
		fprintf(stderr, "There are more of these; they are counted.\n");
}

static void print_import(struct admin *admin, const struct import_report *report)
{
	char text[RECORD_SUM_TEXT];
	struct json_writer w;
	struct buffer line;

	if (!admin->json) {
		if (!admin->quiet || report->refused > 0)
			fprintf(stderr,
				"%lld threads, %lld messages are in; checksum %s; %lld lines "
				"refused\n",
				(long long)report->sum.threads, (long long)report->sum.messages,
				record_sum_text(&report->sum, text), (long long)report->refused);
		return;
	}
	admin_json_begin(&line, &w);
	json_put_int(&w, "threads", report->sum.threads);
	json_put_int(&w, "messages", report->sum.messages);
	json_put_text(&w, "checksum", record_sum_text(&report->sum, text));
	json_put_int(&w, "lines", report->lines);
	json_put_int(&w, "refused", report->refused);
	json_put_int(&w, "threads_of_others", report->others);
	json_put_bool(&w, "whole", report->whole);
	admin_json_end(&line, &w, false);
}

static int import(struct admin *admin, const char *path, const char *user_id, int fd)
{
	struct wrong wrong = { .admin = admin, .path = path };
	struct import_report report;
	struct error err = { 0 };
	struct stat is;
	int code = EXIT_FAILED;
	bool ok;

	if (!admin_open(admin, PLACE_MAKE, &code))
		return code;
	ok = import_from(&admin->place, user_id, fd,
			 fstat(fd, &is) == 0 && S_ISREG(is.st_mode) ? is.st_size : 0, tell_wrong,
			 &wrong, &report, &err);
	progress_clear(&admin->progress);
	if (!ok) {
		code = admin_failed(admin, &err);
		if (err.code != ERROR_VALIDATION)
			fprintf(stderr, "The same command takes what was not taken.\n");
		return code;
	}
	print_import(admin, &report);
	return report.refused == 0 ? EXIT_OK : EXIT_FAILED;
}

int command_import(int argc, char **argv)
{
	const char *path = command_operand(TAKES_IMPORT, argc, argv, 0);
	struct config config;
	struct admin admin;
	int code, fd;

	if (!path) {
		fprintf(stderr, "usage: c1d import FILE|- [--user USER] [--quiet] [--json]\n");
		return EXIT_USAGE;
	}
	if (!command_settings(argc, argv, &config, &code))
		return code;
	code = EXIT_FAILED;
	if ((fd = admin_open_file(argv[0], path, false)) >= 0 &&
	    admin_begin(&admin, &config, argc, argv, &code)) {
		code = import(&admin, path, command_option(argc, argv, "--user"), fd);
		admin_end(&admin);
	}
	config_done(&config);
	return code;
}
