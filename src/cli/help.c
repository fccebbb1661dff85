/* help: what can be typed, and every setting. */
#include "commands.h"

#include <stdio.h>

int command_help(int argc, char **argv)
{
	struct buffer text;
	bool ok;

	if (!command_has(argc, argv, "settings")) {
		command_list();
		return EXIT_OK;
	}
	buffer_init(&text, 1u << 20);
	ok = config_help(command_has(argc, argv, "--markdown"), &text);
	if (ok)
		fwrite(text.data, 1, text.len, stdout);
	buffer_done(&text);
	return ok ? EXIT_OK : EXIT_FAILED;
}
