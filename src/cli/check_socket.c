/*
 * check_socket: may the web server connect? Only what the file system and the list of groups tell:
 * nobody is connected to.
 */
#include "check.h"

#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define UNIT_SOCKET "/run/c1d-socket" /* of c1d.tmpfiles */

static bool has_group(const struct passwd *user, gid_t group)
{
	gid_t groups[NGROUPS_MAX];
	int count = NGROUPS_MAX;

	if (getgrouplist(user->pw_name, user->pw_gid, groups, &count) < 0)
		return false;
	for (int i = 0; i < count; i++)
		if (groups[i] == group)
			return true;
	return false;
}

/* Which user the web server runs as is in its own settings; these are the usual ones. */
static void check_web_server(gid_t gid)
{
	static const char *const names[] = { "www-data", "nginx", "http", "caddy", "apache" };
	const struct group *group = getgrgid(gid);
	char shown[64], others[128] = "";

	snprintf(shown, sizeof shown, "%s", group ? group->gr_name : "without a name");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const struct passwd *user = getpwnam(names[i]);

		if (user && has_group(user, gid)) {
			check_say(CHECK_OK, "socket",
				  "its group is %s, and the web server's user "
				  "%s is in it",
				  shown, names[i]);
			return;
		}
		if (user)
			snprintf(others + strlen(others), sizeof others - strlen(others), "%s%s",
				 *others ? ", " : "", names[i]);
	}
	check_say(CHECK_WARN, "socket",
		  *others ? "its group is %s, and %s is not in it: unless the web server runs as "
			    "somebody else it will answer 503; SocketGroup= of c1d.socket, or "
			    "C1D_SOCKET_GROUP, names the web server's group"
			  : "its group is %s%s; whether the web server's user is in it cannot be "
			    "told: none of the usual ones is here",
		  shown, others);
}

static bool is_in_group(gid_t group)
{
	gid_t groups[NGROUPS_MAX];
	int count = getgroups(NGROUPS_MAX, groups);

	for (int i = 0; i < count; i++)
		if (groups[i] == group)
			return true;
	return geteuid() == 0 || getegid() == group;
}

/* The group that C1D_SOCKET_GROUP names, and may we give it away? */
static int check_named_group(const char *name, gid_t *out)
{
	const struct group *group = getgrnam(name);

	if (!group) {
		check_say(CHECK_FAIL, "socket",
			  "C1D_SOCKET_GROUP: there is no group %s; name the web server's, www-data "
			  "on Debian",
			  name);
		return EXIT_CONFIG;
	}
	if (!is_in_group(group->gr_gid)) {
		check_say(CHECK_FAIL, "socket",
			  "C1D_SOCKET_GROUP: this user is not in the group %s and cannot give it "
			  "the socket; usermod -aG %s, or let c1d.socket make the socket",
			  name, name);
		return EXIT_CONFIG;
	}
	*out = group->gr_gid;
	return EXIT_OK;
}

/* It is not there yet: serve makes it, unless systemd does, with a group that its unit names. */
static int check_socket_to_be(const char *path, gid_t group)
{
	char copy[PATH_MAX], *folder;

	snprintf(copy, sizeof copy, "%s", path);
	folder = dirname(copy);
	if (!check_is_folder(folder)) {
		check_say(CHECK_FAIL, "socket", "there is no folder %s; %s", folder,
			  strcmp(folder, UNIT_SOCKET) == 0 ? "systemd-tmpfiles --create makes it"
							   : "make it, or set C1D_SOCKET");
		return EXIT_CONFIG;
	}
	if (check_can_write_in(folder))
		check_web_server(group);
	else
		check_say(CHECK_WARN, "socket",
			  "%s is not there and this user cannot make it; systemctl start "
			  "c1d.socket does",
			  path);
	return EXIT_OK;
}

int check_socket(const struct config *config)
{
	struct sockaddr_un address;
	gid_t group = getegid();
	struct stat is;
	int code;

	if (strlen(config->socket) >= sizeof address.sun_path) {
		check_say(CHECK_FAIL, "socket",
			  "C1D_SOCKET is longer than the %zu bytes that a socket's path may have",
			  sizeof address.sun_path - 1);
		return EXIT_CONFIG;
	}
	if (config->socket_group &&
	    (code = check_named_group(config->socket_group, &group)) != EXIT_OK)
		return code;
	if (lstat(config->socket, &is) != 0)
		return check_socket_to_be(config->socket, group);
	if (!S_ISSOCK(is.st_mode)) {
		check_say(CHECK_FAIL, "socket",
			  "%s is in the way and no socket; remove it, or set C1D_SOCKET",
			  config->socket);
		return EXIT_CONFIG;
	}
	check_web_server(is.st_gid);
	return EXIT_OK;
}
