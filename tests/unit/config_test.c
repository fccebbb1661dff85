/* What is there when the settings are no good: they are told, and the program can stand on its
 * defaults. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int set_up(void **state)
{
	(void)state;
	clearenv(); /* whatever the tests run under is no setting of these */
	return setenv("C1D_CONFIG", "/dev/null", 1) + setenv("THESYS_API_KEY", "a key", 1) +
	       setenv("C1D_LOG_LEVEL", "loud", 1) + setenv("C1D_ORIGINS", "*", 1);
}

static void f19_all_that_is_wrong_is_told_at_once_and_nothing_is_taken(void **state)
{
	struct config config = { .model = NULL };
	struct buffer report;
	struct error err = { 0 };

	(void)state;
	buffer_init(&report, 1u << 16);
	assert_false(config_load(NULL, &config, &report, &err));
	assert_int_equal(err.code, ERROR_CONFIG);
	assert_string_equal(err.detail, "2 settings are wrong.");
	buffer_append_char(&report, '\0');
	assert_non_null(strstr(report.data, "C1D_LOG_LEVEL=loud is not known"));
	assert_non_null(strstr(report.data, "C1D_ORIGINS: * is no origin"));
	assert_null(config.memory);
	assert_null(config.model);
	buffer_done(&report);
}

static void the_defaults_are_whole_whatever_the_environment_says(void **state)
{
	struct config config;
	struct error err = { 0 };

	(void)state;
	assert_true(config_defaults(&config, &err));
	assert_string_equal(config.log_level, "info");
	assert_null(config.api_key);
	assert_null(config.origins);
	assert_int_equal(config.auth_mode_count, 1);
	assert_non_null(config.spool_path);
	assert_true(strncmp(config.store_uri, "sqlite:", 7) == 0);
	config_done(&config);
	assert_null(config.memory);
	config_done(&config); /* as of one that was never read */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(f19_all_that_is_wrong_is_told_at_once_and_nothing_is_taken),
		cmocka_unit_test(the_defaults_are_whole_whatever_the_environment_says),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
