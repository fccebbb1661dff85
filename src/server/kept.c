/*
 * kept: see kept.h.
 *
 * A place is one word that threads change by compare and exchange, so that a thread which was woken
 * for a connection and one that lets it go settle whose it is:
 *
 *                     kept_claim              bytes came meanwhile
 *   FREE --> WAITS <------------> SERVED -----------------------------> AGAIN
 *     ^                kept_wait     |  <--- kept_wait: KEPT_READY ---    |
 *     +---------------- kept_leave --+------------------------------------+
 *
 * The epoll tells of bytes once (EPOLLET), whoever has the connection then: nothing has to be asked
 * for anew behind each request. What it tells carries the number of times that the place was given,
 * so that what was said of its last connection is not taken for a word on this one.
 */
#include "kept.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { FREE, WAITS, SERVED, AGAIN };

#define STATE_BITS         2
#define STATE(word)        ((word) & ((1u << STATE_BITS) - 1))
#define WORD(given, state) ((uint64_t)(given) << STATE_BITS | (uint64_t)(state))

struct place {
	_Atomic uint64_t word; /* how often it was given, and the state */
	_Atomic int64_t until_ms;
	int fd;
	bool is_used;
};

struct kept {
	int epoll;
	int size;
	atomic_int count;
	atomic_bool is_shut;
	pthread_mutex_t giving; /* of places that are free */
	struct place places[];
};

struct kept *kept_open(int places)
{
	struct kept *kept = calloc(1, sizeof *kept + (size_t)places * sizeof kept->places[0]);

