/*
 * sandbox_rights: what a process may do beyond its user: capabilities(7), and what others may do to
 * it. Raw calls, since libcap would be one more library for two of them.
 */
#include "sandbox_layers.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool has_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
	uint32_t any = 0;

	if (syscall(SYS_capget, &head, data) != 0)
		return true;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		any |= data[i].effective | data[i].permitted | data[i].inheritable;
	return any != 0;
}

/* The bounding set first: it takes a capability to change. Whoever has none cannot, and with no new
 * privileges nothing comes of what is in it. */
static void drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (!has_capabilities())
		return;
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	syscall(SYS_capset, &head, none);
}

/* A core would hold keys and other people's conversations, and so does /proc/PID/mem. */
void sandbox_close_memory(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

unsigned sandbox_close_rights(void)
{
	drop_capabilities();
	sandbox_close_memory();
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return !has_capabilities() && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 &&
			       prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0
		       ? FENCE_BIT(FENCE_RIGHTS)
		       : 0;
}
