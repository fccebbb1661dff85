/*
 * gcra: see gcra.h.
 *
 * A cell is two words:
 *
 *     name   49 bits of a key's hash, 15 of a generation
 *     count  48 bits of time, 15 of a generation, 1: it counts
 *
 *     free, generation g ── name := (key, g + 1) ── taken ── count := (0, g + 1, counts) ──┐
 *       ^                                                                                  │
 *       └── count := (0, g, free), when its time has passed ── counts for the key of g <───┘
 *
 * The name of a generation is written once, before the generation begins, so an exchange of the
 * count that finds the generation it expects is one for the name that was read with it. Whoever
 * finds a cell taken may begin its generation: a process that stops between two steps leaves
 * nothing that only it could finish.
 *
 * Two that come with the same new key at the same time may take two cells. Whoever took the later
 * one, and everybody who finds that, finds the earlier one too (a cell that was found is counted in
 * only after a second look at all of them, which began later and found it in the same generation).
 * So the later one is counted in only when the earlier was freed, which only succeeds while nothing
 * was counted in it.
 */
#include "gcra.h"

#include "base/shm.h"
#include <stddef.h>

#define GENERATIONS 0x7FFFu
#define COUNTS      UINT64_C(1)
#define TRIES       1000 /* each that fails is another one's success */

struct cell {
	_Atomic uint64_t name, count;
};

struct bucket {
	_Alignas(64) struct cell cells[GCRA_CELLS];
};

struct gcra {
	struct bucket buckets[GCRA_BUCKETS];
};

_Static_assert(sizeof(struct gcra) <= SHM_LIMITS_SIZE, "its place in the shared memory");

struct gcra *gcra_of(struct shm *shm)
{
	return shm ? (struct gcra *)(void *)shm->limits : NULL;
}

/* --- the words --- */

static uint64_t name_of(uint64_t hash, unsigned generation)
{
	return (hash & ~(uint64_t)GENERATIONS) | (generation & GENERATIONS);
}

static uint64_t count_of(int64_t time_us, unsigned generation, uint64_t counts)
{
	return (uint64_t)time_us << 16 | (uint64_t)(generation & GENERATIONS) << 1 | counts;
}

static unsigned generation_of(uint64_t count)
{
	return count >> 1 & GENERATIONS;
}

static int64_t time_of(uint64_t count)
{
	return (int64_t)(count >> 16);
}

/* --- one cell --- */

struct place {
	struct cell *cell; /* NULL: none */
	uint64_t name, count;
};

/* Both words as they were at one moment; one that is taken counts from now on. */
static struct place look_at(struct cell *cell)
{
	struct place at = { .cell = cell, .count = atomic_load(&cell->count) };
	uint64_t again;

	for (int i = 0; i < TRIES; i++, at.count = again) {
		unsigned next = generation_of(at.count) + 1;

		at.name = atomic_load(&cell->name);
		again = atomic_load(&cell->count);
		if (again != at.count)
			continue;
		if (at.count & COUNTS || at.name != name_of(at.name, next))
			break;
		again = count_of(0, next, COUNTS);
		if (!atomic_compare_exchange_strong(&cell->count, &at.count, again))
			again = at.count;
	}
	return at;
}

static bool is_of(const struct place *at, uint64_t hash)
{
	return at->count & COUNTS && at->name == name_of(hash, generation_of(at->count));
}

/* false: it has changed since it was looked at. */
static bool set_free(const struct place *at)
{
	uint64_t was = at->count;

	return atomic_compare_exchange_strong(&at->cell->count, &was,
					      count_of(0, generation_of(was), 0));
}

static bool take_cell(const struct place *at, uint64_t hash)
{
	uint64_t was = at->name;

	return atomic_compare_exchange_strong(&at->cell->name, &was,
					      name_of(hash, generation_of(at->count) + 1));
}

/* --- the cell of a key --- */

static int look_for(struct bucket *bucket, uint64_t hash, struct place out[2])
{
	int found = 0;

	for (int i = 0; i < GCRA_CELLS && found < 2; i++) {
		out[found] = look_at(&bucket->cells[i]);
		found += is_of(&out[found], hash);
	}
	return found;
}

/* Of two one has not been counted in yet (see above). */
static void drop_one(const struct place two[2])
{
	set_free(time_of(two[1].count) == 0 ? &two[1] : &two[0]);
}

static bool find(struct bucket *bucket, uint64_t hash, struct place *out)
{
	struct place seen = { NULL, 0, 0 }, two[2];

	for (int i = 0; i < TRIES; i++) {
		int found = look_for(bucket, hash, two);

		if (found == 0)
			return false;
		if (found == 2) {
			drop_one(two);
		} else if (two[0].cell == seen.cell && two[0].name == seen.name) {
			*out = two[0];
			return true;
		}
		seen = found == 1 ? two[0] : (struct place){ NULL, 0, 0 };
	}
	return false;
}

