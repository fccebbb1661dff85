/*
 * firestore: Google's Firestore by its REST interface. What is asked of it is in firestore_room.h;
 * requests, the token and trying again are firestore_call.h's.
 */
#include "firestore_room.h"

#include "../store_fold.h"
#include "firestore_settings.h"
#include "net/net.h"
#include <stdlib.h>

static enum error_code ping(void *self, struct error *err)
{
	return firestore_schema(self, err);
}

static size_t room(void *self)
{
	const struct firestore *firestore = self;

	return firestore->callers;
}

static void firestore_free(void *self)
{
	struct firestore *firestore = self;

	if (!firestore)
		return;
	firestore_link_free(firestore->link);
	free(firestore);
}

static const struct store_ops firestore_ops = { .kind = "firestore",
						.room = room,
						.ping = ping,
						.free = firestore_free,
#define X(name, ...) .name = firestore_##name,
						STORE_OPS(X)
#undef X
};

static void *open_firestore(const struct store_options *options, const struct store_ops **ops,
			    struct error *err)
{
	struct firestore *firestore = calloc(1, sizeof *firestore);

	if (!firestore) {
		error_set(err, ERROR_INTERNAL, "No memory for Firestore.");
		return NULL;
	}
	firestore->limit_ms = options->limit_ms;
	firestore->callers = options->callers;
	firestore->as_found = options->as_found;
	firestore->link = firestore_link_open(options->uri, options->config, err);
	if (firestore->link) {
		*ops = &firestore_ops;
		return firestore;
	}
	free(firestore);
	return NULL;
}

static void wake(void)
{
	net_wake();
	store_fold_wake();
}

static const char *const schemes[] = { "firestore", NULL };

const struct store_maker store_firestore = { .name = "Firestore",
					     .address = "firestore:PROJECT",
					     .schemes = schemes,
					     .open = open_firestore,
					     .check = firestore_settings_check,
					     .try_write = firestore_try_write,
					     .reach = firestore_settings_reach,
					     .wake = wake };
