/*
 * firestore_call: one request to Firestore and its answer, by REST: what firestore_room.h builds
 * on. Everything that Firestore has to be asked is a POST of JSON to `documents` and a verb.
 *
 * Any thread, blocking; every call ends at its deadline. All of a process go over a few HTTP/2
 * connections that one thread carries (net/client.h); the emulator speaks HTTP/1.1. Certificates
 * are always verified. The token is renewed ahead by another thread (firestore_token.h); one that
 * is refused is renewed and the request repeated once.
 *
 * Source: https://firebase.google.com/docs/firestore/reference/rest, google/rpc/code.proto.
 */
#ifndef FIRESTORE_CALL_H
#define FIRESTORE_CALL_H

#include "base/buffer.h"
#include "config/config.h"
#include "firestore_status.h"

struct firestore_link;

/* The URI: firestore:PROJECT[/DATABASE][?endpoint=https://HOST[:PORT]][&ca_file=PATH]. The key is
 * the settings'. ERROR_CONFIG: what is wrong with either, in words without any of it. */
struct firestore_link *firestore_link_open(const char *uri, const struct config *config,
					   struct error *err);
void firestore_link_free(struct firestore_link *link); /* NULL is fine; ends the threads */

/* projects/P/databases/D/documents: what names of documents begin with. As long as the link. */
const char *firestore_root(const struct firestore_link *link);

enum firestore_how {
	FIRESTORE_ONCE,      /* sent again only where it was surely not done */
	FIRESTORE_REPEATABLE /* a second application does no harm */
};

/* POST .../documents`verb` (":commit", ":batchGet", ":runQuery") with this body. Behind
 * FIRESTORE_OK `reply` has the answer's JSON, else what Firestore said, which has gone to the log;
 * it is emptied before. Busy, down, aborted and the like are tried again, with growing pauses, as
 * long as until_ms (monotonic) allows. */
enum firestore_status firestore_call(struct firestore_link *link, const char *verb,
				     struct slice body, enum firestore_how how, int64_t until_ms,
				     struct buffer *reply);

#endif
