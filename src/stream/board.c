/*
 * board: entries in a fixed array of shared memory, lowest free number first.
 *
 * `heads[i]` is the truth about entry i: generation, owner and phase in one word, changed by
 * compare-and-swap alone. Who takes a free entry writes its texts in phase FILLING, then publishes
 * it; who reads copies the texts and looks at the head again, like a reader of a sequence lock. So
 * there is nothing to repair when a process dies: at worst an entry stays FILLING, and the
 * supervisor frees it.
 *
 * To find one, the hashes of its names are compared, eight bytes an entry side by side, up to the
 * highest entry ever used: 4,000 live runs cost two microseconds. An index would have to survive a
 * death in the middle of its change.
 */
#include "board_room.h"

#include "base/clock.h"
#include "base/table.h"
#include <string.h>

struct board *board_of(struct shm *shm)
{
	return shm ? (struct board *)(void *)shm->board : NULL;
}

int board_slot(const struct shm *shm, const struct shm_slot *slot)
{
	return shm && slot ? (int)(slot - shm->slots) : BOARD_NOBODY;
}

_Atomic int64_t *board_spool_bytes(struct board *board)
{
	return board ? &board->spool_bytes : NULL;
}

/* --- one entry --- */

static void write_identity(struct cell *cell, const struct board_entry *entry)
{
	uint64_t words[WORDS] = { 0 };

	memcpy(words, entry, IDENTITY_SIZE);
	for (size_t i = 0; i < WORDS; i++)
		atomic_store_explicit(&cell->identity[i], words[i], memory_order_release);
}

static void read_identity(const struct cell *cell, struct board_entry *out)
{
	uint64_t words[WORDS] = { 0 };

	for (size_t i = 0; i < WORDS; i++)
		words[i] = atomic_load_explicit(&cell->identity[i], memory_order_acquire);
	memcpy(out, words, IDENTITY_SIZE);
}

static bool has_followers(const struct cell *cell)
{
	uint64_t any = 0;

	for (int i = 0; i < SHM_SLOTS / 64; i++)
		any |= atomic_load(&cell->followers[i]);
	return any != 0;
}

bool board_read(const struct board *board, uint32_t i, struct board_entry *out, uint64_t *head)
{
	const struct cell *cell = &board->cells[i];

	do {
		*head = atomic_load(&board->heads[i]);
		if (phase_of(*head) < PHASE_LIVE)
			return false;
		read_identity(cell, out);
		out->state = phase_of(*head) - PHASE_LIVE;
		out->slot = slot_of(*head);
		out->followed = has_followers(cell) || out->state == BOARD_STARTING;
		out->unfollowed_ms = out->followed ? 0 : atomic_load(&cell->unfollowed_ms);
	} while (atomic_load(&board->heads[i]) != *head);
	return true;
}

bool board_look_up(const struct board *board, const char *run_id, struct board_place *out)
{
	uint64_t hash = table_hash_text(run_id);
	uint32_t top = board_top(board);

	for (out->at = 0; out->at < top; out->at++)
		if (atomic_load(&board->runs[out->at]) == hash &&
		    board_read(board, out->at, &out->entry, &out->head) &&
		    strcmp(out->entry.run_id, run_id) == 0)
			return true;
	return false;
}

/* --- coming and going --- */

/* A free entry, the lowest as a rule, is ours, FILLING. Its new head; 0: there is none. */
static uint64_t take_free(struct board *board, int slot, uint32_t *at)
{
	uint32_t first = atomic_load(&board->free);

	for (uint32_t n = 0; n < BOARD_ENTRIES; n++) {
		uint32_t i = (first + n) % BOARD_ENTRIES;
		uint64_t was = atomic_load(&board->heads[i]);
		uint64_t head = head_of(generation_of(was) + 1, slot, PHASE_FILLING);
		uint32_t top = atomic_load(&board->top);

		if (phase_of(was) != PHASE_FREE ||
		    !atomic_compare_exchange_strong(&board->heads[i], &was, head))
			continue;
		while (top <= i && !atomic_compare_exchange_weak(&board->top, &top, i + 1))
			;
		atomic_store(&board->free, i + 1);
		*at = i;
		return head;
	}
	return 0;
}

