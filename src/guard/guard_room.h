/*
 * guard_room: what the ways in share.
 *
 *   guard.c        the table of them, asked in C1D_AUTH's order; whose user_id may be said
 *   who_none.c     nobody is asked
 *   who_visitor.c  a browser, by its cookie; cookie.c: what it holds
 *   who_key.c      a server, by its API key; key_text.c, key_ring.c, keys_file.c: keys
 *   who_refuse.c   what each of them says to whom it refuses; bearer.c: what Authorization holds
 *   revocations.c, revoked_file.c  who was shown the door; list_file.c: where that and the keys lie
 *   who_token.c    whom an issuer's token names; token_settings.c token_keys.c: by what, with what;
 *                  token.c: what a token says; jose*.c: its form, keys and signature; keyset.c
 *                  jwks.c jwks_file.c: the issuer's keys; bad_tokens.c: what was none
 *   who_header.c   whom the web server has signed in; user_id.c: what it may be called
 *   address.c      the network that a client has to itself; proxies.c: whose address it is
 *   limit_room.h   how often: limit.c and what it stands on
 *   secret.c       what we sign with; secret_file.c: where it is kept
 *   state_file.h   how it, the keys and who was shown the door are changed, for both kinds of file
 *   origin.c       which page sends it
 */
#ifndef GUARD_ROOM_H
#define GUARD_ROOM_H

#include "gcra.h"
#include "guard/guard.h"
#include "guard/secret.h"
#include "key_ring.h"
#include "redis.h"
#include "revocations.h"

struct guard {
	const struct config *config;
	struct shm *shm;
	struct secrets *secrets;
	struct key_ring *keys;
	struct revocations *revocations;
	struct gcra *counts;           /* NULL: there is no shared memory, so nothing is counted */
	struct redis *redis;           /* NULL: this machine counts for itself */
	_Atomic int64_t limit_said_ms; /* monotonic: when a limit was last told of in the log */
	void *states[AUTH_MODE_COUNT]; /* each way's own */
};

struct who_ask {
	const struct request *request;
	enum origin origin;
	struct response *response; /* for headers */
};

enum who_found {
	WHO_FOUND,
	WHO_NOBODY,  /* the request brings nothing of this kind: the next way is asked */
	WHO_REFUSED, /* what it brings is no good: err says why, no other way is asked */
};

/* A way in. All but who: NULL where there is nothing to do. */
struct who_mode {
	/* Are its settings whole? Opens nothing. */
	bool (*check)(const struct config *config, struct error *err);
	void (*reach)(const struct config *config, struct reach *reach);
	bool (*open)(struct guard *guard, struct error *err);
	void (*close)(struct guard *guard); /* also behind an open that failed, or none */
	bool (*start)(struct guard *guard, struct error *err);
	void (*stop)(struct guard *guard); /* also without a start */
	enum who_found (*who)(struct guard *guard, const struct who_ask *ask, struct caller *out,
			      struct error *err);
};

extern const struct who_mode who_none, who_visitor, who_jwt, who_firebase, who_header;

/* Is what was made then (seconds since 1970; 0: it does not say) and names this user void? Each way
 * in asks that before it says who it is, or renews what says so. */
static inline bool revoked_is(struct guard *guard, const char *user_id, int64_t issued_s)
{
	return revocations_has(guard->revocations, user_id, issued_s);
}

/* --- who_key.c --- */
/* Not in C1D_AUTH: wherever anybody is asked, an API key is one of the answers. */
enum who_found who_key(struct guard *guard, const struct who_ask *ask, struct caller *out,
		       struct error *err);

/* --- bearer.c --- */
/* What stands behind "Authorization: Bearer" (RFC 6750, 2.1); "": nothing, or another scheme. */
struct slice bearer_of(const struct request *request);

/* --- who_refuse.c --- */
/* The one 401: the same words and headers whatever the reason. */
enum who_found who_refuse(const struct who_ask *ask, struct error *err);
/* The same to one who brought a token or a key (RFC 6750, 3.1). */
enum who_found who_refuse_token(const struct who_ask *ask, struct error *err);
enum who_found who_no_memory(struct error *err);
/* What a browser sends by itself proves nothing of who made it send: ERROR_FOREIGN_ORIGIN unless
 * that was a page of this site. */
bool who_comes_from_here(const struct who_ask *ask, struct error *err);

/* --- who_visitor.c --- */
/* The user_id of the visitor whose good cookie this request brings; NULL: none, or no memory. */
const char *visitor_of(struct guard *guard, const struct request *request);

/* --- address.c --- */
/* The /48 around an IPv6 address, "anonymous@2001:db8::/48"; NULL: it is another one, or no memory.
 */
const char *address_counted_wider(struct arena *arena, struct slice address);
/* Whom limits count of those who may be somebody else with the next request: "anonymous@" and the
 * IPv4 address, or the IPv6 network, a /64. One that is no address (a web server on a socket) makes
 * all of them one: "anonymous". NULL: no memory. */
const char *address_counted(struct arena *arena, struct slice address);

#endif
