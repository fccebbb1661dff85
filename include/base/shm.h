/*
 * shm: the memory that the supervisor maps before it forks and every worker shares: scoreboard,
 * metrics, marks.
 *
 * Only atomics, no locks and no pointers: a process may die anywhere in it. A slot belongs to the
 * worker that the supervisor started for it; counters in it only grow over the lives of its
 * workers, `gauges` are zeroed by the supervisor before a slot is used again.
 *
 * Who writes what: the supervisor all of it; a worker its own slot, the marks, the inboxes, the
 * board and the limits. Slots and the supervisor's words lie on pages of their own, so that
 * shm_confine can make the kernel see to it: a worker that goes wild spoils no other's figures.
 */
#ifndef BASE_SHM_H
#define BASE_SHM_H

#include "base/error.h"
#include <stdatomic.h>
#include <stdint.h>

#define SHM_SLOTS    128 /* workers, all generations together */
#define SHM_COUNTERS 2048
#define SHM_VERSION  8 /* of another one nothing is adopted: figures start anew, nothing else */
#define SHM_PAGE     4096
#define SHM_REASON   256

/* Pages that were never touched take no memory. */
#define SHM_BOARD_SIZE  (40u << 20)
#define SHM_LIMITS_SIZE (4u << 20)

/* A lock inside an atomic would be each process's own. */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_LONG_LOCK_FREE == 2 &&
		       ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_CHAR_LOCK_FREE == 2 &&
		       ATOMIC_BOOL_LOCK_FREE == 2,
	       "atomics that processes share must be free of locks");

enum shm_slot_state { SHM_SLOT_FREE, SHM_SLOT_STARTING, SHM_SLOT_READY, SHM_SLOT_DRAINING };

enum shm_redis_state { SHM_REDIS_NONE, SHM_REDIS_UP, SHM_REDIS_AWAY };

struct shm_slot {
	_Alignas(SHM_PAGE) _Atomic int32_t pid;
	_Atomic int32_t state;       /* enum shm_slot_state */
	_Atomic int32_t generation;  /* of its worker: 1, 2, ...; workers of one share inboxes */
	_Atomic int32_t place;       /* of its worker in that generation, from 0 */
	_Atomic int64_t beat_ms;     /* monotonic; the worker's main thread renews it each second */
	_Atomic int64_t moved_ms;    /* monotonic; a request was last begun or ended */
	_Atomic int64_t runs;        /* gauge: runs in flight, from their hand-over on */
	_Atomic int64_t followers;   /* gauge */
	_Atomic int64_t memory_lent; /* gauge: bytes (base/budget.h) */
	_Atomic int64_t requests_busy; /* gauge: request threads at work */
	_Atomic int64_t kept;          /* gauge: connections of web servers that wait */
	/* What its process uses (base/process.h), renewed with the beat. */
	_Atomic int64_t cpu_ms, resident_bytes, threads, open_fds;
	_Atomic uint32_t fences; /* layers of the sandbox that hold it (server/sandbox.h) */
	_Atomic uint64_t counters[SHM_COUNTERS]; /* base/metrics.h gives them meaning */
};

/* What the supervisor alone writes. */
struct shm_pool {
	_Alignas(SHM_PAGE) _Atomic int64_t started_wall_ms;
	_Atomic uint32_t respawns;
	_Atomic int32_t generation; /* the newest */
	_Atomic int32_t slots_used; /* no slot from here on was ever used */
	/* The last reload: 1 while it is not what the settings ask for, and why, in a sentence that
	 * any client may read. shm_set_reason, shm_reason. */
	_Atomic bool reload_failed;
	_Atomic uint32_t reason_version; /* odd while it is written */
	_Atomic char reason[SHM_REASON];
};

/* Connections that were handed to the worker of a slot and that it has not taken yet. */
struct shm_inbox {
	_Alignas(64) _Atomic int64_t waiting;
};

struct shm {
	uint32_t version, size;
	/* The store's mark (store/store.h): 0 = up, else the monotonic ms since when it is down. */
	_Atomic int64_t store_down_since_ms;
	_Atomic int64_t store_full_since_ms; /* 0 = the last write found room */
	_Atomic int64_t store_up_ms;    /* when the last ping began that was answered; monotonic */
	_Atomic int64_t look_ms;        /* when the pool last looked whether the C1 API is there */
	_Atomic int64_t beat_ms;        /* when it last renewed this node's entry */
	_Atomic int64_t adopt_ms;       /* when it last looked for answers of dead workers */
	_Atomic int64_t wishes_ms;      /* when other nodes' wishes to stop were last looked for */
	_Atomic int64_t sweep_ms;       /* when old spool files were last swept */
	_Atomic int64_t relief_ms;      /* when kept answers were last looked at for want of room */
	_Atomic int64_t store_probe_ms; /* when the store was last probed */
	_Atomic int64_t store_returns;  /* how often it came back */
	/* When the keys of tokens were last asked for: since they were due, since a token named an
	 * unknown one, and when the last such question began and ended. */
	_Atomic int64_t keys_due_ms, keys_unknown_ms, keys_began_ms, keys_ended_ms;
	_Atomic int32_t redis_state;         /* enum shm_redis_state, as a worker found it last */
	_Atomic int64_t redis_away_since_ms; /* monotonic; 0: it is not, or that was not told */
	/* The cache in front of the store: src/store/cache/cache_room.h. */
	_Atomic int32_t cache_state;         /* enum shm_redis_state, as a worker found it last */
	_Atomic int64_t cache_away_since_ms; /* monotonic; 0: it is not, or that was not told */
	_Atomic uint64_t cache_debts;
	_Atomic int64_t cache_debt_ms, cache_lease_ms; /* monotonic */
	_Atomic int64_t cache_lease_era;
	/* What is known of the C1 API (llm/llm_health.h). */
	_Atomic bool llm_asked;        /* a question has told; until then connections do */
	_Atomic uint32_t llm_failures; /* in a row */
	_Atomic int64_t llm_last_ok_ms, llm_last_error_ms; /* wall; 0: never */
	struct shm_inbox inboxes[SHM_SLOTS];               /* as many as slots */
	struct shm_pool pool;
	struct shm_slot supervisor; /* of it the counters, and what its process uses */
	struct shm_slot slots[SHM_SLOTS];
	/* The live runs of this node: stream/board.h. On pages of its own. */
	_Alignas(4096) unsigned char board[SHM_BOARD_SIZE];
	/* Who has done what how often: guard/gcra.h. */
	_Alignas(4096) unsigned char limits[SHM_LIMITS_SIZE];
	/* Of its hashes: random, from the start on, and nobody else's. */
	uint64_t limits_key[2];
};

/* Zeroed. *fd (may be NULL) names it for shm_adopt; it is closed on exec unless somebody sees to
 * it. */
struct shm *shm_map(int *fd, struct error *err);
/* The same memory again, in the process that it was made for; NULL when it is not of this program's
 * version. */
struct shm *shm_adopt(int fd);
void shm_unmap(struct shm *shm); /* NULL is fine */

/* From now on this process writes no slot but its own, and nothing of the supervisor's. */
void shm_confine(struct shm *shm, struct shm_slot *own);

/* The supervisor's; "" takes it back. Cut at SHM_REASON - 1 bytes. */
void shm_set_reason(struct shm *shm, const char *reason);
void shm_reason(const struct shm *shm, char out[SHM_REASON]);

#endif