bool board_add(struct board *board, int slot, const struct board_entry *entry, struct error *err)
{
	struct cell *cell;
	uint64_t head;
	uint32_t at;

	if (!board)
		return true;
	if (!(head = take_free(board, slot, &at)))
		return error_set(err, ERROR_OVERLOADED,
				 "Too many answers are being written; try again in a moment.");
	cell = &board->cells[at];
	for (int i = 0; i < SHM_SLOTS / 64; i++)
		atomic_store(&cell->followers[i], 0);
	atomic_store(&cell->claim, claim_of(generation_of(head), CLAIM_NOBODY));
	atomic_store(&cell->unfollowed_ms, clock_mono_ms());
	write_identity(cell, entry);
	atomic_store(&board->runs[at], table_hash_text(entry->run_id));
	atomic_store(&board->threads[at], table_hash_text(entry->thread_id));
	atomic_store(&board->users[at], table_hash_text(entry->user_key));
	atomic_store(&board->addresses[at],
		     entry->address_key[0] ? table_hash_text(entry->address_key) : 0);
	atomic_store(&board->admissions[at], admission_of(generation_of(head), 0));
	atomic_store(&board->heads[at],
		     head_of(generation_of(head), slot, PHASE_LIVE + entry->state));
	return true;
}

/* To another phase and owner, as long as it is the entry that was found. */
static void move(struct board *board, struct board_place *place, int slot, unsigned phase)
{
	uint64_t generation = generation_of(place->head);

	while (generation_of(place->head) == generation && phase_of(place->head) >= PHASE_LIVE &&
	       !atomic_compare_exchange_weak(&board->heads[place->at], &place->head,
					     head_of(generation, slot, phase)))
		;
}

void board_set_state(struct board *board, const char *run_id, enum board_state state)
{
	struct board_place place;

	if (board_look_up(board, run_id, &place))
		move(board, &place, place.entry.slot, PHASE_LIVE + state);
}

void board_adopt(struct board *board, const char *run_id, int slot)
{
	struct board_place place;

	if (board_look_up(board, run_id, &place))
		move(board, &place, slot, PHASE_LIVE + BOARD_ENDED);
}

void board_remove(struct board *board, const char *run_id)
{
	struct board_place place;

	if (!board_look_up(board, run_id, &place))
		return;
	move(board, &place, BOARD_NOBODY, PHASE_FREE);
	if (place.at < atomic_load(&board->free))
		atomic_store(&board->free, place.at);
}

/* --- followers --- */

/* Who comes to read cancels what others only try. false: it is superseded. */
static bool stand_in_the_way(struct cell *cell, uint64_t generation)
{
	uint64_t claim = atomic_load(&cell->claim);

	while (is_of(claim, generation) && (uint32_t)claim >= CLAIM_FIRST_TRY &&
	       !atomic_compare_exchange_weak(&cell->claim, &claim,
					     claim_of(generation, CLAIM_NOBODY)))
		;
	return claim != claim_of(generation, CLAIM_SUPERSEDED);
}

bool board_follow(struct board *board, const char *run_id, int slot, bool yes)
{
	uint64_t bit = slot >= 0 ? UINT64_C(1) << slot % 64 : 0;
	struct board_place place;
	struct cell *cell;
	bool ok = true;

	if (slot < 0 || !board_look_up(board, run_id, &place))
		return true;
	cell = &board->cells[place.at];
	if (yes) {
		atomic_fetch_or(&cell->followers[slot / 64], bit);
		ok = stand_in_the_way(cell, generation_of(place.head));
		if (ok && generation_of(atomic_load(&board->heads[place.at])) ==
				  generation_of(place.head))
			return true;
	}
	/* It leaves, or may not stay, or the entry was another's by then. */
	atomic_fetch_and(&cell->followers[slot / 64], ~bit);
	if (!has_followers(cell))
		atomic_store(&cell->unfollowed_ms, clock_mono_ms());
	return ok;
}

/* The try is written down before the followers are looked at, and a follower writes itself down
 * before it looks at the tries: one of them sees the other. A try is never waited for, so it does
 * not matter that its process may die. */
bool board_supersede(struct board *board, const char *run_id)
{
	struct board_place place;
	uint64_t generation, claim;
	struct cell *cell;

	if (!board_look_up(board, run_id, &place))
		return true;
	cell = &board->cells[place.at];
	generation = generation_of(place.head);
	claim = atomic_load(&cell->claim);
	while (is_of(claim, generation) && (uint32_t)claim != CLAIM_SUPERSEDED) {
		uint32_t number = atomic_fetch_add(&board->tries, 1) % (UINT32_MAX / 2);
		uint64_t mine = claim_of(generation, CLAIM_FIRST_TRY + number);

		if (place.entry.state == BOARD_STARTING || has_followers(cell))
			return false;
		if (!atomic_compare_exchange_strong(&cell->claim, &claim, mine))
			continue;
		claim = mine;
		if (has_followers(cell)) {
			atomic_compare_exchange_strong(&cell->claim, &claim,
						       claim_of(generation, CLAIM_NOBODY));
			return false;
		}
		if (atomic_compare_exchange_strong(&cell->claim, &claim,
						   claim_of(generation, CLAIM_SUPERSEDED)))
			return true;
	}
	return true; /* it is being superseded already, or is gone */
}

