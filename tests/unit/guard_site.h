/* A guard of a site in a folder of its own, and requests to it. */
#ifndef GUARD_SITE_H
#define GUARD_SITE_H

#include "guard/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char site_folder[] = "/tmp/c1d_guard_XXXXXX";
static struct config site_config;
static struct arena arena;
static struct response response;
static struct error err;

static inline void site_remove(const char *name)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", site_folder, name);
	unlink(path);
}

static inline int site_set_up(void **state)
{
	(void)state;
	snprintf(site_folder, sizeof site_folder, "/tmp/c1d_guard_XXXXXX");
	arena_init(&arena, 1u << 20);
	response_init(&response);
	err = (struct error){ 0 };
	if (!mkdtemp(site_folder))
		return -1;
	site_config = (struct config){ .state_dir = site_folder };
	return 0;
}

static inline int site_tear_down(void **state)
{
	(void)state;
	site_remove("secret");
	site_remove("secret.new");
	rmdir(site_folder);
	response_done(&response);
	arena_done(&arena);
	return 0;
}

static inline struct guard *site_open(enum auth_mode mode)
{
	struct guard *guard;

	site_config.auth_modes[0] = mode;
	site_config.auth_mode_count = 1;
	guard = guard_open(&site_config, NULL, &err);
	assert_non_null(guard);
	return guard;
}

#define SITE_TEST(f) cmocka_unit_test_setup_teardown(f, site_set_up, site_tear_down)

#endif
