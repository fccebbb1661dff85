/*
 * sandbox_files: landlock(7): the files that a worker may open, the TCP ports that it may connect
 * to, and nobody to whom it may send a signal. It holds for the thread that asks and those that it
 * starts, so it is put up before there are others.
 *
 * Raw calls, and the constants of the newest kernel, since the headers of Debian 12 know Linux 6.1.
 * https://docs.kernel.org/userspace-api/landlock.html
 */
#include "sandbox_layers.h"

#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ABI_MOVES = 2, ABI_TRUNCATE = 3, ABI_PORTS = 4, ABI_DEVICES = 5, ABI_SIGNALS = 6 };

#define FS_UP_TO_REFER ((LANDLOCK_ACCESS_FS_REFER << 1) - 1)
#define FS_TRUNCATE    (1ULL << 14)
#define FS_IOCTL_DEV   (1ULL << 15)
#define NET_BIND       (1ULL << 0)
#define NET_CONNECT    (1ULL << 1)
#define RULE_PORT      2
#define SCOPE_ABSTRACT (1ULL << 0)
#define SCOPE_SIGNAL   (1ULL << 1)

#define OF_FILES (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)
#define READS    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* No links to elsewhere, sockets, pipes or devices. */
#define WRITES                                                                                     \
	(READS | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE | LANDLOCK_ACCESS_FS_REMOVE_DIR |     \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                            \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER)

/* As the kernel has it now; an older one takes it when what it does not know is 0. */
struct ruleset {
	uint64_t files, net, scoped;
};

struct port_rule {
	uint64_t access, port;
};

static int abi(void)
{
	long n = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return n > 0 ? (int)n : 0;
}

/* The first kernel with landlock lets no file move between folders, which the spool lives by. */
static unsigned offered_by(int version)
{
	return (version >= ABI_MOVES ? FENCE_BIT(FENCE_FILES) : 0) |
	       (version >= ABI_PORTS ? FENCE_BIT(FENCE_PORTS) : 0) |
	       (version >= ABI_SIGNALS ? FENCE_BIT(FENCE_SIGNALS) : 0);
}

unsigned sandbox_offers_files(void)
{
	return offered_by(abi());
}

static uint64_t known_rights(int version)
{
	return FS_UP_TO_REFER | (version >= ABI_TRUNCATE ? FS_TRUNCATE : 0) |
	       (version >= ABI_DEVICES ? FS_IOCTL_DEV : 0);
}

static bool has(unsigned layers, enum fence_layer layer)
{
	return (layers & FENCE_BIT(layer)) != 0;
}

void sandbox_make_folders(const struct reach *reach)
{
	for (size_t i = 0; i < reach->path_count; i++) {
		const struct reach_path *path = &reach->paths[i];

		if (path->mode && mkdir(path->path, path->mode) != 0 && errno != EEXIST)
			log_error("folder not made", LOG_T("path", path->path),
				  LOG_T("reason", strerror(errno)));
	}
}

/* --- rules --- */

/* errno, or 0. */
static int allow_path(int rules, uint64_t known, const struct reach_path *path)
{
	struct landlock_path_beneath_attr rule = { .allowed_access =
							   path->may_write ? WRITES : READS };
	struct stat is;
	int reason = 0;

	rule.parent_fd = open(path->path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno;
	if (fstat(rule.parent_fd, &is) != 0 || !S_ISDIR(is.st_mode))
		rule.allowed_access &= OF_FILES;
	rule.allowed_access &= known;
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
		reason = errno;
	close(rule.parent_fd);
	return reason;
}

/* A folder that is not to be had has no rule, and the part that wants it does not start. What
 * cannot be read is missed, or not, by whoever wants it: most of the list is not on every machine.
 */
static void allow_paths(int rules, int version, const struct reach *reach)
{
	for (size_t i = 0; i < reach->path_count; i++) {
		const struct reach_path *path = &reach->paths[i];
		int reason = allow_path(rules, known_rights(version), path);

		if (reason && path->may_write)
			log_error("folder unusable", LOG_T("path", path->path),
				  LOG_T("reason", strerror(reason)));
	}
}

static void allow_ports(int rules, const struct reach *reach)
{
	for (size_t i = 0; i < reach->port_count; i++) {
		const struct port_rule rule = { .access = NET_CONNECT, .port = reach->ports[i] };

		syscall(SYS_landlock_add_rule, rules, RULE_PORT, &rule, 0);
	}
}

unsigned sandbox_close_files(const struct reach *reach, unsigned wanted)
{
	int version = abi();
	unsigned layers = offered_by(version) & wanted;
	const struct ruleset set = {
		.files = has(layers, FENCE_FILES) ? known_rights(version) : 0,
		.net = has(layers, FENCE_PORTS) ? NET_BIND | (reach->every_port ? 0 : NET_CONNECT)
						: 0,
		.scoped = has(layers, FENCE_SIGNALS) ? SCOPE_ABSTRACT | SCOPE_SIGNAL : 0,
	};
	bool ok;
	int rules;

	if (!layers)
		return 0;
	rules = (int)syscall(SYS_landlock_create_ruleset, &set, sizeof set, 0);
	if (rules < 0)
		return 0;
	if (set.files)
		allow_paths(rules, version, reach);
	if (set.net & NET_CONNECT)
		allow_ports(rules, reach);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* it asks for that */
	ok = syscall(SYS_landlock_restrict_self, rules, 0) == 0;
	close(rules);
	return ok ? layers : 0;
}
