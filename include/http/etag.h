/*
 * etag: the entity tags of If-Match and If-None-Match (RFC 9110, 8.8.3 and 13.1).
 *
 * Ours is the version of what it stands for, a whole number in quotes. A weak tag counts as ours
 * too: a web server that compresses an answer makes its tag weak, since the bytes differ now, but
 * the version still says all that we need to know before we overwrite it.
 */
#ifndef HTTP_ETAG_H
#define HTTP_ETAG_H

#include "base/slice.h"
#include <stdint.h>

#define ETAG_ANY (-1) /* the whole header is '*' */

/* The versions that a header's list names, in its order, at most max of them; tags that are none of
 * ours are passed by. 0: it names none, or is no list of entity tags. ETAG_ANY: '*'. */
int etag_versions(struct slice header, int64_t *out, int max);

#endif
