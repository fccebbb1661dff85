/* sandbox_probes: see sandbox_probes.h. Nothing of it is in a build that users run. */
#include "sandbox_probes.h"

#ifdef C1D_CRASHPOINTS
#include "base/fence.h"
#include "base/log.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KEYCTL_GET_KEYRING_ID 0
#define PAGE                  4096

/* Where it stands. */
struct ground {
	const char *state_dir;
	pid_t sibling; /* another worker of the pool; -1 when it is alone */
};

/* Each act gives 0 when it was let, else the reason why not. What it got it gives back at once. */
static int reason(long result)
{
	return result < 0 ? errno : 0;
}

static int opened(int fd)
{
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* --- programs and processes --- */

static int run_a_shell(const struct ground *g)
{
	char *const words[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "exit 0" }, NULL };
	char *const none[] = { NULL };

	(void)g;
	return reason(execve("/bin/sh", words, none));
}

/* An image that never was a file: not even a list of paths would stop it. */
static int run_from_memory(const struct ground *g)
{
	static const char script[] = "#!/bin/sh\n";
	char *const words[] = { (char[]){ "x" }, NULL };
	int fd = memfd_create("probe", 0), why;

	(void)g;
	if (fd < 0)
		return errno;
	why = write(fd, script, sizeof script) < 0 ? errno : 0;
	if (!why)
		why = reason(syscall(SYS_execveat, fd, "", words, words + 1, AT_EMPTY_PATH));
	close(fd);
	return why;
}

static int make_a_process(const struct ground *g)
{
	long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	(void)g;
	if (pid == 0)
		syscall(SYS_exit_group, 0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return reason(pid);
}

static int trace_a_sibling(const struct ground *g)
{
	long result = ptrace(PTRACE_SEIZE, g->sibling, NULL, NULL);

	if (result == 0)
		ptrace(PTRACE_DETACH, g->sibling, NULL, NULL);
	return reason(result);
}

static int read_a_siblings_memory(const struct ground *g)
{
	char here[16];
	struct iovec mine = { here, sizeof here };
	struct iovec theirs = { (void *)(uintptr_t)g, sizeof here };

	return reason(process_vm_readv(g->sibling, &mine, 1, &theirs, 1, 0));
}

static int open_a_siblings_memory(const struct ground *g)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/mem", (int)g->sibling);
	return opened(open(path, O_RDONLY | O_CLOEXEC));
}

static int open_a_siblings_environment(const struct ground *g)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/environ", (int)g->sibling);
	return opened(open(path, O_RDONLY | O_CLOEXEC));
}

/* Signal 0 asks whether one may. */
static int signal_a_sibling(const struct ground *g)
{
	return reason(kill(g->sibling, 0));
}

static int signal_the_supervisor(const struct ground *g)
{
	(void)g;
	return reason(kill(getppid(), 0));
}

/* Every process of the pool has it mapped: what is gone under it ends it. */
static int cut_the_shared_memory(const struct ground *g)
{
	char path[32], name[32] = { 0 };

	(void)g;
	for (int fd = STDERR_FILENO + 1; fd < 256; fd++) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		if (readlink(path, name, sizeof name - 1) > 0 &&
		    strncmp(name, "/memfd:c1d ", 11) == 0)
			return reason(ftruncate(fd, 0));
	}
	return ENOENT;
}

/* --- files --- */

static int read_the_passwords(const struct ground *g)
{
	(void)g;
	return opened(open("/etc/shadow", O_RDONLY | O_CLOEXEC));
}

static int write_the_users(const struct ground *g)
{
	(void)g;
	return opened(open("/etc/passwd", O_WRONLY | O_CLOEXEC));
}

static int write_beside(const char *path, const char *name)
{
	char file[4096];
	int fd;

	snprintf(file, sizeof file, "%.*s/%s", (int)(strrchr(path, '/') - path), path, name);
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		unlink(file);
	return opened(fd);
}

static int write_beside_the_program(const struct ground *g)
{
	char path[4096] = { 0 };

	(void)g;
	return readlink("/proc/self/exe", path, sizeof path - 1) < 0
		       ? errno
		       : write_beside(path, ".c1d-probe");
}