/* --- room for a new key --- */

enum worth { FREE, PASSED, NEW, COUNTING };

/* A new one may be about to be counted in, so it is taken from nobody who is faster. */
static enum worth worth_of(const struct place *at, int64_t now_us)
{
	int64_t time_us = time_of(at->count);

	if (!(at->count & COUNTS))
		return FREE;
	return time_us == 0 ? NEW : time_us <= now_us ? PASSED : COUNTING;
}

/* The one that is missed least: *worth tells how much. Of those that count the first to be paid
 * off. */
static struct place cheapest(struct bucket *bucket, int64_t now_us, enum worth *worth)
{
	struct place best = look_at(&bucket->cells[0]);

	*worth = worth_of(&best, now_us);
	for (int i = 1; i < GCRA_CELLS; i++) {
		struct place at = look_at(&bucket->cells[i]);
		enum worth is = worth_of(&at, now_us);

		if (is > *worth || (is == *worth && time_of(at.count) >= time_of(best.count)))
			continue;
		best = at;
		*worth = is;
	}
	return best;
}

/* The key's cell, an own one if there is room; without a cell: it has to be looked for again. */
static struct place place_for(struct bucket *bucket, uint64_t hash, int64_t now_us, bool *crowded)
{
	struct place at;
	enum worth worth;

	*crowded = false;
	if (find(bucket, hash, &at))
		return at;
	at = cheapest(bucket, now_us, &worth);
	if ((*crowded = worth == COUNTING))
		return at;
	if (worth == FREE)
		take_cell(&at, hash);
	else
		set_free(&at);
	return (struct place){ NULL, 0, 0 };
}

/* --- counting --- */

static struct bucket *bucket_of(struct gcra *table, struct siphash key)
{
	return &table->buckets[key.a % GCRA_BUCKETS];
}

/* How far ahead of now it has used its rate. */
static int64_t ahead_of(uint64_t count, int64_t now_us)
{
	int64_t time_us = time_of(count);

	return time_us > now_us ? time_us - now_us : 0;
}

static bool fits(struct gcra_rate rate, int64_t ahead_us)
{
	return ahead_us <= (rate.burst - 1) * rate.every_us;
}

struct gcra_use gcra_use_of(struct gcra_rate rate, int64_t ahead_us)
{
	int64_t used = (ahead_us + rate.every_us - 1) / rate.every_us;
	int64_t counted = used < rate.burst ? used : rate.burst;

	return (struct gcra_use){
		.left = rate.burst - counted,
		.more_us = used > 0 ? ahead_us - (counted - 1) * rate.every_us : 0,
	};
}

bool gcra_take(struct gcra *table, struct siphash key, struct gcra_rate rate, int64_t now_us,
	       struct gcra_use *out)
{
	struct bucket *bucket = bucket_of(table, key);
	bool crowded = true;

	for (int i = 0; i < TRIES; i++) {
		struct place at = place_for(bucket, key.b, now_us, &crowded);
		int64_t ahead_us = at.cell ? ahead_of(at.count, now_us) : 0;
		uint64_t more = count_of(now_us + ahead_us + rate.every_us, generation_of(at.count),
					 COUNTS);

		if (!at.cell)
			continue;
		if (!fits(rate, ahead_us)) {
			*out = gcra_use_of(rate, ahead_us);
			out->crowded = crowded;
			return false;
		}
		if (atomic_compare_exchange_strong(&at.cell->count, &at.count, more)) {
			*out = gcra_use_of(rate, ahead_us + rate.every_us);
			out->crowded = crowded;
			return true;
		}
	}
	*out = (struct gcra_use){ .left = 0, .more_us = rate.every_us, .crowded = crowded };
	return false;
}

bool gcra_may(struct gcra *table, struct siphash key, struct gcra_rate rate, int64_t now_us,
	      struct gcra_use *out)
{
	struct place at;
	bool is_there = find(bucket_of(table, key), key.b, &at);
	int64_t ahead_us = is_there ? ahead_of(at.count, now_us) : 0;

	*out = gcra_use_of(rate, ahead_us);
	return fits(rate, ahead_us);
}

/* Within one period of its being taken it cannot have been paid off, so what is there holds it. */
void gcra_give_back(struct gcra *table, struct siphash key, struct gcra_rate rate, int64_t taken_us,
		    int64_t now_us)
{
	struct bucket *bucket = bucket_of(table, key);
	struct place at;

	for (int i = 0; i < TRIES && now_us - taken_us < rate.every_us &&
			find(bucket, key.b, &at) && time_of(at.count) - rate.every_us >= taken_us;
	     i++)
		if (atomic_compare_exchange_strong(&at.cell->count, &at.count,
						   count_of(time_of(at.count) - rate.every_us,
							    generation_of(at.count), COUNTS)))
			return;
}
