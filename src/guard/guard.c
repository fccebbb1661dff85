/* guard: the ways in, asked one after the other, and what a caller may say that it is. */
#include "guard_room.h"

#include "base/utf8.h"
#include "proxies.h"
#include <stdlib.h>

static const struct who_mode *const modes[AUTH_MODE_COUNT] = {
#define X(word) [AUTH_##word] = &who_##word,
	AUTH_MODES(X)
#undef X
};

static const struct who_mode *mode_at(const struct guard *guard, size_t i)
{
	return modes[guard->config->auth_modes[i]];
}

/* --- life --- */

/* Where several machines count together. */
static bool open_redis(struct guard *guard, struct error *err)
{
	const struct redis_url *url = &guard->config->redis;

	return !guard->counts || (!url->host && !url->path) ||
	       (guard->redis = redis_open(url, guard->shm, err));
}

static bool open_modes(struct guard *guard, struct error *err)
{
	for (size_t i = 0; i < guard->config->auth_mode_count; i++)
		if (mode_at(guard, i)->open && !mode_at(guard, i)->open(guard, err))
			return false;
	return true;
}

bool guard_check(const struct config *config, struct error *err)
{
	for (size_t i = 0; i < config->auth_mode_count; i++) {
		const struct who_mode *mode = modes[config->auth_modes[i]];

		if (mode->check && !mode->check(config, err))
			return false;
	}
	return true;
}

void guard_reach(const struct config *config, struct reach *reach)
{
	for (size_t i = 0; i < config->auth_mode_count; i++)
		if (modes[config->auth_modes[i]]->reach)
			modes[config->auth_modes[i]]->reach(config, reach);
}

struct guard *guard_open(const struct config *config, struct shm *shm, struct error *err)
{
	struct guard *guard = calloc(1, sizeof *guard);

	if (!guard) {
		error_set(err, ERROR_INTERNAL, "No memory for the guard.");
		return NULL;
	}
	guard->config = config;
	guard->shm = shm;
	guard->counts = gcra_of(shm);
	guard->keys = key_ring_open(config->state_dir);
	guard->revocations = revocations_open(config->state_dir);
	if (!guard->keys || !guard->revocations)
		error_set(err, ERROR_INTERNAL, "No memory for the guard.");
	else if ((guard->secrets = secrets_open(config, err)) && open_redis(guard, err) &&
		 open_modes(guard, err))
		return guard;
	guard_close(guard);
	return NULL;
}

void guard_close(struct guard *guard)
{
	if (!guard)
		return;
	for (size_t i = 0; i < guard->config->auth_mode_count; i++)
		if (mode_at(guard, i)->close)
			mode_at(guard, i)->close(guard);
	redis_close(guard->redis);
	secrets_close(guard->secrets);
	revocations_free(guard->revocations);
	key_ring_free(guard->keys);
	free(guard);
}

bool guard_start(struct guard *guard, struct error *err)
{
	for (size_t i = 0; i < guard->config->auth_mode_count; i++)
		if (mode_at(guard, i)->start && !mode_at(guard, i)->start(guard, err))
			return false;
	return !guard->redis || redis_start(guard->redis, err);
}

void guard_stop(struct guard *guard)
{
	for (size_t i = 0; i < guard->config->auth_mode_count; i++)
		if (mode_at(guard, i)->stop)
			mode_at(guard, i)->stop(guard);
	redis_stop(guard->redis);
}

struct secrets *guard_secrets(struct guard *guard)
{
	return guard->secrets;
}

/* --- who --- */

/* One who shows a token may have been a visitor until now: `claim` asks for that. */
static void add_visitor(struct guard *guard, const struct who_ask *ask, struct caller *caller)
{
	if (caller->kind == CALLER_USER && ask->origin != ORIGIN_FOREIGN)
		caller->visitor_id = visitor_of(guard, ask->request);
}

bool guard_who(struct guard *guard, const struct request *request, enum origin origin,
	       struct response *response, struct caller *out, struct error *err)
{
	const struct who_ask ask = { request, origin, response };
	bool asks = guard->config->auth_modes[0] != AUTH_none;
	struct caller caller = { 0 };
	enum who_found found = asks ? who_key(guard, &ask, &caller, err) : WHO_NOBODY;

	for (size_t i = 0; i < guard->config->auth_mode_count && found == WHO_NOBODY; i++)
		found = mode_at(guard, i)->who(guard, &ask, &caller, err);
	if (found == WHO_NOBODY)
		found = who_refuse(&ask, err);
	if (found != WHO_FOUND)
		return false;
	add_visitor(guard, &ask, &caller);
	if (caller.kind == CALLER_ANYBODY || caller.kind == CALLER_VISITOR)
		caller.wider_counted_as =
			address_counted_wider(request->arena, request->remote_addr);
	*out = caller;
	return true;
}

/* --- whom it says it is --- */

static bool is_name(struct slice name, struct error *err)
{
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7F)
			return error_field(err, ERROR_VALIDATION, "user_id",
					   "user_id holds a control character.");
	return utf8_prefix(name, USER_ID_MAX).len == name.len ||
	       error_field(err, ERROR_VALIDATION, "user_id", "user_id has more than %d characters.",
			   USER_ID_MAX);
}

bool guard_act_as(struct arena *arena, struct slice user_id, struct caller *caller,
		  struct error *err)
{
	const char *name;

	_Static_assert(USER_ID_MAX * 4 <= COUNTED_AS_MAX, "a name is counted as itself");
	if (user_id.len == 0)
		return true;
	if (!is_name(user_id, err))
		return false;
	if (caller->kind != CALLER_ANYBODY && !(caller->scopes & (SCOPE_ACT | SCOPE_ADMIN)))
		return slice_is(user_id, caller->user_id) ||
		       error_field(err, ERROR_ACCESS_DENIED, "user_id",
				   "user_id is somebody else's. Leave it out: who asks is known.");
	if (!(name = arena_copy(arena, user_id)))
		return error_set(err, ERROR_OVERLOADED, "No memory for this request.");
	if (caller->kind == CALLER_ANYBODY)
		caller->also_counted_as = caller->counted_as;
	caller->user_id = caller->counted_as = name;
	caller->named = !caller->enforced;
	return true;
}

/* --- where it comes from --- */

struct slice guard_client(const struct guard *guard, const struct request *request)
{
	return proxies_client(guard->config, request->remote_addr,
			      request->headers[HEADER_X_FORWARDED_FOR]);
}
