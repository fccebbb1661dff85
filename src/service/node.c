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

static bool read_name(int folder, char out[NODE_NAME_SIZE])
{
	char text[NODE_NAME_SIZE] = { 0 };
	int fd = openat(folder, "node", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, NODE_NAME_SIZE - 1);

	if (fd >= 0)
		close(fd);
	if (n != NODE_NAME_SIZE - 1 || !is_name(text))
		return false;
	memcpy(out, text, NODE_NAME_SIZE);
	return true;
}

/* Workers start at once: each writes a file of its own, and the first link() wins. */
static bool make_name(int folder)
{
	unsigned char bytes[4];
	char text[NODE_NAME_SIZE], own[32];
	bool ok;
	int fd;

	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		return false;
	snprintf(text, sizeof text, "%02x%02x%02x%02x", bytes[0], bytes[1], bytes[2], bytes[3]);
	snprintf(own, sizeof own, "node.%d", (int)getpid());
	fd = openat(folder, own, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	ok = write(fd, text, NODE_NAME_SIZE - 1) == NODE_NAME_SIZE - 1 && fsync(fd) == 0;
	close(fd);
	if (ok && linkat(folder, own, folder, "node", 0) != 0 && errno != EEXIST)
		ok = false;
	unlinkat(folder, own, 0);
	return ok;
}

bool node_name(const char *state_dir, char out[NODE_NAME_SIZE], struct error *err)
{
	int folder;
	bool ok;

	if (mkdir(state_dir, 0750) != 0 && errno != EEXIST)
		log_error("state folder not made", LOG_T("path", state_dir),
			  LOG_T("reason", strerror(errno)));
	folder = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = folder >= 0 &&
	     (read_name(folder, out) || (make_name(folder) && read_name(folder, out)));
	if (folder >= 0)
		close(folder);
	if (ok)
		return true;
	log_error("state folder unusable", LOG_T("path", state_dir),
		  LOG_T("reason", strerror(errno)));
	return error_set(err, ERROR_CONFIG,
			 "The state folder (C1D_STATE_DIR) cannot be used; see the log.");
}
