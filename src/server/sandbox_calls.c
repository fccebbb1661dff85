/*
 * sandbox_calls: seccomp(2): the system calls of a worker at work. It is loaded when all is open
 * and every library is awake, for all threads at once, so what only a start needs (executable
 * memory of a library that is loaded, limits, capabilities) is not in the list.
 *
 * What is not in it fails with EPERM; clone3 fails with ENOSYS, so that the C library makes its
 * threads by clone, whose flags can be looked at.
 */
#include "sandbox_layers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* With whatever arguments. Numbers below 0 are calls that this processor does not have. */
static const int calls[] = {
	/* what is open */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(preadv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pwrite64),
	SCMP_SYS(pwritev),
	SCMP_SYS(lseek),
	SCMP_SYS(close),
	SCMP_SYS(fstat),
	SCMP_SYS(fstatfs),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(sync_file_range),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate),
	SCMP_SYS(fadvise64),
	SCMP_SYS(flock),
	SCMP_SYS(fchmod),
	SCMP_SYS(getdents64),
	SCMP_SYS(dup),
	SCMP_SYS(splice),
	SCMP_SYS(sendfile),
	/* files and folders: which ones is landlock's business */
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(statfs),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getcwd),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(rmdir),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(link),
	SCMP_SYS(linkat),
	SCMP_SYS(utimensat),
	SCMP_SYS(umask),
	/* what is ready */
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(eventfd2),
	SCMP_SYS(pipe2),
	SCMP_SYS(inotify_add_watch),
	SCMP_SYS(inotify_rm_watch),
	/* sockets: socket and socketpair are below */
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(connect),
	SCMP_SYS(shutdown),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	/* memory and threads: mmap, mprotect and clone are below */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(get_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(set_tid_address),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(getcpu),
	SCMP_SYS(membarrier),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	/* signals of its own */
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	/* what time it is, who it is, what there is */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(getrlimit),
	SCMP_SYS(getrusage),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
	SCMP_SYS(getrandom),
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
	/* the search for leaks at the end stops all threads as a debugger does */
	SCMP_SYS(ptrace),
	SCMP_SYS(getdents),
	SCMP_SYS(wait4),
	SCMP_SYS(dup2),
	SCMP_SYS(pipe),
#endif
};

/* Only with that argument: (its value & mask) == value. */
struct only {
	int call;
	unsigned int argument;
	scmp_datum_t mask, value;
};

/* A file's control words have 32 bits, whatever is above. */
#define WORD 0xFFFFFFFFu

#define A_THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)
#define NO_THREAD                                                                                  \
	(CLONE_VFORK | CLONE_PARENT | CLONE_PTRACE | CLONE_NEWNS | CLONE_NEWCGROUP |               \
	 CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static const struct only only[] = {
	{ SCMP_SYS(clone), 0, A_THREAD | NO_THREAD, A_THREAD },
	{ SCMP_SYS(mmap), 2, PROT_EXEC, 0 },
	{ SCMP_SYS(mprotect), 2, PROT_EXEC, 0 },
	{ SCMP_SYS(socketpair), 0, WORD, AF_UNIX },
	{ SCMP_SYS(ioctl), 1, WORD, FIONREAD },
	{ SCMP_SYS(ioctl), 1, WORD, FIONBIO },
	{ SCMP_SYS(ioctl), 1, WORD, TCGETS },
	{ SCMP_SYS(prctl), 0, WORD, PR_SET_NAME },
	{ SCMP_SYS(fcntl), 1, WORD, F_DUPFD },
	{ SCMP_SYS(fcntl), 1, WORD, F_DUPFD_CLOEXEC },
	{ SCMP_SYS(fcntl), 1, WORD, F_GETFD },
	{ SCMP_SYS(fcntl), 1, WORD, F_SETFD },
	{ SCMP_SYS(fcntl), 1, WORD, F_GETFL },
	{ SCMP_SYS(fcntl), 1, WORD, F_SETFL },
	{ SCMP_SYS(fcntl), 1, WORD, F_GETLK },
	{ SCMP_SYS(fcntl), 1, WORD, F_SETLK },
	{ SCMP_SYS(fcntl), 1, WORD, F_SETLKW },
	{ SCMP_SYS(fcntl), 1, WORD, F_OFD_GETLK },
	{ SCMP_SYS(fcntl), 1, WORD, F_OFD_SETLK },
	{ SCMP_SYS(fcntl), 1, WORD, F_OFD_SETLKW },
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
	{ SCMP_SYS(clone), 0, WORD, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_UNTRACED },
	{ SCMP_SYS(prctl), 0, WORD, PR_GET_DUMPABLE },
	{ SCMP_SYS(prctl), 0, WORD, PR_SET_DUMPABLE },
	{ SCMP_SYS(prctl), 0, WORD, PR_SET_PTRACER },
	{ SCMP_SYS(prctl), 0, WORD, PR_SET_PDEATHSIG },
#endif
};

static bool allow(scmp_filter_ctx filter, int call, unsigned int count,
		  const struct scmp_arg_cmp *arguments)
{
	return call < 0 ||
	       seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, count, arguments) == 0;
}

static bool allow_lists(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < COUNT(calls); i++)
		if (!allow(filter, calls[i], 0, NULL))
			return false;
	for (size_t i = 0; i < COUNT(only); i++) {
		const struct scmp_arg_cmp argument = { only[i].argument, SCMP_CMP_MASKED_EQ,
						       only[i].mask, only[i].value };

		if (!allow(filter, only[i].call, 1, &argument))
			return false;
	}
	return true;
}

/* Streams and datagrams; no raw ones, no packets, no netlink. */
static bool allow_sockets(scmp_filter_ctx filter)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6 };
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (size_t i = 0; i < COUNT(families); i++)
		for (size_t j = 0; j < COUNT(types); j++) {
			const struct scmp_arg_cmp both[] = {
				SCMP_A0(SCMP_CMP_MASKED_EQ, WORD, (scmp_datum_t)families[i]),
				SCMP_A1(SCMP_CMP_MASKED_EQ, 0xF, (scmp_datum_t)types[j]),
			};

			if (!allow(filter, SCMP_SYS(socket), 2, both))
				return false;
		}
	return true;
}

/* abort() and the end of a test are signals to oneself; a limit may be asked for. */
static bool allow_itself(scmp_filter_ctx filter)
{
	const scmp_datum_t self = (scmp_datum_t)getpid();
	const struct scmp_arg_cmp to_self = SCMP_A0(SCMP_CMP_MASKED_EQ, WORD, self);
	const struct scmp_arg_cmp ask[] = { SCMP_A0(SCMP_CMP_MASKED_EQ, WORD, 0),
					    SCMP_A2(SCMP_CMP_EQ, 0, 0) };

	return allow(filter, SCMP_SYS(kill), 1, &to_self) &&
	       allow(filter, SCMP_SYS(tgkill), 1, &to_self) &&
	       allow(filter, SCMP_SYS(prlimit64), 2, ask) &&
	       seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
}

unsigned sandbox_offers_calls(void)
{
	const uint32_t action = SECCOMP_RET_ERRNO;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0
		       ? FENCE_BIT(FENCE_CALLS)
		       : 0;
}

unsigned sandbox_close_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	bool ok = filter && seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
		  /* a tree: the way to any call is short, however long the list */
		  seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 &&
		  allow_lists(filter) && allow_sockets(filter) && allow_itself(filter) &&
		  seccomp_load(filter) == 0;

	seccomp_release(filter);
	return ok ? FENCE_BIT(FENCE_CALLS) : 0;
}
