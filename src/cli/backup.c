/* backup: `c1d backup FILE`: the store as of one moment, in a file of SQLite, while it is served.
 */
#include "admin.h"

#include "base/clock.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool tell(void *self, int64_t done, int64_t total)
{
	const struct watch *watch = &((struct admin *)self)->progress.watch;
	const struct watch_step step = {
		.doing = "backing up", .done = done >> 10, .whole = total >> 10, .unit = "KiB"
	};

	watch->step(watch->ctx, &step);
	return !watch->stopped(watch->ctx);
}

/* --force: the old one stays until the new one is whole. */
static bool make(struct admin *admin, const char *path, bool force, struct error *err)
{
	const struct store_watch watch = { .tell = tell, .self = admin };
	char fresh[4096];

	if (!force)
		return store_backup(admin->config->store_uri, admin->config, path, &watch, err);
	snprintf(fresh, sizeof fresh, "%s.new", path);
	if (unlink(fresh) != 0 && errno != ENOENT)
		return error_set(err, ERROR_INTERNAL, "%.150s: %s.", fresh, strerror(errno));
	return store_backup(admin->config->store_uri, admin->config, fresh, &watch, err) &&
	       (rename(fresh, path) == 0 ||
		error_set(err, ERROR_INTERNAL, "%.150s: %s.", path, strerror(errno)));
}

static int backup(struct admin *admin, const char *path, bool force)
{
	int64_t began_ms = clock_mono_ms();
	struct error err = { 0 };
	struct json_writer w;
	struct buffer line;

	if (!make(admin, path, force, &err))
		return admin_failed(admin, &err);
	progress_clear(&admin->progress);
	if (admin->json) {
		admin_json_begin(&line, &w);
		json_put_text(&w, "file", path);
		json_put_int(&w, "ms", clock_mono_ms() - began_ms);
		admin_json_end(&line, &w, false);
	} else if (!admin->quiet) {
		fprintf(stderr, "%s is whole and checked.\n", path);
	}
	return EXIT_OK;
}

int command_backup(int argc, char **argv)
{
	const char *path = command_operand(TAKES_BACKUP, argc, argv, 0);
	struct config config;
	struct admin admin;
	int code;

	if (!path) {
		fprintf(stderr, "usage: c1d backup FILE [--force] [--quiet] [--json]\n");
		return EXIT_USAGE;
	}
	if (!command_settings(argc, argv, &config, &code))
		return code;
	if (admin_begin(&admin, &config, argc, argv, &code)) {
		code = backup(&admin, path, command_has(argc, argv, "--force"));
		admin_end(&admin);
	}
	config_done(&config);
	return code;
}
