/* secret: `c1d secret rotate`: visitors' cookies are signed anew from now on, and those signed
 * before stay good. */
#include "commands.h"

#include "guard/secret.h"
#include <stdio.h>

static int exit_of(const struct error *err)
{
	return err->code == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILED;
}

int command_secret(int argc, char **argv)
{
	struct config config;
	struct error err = { 0 };
	int code;

	if (!command_has(argc, argv, "rotate")) {
		fprintf(stderr, "c1d secret: say what: c1d secret rotate\n");
		return EXIT_USAGE;
	}
	if (!command_settings(argc, argv, &config, &code))
		return code;
	if (secret_rotate(&config, &err)) {
		printf("A new secret signs from now on; what was signed before stays good, and "
		       "running workers need not be told.\n");
		code = EXIT_OK;
	} else {
		fprintf(stderr, "c1d: %s\n", err.detail);
		code = exit_of(&err);
	}
	config_done(&config);
	return code;
}
