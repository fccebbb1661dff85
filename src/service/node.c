/*
 * node: the name of this node. Run ids carry it, so that any node can tell whose answer it is. It
 * lives in the state folder and not in the settings: copied settings must not make twins.
 */
#include "service_room.h"

#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_name(const char *text)
{
	return strspn(text, "0123456789abcdef") == NODE_NAME_SIZE - 1 &&
	       text[NODE_NAME_SIZE - 1] == '\0';
}

/* 0, or the errno that says why not; EBADMSG: the file holds no name. */
static int read_name(int folder, char out[NODE_NAME_SIZE])
{
	char text[NODE_NAME_SIZE] = { 0 };
	int fd = openat(folder, "node", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, NODE_NAME_SIZE - 1);
	int reason = n < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	if (reason)
		return reason;
	if (n != NODE_NAME_SIZE - 1 || !is_name(text))
		return EBADMSG;
	memcpy(out, text, NODE_NAME_SIZE);
	return 0;
}

/* 0, or the errno. */
static int write_name(int folder, const char *file)
{
	unsigned char bytes[4];
	char text[NODE_NAME_SIZE];
	int fd, reason = 0;
	ssize_t n;

	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		return errno;
	snprintf(text, sizeof text, "%02x%02x%02x%02x", bytes[0], bytes[1], bytes[2], bytes[3]);
	fd = openat(folder, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	n = write(fd, text, NODE_NAME_SIZE - 1);
	if (n != NODE_NAME_SIZE - 1)
		reason = n < 0 ? errno : ENOSPC;
	else if (fsync(fd) != 0)
		reason = errno;
	close(fd);
	return reason;
}

/* Workers start at once: each writes a file of its own, and the first link() wins. */
static int make_name(int folder)
{
	char own[32];
	int reason;

	snprintf(own, sizeof own, "node.%d", (int)getpid());
	reason = write_name(folder, own);
	if (!reason && linkat(folder, own, folder, "node", 0) != 0 && errno != EEXIST)
		reason = errno;
	unlinkat(folder, own, 0);
	return reason;
}

static int find_name(const char *state_dir, char out[NODE_NAME_SIZE])
{
	int folder, reason;

	if (mkdir(state_dir, 0750) != 0 && errno != EEXIST)
		return errno;
	folder = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return errno;
	reason = read_name(folder, out);
	if (reason == ENOENT && (reason = make_name(folder)) == 0)
		reason = read_name(folder, out);
	close(folder);
	return reason;
}

bool node_name(const char *state_dir, char out[NODE_NAME_SIZE], struct error *err)
{
	int reason = find_name(state_dir, out);

	if (reason == 0)
		return true;
	log_error("state folder unusable", LOG_T("path", state_dir),
		  LOG_T("reason", reason == EBADMSG
					  ? "the file `node` in it holds no name; remove it"
					  : strerror(reason)));
	return error_set(err, reason == EBADMSG ? ERROR_CONFIG : error_of_errno(reason),
			 "The state folder (C1D_STATE_DIR) cannot be used; see the log.");
}
