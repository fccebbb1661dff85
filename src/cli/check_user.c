/*
 * check_user: what root may open says nothing about the service, and what root makes the service
 * cannot open. So root becomes the service's user, for good, before it looks at anything.
 */
#include "check.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_user(const struct passwd *user)
{
	return geteuid() == user->pw_uid;
}

static bool become(const struct passwd *user)
{
	if (initgroups(user->pw_name, user->pw_gid) == 0 && setgid(user->pw_gid) == 0 &&
	    setuid(user->pw_uid) == 0)
		return true;
	fprintf(stderr, "c1d check: cannot become %s: %s\n", user->pw_name, strerror(errno));
	return false;
}

bool check_become(const char *name, const char **became)
{
	const struct passwd *user = getpwnam(name ? name : SERVICE_USER);

	*became = NULL;
	if (!user && name) {
		fprintf(stderr, "c1d check: there is no user %s\n", name);
		return false;
	}
	if (geteuid() != 0) {
		if (!name || is_user(user))
			return true;
		fprintf(stderr, "c1d check: only root can become %s\n", name);
		return false;
	}
	if (!user) {
		check_say(CHECK_WARN, "user",
			  "there is no user " SERVICE_USER " (systemd-sysusers makes it): what "
			  "follows holds for root, who may open everything; --user NAME names "
			  "another");
		return true;
	}
	if (!become(user))
		return false;
	*became = user->pw_name;
	check_say(CHECK_OK, "user", "what follows was tried as %s", user->pw_name);
	return true;
}
