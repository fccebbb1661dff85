/* spool_tails: see spool_tails.h. */
#include "spool_tails.h"

#include "base/log.h"
#include "base/siphash.h"
#include "spool_name.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define PLACE     512 /* a sector */
#define TEXT_MAX  (PLACE - 32)
#define WORDS     (SPOOL_TAILS / 64)
#define HERE_BITS 16
#define HERE_MASK ((UINT64_C(1) << HERE_BITS) - 1)

struct place {
	_Atomic uint64_t key;   /* a hash of the run's id; 0: nobody's */
	_Atomic uint64_t state; /* bytes in the file << HERE_BITS | bytes here */
	_Atomic int64_t taken_s;
	_Atomic uint32_t is_asked;
	uint32_t unused;
	char text[TEXT_MAX];
};

/* The first page: which places are taken. */
struct map {
	_Atomic uint64_t taken[WORDS];
	char unused[4096 - WORDS * sizeof(uint64_t)];
	struct place places[SPOOL_TAILS];
};

_Static_assert(sizeof(struct place) == PLACE, "a place is a sector");
_Static_assert(sizeof(struct map) == 4096 + SPOOL_TAILS * PLACE, "places lie at sectors");

struct spool_tails {
	struct map *map;
	int64_t block; /* of the file system */
};

/* --- the file --- */

/* Where a write to a mapped page cannot be refused once its block was allocated: elsewhere a full
 * disk would be a signal. On XFS and Btrfs it may be: `cp` lets a copy share the block. */
static bool keeps_what_it_allocates(int fd, int64_t *block)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0 || fs.f_bsize <= 0)
		return false;
	*block = (int64_t)fs.f_bsize;
	errno = EOPNOTSUPP;
	return fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == TMPFS_MAGIC;
}

static struct map *map_file(int fd)
{
	struct map *map;

	if (fallocate(fd, 0, 0, sizeof *map) != 0)
		return NULL;
	map = mmap(NULL, sizeof *map, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return map == MAP_FAILED ? NULL : map;
}

struct spool_tails *spool_tails_open(int folder)
{
	int fd = openat(folder, SPOOL_TAILS_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct spool_tails *tails = fd >= 0 ? calloc(1, sizeof *tails) : NULL;

	if (tails && keeps_what_it_allocates(fd, &tails->block))
		tails->map = map_file(fd);
	if (fd >= 0)
		close(fd);
	if (tails && tails->map)
		return tails;
	log_info("each piece of an answer is written at once", LOG_T("reason", strerror(errno)));
	free(tails);
	return NULL;
}

void spool_tails_close(struct spool_tails *tails)
{
	if (!tails)
		return;
	munmap(tails->map, sizeof *tails->map);
	free(tails);
}

/* --- places --- */

static struct place *place_of(const struct spool_tail *tail)
{
	return tail->all && tail->number ? &tail->all->map->places[tail->number - 1] : NULL;
}

static struct place *place_if_ours(const struct spool_tail *tail)
{
	struct place *place = place_of(tail);

