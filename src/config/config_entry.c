/* config_entry: one NAME=value of the environment, also of one that was hidden. */
#include "config_room.h"

#include <stdio.h>
#include <string.h>

/* Variables of ours that are no settings: where the file is, and what the tests use. */
static bool is_other_variable(struct slice name)
{
	return slice_is(name, "C1D_CONFIG") || slice_is(name, "C1D_INHERITED") ||
	       slice_starts(name, SLICE("C1D_TEST_")) || slice_is(name, "C1D_BIN") ||
	       slice_is(name, "C1D_TSAN_BIN");
}

static void refuse_unknown(struct load *load, struct slice name)
{
	const char *nearest = setting_nearest(name);
	char fix[128];

	snprintf(fix, sizeof fix,
		 nearest ? "did you mean %s?" : "unset it; c1d help settings lists what there is",
		 nearest);
	config_problem(load, "environment", fix, "there is no setting %.*s", SLICE_ARG(name));
}

void config_read_entry(struct load *load, const char *entry)
{
	const char *equals = strchr(entry, '=');
	struct slice name = { entry, equals ? (size_t)(equals - entry) : 0 };

	if (!config_take(load, name, equals ? equals + 1 : "", "environment") &&
	    slice_starts(name, SLICE("C1D_")) && !is_other_variable(name))
		refuse_unknown(load, name);
}
