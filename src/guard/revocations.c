/* revocations: see revocations.h. */
#include "revocations.h"

#include "base/log.h"
#include "list_file.h"
#include <pthread.h>
#include <stdlib.h>

struct revocations {
	const char *state_dir;
	pthread_mutex_t lock; /* guards what follows */
	struct list_watch watch;
	struct revoked_list users;
	bool is_known; /* the file was read once, or there was none */
};

struct revocations *revocations_open(const char *state_dir)
{
	struct revocations *revocations = calloc(1, sizeof *revocations);

	if (!revocations)
		return NULL;
	revocations->state_dir = state_dir;
	pthread_mutex_init(&revocations->lock, NULL);
	return revocations;
}

void revocations_free(struct revocations *revocations)
{
	if (!revocations)
		return;
	revoked_free(&revocations->users);
	pthread_mutex_destroy(&revocations->lock);
	free(revocations);
}

static void read_anew(struct revocations *revocations)
{
	struct revoked_list users;
	struct error err = { 0 };

	if (!revoked_read(revocations->state_dir, &users, &err)) {
		log_error(revocations->is_known
				  ? "revoked users unreadable; those known before stay"
				  : "revoked users unreadable; nobody is let in",
			  LOG_T("detail", err.detail));
		if (err.code != ERROR_CONFIG)
			list_watch_again(&revocations->watch);
		return;
	}
	log_info("revoked users read", LOG_I("count", (int64_t)users.count));
	revoked_free(&revocations->users);
	revocations->users = users;
	revocations->is_known = true;
}

bool revocations_has(struct revocations *revocations, const char *user_id, int64_t issued_s)
{
	const struct list_place place = { revocations->state_dir, REVOKED_FILE };
	const struct revoked_user *user;
	bool is_void;

	pthread_mutex_lock(&revocations->lock);
	if (list_watch_changed(&revocations->watch, &place, false))
		read_anew(revocations);
	user = revoked_find(&revocations->users, user_id);
	is_void = !revocations->is_known || (user && issued_s <= user->at_s);
	pthread_mutex_unlock(&revocations->lock);
	return is_void;
}
