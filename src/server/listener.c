/* listener: see listener.h. */
#include "listener.h"

#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SYSTEMD_FIRST_FD 3 /* sd_listen_fds(3) */
#define BACKLOG          4096
#define MODE             0660

static bool is_listening_socket(int fd)
{
	int listening = 0;
	socklen_t size = sizeof listening;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening;
}

static bool take_descriptor(int fd, struct listener *out, struct error *err)
{
	if (!is_listening_socket(fd))
		return error_set(err, ERROR_CONFIG,
				 "Descriptor %d, which was passed in, is no listening socket.", fd);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	*out = (struct listener){ .fd = fd };
	return true;
}

static bool address_of(const char *path, struct sockaddr_un *out, struct error *err)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof out->sun_path)
		return error_set(
			err, ERROR_CONFIG,
			"C1D_SOCKET is longer than the %zu bytes that a socket's path may have.",
			sizeof out->sun_path - 1);
	memcpy(out->sun_path, path, strlen(path) + 1);
	return true;
}

/* 0: somebody answers there; ECONNREFUSED: nobody any more; else why it cannot be told. */
static int try_it(const struct sockaddr_un *address)
{
	int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int reason = 0;

	if (probe < 0)
		return errno;
	if (connect(probe, (const struct sockaddr *)address, sizeof *address) != 0)
		reason = errno == EAGAIN ? 0 : errno; /* its queue is full */
	close(probe);
	return reason;
}

/* Workers of a supervisor that was killed a moment ago are about to let go of the socket. */
static int try_patiently(const struct sockaddr_un *address)
{
	static const int waits_ms[] = { 200, 800 };
	int reason = try_it(address);

	for (size_t i = 0; i < sizeof waits_ms / sizeof waits_ms[0] && reason == 0; i++) {
		poll(NULL, 0, waits_ms[i]);
		reason = try_it(address);
	}
	return reason;
}

/* A path that somebody answers on is another instance's; one that refuses was left by one that was
 * killed. Of any other it is not known, and it stays. */
static bool clear_path(const char *path, const struct sockaddr_un *address, struct error *err)
{
	struct stat is;
	int reason;

	if (lstat(path, &is) != 0)
		return true;
	if (!S_ISSOCK(is.st_mode))
		return error_set(
			err, ERROR_CONFIG,
			"%.150s is in the way and no socket; remove it, or set C1D_SOCKET.", path);
	reason = try_patiently(address);
	if (reason == 0)
		return error_set(err, ERROR_CONFIG,
				 "Another instance answers at %.150s; stop it, or set C1D_SOCKET.",
				 path);
	if (reason == ENOENT)
		return true;
	if (reason != ECONNREFUSED)
		return error_set(err, error_of_errno(reason),
				 "Whether anybody answers at %.120s cannot be told (%s); remove it "
				 "if not, or set C1D_SOCKET.",
				 path, strerror(reason));
	return unlink(path) == 0 ||
	       error_set(err, error_of_errno(errno), "The stale %.150s cannot be removed: %s.",
			 path, strerror(errno));
}

static bool set_group(const char *path, const char *group, struct error *err)
{
	struct group *found;

	if (!group)
		return true;
	found = getgrnam(group);
	if (!found)
		return error_set(err, ERROR_CONFIG, "C1D_SOCKET_GROUP: there is no group %.64s.",
				 group);
	return chown(path, (uid_t)-1, found->gr_gid) == 0 ||
	       error_set(err, error_of_errno(errno),
			 "C1D_SOCKET_GROUP: %.64s cannot be given the socket: %s.", group,
			 strerror(errno));
}

static bool bind_at(int fd, const char *path, const struct sockaddr_un *address, struct error *err)
{
	mode_t before = umask(0777 & ~MODE); /* never more than that, not even for a moment */
	int result = bind(fd, (const struct sockaddr *)address, sizeof *address);
	int reason = errno;

	umask(before);
	return result == 0 ||
	       error_set(err, error_of_errno(reason), "C1D_SOCKET: %.150s cannot be made: %s.",
			 path, strerror(reason));
}

static bool make(const struct config *config, struct listener *out, struct error *err)
{
	const char *path = config->socket;
	struct sockaddr_un address;
	int fd;

	if (!address_of(path, &address, err) || !clear_path(path, &address, err))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(err, ERROR_INTERNAL, "The socket cannot be made: %s.",
				 strerror(errno));
	if (bind_at(fd, path, &address, err) && set_group(path, config->socket_group, err) &&
	    (listen(fd, BACKLOG) == 0 ||
	     error_set(err, ERROR_INTERNAL, "listen: %s.", strerror(errno)))) {
		*out = (struct listener){ .fd = fd };
		snprintf(out->path, sizeof out->path, "%s", path);
		return true;
	}
	close(fd);
	return false;
}

/* Behind a reload: the path is the one it was bound to, whatever the settings say by now. */
static bool keep_path(const struct config *config, struct listener *listener)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = sizeof address;

	if (getsockname(listener->fd, (struct sockaddr *)&address, &size) == 0)
		snprintf(listener->path, sizeof listener->path, "%.*s",
			 (int)sizeof address.sun_path, address.sun_path);
	if (strcmp(listener->path, config->socket) != 0)
		log_warn("C1D_SOCKET has changed: that takes a restart",
			 LOG_T("socket", listener->path));
	return true;
}

bool listener_open(const struct config *config, const struct config_host *host,
		   struct listener *out, struct error *err)
{
	if (host->inherited_listener >= 0)
		return take_descriptor(host->inherited_listener, out, err) &&
		       (host->listen_fds > 0 || keep_path(config, out));
	if (host->listen_fds > 1)
		return error_set(err, ERROR_CONFIG, "systemd passes %d sockets; one is wanted.",
				 host->listen_fds);
	if (host->listen_fds == 1)
		return take_descriptor(SYSTEMD_FIRST_FD, out, err);
	return make(config, out, err);
}

void listener_refuse(struct listener *listener)
{
	if (!listener->path[0])
		return;
	unlink(listener->path);
	listener->path[0] = '\0'; /* whoever makes it anew owns it */
	shutdown(listener->fd, SHUT_RDWR);
}

bool listener_is_shut(int fd)
{
	struct pollfd is = { .fd = fd };

	return poll(&is, 1, 0) == 1 && (is.revents & POLLHUP);
}

void listener_drop_waiting(int fd)
{
	int waiting;

	while (listener_is_shut(fd) && (waiting = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(waiting);
}

void listener_close(struct listener *listener)
{
	if (listener->fd < 0)
		return;
	if (listener->path[0])
		unlink(listener->path);
	close(listener->fd);
	listener->fd = -1;
}
