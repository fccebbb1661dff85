/* reach: the ports of an address, and what a store's address makes a worker reach. */
#include "base/reach.h"

#include "net/net.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct config no_settings;

static bool has_port(const struct reach *reach, int port)
{
	for (size_t i = 0; i < reach->port_count; i++)
		if (reach->ports[i] == port)
			return true;
	return false;
}

static const struct reach_path *path_of(const struct reach *reach, const char *path)
{
	for (size_t i = 0; i < reach->path_count; i++)
		if (strcmp(reach->paths[i].path, path) == 0)
			return &reach->paths[i];
	return NULL;
}

/* The address has this one port. */
static void one_port(const char *url, uint16_t usual, int port)
{
	struct reach reach;

	reach_init(&reach);
	reach_url(&reach, url, usual);
	assert_int_equal(reach.port_count, 1);
	assert_true(has_port(&reach, port));
	reach_done(&reach);
}

static void an_address_has_its_port_or_the_usual_one(void **state)
{
	(void)state;
	one_port("https://api.example/v1/embed", 443, 443);
	one_port("http://127.0.0.1:8081/v1", 80, 8081);
	one_port("https://[2001:db8::1]/v1", 443, 443);
	one_port("https://[2001:db8::1]:8443/v1:9", 443, 8443);
	one_port("redis://user:pass:1@cache.example/0", 6379, 6379);
	one_port("redis://cache.example?x=a:1", 6379, 6379);
}

static void what_is_no_port_opens_none(void **state)
{
	static const char *const none[] = { NULL, "no address", "http://host:0/",
					    "http://host:70000/" };
	struct reach reach;

	(void)state;
	reach_init(&reach);
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		reach_url(&reach, none[i], 80);
	assert_int_equal(reach.port_count, 0);
	reach_done(&reach);
}

static void every_host_of_a_list_counts(void **state)
{
	struct reach reach;

	(void)state;
	reach_init(&reach);
	store_reach("mongodb://ada:p%40ss@a.example,b.example:27018,[::1]:27019/c1d", &no_settings,
		    &reach);
	assert_true(has_port(&reach, 27017) && has_port(&reach, 27018) && has_port(&reach, 27019));
	assert_false(has_port(&reach, 80));
	reach_done(&reach);
}

static void asks_for_every_port(const char *uri, bool expected)
{
	struct reach reach;

	reach_init(&reach);
	store_reach(uri, &no_settings, &reach);
	assert_int_equal(reach.every_port, expected);
	reach_done(&reach);
}

/* Members of a replica set are told by each other, those of SRV by the name server. */
static void servers_that_name_others_are_not_held_to_their_own_port(void **state)
{
	(void)state;
	asks_for_every_port("mongodb://127.0.0.1:27018/c1d", false);
	asks_for_every_port("mongodb://db.example/?retryWrites=true&directConnection=true", false);
	asks_for_every_port("mongodb+srv://cluster.example/c1d", true);
	asks_for_every_port("mongodb://a.example/?w=1&REPLICASET=rs0", true);
	asks_for_every_port("mongodb://a.example,b.example/c1d", true);
	asks_for_every_port("mongodb://a.example/?directConnection=false", true);
	asks_for_every_port("sqlite:/var/lib/c1d/c1d.db", false);
}

static void a_store_reaches_its_files(void **state)
{
	struct reach reach;

	(void)state;
	reach_init(&reach);
	store_reach("sqlite:/var/lib/c1d/c1d.db", &no_settings, &reach);
	store_reach("sqlite:c1d.db", &no_settings, &reach);
	store_reach("mongodb://a.example/?tlsCAFile=/etc/c1d/a%20b.pem&tls=true", &no_settings,
		    &reach);
	assert_true(path_of(&reach, "/var/lib/c1d")->may_write);
	assert_true(path_of(&reach, ".")->may_write);
	assert_false(path_of(&reach, "/etc/c1d/a b.pem")->may_write);
	assert_null(path_of(&reach, "/etc"));
	reach_done(&reach);
}

static void what_does_not_fit_is_left_out_and_said(void **state)
{
	struct reach reach;

	(void)state;
	reach_init(&reach);
	for (int i = 0; i < REACH_PATHS; i++)
		reach_read(&reach, "/etc/hosts");
	for (uint16_t i = 1; i <= REACH_PORTS; i++)
		reach_port(&reach, i);
	assert_false(reach.is_short);
	reach_port(&reach, REACH_PORTS);
	assert_false(reach.is_short);
	reach_read(&reach, "/etc/hosts");
	assert_true(reach.is_short);
	assert_int_equal(reach.path_count, REACH_PATHS);
	reach_done(&reach);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_has_its_port_or_the_usual_one),
		cmocka_unit_test(what_is_no_port_opens_none),
		cmocka_unit_test(every_host_of_a_list_counts),
		cmocka_unit_test(servers_that_name_others_are_not_held_to_their_own_port),
		cmocka_unit_test(a_store_reaches_its_files),
		cmocka_unit_test(what_does_not_fit_is_left_out_and_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
