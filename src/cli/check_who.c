/* check_who: who is let in, and what visitors are known by. */
#include "check.h"

#include "base/clock.h"
#include "guard/secret.h"
#include <unistd.h>

void check_say_who(const struct config *config)
{
	if (config_lets_anybody_in(config))
		check_say(
			CHECK_WARN, "who",
			"C1D_AUTH=none: whoever reaches the site sees, changes and deletes "
			"everybody's conversations and spends the key; C1D_AUTH=visitor gives each "
			"browser its own");
	else
		check_say(CHECK_OK, "who", "C1D_AUTH=%s", config->auth);
}

/* What is wrong with the folder itself check_state has told. */
static int check_secret(const struct config *config)
{
	struct secret_state is;
	struct error err = { 0 };

	if (config->visitor_secret_count > 0) {
		check_say(CHECK_OK, "secret", "C1D_VISITOR_SECRET has %zu",
			  config->visitor_secret_count);
	} else if (secret_state(config, &is, &err)) {
		char made[CLOCK_TEXT_SIZE];

		check_say(CHECK_OK, "secret", "%s/secret has %zu, the newest of %s",
			  config->state_dir, is.count, clock_format(is.newest_ms, made));
	} else if (err.code == ERROR_NOT_FOUND || !check_is_folder(config->state_dir)) {
		check_say(CHECK_OK, "secret", "%s/secret will be made", config->state_dir);
	} else if (access(config->state_dir, R_OK | X_OK) == 0) {
		check_say(CHECK_FAIL, "secret", "%s", err.detail);
		return err.code == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILED;
	}
	return EXIT_OK;
}

int check_who(const struct config *config)
{
	check_say_who(config);
	return check_secret(config);
}
