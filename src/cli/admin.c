/* admin: see admin.h. */
#include "admin.h"

#include "base/crashpoint.h"
#include "server/drop.h"
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- who we are --- */

/* Whom the state folder belongs to: the unit's User=, whatever it is called. */
static bool owner_of_state(const struct config *config, char out[64])
{
	const struct passwd *user;
	struct stat is;

	if (stat(config->state_dir, &is) != 0 || is.st_uid == 0 || !(user = getpwuid(is.st_uid)))
		return false;
	snprintf(out, 64, "%s", user->pw_name);
	return true;
}

static bool become(struct admin *admin, struct error *err)
{
	if (geteuid() != 0)
		return true;
	if (admin->config->user)
		snprintf(admin->user, sizeof admin->user, "%s", admin->config->user);
	else if (!owner_of_state(admin->config, admin->user))
		return true;
	return drop_to(admin->user, err);
}

bool admin_begin(struct admin *admin, const struct config *config, int argc, char **argv, int *code)
{
	struct error err = { 0 };

	*admin = (struct admin){ .config = config,
				 .command = argv[0],
				 .json = command_has(argc, argv, "--json"),
				 .quiet = command_has(argc, argv, "--quiet") };
	CRASHPOINT_FOLDER(config->state_dir);
	progress_open(&admin->progress, admin->quiet, admin->json);
	if (become(admin, &err))
		return true;
	*code = admin_failed(admin, &err);
	admin_end(admin);
	return false;
}

bool admin_open(struct admin *admin, enum place_for what, int *code)
{
	struct error err = { 0 };

	if (place_open(&admin->place, admin->config->store_uri, admin->config, what,
		       &admin->progress.watch, &err))
		return true;
	*code = admin_failed(admin, &err);
	return false;
}

void admin_end(struct admin *admin)
{
	place_close(&admin->place);
	progress_close(&admin->progress);
}

struct spool_dir *admin_spools(const struct admin *admin)
{
	const struct spool_limits limits = { 0, 0 };

	return access(admin->config->spool_path, R_OK | W_OK | X_OK) == 0
		       ? spool_dir_open(admin->config->spool_path, &limits, NULL, NULL)
		       : NULL;
}

/* --- what went wrong --- */

static int exit_of(enum error_code code)
{
	switch (code) {
	case ERROR_CONFIG: return EXIT_CONFIG;
	case ERROR_STORE_DOWN:
	case ERROR_STORE_TIMEOUT:
	case ERROR_OVERLOADED: return EXIT_UNAVAILABLE;
	case ERROR_GONE: return EXIT_AGAIN;
	default: return EXIT_FAILED;
	}
}

/* Stopped while it waited for a store: what is told is the wish. */
int admin_failed(struct admin *admin, const struct error *err)
{
	enum error_code code = progress_was_stopped() ? ERROR_GONE : err->code;
	const char *as = admin->user[0] ? " (as the user " : "";

	progress_clear(&admin->progress);
	if (code == ERROR_GONE)
		fprintf(stderr, "c1d %s: stopped\n", admin->command);
	else
		fprintf(stderr, "c1d %s: %s%s%s%s\n", admin->command, err->detail, as, admin->user,
			*as ? ")" : "");
	return exit_of(code);
}

int admin_ask(const struct admin *admin, bool yes, const char *format, ...)
{
	char line[8] = "";
	va_list ap;

	if (yes)
		return EXIT_OK;
	if (!isatty(STDIN_FILENO)) {
		fprintf(stderr, "c1d %s: there is nobody to ask here: say --yes\n", admin->command);
		return EXIT_USAGE;
	}
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, " [y/N] ");
	fflush(stderr);
	if (fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y'))
		return EXIT_OK;
	fprintf(stderr, "Nothing was done.\n");
	return EXIT_FAILED;
}

/* --- files, and what is printed --- */

int admin_open_file(const char *command, const char *path, bool to_write)
{
	int fd;

	if (strcmp(path, "-") == 0)
		return to_write ? STDOUT_FILENO : STDIN_FILENO;
	fd = open(path, to_write ? O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC : O_RDONLY | O_CLOEXEC,
		  0600);
	if (fd < 0)
		fprintf(stderr, "c1d %s: %s: %s%s\n", command, path, strerror(errno),
			to_write && errno == EEXIST ? "; remove it, or name another one" : "");
	return fd;
}

void admin_json_begin(struct buffer *text, struct json_writer *w)
{
	buffer_init(text, 1u << 20);
	json_writer_init(w, text);
	json_open(w, '{');
}

void admin_json_end(struct buffer *text, struct json_writer *w, bool to_stderr)
{
	json_close(w, '}');
	fprintf(to_stderr ? stderr : stdout, "%.*s\n", SLICE_ARG(buffer_slice(text)));
	buffer_done(text);
}
