/* drop: see drop.h. */
#include "server/drop.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Each of the three ids, or one of them would lead back. */
static bool is_for_good(const struct passwd *user)
{
	uid_t real, effective, saved;
	gid_t real_group, effective_group, saved_group;

	return getresuid(&real, &effective, &saved) == 0 &&
	       getresgid(&real_group, &effective_group, &saved_group) == 0 &&
	       real == user->pw_uid && effective == user->pw_uid && saved == user->pw_uid &&
	       real_group == user->pw_gid && effective_group == user->pw_gid &&
	       saved_group == user->pw_gid && setresuid(-1, 0, -1) != 0;
}

static bool become(const struct passwd *user)
{
	return initgroups(user->pw_name, user->pw_gid) == 0 &&
	       setresgid(user->pw_gid, user->pw_gid, user->pw_gid) == 0 &&
	       setresuid(user->pw_uid, user->pw_uid, user->pw_uid) == 0 && is_for_good(user) &&
	       prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

bool drop_to(const char *name, struct error *err)
{
	const struct passwd *user = getpwnam(name);

	if (!user)
		return error_set(err, ERROR_CONFIG, "There is no user %.64s.", name);
	if (user->pw_uid == 0)
		return error_set(err, ERROR_CONFIG, "The user %.64s is root: name an ordinary one.",
				 name);
	if (geteuid() != 0)
		return geteuid() == user->pw_uid ||
		       error_set(err, ERROR_CONFIG, "This user cannot become %.64s: only root can.",
				 name);
	return become(user) || error_set(err, ERROR_CONFIG, "This process cannot become %.64s: %s.",
					 name, strerror(errno));
}

/* --- folders --- */

static const char *owner_name(uid_t uid, char number[16])
{
	const struct passwd *user = getpwuid(uid);

	snprintf(number, 16, "%u", (unsigned)uid);
	return user ? user->pw_name : number;
}

/* One that is not there is made by whoever needs it, who says it when that fails. */
static bool check_folder(const char *setting, const char *path, struct error *err)
{
	char number[16];
	struct stat is;

	if (stat(path, &is) != 0)
		return errno == ENOENT ||
		       error_set(err, ERROR_CONFIG, "%s: %.100s cannot be looked at: %s.", setting,
				 path, strerror(errno));
	if (faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) == 0)
		return true;
	return error_set(err, ERROR_CONFIG,
			 "%s: %.100s belongs to %.32s and this user may not write it; chown -R it.",
			 setting, path, owner_name(is.st_uid, number));
}

bool drop_check_folders(const struct config *config, struct error *err)
{
	return check_folder("C1D_STATE_DIR", config->state_dir, err) &&
	       check_folder("C1D_SPOOL_DIR", config->spool_path, err);
}
