/* jwks: see jwks.h. */
#include "jwks.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/metrics.h"
#include "jwks_file.h"
#include "net/net.h"
#include <stdlib.h>

#define ASK_MS        5000  /* one question, at most */
#define EVERY_MS      30000 /* between two questions of one kind */
#define STALE_S       86400 /* without a good answer */
#define AGE_UNSAID_S  300   /* Cache-Control says nothing */
#define REFRESH_MIN_S 60
#define REFRESH_MAX_S (6 * 3600)
#define TICK_MS       1000
#define WAIT_MS       2500 /* of a request, for newer keys */
#define LOOK_MS       50   /* how often it looks for them */
#define AHEAD_S       60   /* a file that came so much after now is of another clock */

struct jwks {
	const struct config *config;
	const char *url;
	unsigned algs;
	struct shm *shm; /* its keys_*_ms; the pool's, or `own` */
	struct shm *own;
	pthread_mutex_t reading; /* guards file */
	struct jwks_file file;
	pthread_mutex_t lock;   /* guards what follows */
	pthread_cond_t changed; /* set, wanted, stopping */
	struct keyset *set;     /* NULL: none ever */
	struct jwks_kept kept;
	bool wanted; /* a token named an unknown key, and it is this worker's turn */
	int waiting; /* requests */
	_Atomic bool stopping;
	pthread_t thread;
	bool is_running;
};

/* --- what counts --- */

int64_t jwks_refresh_s(int64_t max_age_s)
{
	int64_t ahead_s = (max_age_s < 0 ? AGE_UNSAID_S : max_age_s) / 4 * 3;

	return ahead_s < REFRESH_MIN_S   ? REFRESH_MIN_S
	       : ahead_s > REFRESH_MAX_S ? REFRESH_MAX_S
					 : ahead_s;
}

static int64_t now_s(void)
{
	return clock_wall_ms() / 1000;
}

/* With the lock. */
static struct keyset *current(const struct jwks *jwks)
{
	return jwks->set && now_s() < jwks->kept.came_s + STALE_S ? jwks->set : NULL;
}

struct keyset *jwks_get(struct jwks *jwks)
{
	struct keyset *set;

	pthread_mutex_lock(&jwks->lock);
	set = current(jwks);
	if (set)
		keyset_ref(set);
	pthread_mutex_unlock(&jwks->lock);
	return set;
}

/* Takes set. */
static void put(struct jwks *jwks, struct keyset *set, const struct jwks_kept *kept)
{
	struct keyset *old;

	pthread_mutex_lock(&jwks->lock);
	old = jwks->set;
	jwks->set = set;
	jwks->kept = *kept;
	pthread_cond_broadcast(&jwks->changed);
	pthread_mutex_unlock(&jwks->lock);
	keyset_unref(old);
}

/* What another worker has got, or a former life. */
static void look(struct jwks *jwks)
{
	struct keyset *set = NULL;
	struct jwks_kept kept;
	struct buffer text;
	struct error err = { 0 };

	buffer_init(&text, JWKS_MAX + 8192);
	pthread_mutex_lock(&jwks->reading);
	if (jwks_file_read(&jwks->file, &kept, &text) && kept.came_s <= now_s() + AHEAD_S &&
	    (set = keyset_of_json(buffer_slice(&text), jwks->algs, &err)))
		put(jwks, set, &kept);
	pthread_mutex_unlock(&jwks->reading);
	if (err.code != ERROR_NONE)
		log_warn("kept token keys are of no use", LOG_T("reason", err.detail));
	buffer_done(&text);
}

/* --- asking --- */

static struct keyset *ask(const struct config *config, const char *url, unsigned algs,
			  const _Atomic bool *stop, struct buffer *text, struct jwks_kept *kept,
			  struct error *err)
{
	static const char *const headers[] = { "Accept: application/json", NULL };
	const struct net_request request = { .url = url,
					     .headers = headers,
					     .connect_ms = config->connect_ms };
	struct net_got got;

	if (!net_get(&request, ASK_MS, stop, text, &got, err))
		return NULL;
	if (got.status != 200) {
		error_set(err, ERROR_UPSTREAM, "It answers with status %d.", got.status);
		return NULL;
	}
	*kept = (struct jwks_kept){ now_s(), got.max_age_s };
	return keyset_of_json(buffer_slice(text), algs, err);
}

struct keyset *jwks_try(const struct config *config, const char *url, unsigned algs,
			struct error *err)
{
	const _Atomic bool never = false;
	struct jwks_kept kept;
	struct keyset *set;
	struct buffer text;

