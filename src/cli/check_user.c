/*
 * check_user: what root may open says nothing about the service, and what root makes the service
 * cannot open. So root becomes the service's user, for good, before it looks at anything.
 */
#include "check.h"

#include "server/drop.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

bool check_become(const char *name, const char **became)
{
	const struct passwd *user = getpwnam(name ? name : SERVICE_USER);
	struct error err = { 0 };

	*became = NULL;
	if (!name && (geteuid() != 0 || !user)) {
		if (geteuid() == 0)
			check_say(CHECK_WARN, "user",
				  "there is no user " SERVICE_USER " (systemd-sysusers makes it): "
				  "what follows holds for root with all its powers, where workers "
				  "of root have none and write no folder of another user; --user "
				  "NAME, or C1D_USER, names another");
		return true;
	}
	if (geteuid() == 0 && user && user->pw_uid == 0)
		return true; /* it was asked to stay */
	if (geteuid() == 0)
		*became = name ? name : SERVICE_USER;
	if (!drop_to(name ? name : SERVICE_USER, &err)) {
		fprintf(stderr, "c1d check: %s\n", err.detail);
		return false;
	}
	if (*became)
		check_say(CHECK_OK, "user", "what follows was tried as %s", *became);
	return true;
}