	return place && atomic_load(&place->key) == tail->key ? place : NULL;
}

/* The same for every process, so under no secret: ids of runs are made here. Never 0. */
static uint64_t key_of(const char *run_id)
{
	static const uint64_t open_key[2];
	uint64_t key = siphash(open_key, slice_of(run_id)).a;

	return key ? key : 1;
}

/* Its key says whose a place is, and the bits only where to look: who finds a bit unset, and the
 * place somebody's, leaves the bit set and looks on. */
static bool take_place(struct place *place, uint64_t key)
{
	uint64_t nobody = 0;

	/* First, so that a sweep which sees the key knows that it is new. */
	atomic_store(&place->taken_s, (int64_t)time(NULL));
	if (!atomic_compare_exchange_strong(&place->key, &nobody, key))
		return false;
	atomic_store(&place->state, 0);
	atomic_store(&place->is_asked, 0);
	return true;
}

/* The first that is free, so that few pages are touched. 0: none is. */
static uint32_t take_number(struct map *map, uint64_t key)
{
	for (uint32_t i = 0; i < WORDS; i++) {
		uint64_t word = atomic_load(&map->taken[i]);

		while (~word) {
			uint32_t number = i * 64 + (uint32_t)__builtin_ctzll(~word);

			if (!atomic_compare_exchange_weak(&map->taken[i], &word,
							  word | UINT64_C(1) << number % 64))
				continue;
			if (take_place(&map->places[number], key))
				return number + 1;
			word = atomic_load(&map->taken[i]);
		}
	}
	return 0;
}

/* Of whoever has it by this key, once. */
static void give_place(struct map *map, uint32_t number, uint64_t key)
{
	uint32_t i = number - 1;

	if (atomic_compare_exchange_strong(&map->places[i].key, &key, 0))
		atomic_fetch_and(&map->taken[i / 64], ~(UINT64_C(1) << i % 64));
}

void spool_tail_take(struct spool_tail *tail, const char *run_id)
{
	tail->key = key_of(run_id);
	tail->number = tail->all ? take_number(tail->all->map, tail->key) : 0;
}

void spool_tail_find(struct spool_tail *tail, uint32_t number, const char *run_id)
{
	tail->number = number <= SPOOL_TAILS ? number : 0;
	tail->key = key_of(run_id);
}

void spool_tail_give(struct spool_tail *tail)
{
	if (place_of(tail))
		give_place(tail->all->map, tail->number, tail->key);
	tail->number = 0;
}

static void sweep_place(struct spool_tails *tails, uint32_t i, bool is_named, int64_t before_s)
{
	struct place *place = &tails->map->places[i];
	uint64_t key = atomic_load(&place->key);

	if (!key)
		atomic_fetch_and(&tails->map->taken[i / 64], ~(UINT64_C(1) << i % 64));
	else if (!is_named && atomic_load(&place->taken_s) < before_s)
		give_place(tails->map, i + 1, key);
}

/* A place is taken before its run has a file: what was taken just now is left alone. One without a
 * key is being taken or given back at this moment, or its process died there: to unset its bit is
 * right in each case. Where no bit is set no page is touched: a place there that is somebody's has
 * one again when it is looked at for a new run, and is swept then. */
void spool_tails_sweep(struct spool_tails *tails, const unsigned char *named, int64_t before_s)
{
	for (uint32_t w = 0; tails && w < WORDS; w++) {
		uint64_t word = atomic_load(&tails->map->taken[w]);

		for (; word; word &= word - 1) {
			uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(word);

			sweep_place(tails, i, named[i / 8] >> i % 8 & 1, before_s);
		}
	}
}

/* --- the owner --- */

static int64_t in_file_of(uint64_t state)
{
	return (int64_t)(state >> HERE_BITS);
}

/* The file may hold anything, as any file on a disk. */
static size_t here_of(uint64_t state)
{
	size_t here = state & HERE_MASK;

	return here <= TEXT_MAX ? here : 0;
}

/* The block of the file in which the byte before this offset of the answer lies. */
static int64_t block_before(const struct spool_tail *tail, int64_t offset)
{
	return (SPOOL_HEADER + offset - 1) / tail->all->block;
}

bool spool_tail_put(struct spool_tail *tail, struct slice bytes)
{
	struct place *place = place_if_ours(tail);
	uint64_t state = place ? atomic_load_explicit(&place->state, memory_order_relaxed) : 0;
	size_t here = here_of(state);
	int64_t in_file = in_file_of(state);

	if (!place || bytes.len > TEXT_MAX - here ||
	    block_before(tail, in_file) !=
		    block_before(tail, in_file + (int64_t)(here + bytes.len)))
		return false;
	memcpy(place->text + here, bytes.ptr, bytes.len);
	atomic_store(&place->state, state + bytes.len);
	return true;
}

struct slice spool_tail_text(const struct spool_tail *tail)
{
	struct place *place = place_if_ours(tail);

	return place ? (struct slice){ place->text, here_of(atomic_load(&place->state)) }
		     : (struct slice){ "", 0 };
}

void spool_tail_written(struct spool_tail *tail, int64_t in_file)
{
	struct place *place = place_of(tail);

	if (!place)
		return;
	atomic_store(&place->state, (uint64_t)in_file << HERE_BITS);
	/* What is put next must not be seen before. */
	atomic_thread_fence(memory_order_release);
}

/* Behind spool_tail_put: either this sees that a reader asks, or he sees what was put. */
bool spool_tail_is_asked(const struct spool_tail *tail)
{
	struct place *place = place_of(tail);

	return place && atomic_load(&place->is_asked);
}

/* --- any process --- */

void spool_tail_ask(const struct spool_tail *tail)
{
	struct place *place = place_if_ours(tail);

	if (place)
		atomic_store(&place->is_asked, 1);
}

bool spool_tail_lengths(const struct spool_tail *tail, int64_t *in_file, int64_t *length)
{
	struct place *place = place_of(tail);
	uint64_t state = place ? atomic_load(&place->state) : 0;

	if (!place_if_ours(tail))
		return false;
	*in_file = in_file_of(state);
	*length = *in_file + (int64_t)here_of(state);
	return true;
}

int64_t spool_tail_read(const struct spool_tail *tail, int64_t offset, char *out, size_t size)
{
	struct place *place = place_of(tail);
	uint64_t state = place ? atomic_load(&place->state) : 0;
	int64_t from = offset - in_file_of(state);
	size_t n = here_of(state);

	if (!place_if_ours(tail) || from < 0 || from >= (int64_t)n)
		return -1;
	n -= (size_t)from;
	n = n < size ? n : size;
	memcpy(out, place->text + from, n);
	atomic_thread_fence(memory_order_acquire);
	return in_file_of(atomic_load(&place->state)) == in_file_of(state) && place_if_ours(tail)
		       ? (int64_t)n
		       : -1;
}
