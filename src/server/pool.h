/*
 * pool: what the supervisor's files share. It calls libc and nothing else: no library of ours can
 * crash it.
 *
 *   supervisor.c  signals, readiness, the watchdog, the end
 *   pool.c        workers: started, missed, started again
 *   reload.c      a new generation in place
 */
#ifndef SERVER_POOL_H
#define SERVER_POOL_H

#include "listener.h"
#include "sandbox_layers.h"
#include "worker.h"

#define POOL_PLACES_MAX SPREAD_PLACES_MAX
#define POOL_OLD_MAX    SHM_SLOTS

/* One worker's place: who is in it changes. */
struct place {
	pid_t pid; /* 0: nobody */
	struct shm_slot *slot;
	int64_t started_ms, start_at_ms; /* monotonic */
	int quick_deaths;                /* in a row */
	bool is_wrong;                   /* its last worker found a setting wrong */
};

#define TRIAL_SAYS_MAX 4096

/* The new program, before it is executed (reload.h). */
struct trial {
	pid_t pid; /* 0: there is none */
	int said;  /* what it writes comes here */
	int64_t until_ms;
	bool is_late, has_ended;
	int status; /* how, as waitpid(2) has it */
	size_t len;
	char text[TRIAL_SAYS_MAX]; /* a sentence for everybody, then lines for the log */
};

struct pool {
	const struct config *config;
	struct config settings; /* what config points to: as they were given, but for what fits */
	const struct server_app *app;
	struct config_host host;
	struct shm *shm;
	int shm_fd;
	struct listener listener;
	struct inboxes inboxes; /* of this generation's places */
	int generation;
	struct place places[POOL_PLACES_MAX];
	int count;
	pid_t old[POOL_OLD_MAX]; /* workers of the generation before, which finish their streams */
	int old_count;
	int64_t old_told_ms; /* they were told to */
	int64_t last_start_ms;
	int64_t looked_ms; /* for beats */
	bool is_ready, reload_wanted;
	bool is_reload;     /* another generation ran before */
	bool reload_failed; /* what runs is not what the settings ask for */
	struct trial trial;
	struct sandbox_watch *watch; /* NULL: files are not fenced in */
};

/* --- pool.c --- */
void pool_fill(struct pool *pool, int64_t now_ms); /* starts what is due */
void pool_reap(struct pool *pool, int64_t now_ms); /* takes note of who ended */
void pool_check_beats(struct pool *pool, int64_t now_ms);
void pool_check_old(struct pool *pool, int64_t now_ms);
/* All places take requests; at a first start also when those that do not have failed before: what
 * there is serves. */
bool pool_is_complete(const struct pool *pool);
/* Not complete, and not just because it takes its time. */
bool pool_has_failed(const struct pool *pool);
/* Nobody lives, and whoever tried last in each place found a setting wrong: only the administrator
 * can help. */
bool pool_is_hopeless(const struct pool *pool);
/* Is there room for one more generation, and are not too many there already? */
bool pool_may_reload(const struct pool *pool);
int pool_alive(const struct pool *pool); /* old ones too */
void pool_tell(const struct pool *pool, int signal_number, bool old_only);
int pool_wanted(const struct config *config);

#endif
