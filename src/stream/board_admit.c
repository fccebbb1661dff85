/*
 * board_admit: how many runs a user may have at once, exact over all workers and without a lock.
 *
 * Each entry says in one word whether it is let in. Who asks has put its entry on the board before
 * it looks at the others, counts those that are let in and those with a lower number that are not
 * yet, and takes its own word from "asks" to "let in" when there are few enough. An entry with a
 * higher number that still asks is not counted, so it is made to look again: its word is changed,
 * and whatever it is about to say of itself fails.
 *
 * So of any that are let in the one whose last look began last had counted all others: they were on
 * the board by then (or would have made it look again), and were let in, or had a lower number, or
 * would have had to look again, later. And of those that ask the lowest is held up by nobody.
 */
#include "board_room.h"

#include "base/table.h"
#include <string.h>

#define LET_IN UINT64_C(1)
#define AGAIN  UINT64_C(2) /* one more look */
#define TRIES  10000       /* each that fails is another one's look */

static bool is_same(const char *a, const char *b)
{
	return a[0] && strcmp(a, b) == 0;
}

/* By whichever name: an address is the only name of some. */
static bool is_counted_as(const struct board_entry *entry, const char *key)
{
	return is_same(key, entry->user_key) || is_same(key, entry->address_key);
}

static bool is_at_work(const struct board_entry *entry)
{
	return entry->state == BOARD_STARTING || entry->state == BOARD_RUNNING;
}

/* Does i count for one at `at`? One that comes behind it and asks has to look again. */
static bool counts(struct board *board, uint32_t i, uint64_t head, uint32_t at)
{
	uint64_t word = atomic_load(&board->admissions[i]);

	while (word >> 16 == admission_of(generation_of(head), 0) >> 16 && !(word & LET_IN)) {
		if (i < at)
			return true;
		if (atomic_compare_exchange_weak(&board->admissions[i], &word,
						 (word & ~UINT64_C(0xFFFF)) |
							 ((word + AGAIN) & 0xFFFF)))
			return false;
	}
	return true;
}

struct hashes {
	uint64_t user, address; /* 0: none */
};

static bool may_be(const struct board *board, uint32_t i, struct hashes of)
{
	uint64_t user = atomic_load(&board->users[i]), address = atomic_load(&board->addresses[i]);

	return user == of.user || address == of.user ||
	       (of.address && (user == of.address || address == of.address));
}

/* Are there already so many of its user, or of its address? */
static bool is_one_too_many(struct board *board, const struct board_place *mine, size_t cap)
{
	const struct board_entry *me = &mine->entry;
	const struct hashes of = { table_hash_text(me->user_key),
				   me->address_key[0] ? table_hash_text(me->address_key) : 0 };
	size_t of_user = 0, of_address = 0;
	uint32_t top = board_top(board);

	for (uint32_t i = 0; i < top; i++) {
		struct board_entry entry;
		uint64_t head;

		if (i == mine->at || !may_be(board, i, of) ||
		    !board_read(board, i, &entry, &head) || !is_at_work(&entry) ||
		    strcmp(entry.thread_id, me->thread_id) == 0 ||
		    !counts(board, i, head, mine->at))
			continue;
		of_user += is_counted_as(&entry, me->user_key);
		of_address += is_counted_as(&entry, me->address_key);
	}
	return of_user >= cap || of_address >= cap;
}

bool board_admit(struct board *board, const char *run_id, size_t cap)
{
	struct board_place mine;

	if (!board || !board_look_up(board, run_id, &mine))
		return true;
	for (int i = 0; i < TRIES; i++) {
		uint64_t word = atomic_load(&board->admissions[mine.at]);

		if (is_one_too_many(board, &mine, cap))
			return false;
		if (atomic_compare_exchange_strong(&board->admissions[mine.at], &word,
						   word | LET_IN))
			return true;
	}
	return false;
}
