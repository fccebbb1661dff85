/*
 * firestore_token: the access token that requests to Firestore carry. A thread of its own gets it
 * for a JWT that the service account's key has signed (RFC 7523), five minutes before the last one
 * runs out; requests go on with that meanwhile. It lies in this process's memory alone.
 *
 * Source: https://developers.google.com/identity/protocols/oauth2/service-account
 */
#ifndef FIRESTORE_TOKEN_H
#define FIRESTORE_TOKEN_H

#include "firestore_account.h"
#include "firestore_status.h"
#include "net/client.h"

#define FIRESTORE_HEADER_MAX 4096 /* of "Authorization: Bearer ..." */

struct firestore_token;

/* account, client and ca_file (NULL: the system's) stay the caller's, and live longer. Starts the
 * thread. */
struct firestore_token *firestore_token_open(const struct firestore_account *account,
					     struct net_client *client, const char *ca_file,
					     struct error *err);
/* Ends what is asked of client, too, so that it waits for nobody. NULL is fine. */
void firestore_token_free(struct firestore_token *token);

/* Any thread. The header that requests carry, and which token it is: `refused` is the number of one
 * that Firestore did not take, 0 without. Waits, until until_ms at most, for one where there is
 * none that is good. FIRESTORE_OK; DENIED: the account was refused; DOWN: nobody answers. */
enum firestore_status firestore_token_get(struct firestore_token *token, unsigned refused,
					  int64_t until_ms, char header[FIRESTORE_HEADER_MAX],
					  unsigned *number);

/* For `c1d check`, and the thread: gets one now. The error says in words why not. */
struct firestore_grant {
	char header[FIRESTORE_HEADER_MAX];
	int64_t expires_s; /* from now */
};
bool firestore_token_ask(const struct firestore_account *account, struct net_client *client,
			 const char *ca_file, int64_t until_ms, struct firestore_grant *out,
			 struct error *err);

#endif
