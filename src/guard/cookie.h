/* cookie: one out of the header that a browser sends (RFC 6265, 4.2.1). Pure. */
#ifndef GUARD_COOKIE_H
#define GUARD_COOKIE_H

#include "base/slice.h"

/* The next value of that name, as it stands; names differ by case. false: there is no further one.
 * *rest is the header at first. A browser may send a name twice. */
bool cookie_next(struct slice *rest, const char *name, struct slice *value);

#endif
