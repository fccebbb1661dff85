/* firestore_token: see firestore_token.h. */
#include "firestore_token.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/metrics.h"
#include <pthread.h>
#include <stdlib.h>

#define ASK_MS        10000
#define AHEAD_S       300
#define PAUSE_MIN_MS  1000 /* behind a failure: doubled up to the other */
#define PAUSE_MAX_MS  60000
#define FORCED_MIN_MS 10000 /* between two renewals because Firestore refused one */

struct firestore_token {
	const struct firestore_account *account;
	struct net_client *client;
	const char *ca_file;
	pthread_t thread;
	bool is_running;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	struct firestore_grant grant;
	unsigned number; /* of the grant: 0: none yet */
	unsigned forced; /* the number of the last one that was renewed because it was refused */
	int64_t good_until_ms, renew_at_ms, forced_ms; /* monotonic */
	enum firestore_status
		failed; /* why the last try came to nothing; FIRESTORE_OK: it did not */
	int64_t pause_ms;
	bool is_stopping;
};

/* --- with the lock --- */

static bool is_good(const struct firestore_token *token, unsigned refused)
{
	return token->number > 0 && token->number != refused &&
	       clock_mono_ms() < token->good_until_ms;
}

static void take(struct firestore_token *token, const struct firestore_grant *grant)
{
	int64_t now_ms = clock_mono_ms();
	int64_t ahead_s = grant->expires_s > 2 * AHEAD_S ? AHEAD_S : grant->expires_s / 2;

	token->grant = *grant;
	token->number++;
	token->good_until_ms = now_ms + grant->expires_s * 1000;
	token->renew_at_ms = now_ms + (grant->expires_s - ahead_s) * 1000;
	token->failed = FIRESTORE_OK;
	token->pause_ms = 0;
}

static void fail(struct firestore_token *token, enum error_code code)
{
	token->failed = code == ERROR_CONFIG ? FIRESTORE_DENIED : FIRESTORE_DOWN;
	token->pause_ms = token->pause_ms ? 2 * token->pause_ms : PAUSE_MIN_MS;
	if (token->pause_ms > PAUSE_MAX_MS)
		token->pause_ms = PAUSE_MAX_MS;
	token->renew_at_ms = clock_mono_ms() + token->pause_ms;
}

/* --- the thread --- */

static void tell(struct firestore_token *token, const struct firestore_grant *grant,
		 const struct error *err)
{
	int kind = err->code == ERROR_NONE     ? METRIC_FETCH_ok
		   : err->code == ERROR_CONFIG ? METRIC_FETCH_refused
					       : METRIC_FETCH_failed;
	bool is_stopping;

	pthread_mutex_lock(&token->lock);
	is_stopping = token->is_stopping;
	pthread_mutex_unlock(&token->lock);
	if (is_stopping)
		return; /* it was cut off by us */
	metrics_add(M_FIRESTORE_TOKENS, kind, 0, 1);
	if (kind == METRIC_FETCH_ok)
		log_info("Firestore's token came", LOG_I("expires_in_s", grant->expires_s));
	else
		log_warn("Firestore's token was not to be had", LOG_T("reason", err->detail));
}

static void renew(struct firestore_token *token)
{
	struct firestore_grant grant;
	struct error err = { 0 };
	bool ok = firestore_token_ask(token->account, token->client, token->ca_file,
				      clock_mono_ms() + ASK_MS, &grant, &err);

	tell(token, &grant, &err); /* the cause stands in the log before the requests it fails */
	pthread_mutex_lock(&token->lock);
	if (ok)
		take(token, &grant);
	else
		fail(token, err.code);
	pthread_cond_broadcast(&token->changed);
	pthread_mutex_unlock(&token->lock);
	explicit_bzero(&grant, sizeof grant);
}

static bool is_due(const struct firestore_token *token)
{
	return clock_mono_ms() >= token->renew_at_ms;
}

static void *thread_main(void *arg)
{
	struct firestore_token *token = arg;

	pthread_mutex_lock(&token->lock);
	while (!token->is_stopping) {
		if (!is_due(token)) {
			cond_wait_until(&token->changed, &token->lock, token->renew_at_ms);
			continue;
		}
		pthread_mutex_unlock(&token->lock);
		renew(token);
		pthread_mutex_lock(&token->lock);
	}
	pthread_mutex_unlock(&token->lock);
	return NULL;
}

/* --- who asks --- */

/* With the lock. false: one that came in place of a refused one is refused, too, so that it is not
 * the token's fault. */
static bool want_another(struct firestore_token *token, unsigned refused)
{
	int64_t now_ms = clock_mono_ms();

	if (refused == 0 || refused != token->number || refused == token->forced)
		return true; /* there is another, or it is on its way */
	if (token->forced > 0 && now_ms - token->forced_ms < FORCED_MIN_MS)
		return false;
	token->forced = refused;
	token->forced_ms = token->renew_at_ms = now_ms;
	token->failed = FIRESTORE_OK;
	pthread_cond_broadcast(&token->changed);
	return true;
}

enum firestore_status firestore_token_get(struct firestore_token *token, unsigned refused,
					  int64_t until_ms, char header[FIRESTORE_HEADER_MAX],
					  unsigned *number)
{
	enum firestore_status status;

	pthread_mutex_lock(&token->lock);
	status = want_another(token, refused) ? FIRESTORE_OK : FIRESTORE_DENIED;
	while (status == FIRESTORE_OK && !is_good(token, refused))
		if (token->failed != FIRESTORE_OK)
			status = token->failed;
		else if (!cond_wait_until(&token->changed, &token->lock, until_ms))
			status = is_good(token, refused) ? FIRESTORE_OK : FIRESTORE_DOWN;
	if (status == FIRESTORE_OK) {
		memcpy(header, token->grant.header, FIRESTORE_HEADER_MAX);
		*number = token->number;
	}
	pthread_mutex_unlock(&token->lock);
	return status;
}

/* --- life --- */

struct firestore_token *firestore_token_open(const struct firestore_account *account,
					     struct net_client *client, const char *ca_file,
					     struct error *err)
{
	struct firestore_token *token = calloc(1, sizeof *token);

	if (!token) {
		error_set(err, ERROR_INTERNAL, "No memory for Firestore's token.");
		return NULL;
	}
	token->account = account;
	token->client = client;
	token->ca_file = ca_file;
	pthread_mutex_init(&token->lock, NULL);
	cond_init(&token->changed);
	token->is_running = pthread_create(&token->thread, NULL, thread_main, token) == 0;
	if (token->is_running)
		return token;
	error_set(err, ERROR_INTERNAL, "The thread of Firestore's token cannot be started.");
	firestore_token_free(token);
	return NULL;
}

void firestore_token_free(struct firestore_token *token)
{
	if (!token)
		return;
	pthread_mutex_lock(&token->lock);
	token->is_stopping = true;
	pthread_cond_broadcast(&token->changed);
	pthread_mutex_unlock(&token->lock);
	net_client_stop(token->client);
	if (token->is_running)
		pthread_join(token->thread, NULL);
	pthread_cond_destroy(&token->changed);
	pthread_mutex_destroy(&token->lock);
	explicit_bzero(token, sizeof *token);
	free(token);
}
