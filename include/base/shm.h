/*
 * shm: the memory that the supervisor maps before it forks and every worker shares: scoreboard,
 * metrics, marks.
 *
 * Only atomics, no locks and no pointers: a process may die anywhere in it. A slot belongs to the
 * worker that the supervisor started for it; counters in it only grow over the lives of its
 * workers, `gauges` are zeroed by the supervisor before a slot is used again.
 */
#ifndef BASE_SHM_H
#define BASE_SHM_H

#include "base/error.h"
#include <stdatomic.h>
#include <stdint.h>

#define SHM_SLOTS    128 /* workers, all generations together */
#define SHM_COUNTERS 2048
#define SHM_VERSION  2

/* Pages that were never touched take no memory. */
#define SHM_BOARD_SIZE (40u << 20)

enum shm_slot_state { SHM_SLOT_FREE, SHM_SLOT_STARTING, SHM_SLOT_READY, SHM_SLOT_DRAINING };

struct shm_slot {
	_Atomic int32_t pid;
	_Atomic int32_t state;       /* enum shm_slot_state */
	_Atomic int64_t beat_ms;     /* monotonic; the worker's main thread renews it each second */
	_Atomic int64_t runs;        /* gauge: runs in flight */
	_Atomic int64_t followers;   /* gauge */
	_Atomic int64_t memory_lent; /* gauge: bytes (base/budget.h) */
	_Atomic int64_t requests_busy;           /* gauge: request threads at work */
	_Atomic uint64_t counters[SHM_COUNTERS]; /* base/metrics.h gives them meaning */
};

struct shm {
	uint32_t version, size;
	_Atomic int64_t started_wall_ms;
	_Atomic uint32_t respawns; /* by the supervisor */
	/* The store's mark (store/store.h): 0 = up, else the monotonic ms since when it is down. */
	_Atomic int64_t store_down_since_ms;
	_Atomic int64_t look_ms;        /* when a saver last looked whether the C1 API is there */
	_Atomic int64_t beat_ms;        /* when a saver last renewed this node's entry */
	_Atomic int64_t adopt_ms;       /* when a saver last looked for answers of dead workers */
	_Atomic int64_t sweep_ms;       /* when old spool files were last swept */
	_Atomic int64_t store_probe_ms; /* when a saver last took the duty of probing */
	/* What is known of the C1 API (llm/llm_health.h). */
	_Atomic bool llm_asked;        /* a question has told; until then connections do */
	_Atomic uint32_t llm_failures; /* in a row */
	_Atomic int64_t llm_last_ok_ms, llm_last_error_ms; /* wall; 0: never */
	struct shm_slot supervisor;                        /* of it only the counters */
	struct shm_slot slots[SHM_SLOTS];
	/* The live runs of this node: stream/board.h. On pages of its own. */
	_Alignas(4096) unsigned char board[SHM_BOARD_SIZE];
};

/* Zeroed. *fd (may be NULL) names it for shm_adopt: it has no close-on-exec, so that the supervisor
 * can execute itself anew. */
struct shm *shm_map(int *fd, struct error *err);
/* The same memory again, in the process that it was made for; NULL when it is not of this program's
 * version. */
struct shm *shm_adopt(int fd);
void shm_unmap(struct shm *shm); /* NULL is fine */

#endif