/* --- questions --- */

bool board_find(const struct board *board, const char *run_id, struct board_entry *out)
{
	struct board_place place;

	if (!board_look_up(board, run_id, &place))
		return false;
	*out = place.entry;
	return true;
}

size_t board_of_thread(const struct board *board, const char *thread_id,
		       struct board_entry *entries, size_t max)
{
	uint64_t hash = table_hash_text(thread_id), head;
	uint32_t top = board_top(board);
	struct board_entry entry;
	size_t count = 0;

	for (uint32_t i = 0; i < top; i++) {
		if (atomic_load(&board->threads[i]) != hash ||
		    !board_read(board, i, &entry, &head) || strcmp(entry.thread_id, thread_id) != 0)
			continue;
		if (count++ < max)
			entries[count - 1] = entry;
	}
	return count;
}

/* Into its place by age; the youngest gives way when there is no more room. */
static void put_by_age(struct board_entry *entries, size_t held, size_t max,
		       const struct board_entry *entry)
{
	size_t at = held < max ? held : max;

	while (at > 0 && entries[at - 1].created_ms > entry->created_ms) {
		if (at < max)
			entries[at] = entries[at - 1];
		at--;
	}
	if (at < max)
		entries[at] = *entry;
}

size_t board_unattended(const struct board *board, const char *user_key, int64_t before_ms,
			struct board_entry *entries, size_t max)
{
	uint64_t hash = table_hash_text(user_key), head;
	uint32_t top = board_top(board);
	struct board_entry entry;
	size_t count = 0;

	for (uint32_t i = 0; i < top; i++) {
		if (atomic_load(&board->users[i]) != hash || !board_read(board, i, &entry, &head) ||
		    strcmp(entry.user_key, user_key) != 0 || entry.state != BOARD_RUNNING ||
		    entry.followed || entry.unfollowed_ms > before_ms)
			continue;
		put_by_age(entries, count++, max, &entry);
	}
	return count;
}

size_t board_orphans(const struct board *board, char (*run_ids)[ID_MAX + 1], size_t max)
{
	uint32_t top = board_top(board);
	struct board_entry entry;
	uint64_t head;
	size_t count = 0;

	for (uint32_t i = 0; i < top && count < max; i++)
		if (phase_of(atomic_load(&board->heads[i])) == PHASE_LIVE + BOARD_ORPHAN &&
		    board_read(board, i, &entry, &head) && entry.state == BOARD_ORPHAN)
			memcpy(run_ids[count++], entry.run_id, sizeof entry.run_id);
	return count;
}

/* --- the ends of workers, and the start of a pool --- */

static void orphan(struct board *board, uint32_t i, int slot)
{
	uint64_t head = atomic_load(&board->heads[i]);
	unsigned phase = PHASE_LIVE + BOARD_ORPHAN;

	while (phase_of(head) != PHASE_FREE && slot_of(head) == slot) {
		phase = phase_of(head) == PHASE_FILLING ? PHASE_FREE : PHASE_LIVE + BOARD_ORPHAN;
		if (atomic_compare_exchange_weak(&board->heads[i], &head,
						 head_of(generation_of(head), BOARD_NOBODY, phase)))
			return;
	}
}

void board_forget_slot(struct board *board, int slot)
{
	uint32_t top = slot >= 0 ? board_top(board) : 0;
	int32_t rebuilder = slot + 2;

	for (uint32_t i = 0; i < top; i++) {
		struct cell *cell = &board->cells[i];
		uint64_t bit = UINT64_C(1) << slot % 64;

		if (phase_of(atomic_load(&board->heads[i])) == PHASE_FREE)
			continue;
		if ((atomic_fetch_and(&cell->followers[slot / 64], ~bit) & bit) &&
		    !has_followers(cell))
			atomic_store(&cell->unfollowed_ms, clock_mono_ms());
		orphan(board, i, slot);
	}
	if (board)
		atomic_compare_exchange_strong(&board->rebuilder, &rebuilder, 0);
}

bool board_begin_rebuild(struct board *board, int slot)
{
	int32_t nobody = 0;

	return board && atomic_compare_exchange_strong(&board->rebuilder, &nobody, slot + 2);
}

void board_rebuilt(struct board *board)
{
	atomic_store(&board->rebuilder, REBUILT);
}