	buffer_init(&text, JWKS_MAX);
	set = ask(config, url, algs, &never, &text, &kept, err);
	buffer_done(&text);
	return set;
}

static void take(struct jwks *jwks, struct keyset *set, const struct jwks_kept *kept,
		 struct slice text)
{
	struct error err = { 0 };

	log_info("token keys came", LOG_I("keys", (int64_t)set->count),
		 LOG_I("passed_over", set->passed_over),
		 LOG_I("next_in_s", jwks_refresh_s(kept->max_age_s)));
	pthread_mutex_lock(&jwks->reading);
	if (!jwks_file_write(&jwks->file, kept, text, &err))
		log_warn("token keys are this worker's alone", LOG_T("reason", err.detail));
	put(jwks, set, kept);
	pthread_mutex_unlock(&jwks->reading);
}

/* An answer of no use: the keys before it stay. */
static void pass_over(const struct jwks *jwks, const struct error *err)
{
	bool is_answer = err->code == ERROR_TOO_LARGE || err->code == ERROR_CONFIG;

	metrics_add(M_KEY_FETCHES, is_answer ? METRIC_FETCH_refused : METRIC_FETCH_failed, 0, 1);
	log_warn("token keys were not to be had", LOG_T("url", jwks->url),
		 LOG_T("reason", err->detail));
}

static void ask_for_all(struct jwks *jwks)
{
	struct error err = { 0 };
	struct jwks_kept kept;
	struct keyset *set;
	struct buffer text;

	buffer_init(&text, JWKS_MAX);
	set = ask(jwks->config, jwks->url, jwks->algs, &jwks->stopping, &text, &kept, &err);
	if (set) {
		metrics_add(M_KEY_FETCHES, METRIC_FETCH_ok, 0, 1);
		take(jwks, set, &kept, buffer_slice(&text));
	} else if (!atomic_load(&jwks->stopping)) {
		pass_over(jwks, &err);
	}
	atomic_store(&jwks->shm->keys_ended_ms, clock_mono_ms());
	buffer_done(&text);
}

/* --- whose turn it is --- */

/* Whoever of the pool moves the clock on has it, and is taken to ask from now on. */
static bool take_turn(struct jwks *jwks, _Atomic int64_t *clock)
{
	int64_t now_ms = clock_mono_ms(), last_ms = atomic_load(clock);

	if ((last_ms != 0 && now_ms - last_ms < EVERY_MS) ||
	    !atomic_compare_exchange_strong(clock, &last_ms, now_ms))
		return false;
	atomic_store(&jwks->shm->keys_began_ms, now_ms);
	return true;
}

/* Somebody asks, here or elsewhere; one who died in it is not waited for. */
static bool is_being_asked(const struct jwks *jwks)
{
	int64_t began_ms = atomic_load(&jwks->shm->keys_began_ms);

	return began_ms > atomic_load(&jwks->shm->keys_ended_ms) &&
	       clock_mono_ms() - began_ms < ASK_MS + TICK_MS;
}

static bool is_due(struct jwks *jwks)
{
	bool due;

	pthread_mutex_lock(&jwks->lock);
	due = !current(jwks) || now_s() >= jwks->kept.came_s + jwks_refresh_s(jwks->kept.max_age_s);
	pthread_mutex_unlock(&jwks->lock);
	return due && take_turn(jwks, &jwks->shm->keys_due_ms);
}

/* --- the thread --- */

/* Until there is something to do. */
static bool rest(struct jwks *jwks)
{
	bool wanted;

	pthread_mutex_lock(&jwks->lock);
	if (!jwks->wanted && !atomic_load(&jwks->stopping))
		cond_wait_until(&jwks->changed, &jwks->lock, clock_mono_ms() + TICK_MS);
	wanted = jwks->wanted;
	jwks->wanted = false;
	pthread_mutex_unlock(&jwks->lock);
	return wanted;
}

static void *thread_main(void *arg)
{
	struct jwks *jwks = arg;
	bool wanted = false;

	while (!atomic_load(&jwks->stopping)) {
		look(jwks);
		if (wanted || is_due(jwks))
			ask_for_all(jwks);
		wanted = rest(jwks);
	}
	return NULL;
}

/* --- for a token that names an unknown key --- */

/* With the lock, which is let go meanwhile. The thread has to be woken, or another worker's answer
 * to be seen in the file. */
