/*
 * firestore_account: who asks Firestore: a service account, of the settings or of its JSON file as
 * Google's console hands it out, or anybody, for the emulator. No connection is made here.
 */
#ifndef FIRESTORE_ACCOUNT_H
#define FIRESTORE_ACCOUNT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/reach.h"
#include "config/config.h"
#include <openssl/evp.h>

#define FIRESTORE_ACCOUNT_MAX (64u << 10) /* bytes of the file */

struct firestore_account {
	struct arena arena;   /* what its strings lie in */
	const char *emulator; /* http://host:port; NULL: Firestore itself, with what follows */
	const char *email, *key_id;
	const char *token_uri; /* https, or http to this machine */
	EVP_PKEY *key;
};

/* ERROR_CONFIG: what is missing or wrong, and where; no part of a key. In any case done is due. */
bool firestore_account_read(const struct config *config, struct firestore_account *out,
			    struct error *err);
void firestore_account_done(struct firestore_account *account);

/* The file's text, which is wiped. What is wrong with it, as a sentence's end; NULL: nothing. */
const char *firestore_account_parse(struct slice text, struct firestore_account *out);

/* The key as private_key has it: PEM of PKCS#8 or PKCS#1, newlines perhaps as \n, quotes perhaps
 * around it. As above. */
const char *firestore_account_key(const char *text, EVP_PKEY **out);

/* Where the token comes from, as far as the settings tell: from their text alone. */
void firestore_account_reach(const struct config *config, const char *ca_file, struct reach *reach);

#endif
