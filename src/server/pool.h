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
#include "worker.h"

#define POOL_PLACES_MAX SPREAD_PLACES_MAX
#define POOL_OLD_MAX    SHM_SLOTS

/* One worker's place: who is in it changes. */
struct place {
	pid_t pid; /* 0: nobody */
	struct shm_slot *slot;
	int64_t started_ms, start_at_ms; /* monotonic */
	int quick_deaths;                /* in a row */
	bool hopeless;                   /* not started again */
};

struct pool {
	const struct config *config;
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
	bool is_ready, reload_wanted;
};

/* --- pool.c --- */
void pool_fill(struct pool *pool, int64_t now_ms); /* starts what is due */
void pool_reap(struct pool *pool, int64_t now_ms); /* takes note of who ended */
void pool_check_beats(struct pool *pool, int64_t now_ms);
void pool_check_old(struct pool *pool, int64_t now_ms);
bool pool_all_ready(const struct pool *pool);
bool pool_is_hopeless(const struct pool *pool); /* no place will ever be filled again */
int pool_alive(const struct pool *pool);        /* old ones too */
void pool_tell(const struct pool *pool, int signal_number, bool old_only);
int pool_wanted(const struct config *config);

/* --- reload.c --- */
/* The children that an earlier life of this process left. */
void reload_adopt(struct pool *pool);
/* Checks the settings; when they are good this does not return. */
void reload_try(struct pool *pool);

#endif
