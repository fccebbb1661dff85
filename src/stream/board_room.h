/*
 * board_room: the words and the shape of the board (stream/board.h), for the files that change it:
 * board.c, and board_admit.c, which decides who is one too many.
 */
#ifndef BOARD_ROOM_H
#define BOARD_ROOM_H

#include "stream/board.h"

#define IDENTITY_SIZE offsetof(struct board_entry, state)
#define WORDS         ((IDENTITY_SIZE + 7) / 8)

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a lock inside of an atomic would not survive a death");

enum phase { PHASE_FREE, PHASE_FILLING, PHASE_LIVE /* + enum board_state */ };

/* --- the words --- */

/* A head: phase in 8 bits, owner's slot + 1 in 8, generation in the rest. */
static inline uint64_t head_of(uint64_t generation, int slot, unsigned phase)
{
	return generation << 16 | (uint64_t)(slot + 1) << 8 | phase;
}

static inline unsigned phase_of(uint64_t head)
{
	return head & 0xFF;
}

static inline int slot_of(uint64_t head)
{
	return (int)(head >> 8 & 0xFF) - 1;
}

static inline uint64_t generation_of(uint64_t head)
{
	return head >> 16;
}

/* A claim, to supersede the run: 32 bits of the generation, so that no late word meets another
 * entry, and who has it: nobody, a try that is under way (each has its own number), or for good. */
enum { CLAIM_NOBODY, CLAIM_SUPERSEDED, CLAIM_FIRST_TRY };

static inline uint64_t claim_of(uint64_t generation, uint32_t holder)
{
	return generation << 32 | holder;
}

static inline bool is_of(uint64_t claim, uint64_t generation)
{
	return claim >> 32 == (generation & UINT32_MAX);
}

/* An admission: 48 bits of the generation, then how often it has to look again, then whether it is
 * let in: board_admit.c. */
static inline uint64_t admission_of(uint64_t generation, uint64_t rest)
{
	return generation << 16 | rest;
}

_Static_assert(SHM_SLOTS % 64 == 0 && SHM_SLOTS < 255, "slots fit the words");

struct cell {
	_Atomic uint64_t followers[SHM_SLOTS / 64]; /* a bit a worker */
	_Atomic uint64_t claim;
	_Atomic int64_t unfollowed_ms; /* when the last bit went */
	_Atomic uint64_t identity[WORDS];
};

struct board {
	_Atomic uint32_t top;      /* entries in use have numbers below; it only grows */
	_Atomic uint32_t free;     /* where to look for a free one first: a hint */
	_Atomic uint32_t tries;    /* numbers of tries to supersede */
	_Atomic int32_t rebuilder; /* 0: nobody yet; slot + 2: at it; REBUILT */
	_Atomic int64_t spool_bytes;
	_Atomic uint64_t heads[BOARD_ENTRIES];
	_Atomic uint64_t runs[BOARD_ENTRIES], threads[BOARD_ENTRIES], users[BOARD_ENTRIES],
		addresses[BOARD_ENTRIES];           /* hashes; 0: none */
	_Atomic uint64_t admissions[BOARD_ENTRIES]; /* board_admit.c */
	struct cell cells[BOARD_ENTRIES];
};

_Static_assert(sizeof(struct board) <= SHM_BOARD_SIZE, "its place in the shared memory");

#define REBUILT (-1)

/* --- board.c --- */

/* Where an entry is, and what it was when it was looked at. */
struct board_place {
	uint32_t at;
	uint64_t head;
	struct board_entry entry;
};

/* The supervisor goes by it, too, and whoever was taken over can write it. */
static inline uint32_t board_top(const struct board *board)
{
	uint32_t top = board ? atomic_load(&board->top) : 0;

	return top < BOARD_ENTRIES ? top : BOARD_ENTRIES;
}

/* Entry i as it is at one moment; false: it is none. *head tells which it was. */
bool board_read(const struct board *board, uint32_t i, struct board_entry *out, uint64_t *head);
bool board_look_up(const struct board *board, const char *run_id, struct board_place *out);

#endif
