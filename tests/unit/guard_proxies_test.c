/* F6: whose address a request has, whatever a client writes into X-Forwarded-For; and networks. */
#include "../../src/guard/proxies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct config config;

static void trust(const char *list)
{
	char copy[256], *at = copy, *word;

	config.proxy_count = 0;
	snprintf(copy, sizeof copy, "%s", list);
	while ((word = strsep(&at, " ")))
		if (*word)
			assert_true(
				cidr_parse(slice_of(word), &config.proxies[config.proxy_count++]));
}

static void client_is(const char *remote, const char *forwarded, const char *wanted)
{
	struct slice client = proxies_client(&config, slice_of(remote), slice_of(forwarded));

	if (!slice_is(client, wanted))
		fail_msg("%s with \"%s\" is %.*s, not %s", remote, forwarded, SLICE_ARG(client),
			 wanted);
}

static void f6_without_proxies_no_header_is_believed(void **state)
{
	(void)state;
	trust("");
	client_is("203.0.113.9", "198.51.100.1", "203.0.113.9");
	client_is("127.0.0.1", "198.51.100.1", "127.0.0.1");
	client_is("", "198.51.100.1", "");
	client_is("unix:", "198.51.100.1", "unix:");
}

static void f6_the_last_address_that_is_no_proxy_counts(void **state)
{
	(void)state;
	trust("10.0.0.0/8 2001:db8:a::/48 127.0.0.1");
	client_is("10.0.0.1", "198.51.100.1", "198.51.100.1");
	/* What the client wrote itself stands in front. */
	client_is("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1");
	client_is("10.0.0.1", "1.1.1.1,10.9.9.9 , 198.51.100.1,\t10.0.0.2 ", "198.51.100.1");
	client_is("10.0.0.1", "10.0.0.1, 198.51.100.1, 2001:db8:a::7", "198.51.100.1");
	client_is("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1");
	client_is("127.0.0.1", "2001:db8:b::1", "2001:db8:b::1");
	/* Not through a proxy of ours. */
	client_is("203.0.113.9", "10.0.0.1", "203.0.113.9");
	client_is("127.0.0.2", "198.51.100.1", "127.0.0.2");
	/* All are proxies: a machine of ours asks. */
	client_is("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3");
	client_is("10.0.0.1", "", "10.0.0.1");
}

static void f6_a_port_is_none_of_the_address(void **state)
{
	(void)state;
	trust("10.0.0.0/8");
	client_is("10.0.0.1", "198.51.100.1:4711", "198.51.100.1");
	client_is("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1");
	client_is("10.0.0.1", "[2001:db8::1]", "2001:db8::1");
	client_is("10.0.0.1", "2001:db8::1", "2001:db8::1");
}

static void f6_what_is_malformed_counts_as_the_last_proxy(void **state)
{
	static const char *const wrong[] = {
		"unknown",
		",",
		", ,",
		"198.51.100.1,",
		"_hidden",
		"1.2.3",
		"1.2.3.4.5",
		"[::1",
		"for=1.2.3.4",
		"1.2.3.4; 5.6.7.8",
		"01.2.3.4x",
		"::g",
		"fe80::1%eth0",
		"1111111111111111111111111111111111111111111111111111111111111",
		"[]",
		"[]:1",
		":",
		"::1::",
		"1.2.3.4 5.6.7.8",
	};

	(void)state;
	trust("10.0.0.0/8");
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		char list[256];

		client_is("10.0.0.1", wrong[i], "10.0.0.1");
		snprintf(list, sizeof list, "198.51.100.1, %s, 10.0.0.2", wrong[i]);
		client_is("10.0.0.1", list, "10.0.0.2");
	}
}

static void f6_a_long_list_is_read_so_far(void **state)
{
	char list[8192] = "198.51.100.1";

	(void)state;
	trust("10.0.0.0/8");
	for (int i = 0; i < 500; i++)
		strcat(list, ", 10.1.1.1");
	client_is("10.0.0.1", list, "10.1.1.1");
	list[0] = '\0';
	for (int i = 0; i < 8000; i++)
		strcat(list, ",");
	client_is("10.0.0.1", list, "10.0.0.1");
}

/* --- networks --- */

static bool holds(const char *network, const char *text)
{
	struct address address;
	struct cidr cidr;

	assert_true(cidr_parse(slice_of(network), &cidr));
	assert_true(address_parse(slice_of(text), &address));
	return cidr_holds(&cidr, &address);
}

static void a_network_holds_what_begins_like_it(void **state)
{
	(void)state;
	assert_true(holds("10.0.0.0/8", "10.255.255.255"));
	assert_false(holds("10.0.0.0/8", "11.0.0.0"));
	assert_true(holds("192.0.2.128/25", "192.0.2.255"));
	assert_false(holds("192.0.2.128/25", "192.0.2.127"));
	assert_true(holds("192.0.2.7", "192.0.2.7"));
	assert_true(holds("192.0.2.7/32", "::ffff:192.0.2.7"));
	assert_false(holds("192.0.2.7", "192.0.2.6"));
	assert_true(holds("0.0.0.0/0", "255.1.2.3"));
	assert_false(holds("0.0.0.0/0", "2001:db8::1")); /* all of IPv4, which is no IPv6 */
	assert_true(holds("::/0", "2001:db8::1"));
	assert_true(holds("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(holds("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(holds("::1", "::1"));
	assert_true(holds("::ffff:10.0.0.0/104", "10.1.1.1"));
}

static void what_is_no_network_is_refused(void **state)
{
	static const char *const wrong[] = { "",
					     "/",
					     "10.0.0.0/",
					     "10.0.0.0/33",
					     "10.0.0.0/-1",
					     "10.0.0.0/08",
					     "10.0.0.1/8",
					     "10.0.0.0/8/8",
					     "10.0.0/8",
					     "2001:db8::/129",
					     "2001:db8::1/64",
					     "/8",
					     "localhost",
					     "10.0.0.0/ 8",
					     "10.0.0.0/0x8",
					     "[::1]",
					     "10.0.0.0/1000",
					     "192.0.2.7/31" };
	struct cidr cidr;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (cidr_parse(slice_of(wrong[i]), &cidr))
			fail_msg("\"%s\" was taken", wrong[i]);
	assert_false(cidr_parse((struct slice){ "10.0.0.1\0.5", 11 }, &cidr));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(f6_without_proxies_no_header_is_believed),
		cmocka_unit_test(f6_the_last_address_that_is_no_proxy_counts),
		cmocka_unit_test(f6_a_port_is_none_of_the_address),
		cmocka_unit_test(f6_what_is_malformed_counts_as_the_last_proxy),
		cmocka_unit_test(f6_a_long_list_is_read_so_far),
		cmocka_unit_test(a_network_holds_what_begins_like_it),
		cmocka_unit_test(what_is_no_network_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