static int write_in_tmp(const struct ground *g)
{
	(void)g;
	return write_beside("/tmp/", ".c1d-probe");
}

/* The test has laid it: a link in the state folder to a file elsewhere. */
static int follow_a_link_out(const struct ground *g)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/crash/link", g->state_dir);
	return opened(open(path, O_RDONLY | O_CLOEXEC));
}

static int make_a_link_out(const struct ground *g)
{
	char path[4096];
	int result;

	snprintf(path, sizeof path, "%s/probe-link", g->state_dir);
	result = symlink("/etc", path);
	if (result == 0)
		unlink(path);
	return reason(result);
}

static int list_the_root(const struct ground *g)
{
	(void)g;
	return opened(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int change_root(const struct ground *g)
{
	return reason(chroot(g->state_dir));
}

static int mount_a_folder(const struct ground *g)
{
	return reason(mount("none", g->state_dir, "tmpfs", 0, NULL));
}

/* --- the network --- */

static int connect_elsewhere(const struct ground *g)
{
	const struct sockaddr_in discard = { .sin_family = AF_INET,
					     .sin_port = htons(9),
					     .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), why;

	(void)g;
	why = reason(connect(fd, (const struct sockaddr *)&discard, sizeof discard));
	close(fd);
	return why;
}

static int take_a_port(const struct ground *g)
{
	const struct sockaddr_in any = { .sin_family = AF_INET,
					 .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), why;

	(void)g;
	why = reason(bind(fd, (const struct sockaddr *)&any, sizeof any));
	close(fd);
	return why;
}

static int listen_for_others(const struct ground *g)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), why;

	(void)g;
	why = reason(listen(fd, 1));
	close(fd);
	return why;
}

static int open_a_raw_socket(const struct ground *g)
{
	(void)g;
	return opened(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static int open_a_packet_socket(const struct ground *g)
{
	(void)g;
	return opened(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)));
}

static int open_netlink(const struct ground *g)
{
	(void)g;
	return opened(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
}

/* The test listens at a name without a file. */
static int connect_to_an_abstract_name(const struct ground *g)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), why, len;

	(void)g;
	len = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "c1d-probe-%d",
		       (int)getppid());
	why = reason(connect(fd, (const struct sockaddr *)&address,
			     (socklen_t)(sizeof address.sun_family + 1 + (size_t)len)));
	close(fd);
	return why;
}

/* --- code and the kernel --- */

static int map_code(const struct ground *g)
{
	void *code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)g;
	if (code == MAP_FAILED)
		return errno;
	munmap(code, PAGE);
	return 0;
}

static int turn_data_into_code(const struct ground *g)
{
	void *data = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int why;

	(void)g;
	if (data == MAP_FAILED)
		return errno;
	why = reason(mprotect(data, PAGE, PROT_READ | PROT_EXEC));
	munmap(data, PAGE);
	return why;
}

static int become_root(const struct ground *g)
{
	(void)g;
	return reason(syscall(SYS_setresuid, 0, 0, 0));
}

static int leave_the_namespaces(const struct ground *g)
{
	(void)g;
	return reason(unshare(CLONE_FS));
}

static int load_bpf(const struct ground *g)
{
	union bpf_attr map = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};

	(void)g;
	return opened((int)syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
}

static int watch_the_processor(const struct ground *g)
{
	struct perf_event_attr event = { .type = PERF_TYPE_SOFTWARE,
					 .size = sizeof event,
					 .config = PERF_COUNT_SW_CPU_CLOCK };

	(void)g;
	return opened((int)syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
}

static int ask_for_keys(const struct ground *g)
{
	(void)g;
	return reason(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, -3, 0));
}

static int open_a_ring(const struct ground *g)
{
	char parameters[256] = { 0 };

	(void)g;
	return opened((int)syscall(SYS_io_uring_setup, 1, parameters));
}

static int catch_page_faults(const struct ground *g)
{
	(void)g;
	return opened((int)syscall(SYS_userfaultfd, 1 /* of our own code only */));
}

