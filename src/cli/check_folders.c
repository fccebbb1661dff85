/*
 * check_folders: the state folder and the spool, tried with a file that never gets a name.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#define UNIT_STATE_DIR "/var/lib/c1d" /* StateDirectory= of c1d.service */

bool check_is_folder(const char *path)
{
	struct stat is;

	return stat(path, &is) == 0 && S_ISDIR(is.st_mode);
}

bool check_can_write_in(const char *folder)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return close(fd) == 0;
	/* A file system that knows no file without a name. */
	return (errno == EOPNOTSUPP || errno == EISDIR) &&
	       faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0;
}

static bool can_be_made(const char *path)
{
	char copy[PATH_MAX];
	struct stat is;

	if (lstat(path, &is) == 0) {
		errno = ENOTDIR;
		return false;
	}
	snprintf(copy, sizeof copy, "%s", path);
	return check_can_write_in(dirname(copy));
}

bool check_comes_with_state(const struct config *config, const char *path)
{
	size_t len = strlen(config->state_dir);

	return strncmp(path, config->state_dir, len) == 0 && path[len] == '/' &&
	       !check_is_folder(config->state_dir);
}

/* It is not there. */
static int check_folder_to_be(const char *what, const char *setting, const char *path)
{
	if (can_be_made(path)) {
		check_say(CHECK_OK, what, "%s is not there yet and can be made", path);
		return EXIT_OK;
	}
	check_say(CHECK_FAIL, what,
		  "%s is no folder and cannot be made: %s; make it and give it to the service's "
		  "user, or set %s",
		  path, strerror(errno), setting);
	return EXIT_CONFIG;
}

static int check_folder(const char *what, const char *setting, const char *path)
{
	if (check_can_write_in(path))
		return EXIT_OK;
	check_say(CHECK_FAIL, what,
		  "%s cannot be written: %s; give it to the service's user, or set %s", path,
		  strerror(errno), setting);
	return EXIT_CONFIG;
}

int check_state(const struct config *config)
{
	static const char what[] = "state folder", setting[] = "C1D_STATE_DIR";
	const char *path = config->state_dir;
	int code;

	if (check_is_folder(path)) {
		if ((code = check_folder(what, setting, path)) == EXIT_OK)
			check_say(CHECK_OK, what, "%s can be written", path);
		return code;
	}
	if (strcmp(path, UNIT_STATE_DIR) != 0 || access(path, F_OK) == 0)
		return check_folder_to_be(what, setting, path);
	check_say(CHECK_OK, what, "%s is not there yet; c1d.service makes it", path);
	return EXIT_OK;
}

/* --- the spool --- */

/* Locks and notices of a network's file system do not reach every worker, and one in memory is gone
 * with the machine. */
static const struct kind {
	unsigned long magic;
	const char *name;
	enum verdict verdict;
} kinds[] = {
	{ NFS_SUPER_MAGIC, "NFS", CHECK_FAIL }, { SMB_SUPER_MAGIC, "SMB", CHECK_FAIL },
	{ 0xFF534D42, "CIFS", CHECK_FAIL },     { 0xFE534D42, "SMB", CHECK_FAIL },
	{ AFS_SUPER_MAGIC, "AFS", CHECK_FAIL }, { 0x00C36400, "Ceph", CHECK_FAIL },
	{ V9FS_MAGIC, "9P", CHECK_FAIL },       { 0x65735546, "FUSE", CHECK_WARN },
	{ TMPFS_MAGIC, "tmpfs", CHECK_WARN },   { RAMFS_MAGIC, "ramfs", CHECK_WARN },
};

/* The verdict on the disk that holds it. */
static enum verdict check_disk(const char *path)
{
	struct statfs disk;

	if (statfs(path, &disk) != 0)
		return CHECK_OK;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (kinds[i].magic != ((unsigned long)disk.f_type & 0xFFFFFFFF))
			continue;
		check_say(kinds[i].verdict, "spool",
			  "%s is on %s: %s; set C1D_SPOOL_DIR to a folder "
			  "on a disk of this machine",
			  path, kinds[i].name,
			  kinds[i].verdict == CHECK_FAIL
				  ? "locks and notices between workers do not work there"
				  : "answers in flight may be lost with the machine");
		return kinds[i].verdict;
	}
	return CHECK_OK;
}

static int check_room(const struct config *config)
{
	struct statvfs disk;
	int64_t room;

	if (statvfs(config->spool_path, &disk) != 0)
		return EXIT_OK;
	room = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
	if (room < config->spool_reserve) {
		check_say(CHECK_FAIL, "spool",
			  "%s has %lld MiB free, below the %lld of C1D_SPOOL_RESERVE: every "
			  "question is refused with 503; make room on that disk",
			  config->spool_path, (long long)(room >> 20),
			  (long long)(config->spool_reserve >> 20));
		return EXIT_FAILED;
	}
	check_say(CHECK_OK, "spool",
		  "%s can be written; %lld MiB are free, C1D_SPOOL_RESERVE is %lld",
		  config->spool_path, (long long)(room >> 20),
		  (long long)(config->spool_reserve >> 20));
	return EXIT_OK;
}

int check_spool(const struct config *config)
{
	static const char what[] = "spool", setting[] = "C1D_SPOOL_DIR";
	const char *path = config->spool_path;
	int code;

	if (check_comes_with_state(config, path)) {
		check_say(CHECK_OK, what, "%s will be made in the state folder", path);
		return EXIT_OK;
	}
	if (!check_is_folder(path))
		return check_folder_to_be(what, setting, path);
	if ((code = check_folder(what, setting, path)) != EXIT_OK)
		return code;
	return check_disk(path) == CHECK_FAIL ? EXIT_CONFIG : check_room(config);
}
