/*
 * who: which user sends this request. Nothing is proved yet: one trusted site or a demo, so
 * ownership is not enforced and a name is only a label.
 */
#ifndef GUARD_WHO_H
#define GUARD_WHO_H

#include "base/arena.h"
#include "base/error.h"
#include "http/request.h"
#include "model/caller.h"

#define USER_ID_MAX 128 /* characters; four bytes each at most, so a name fits counted_as */

/* claimed: the user_id of the request's body or query; "" when absent. ERROR_VALIDATION when it is
 * no user id (1 to 128 characters of UTF-8 without controls). */
bool who_is(const struct request *request, struct slice claimed, struct caller *out,
	    struct error *err);

#endif