static int load_a_module(const struct ground *g)
{
	(void)g;
	return reason(syscall(SYS_init_module, "", 0UL, ""));
}

static int set_the_clock(const struct ground *g)
{
	struct timespec now; /* to what it is */

	(void)g;
	clock_gettime(CLOCK_REALTIME, &now);
	return reason(syscall(SYS_clock_settime, CLOCK_REALTIME, &now));
}

static int restart_the_machine(const struct ground *g)
{
	(void)g;
	return reason(reboot(RB_DISABLE_CAD));
}

/* --- all of them --- */

#define ACTS(X)                                                                                    \
	X(run_a_shell)                                                                             \
	X(run_from_memory)                                                                         \
	X(make_a_process)                                                                          \
	X(trace_a_sibling)                                                                         \
	X(read_a_siblings_memory)                                                                  \
	X(open_a_siblings_memory)                                                                  \
	X(open_a_siblings_environment)                                                             \
	X(signal_a_sibling)                                                                        \
	X(signal_the_supervisor)                                                                   \
	X(cut_the_shared_memory)                                                                   \
	X(read_the_passwords)                                                                      \
	X(write_the_users)                                                                         \
	X(write_beside_the_program)                                                                \
	X(write_in_tmp)                                                                            \
	X(follow_a_link_out)                                                                       \
	X(make_a_link_out)                                                                         \
	X(list_the_root)                                                                           \
	X(change_root)                                                                             \
	X(mount_a_folder)                                                                          \
	X(connect_elsewhere)                                                                       \
	X(take_a_port)                                                                             \
	X(listen_for_others)                                                                       \
	X(open_a_raw_socket)                                                                       \
	X(open_a_packet_socket)                                                                    \
	X(open_netlink)                                                                            \
	X(connect_to_an_abstract_name)                                                             \
	X(map_code)                                                                                \
	X(turn_data_into_code)                                                                     \
	X(become_root)                                                                             \
	X(leave_the_namespaces)                                                                    \
	X(load_bpf)                                                                                \
	X(watch_the_processor)                                                                     \
	X(ask_for_keys)                                                                            \
	X(open_a_ring)                                                                             \
	X(catch_page_faults)                                                                       \
	X(load_a_module)                                                                           \
	X(set_the_clock)                                                                           \
	X(restart_the_machine)

static const struct act {
	const char *name;
	int (*attempt)(const struct ground *ground);
} acts[] = {
#define X(name) { #name, name },
	ACTS(X)
#undef X
};

static bool has(const char *state_dir, const char *name)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/crash/%s", state_dir, name);
	return access(path, F_OK) == 0;
}

unsigned sandbox_left_out(const char *state_dir)
{
	unsigned layers = 0;
	char name[32];

	for (int i = 0; i < FENCE_COUNT; i++) {
		snprintf(name, sizeof name, "without-%s", fence_words[i]);
		layers |= has(state_dir, name) ? FENCE_BIT(i) : 0;
	}
	return layers;
}

static pid_t sibling_of(const struct shm *shm, const struct shm_slot *own)
{
	for (int i = 0; i < SHM_SLOTS; i++)
		if (&shm->slots[i] != own && atomic_load(&shm->slots[i].state) == SHM_SLOT_READY)
			return atomic_load(&shm->slots[i].pid);
	return -1;
}

void sandbox_probes(const char *state_dir, const struct shm *shm, const struct shm_slot *own)
{
	struct ground ground = { .state_dir = state_dir };
	char path[4096];

	snprintf(path, sizeof path, "%s/crash/probe", state_dir);
	if (unlink(path) != 0)
		return;
	ground.sibling = sibling_of(shm, own); /* whoever asks has waited for it to be ready */
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
		int why = acts[i].attempt(&ground);

		log_notice("probe", LOG_T("act", acts[i].name),
			   LOG_T("result", why ? strerrorname_np(why) : "allowed"));
	}
	log_notice("probes done");
}
#else
typedef int sandbox_probes_need_a_declaration; /* ISO C wants one in every file */
#endif