static void wait_for_newer(struct jwks *jwks, const struct keyset *have, bool ours)
{
	int64_t until_ms = clock_mono_ms() + WAIT_MS;
	int64_t ended_ms = atomic_load(&jwks->shm->keys_ended_ms);

	jwks->waiting++;
	if (ours) {
		jwks->wanted = true;
		pthread_cond_broadcast(&jwks->changed);
	}
	while (current(jwks) == have && clock_mono_ms() < until_ms &&
	       !atomic_load(&jwks->stopping)) {
		bool is_over = atomic_load(&jwks->shm->keys_ended_ms) != ended_ms;

		pthread_mutex_unlock(&jwks->lock);
		look(jwks);
		pthread_mutex_lock(&jwks->lock);
		if (is_over)
			break;
		if (current(jwks) == have)
			cond_wait_until(&jwks->changed, &jwks->lock, clock_mono_ms() + LOOK_MS);
	}
	jwks->waiting--;
}

/* With the lock: what is known of newer ones, behind a wait when there may be some. Who has none at
 * all waits for the turn of what is due, and leaves the other to a name that is really unknown. */
static enum jwks_news seek_newer(struct jwks *jwks, const struct keyset *have)
{
	bool ours;

	if (jwks->waiting > jwks->config->threads / 2)
		return JWKS_BUSY;
	ours = !is_being_asked(jwks) &&
	       take_turn(jwks, have ? &jwks->shm->keys_unknown_ms : &jwks->shm->keys_due_ms);
	if (ours || is_being_asked(jwks)) {
		wait_for_newer(jwks, have, ours);
	} else { /* whose turn it was may have got them behind our look */
		pthread_mutex_unlock(&jwks->lock);
		look(jwks);
		pthread_mutex_lock(&jwks->lock);
	}
	return is_being_asked(jwks) ? JWKS_BUSY : JWKS_SAME;
}

enum jwks_news jwks_renew(struct jwks *jwks, const struct keyset *have, struct keyset **out)
{
	enum jwks_news news = JWKS_NEWER;

	look(jwks); /* another worker may have got them since this one's thread did */
	pthread_mutex_lock(&jwks->lock);
	if (current(jwks) == have)
		news = seek_newer(jwks, have);
	if (current(jwks) && current(jwks) != have) {
		*out = keyset_ref(current(jwks));
		news = JWKS_NEWER;
	} else if (news == JWKS_NEWER) {
		news = JWKS_SAME; /* what there was is too old meanwhile */
	}
	pthread_mutex_unlock(&jwks->lock);
	return news;
}

/* --- life --- */

struct jwks *jwks_open(const struct config *config, struct shm *shm, const char *url, unsigned algs,
		       struct error *err)
{
	struct jwks *jwks = calloc(1, sizeof *jwks);

	if (!jwks || !(jwks->shm = shm ? shm : (jwks->own = shm_map(NULL, err)))) {
		free(jwks);
		error_set(err, ERROR_INTERNAL, "No memory for token keys.");
		return NULL;
	}
	jwks->config = config;
	jwks->url = url;
	jwks->algs = algs;
	pthread_mutex_init(&jwks->reading, NULL);
	pthread_mutex_init(&jwks->lock, NULL);
	cond_init(&jwks->changed);
	if (jwks_file_init(&jwks->file, config->state_dir, url)) {
		look(jwks);
		return jwks;
	}
	error_set(err, ERROR_CONFIG, "C1D_STATE_DIR is too long.");
	jwks_free(jwks);
	return NULL;
}

bool jwks_start(struct jwks *jwks, struct error *err)
{
	jwks->is_running = pthread_create(&jwks->thread, NULL, thread_main, jwks) == 0;
	return jwks->is_running ||
	       error_set(err, ERROR_INTERNAL, "The thread for token keys could not be started.");
}

void jwks_stop(struct jwks *jwks)
{
	pthread_mutex_lock(&jwks->lock);
	atomic_store(&jwks->stopping, true);
	pthread_cond_broadcast(&jwks->changed);
	pthread_mutex_unlock(&jwks->lock);
	if (jwks->is_running)
		pthread_join(jwks->thread, NULL);
	jwks->is_running = false;
}

void jwks_free(struct jwks *jwks)
{
	if (!jwks)
		return;
	keyset_unref(jwks->set);
	pthread_cond_destroy(&jwks->changed);
	pthread_mutex_destroy(&jwks->lock);
	pthread_mutex_destroy(&jwks->reading);
	shm_unmap(jwks->own);
	free(jwks);
}
