/* config_host: what systemd hands a service: sd_listen_fds(3), sd_notify(3),
 * sd_watchdog_enabled(3), systemd.exec(5). */
#include "config_room.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_for_us(const char *variable)
{
	const char *pid = getenv(variable);

	return pid && atol(pid) == (long)getpid();
}

/* JOURNAL_STREAM is "device:inode" of the stream; it is ours only when stderr is that very one. */
static bool stderr_is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat here;

	return text && sscanf(text, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &here) == 0 && here.st_dev == device && here.st_ino == inode;
}

/* systemd copies them at the start of the service, so their age tells whether a reload got new
 * ones.
 */
static int64_t newest_credential_ms(void)
{
	const char *path = getenv("CREDENTIALS_DIRECTORY");
	DIR *folder = path ? opendir(path) : NULL;
	struct dirent *entry;
	int64_t newest_ms = 0;
	struct stat is;

	while (folder && (entry = readdir(folder)))
		if (fstatat(dirfd(folder), entry->d_name, &is, 0) == 0 && S_ISREG(is.st_mode)) {
			int64_t ms =
				(int64_t)is.st_mtim.tv_sec * 1000 + is.st_mtim.tv_nsec / 1000000;

			newest_ms = ms > newest_ms ? ms : newest_ms;
		}
	if (folder)
		closedir(folder);
	return newest_ms;
}

#define INHERITED "C1D_INHERITED" /* "pid:listener:shm:secrets" */

static void read_inherited(struct config_host *host)
{
	const char *text = getenv(INHERITED);
	int pid, listener, shm, secrets;

	if (!text || sscanf(text, "%d:%d:%d:%d", &pid, &listener, &shm, &secrets) != 4 ||
	    pid != (int)getpid())
		return;
	host->inherited_listener = listener;
	host->inherited_shm = shm;
	host->inherited_secrets = secrets;
}

bool config_host_leave(int listener, int shm)
{
	char text[64];
	int secrets = config_hidden();

	if (secrets >= 0)
		fcntl(secrets, F_SETFD, 0);
	snprintf(text, sizeof text, "%d:%d:%d:%d", (int)getpid(), listener, shm, secrets);
	return setenv(INHERITED, text, 1) == 0;
}

struct config_host config_host(void)
{
	const char *fds = getenv("LISTEN_FDS"), *watchdog = getenv("WATCHDOG_USEC");
	struct config_host host = { .notify_socket = getenv("NOTIFY_SOCKET"),
				    .journal = stderr_is_journal(),
				    .reload_command = getenv("MAINPID") != NULL,
				    .credentials_ms = newest_credential_ms(),
				    .inherited_listener = -1,
				    .inherited_shm = -1,
				    .inherited_secrets = -1 };

	if (fds && is_for_us("LISTEN_PID"))
		host.listen_fds = atoi(fds);
	if (watchdog && (!getenv("WATCHDOG_PID") || is_for_us("WATCHDOG_PID")))
		host.watchdog_ms = atoll(watchdog) / 1000;
	read_inherited(&host);
	return host;
}
