/* store: `c1d store status|migrate`: of which version is what stands at the address, and bring it
 * to this program's. */
#include "admin.h"

#include <inttypes.h>
#include <stdio.h>

#define USAGE "usage: c1d store status|migrate [--json]\n"

static void print_version(const struct admin *admin, const struct store_version *version)
{
	const char *name = store_name(admin->config->store_uri);
	struct json_writer w;
	struct buffer line;

	if (admin->json) {
		admin_json_begin(&line, &w);
		json_put_text(&w, "store", name);
		json_put_int(&w, "there", version->there);
		json_put_int(&w, "here", version->here);
		json_put_text(&w, "note", version->note);
		admin_json_end(&line, &w, false);
		return;
	}
	printf("%s: ", name);
	if (version->there == 0)
		printf("nothing of c1d yet");
	else
		printf("version %" PRId64, version->there);
	printf("; this program knows version %" PRId64 "%s%s.\n", version->here,
	       version->note ? ": with `c1d store migrate` " : "",
	       version->note ? version->note : "");
}

/* Whether it could be served by this program as it is. */
static int status(struct admin *admin, struct store *store, struct error *err)
{
	struct store_version version;

	if (!store_version(store, &version, err))
		return admin_failed(admin, err);
	print_version(admin, &version);
	return version.there > version.here ? EXIT_CONFIG : EXIT_OK;
}

static int migrate(struct admin *admin, struct store *store, struct error *err)
{
	struct store_version version;

	if (!store_migrate(store, err) || !store_version(store, &version, err))
		return admin_failed(admin, err);
	if (!admin->quiet)
		print_version(admin, &version);
	return EXIT_OK;
}

static int with_store(const struct config *config, int argc, char **argv,
		      int (*run)(struct admin *admin, struct store *store, struct error *err))
{
	struct error err = { 0 };
	struct store *store;
	struct admin admin;
	int code = EXIT_OK;

	if (!admin_begin(&admin, config, argc, argv, &code))
		return code;
	store_wake(config->store_uri);
	store = store_open_as_found(config->store_uri, config, &err);
	code = store ? run(&admin, store, &err) : admin_failed(&admin, &err);
	store_free(store);
	admin_end(&admin);
	return code;
}

static int run_status(const struct config *config, int argc, char **argv)
{
	return with_store(config, argc, argv, status);
}

static int run_migrate(const struct config *config, int argc, char **argv)
{
	return with_store(config, argc, argv, migrate);
}

int command_store(int argc, char **argv)
{
	static const struct command_verb verbs[] = { { "status", false, run_status },
						     { "migrate", false, run_migrate },
						     { NULL, false, NULL } };

	return command_run_verb(verbs, USAGE, argc, argv);
}
