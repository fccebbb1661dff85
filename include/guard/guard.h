/*
 * guard: who sends a request, by the ways in that C1D_AUTH lists. One a worker, opened there behind
 * the fork; any request thread may ask it. What it needs is in memory: of the files that it takes
 * from, a call looks once a second whether they have changed. It waits for the network only where a
 * token names a key that is not known (guard/jwks.h), for seconds at most.
 */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

#include "base/error.h"
#include "base/reach.h"
#include "base/shm.h"
#include "config/config.h"
#include "guard/origin.h"
#include "http/request.h"
#include "http/response.h"
#include "model/caller.h"

#define GUARD_TAG_SIZE 17 /* 16 hex digits and the NUL */

struct guard;
struct secrets;

/* Do the settings of C1D_AUTH go together? ERROR_CONFIG: what is wrong, why, and what would do.
 * Pure; what they name is not opened. */
bool guard_check(const struct config *config, struct error *err);

/* What it opens and calls besides the state folder. */
void guard_reach(const struct config *config, struct reach *reach);

/* shm may be NULL (tests). ERROR_CONFIG: what only the administrator mends. */
struct guard *guard_open(const struct config *config, struct shm *shm, struct error *err);
void guard_close(struct guard *guard); /* NULL is fine */
/* What ways in do besides answering. A stop without a start is fine, and a second one. */
bool guard_start(struct guard *guard, struct error *err);
void guard_stop(struct guard *guard);

/* The address that a request comes from, behind proxies of ours (C1D_TRUSTED_PROXIES) the one that
 * they tell: what request->remote_addr has to be from then on. */
struct slice guard_client(const struct guard *guard, const struct request *request);

/* Who asks, before anything of the request's body is read. What its client has to be told goes into
 * the response's headers (Set-Cookie, WWW-Authenticate), also when it is refused: the caller of
 * this keeps them (response_keep). ERROR_UNAUTHORIZED, in the same words whatever the reason;
 * ERROR_FOREIGN_ORIGIN: a page elsewhere may not use what its browser sends by itself. */
bool guard_who(struct guard *guard, const struct request *request, enum origin origin,
	       struct response *response, struct caller *out, struct error *err);

/* Takes a visitor's cookie back. */
void guard_forget_visitor(const struct request *request, struct response *response);

/* The user_id that the request's body or query says; "" when absent. Where nobody is asked it is a
 * label; of a caller that may (SCOPE_ACT, SCOPE_ADMIN) it makes that user; any other may say its
 * own only: ERROR_ACCESS_DENIED. ERROR_VALIDATION when it is no user id (1 to 128 characters of
 * UTF-8 without controls). */
bool guard_act_as(struct arena *arena, struct slice user_id, struct caller *caller,
		  struct error *err);

/* A user as logs may name it: a keyed hash, the same on every node with the same secret, another
 * one behind a rotation. */
void guard_tag(struct guard *guard, const char *user_id, char out[GUARD_TAG_SIZE]);

/* What else is signed with the site's secret. */
struct secrets *guard_secrets(struct guard *guard);

#endif
