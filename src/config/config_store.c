/* config_store: which store is meant. C1D_STORE says it in any case; without it there may be one
 * that the variables of its own kind name; without any it is a file of ours. */
#include "config_room.h"

#include <string.h>
#include <sys/stat.h>

/* --- Firestore: a project, and a key or an emulator --- */

static bool has_key(const struct config *config)
{
	return (config->firebase_client_email && config->firebase_private_key) ||
	       config->google_credentials || config->firestore_emulator;
}

static char *firestore_uri(struct load *load)
{
	const struct config *config = &load->config;

	return config->firebase_project_id && has_key(config)
		       ? arena_printf(load->arena, "firestore:%s", config->firebase_project_id)
		       : NULL;
}

/* Half of what names it: whoever set that would find his threads in a file of this machine. */
static void check_firestore(struct load *load)
{
	const struct config *config = &load->config;
	const char *email = config->firebase_client_email, *key = config->firebase_private_key;

	if ((email == NULL) != (key == NULL))
		config_problem(load, "settings",
			       "set both, as they stand in the service account's file, or name "
			       "that by GOOGLE_APPLICATION_CREDENTIALS",
			       "%s is set and %s is not",
			       email ? "FIREBASE_CLIENT_EMAIL" : "FIREBASE_PRIVATE_KEY",
			       email ? "FIREBASE_PRIVATE_KEY" : "FIREBASE_CLIENT_EMAIL");
	else if (config->firebase_project_id && !has_key(config))
		config_problem(load, "settings",
			       "set FIREBASE_CLIENT_EMAIL and FIREBASE_PRIVATE_KEY, or "
			       "GOOGLE_APPLICATION_CREDENTIALS; or name another store in C1D_STORE",
			       "FIREBASE_PROJECT_ID names a Firestore that there is no key for");
	else if (!config->firebase_project_id && (key || config->firestore_emulator))
		config_problem(load, "settings",
			       "set FIREBASE_PROJECT_ID; or name another store in C1D_STORE",
			       "%s is set and FIREBASE_PROJECT_ID is not",
			       key ? "FIREBASE_PRIVATE_KEY" : "FIRESTORE_EMULATOR_HOST");
}

/* It is a secret by another name. */
static void look_at_file(struct load *load)
{
	const char *path = load->config.google_credentials;
	struct stat is;

	if (path && stat(path, &is) == 0 && (is.st_mode & S_IRWXO))
		load->config.open_secret = arena_text(load->arena, path);
}

/* --- of several --- */

void config_choose_store(struct load *load)
{
	struct config *config = &load->config;
	const struct {
		const char *name;
		char *uri;
	} named[] = {
		{ "MONGODB_URI", config->mongodb_uri },
		{ "DATABASE_URL", config->database_url },
		{ "FIREBASE_PROJECT_ID", firestore_uri(load) },
	};
	const char *first = NULL;

	config->store_uri = config->store;
	for (size_t i = 0; !config->store && i < sizeof named / sizeof *named; i++) {
		if (!named[i].uri)
			continue;
		if (first)
			config_problem(load, "settings",
				       "unset one of them, or name the store in C1D_STORE",
				       "%s and %s name a store each", first, named[i].name);
		first = named[i].name;
		config->store_uri = named[i].uri;
	}
	if (!config->store && !first)
		check_firestore(load);
	if (config->store_uri && strncmp(config->store_uri, "firestore:", 10) == 0)
		look_at_file(load);
	if (!config->store_uri)
		config->store_uri =
			arena_printf(load->arena, "sqlite:%s/c1d.db", config->state_dir);
}
