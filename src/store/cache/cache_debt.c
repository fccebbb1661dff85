/*
 * cache_debt: see cache_room.h. One word, changed by compare and exchange, since workers share it
 * and may die anywhere:
 *
 *   63 ............ 32 31 ............ 0
 *    times it was settled   debts
 */
#include "cache_room.h"

#include "base/clock.h"

#define DEBTS(word) ((word)&UINT32_MAX)

void cache_debt_init(struct cache_debt *debt, struct shm *shm)
{
	debt->word = shm ? &shm->cache_debts : &debt->own_word;
	debt->last_ms = shm ? &shm->cache_debt_ms : &debt->own_ms[0];
	debt->lease_ms = shm ? &shm->cache_lease_ms : &debt->own_ms[1];
	debt->lease_era = shm ? &shm->cache_lease_era : &debt->own_era;
}

uint64_t cache_debt_make(struct cache_debt *debt)
{
	/* Time first: whoever sees the debt sees that it is young. */
	atomic_store(debt->last_ms, clock_mono_ms());
	return atomic_fetch_add(debt->word, 1) >> 32;
}

void cache_debt_undo(struct cache_debt *debt, uint64_t number)
{
	uint64_t word = atomic_load(debt->word);

	while (word >> 32 == number && DEBTS(word) > 0)
		if (atomic_compare_exchange_weak(debt->word, &word, word - 1))
			return;
}

uint64_t cache_debt_count(const struct cache_debt *debt)
{
	return DEBTS(atomic_load(debt->word));
}

bool cache_debt_due(const struct cache_debt *debt, uint64_t *word)
{
	*word = atomic_load(debt->word);
	return DEBTS(*word) > 0 && clock_mono_ms() >= atomic_load(debt->last_ms) + CACHE_HOLD_MS;
}

void cache_debt_settle(struct cache_debt *debt, uint64_t word)
{
	/* Another one since: then all stay. */
	atomic_compare_exchange_strong(debt->word, &word, ((word >> 32) + 1) << 32);
}

bool cache_debt_none(const struct cache_debt *debt)
{
	return cache_debt_count(debt) == 0 && clock_mono_ms() < atomic_load(debt->lease_ms);
}
