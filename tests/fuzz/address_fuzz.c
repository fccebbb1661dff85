/* Whom limits count: a client's address, or all that are none as one; never a byte of what it is
 * not. */
#include "../../src/guard/guard_room.h"
#include "fuzz.h"

#include <arpa/inet.h>

static bool same_network(const char *a, const char *b)
{
	struct in6_addr one, two;

	return inet_pton(AF_INET6, a, &one) == 1 && inet_pton(AF_INET6, b, &two) == 1 &&
	       memcmp(&one, &two, 8) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char allowed[] = "anonymous@0123456789abcdef.:/";
	char *address = fuzz_text(fuzz_input(data, size)), network[64];
	const char *counted;
	struct arena arena;

	arena_init(&arena, 1 << 20);
	counted = address_counted(&arena, slice_of(address));
	CHECK(counted && strspn(counted, allowed) == strlen(counted));
	if (strcmp(counted, "anonymous") != 0) {
		CHECK(strncmp(counted, "anonymous@", 10) == 0 && strlen(counted) < 64);
		snprintf(network, sizeof network, "%.*s", (int)strcspn(counted + 10, "/"),
			 counted + 10);
		CHECK(strchr(counted, '/') ? same_network(network, address)
					   : strstr(address, strrchr(network, '.')) != NULL ||
						     strchr(address, ':'));
	}
	arena_done(&arena);
	free(address);
	return 0;
}