	if (!kept || (kept->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0) {
		free(kept);
		return NULL;
	}
	kept->size = places;
	pthread_mutex_init(&kept->giving, NULL);
	return kept;
}

void kept_free(struct kept *kept)
{
	struct connection left;

	if (!kept)
		return;
	while (kept_overdue(kept, INT64_MAX, &left)) {
		kept_leave(kept, &left);
		close(left.fd);
	}
	close(kept->epoll);
	pthread_mutex_destroy(&kept->giving);
	free(kept);
}

int kept_count(const struct kept *kept)
{
	return atomic_load(&kept->count);
}

/* --- the epoll --- */

static bool watch(const struct kept *kept, int operation, int fd, uint32_t events, uint64_t number)
{
	struct epoll_event event = { .events = events, .data.u64 = number };

	return epoll_ctl(kept->epoll, operation, fd, &event) == 0;
}

bool kept_watch(struct kept *kept, int fd, uint32_t events, uint64_t number)
{
	return fd < 0 || watch(kept, EPOLL_CTL_ADD, fd, events, number);
}

void kept_unwatch(struct kept *kept, int fd)
{
	epoll_ctl(kept->epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* One at a time: a second one would wait for this thread, whatever the first one costs. */
bool kept_look(struct kept *kept, int timeout_ms, uint64_t *seen)
{
	struct epoll_event event;

	if (epoll_wait(kept->epoll, &event, 1, timeout_ms) != 1)
		return false;
	*seen = event.data.u64;
	return true;
}

/* --- places --- */

/* What the epoll says of a place: how often it was given, and which one it is. */
static uint64_t number_of(const struct kept *kept, int place)
{
	uint64_t given = atomic_load(&kept->places[place].word) >> STATE_BITS;

	return given << 32 | (uint32_t)(place + KEPT_OTHERS);
}

static bool change(struct place *place, uint64_t given, int from, int to)
{
	uint64_t expected = WORD(given, from);

	return atomic_compare_exchange_strong(&place->word, &expected, WORD(given, to));
}

static void take(struct kept *kept, int at, struct connection *out)
{
	*out = (struct connection){ .fd = kept->places[at].fd,
				    .place = at,
				    .is_used = kept->places[at].is_used };
}

bool kept_claim(struct kept *kept, uint64_t seen, struct connection *out)
{
	int at = (int)(uint32_t)seen - KEPT_OTHERS;
	uint64_t given = seen >> 32;
	struct place *place = &kept->places[at];

	do {
		if (change(place, given, WAITS, SERVED)) {
			take(kept, at, out);
			return true;
		}
	} while (!change(place, given, SERVED, AGAIN) &&
		 atomic_load(&place->word) == WORD(given, WAITS));
	return false;
}

static bool is_overdue(struct place *place, int64_t now_ms, uint64_t *word)
{
	*word = atomic_load(&place->word);
	return STATE(*word) == WAITS && atomic_load(&place->until_ms) <= now_ms;
}

bool kept_overdue(struct kept *kept, int64_t now_ms, struct connection *out)
{
	int longest = -1;
	int64_t until_ms = now_ms;
	uint64_t word, its = 0;

	for (int i = 0; i < kept->size; i++)
		if (is_overdue(&kept->places[i], until_ms, &word)) {
			longest = i;
			its = word;
			until_ms = atomic_load(&kept->places[i].until_ms);
		}
	if (longest < 0 || !change(&kept->places[longest], its >> STATE_BITS, WAITS, SERVED))
		return false;
	take(kept, longest, out);
	return true;
}

/* SERVED, with a number of its own. -1: all are taken. */
static int give_free(struct kept *kept, int fd)
{
	int at = 0;

	pthread_mutex_lock(&kept->giving);
	while (at < kept->size && STATE(atomic_load(&kept->places[at].word)) != FREE)
		at++;
	if (at < kept->size) {
		struct place *place = &kept->places[at];
		uint64_t given = (atomic_load(&place->word) >> STATE_BITS) + 1;

		place->fd = fd;
		atomic_store(&place->word, WORD((uint32_t)given, SERVED));
		atomic_fetch_add(&kept->count, 1);
	}
	pthread_mutex_unlock(&kept->giving);
	return at < kept->size ? at : -1;
}

static void give_back(struct kept *kept, struct place *place)
{
	uint64_t given = atomic_load(&place->word) >> STATE_BITS;

	atomic_store(&place->word, WORD(given, FREE));
	atomic_fetch_sub(&kept->count, 1);
}

/* --- waiting --- */

void kept_shut(struct kept *kept)
{
	atomic_store(&kept->is_shut, true);
}

/* It is watched while it is ours still: nobody can close it in between. */
static bool take_place(struct kept *kept, struct connection *connection)
{
	int at = give_free(kept, connection->fd);

	if (at < 0)
		return false;
	if (!watch(kept, EPOLL_CTL_ADD, connection->fd, EPOLLIN | EPOLLET, number_of(kept, at))) {
		give_back(kept, &kept->places[at]);
		return false;
	}
	connection->place = at;
	return true;
}

enum kept_state kept_wait(struct kept *kept, struct connection *connection, int64_t until_ms)
{
	struct place *place;
	uint64_t given;

	if (atomic_load(&kept->is_shut))
		return KEPT_SHUT;
	if (connection->place < 0 && !take_place(kept, connection))
		return KEPT_FULL;
	place = &kept->places[connection->place];
	given = atomic_load(&place->word) >> STATE_BITS;
	place->is_used = connection->is_used;
	atomic_store(&place->until_ms, until_ms);
	if (change(place, given, SERVED, WAITS))
		return KEPT_WAITS;
	change(place, given, AGAIN, SERVED);
	return KEPT_READY;
}

void kept_put_back(struct kept *kept, const struct connection *connection)
{
	struct place *place = &kept->places[connection->place];
	uint64_t given = atomic_load(&place->word) >> STATE_BITS;

	do {
		change(place, given, AGAIN, SERVED);
		watch(kept, EPOLL_CTL_MOD, connection->fd, EPOLLIN | EPOLLET,
		      number_of(kept, connection->place));
	} while (!change(place, given, SERVED, WAITS));
}

void kept_leave(struct kept *kept, struct connection *connection)
{
	if (connection->place < 0)
		return;
	epoll_ctl(kept->epoll, EPOLL_CTL_DEL, connection->fd, NULL);
	give_back(kept, &kept->places[connection->place]);
	connection->place = -1;
}
