/* The socket's path: what somebody uses stays, what was left behind is replaced. */
#include "../../src/server/listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char folder[64];
static struct sockaddr_un address;
static struct config config;
static const struct config_host host = { .inherited_listener = -1, .inherited_shm = -1 };

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/c1d-listener-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof address.sun_path, "%s/c1d.sock", folder);
	config = (struct config){ .socket = address.sun_path };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(address.sun_path);
	return rmdir(folder);
}

static int bind_there(int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static bool is_there(void)
{
	struct stat is;

	return lstat(address.sun_path, &is) == 0;
}

static void a_socket_that_refuses_is_replaced(void **state)
{
	struct listener listener = { .fd = -1 };
	struct error err = { 0 };

	(void)state;
	close(bind_there(SOCK_STREAM));
	assert_true(listener_open(&config, &host, &listener, &err));
	listener_close(&listener);
	assert_false(is_there());
}

static void r30_only_a_socket_that_refuses_is_removed(void **state)
{
	struct listener listener = { .fd = -1 };
	struct error err = { 0 };
	int fd = bind_there(SOCK_DGRAM); /* a connection there fails, but somebody reads it */

	(void)state;
	assert_false(listener_open(&config, &host, &listener, &err));
	assert_true(is_there());
	assert_non_null(strstr(err.detail, "cannot be told"));
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_socket_that_refuses_is_replaced),
		TEST(r30_only_a_socket_that_refuses_is_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
