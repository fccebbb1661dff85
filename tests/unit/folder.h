/* folder: a folder of its own for each test of what keeps files. */
#ifndef FOLDER_H
#define FOLDER_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static char folder[64];

static inline bool folder_make(const char *name)
{
	snprintf(folder, sizeof folder, "/tmp/c1d-%s-XXXXXX", name);
	return mkdtemp(folder) != NULL;
}

/* What a tear_down ends with. */
static inline int folder_remove(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command); /* NOLINT(cert-env33-c): a folder of ours */
}

#endif
