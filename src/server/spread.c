/* spread: see spread.h. */
#include "spread.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLACK         4 /* connections that a worker may have more than another */
#define BEAT_FRESH_MS 3000
#define STUCK_MS      1000

/* --- inboxes --- */

bool inboxes_open(struct inboxes *inboxes, int count, struct error *err)
{
	*inboxes = (struct inboxes){ 0 };
	for (; count > 1 && inboxes->count < count; inboxes->count++) {
		int ends[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) !=
		    0) {
			error_set(err, ERROR_INTERNAL, "The workers' inboxes cannot be made: %s.",
				  strerror(errno));
			inboxes_close(inboxes);
			return false;
		}
		inboxes->read_end[inboxes->count] = ends[0];
		inboxes->write_end[inboxes->count] = ends[1];
	}
	return true;
}

void inboxes_close(struct inboxes *inboxes)
{
	while (inboxes->count > 0) {
		inboxes->count--;
		close(inboxes->read_end[inboxes->count]);
		close(inboxes->write_end[inboxes->count]);
	}
}

union passenger {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

static bool send_descriptor(int inbox, int fd)
{
	union passenger with = { .space = { 0 } };
	struct iovec byte = { .iov_base = (char[]){ 1 }, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &byte,
				  .msg_iovlen = 1,
				  .msg_control = &with,
				  .msg_controllen = sizeof with };
	struct cmsghdr *at = CMSG_FIRSTHDR(&message);

	at->cmsg_level = SOL_SOCKET;
	at->cmsg_type = SCM_RIGHTS;
	at->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(at), &fd, sizeof fd);
	return sendmsg(inbox, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

/* false: nothing lies there. */
static bool receive_descriptor(int inbox, int *fd)
{
	union passenger with;
	char byte;
	struct iovec room = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &room,
				  .msg_iovlen = 1,
				  .msg_control = &with,
				  .msg_controllen = sizeof with };
	struct cmsghdr *at;

	*fd = -1;
	if (recvmsg(inbox, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1)
		return false;
	at = CMSG_FIRSTHDR(&message);
	if (at && at->cmsg_level == SOL_SOCKET && at->cmsg_type == SCM_RIGHTS &&
	    at->cmsg_len == CMSG_LEN(sizeof *fd))
		memcpy(fd, CMSG_DATA(at), sizeof *fd);
	else
		log_error("connection lost on its way to this worker: no descriptors left");
	return true;
}

/* --- loads --- */

static bool is_alone(const struct spread *spread)
{
	return !spread->inboxes || spread->inboxes->count <= 1;
}

static struct shm_inbox *inbox_of(const struct spread *spread, const struct shm_slot *slot)
{
	return &spread->shm->inboxes[slot - spread->shm->slots];
}

static int64_t load_of(const struct spread *spread, const struct shm_slot *slot)
{
	return atomic_load(&slot->runs) + atomic_load(&slot->requests_busy) +
	       atomic_load(&inbox_of(spread, slot)->waiting);
}

static bool has_thread(const struct spread *spread, const struct shm_slot *slot)
{
	return atomic_load(&slot->requests_busy) + atomic_load(&inbox_of(spread, slot)->waiting) <
	       spread->threads;
}

/* All its threads are at work, and none of them came to an end for a while. */
static bool is_stuck(const struct spread *spread, const struct shm_slot *slot, int64_t now_ms)
{
	return !has_thread(spread, slot) && now_ms - atomic_load(&slot->moved_ms) >= STUCK_MS;
}

bool spread_is_stuck(const struct spread *spread)
{
	return !has_thread(spread, spread->slot) && is_stuck(spread, spread->slot, clock_mono_ms());
}

/* Takes requests and has an inbox that we know. */
static bool is_sibling(const struct spread *spread, const struct shm_slot *slot)
{
	return slot != spread->slot && atomic_load(&slot->state) == SHM_SLOT_READY &&
	       atomic_load(&slot->generation) == atomic_load(&spread->slot->generation);
}

static bool may_receive(const struct spread *spread, const struct shm_slot *slot, int64_t now_ms)
{
	return is_sibling(spread, slot) && now_ms - atomic_load(&slot->beat_ms) < BEAT_FRESH_MS;
}

static struct shm_slot *least_loaded(const struct spread *spread, bool even_stuck, int64_t *load)
{
	int used = atomic_load(&spread->shm->pool.slots_used);
	int64_t now_ms = clock_mono_ms();
	struct shm_slot *least = NULL;

	for (int i = 0; i < used; i++) {
		struct shm_slot *slot = &spread->shm->slots[i];
		int64_t its;

		if (!may_receive(spread, slot, now_ms) ||
		    (!even_stuck && is_stuck(spread, slot, now_ms)))
			continue;
		its = load_of(spread, slot);
		if (!least || its < *load) {
			least = slot;
			*load = its;
		}
	}
	return least;
}

/* NULL: it is better served here. */
static struct shm_slot *find_better(const struct spread *spread, int64_t ours)
{
	bool is_full = ours > spread->runs_max; /* a worker with room goes before a refusal */
	bool stuck = !is_alone(spread) && spread_is_stuck(spread);
	int64_t theirs = 0;
	struct shm_slot *other;

	if (is_alone(spread) || (!is_full && !stuck && ours <= SLACK)) /* none has so much less */
		return NULL;
	other = least_loaded(spread, is_full, &theirs);
	if (!other || (stuck && has_thread(spread, other)))
		return other;
	return theirs + (is_full ? 1 : SLACK) < ours ? other : NULL;
}

bool spread_is_uneven(const struct spread *spread)
{
	return find_better(spread, load_of(spread, spread->slot)) != NULL;
}

/* Claims a place on another worker. NULL: it is better served here. */
static struct shm_slot *choose(const struct spread *spread)
{
	int64_t ours = load_of(spread, spread->slot);
	struct shm_slot *other = find_better(spread, ours);

	if (!other)
		return NULL;
	atomic_fetch_add(&inbox_of(spread, other)->waiting, 1);
	if (load_of(spread, other) < ours || spread_is_stuck(spread))
		return other;
	atomic_fetch_sub(&inbox_of(spread, other)->waiting, 1);
	return NULL; /* others have claimed it meanwhile */
}

/* --- the way over --- */

/* The count may be short by what a sender that was killed did not take back, and it starts anew
 * with each worker, whatever lies in its inbox. */
static void lower(struct shm_inbox *inbox)
{
	int64_t waiting = atomic_load(&inbox->waiting);

	while (waiting > 0 && !atomic_compare_exchange_weak(&inbox->waiting, &waiting, waiting - 1))
		;
}

static int take_from(const struct spread *spread, const struct shm_slot *slot, int place)
{
	int fd;

	if (receive_descriptor(spread->inboxes->read_end[place], &fd))
		lower(inbox_of(spread, slot));
	return fd;
}

/* The place was claimed. */
static bool put_into(const struct spread *spread, const struct shm_slot *slot, int fd)
{
	int place = atomic_load(&slot->place);

	if (place < spread->inboxes->count &&
	    send_descriptor(spread->inboxes->write_end[place], fd)) {
		close(fd);
		return true;
	}
	lower(inbox_of(spread, slot));
	return false;
}

int spread_place(const struct spread *spread, int fd)
{
	struct shm_slot *other = choose(spread);

	if (!other || !put_into(spread, other, fd))
		return fd;
	/* It empties its inbox once more when it has said that it stops: either it saw ours then,
	 * or we see now what it said. */
	if (atomic_load(&other->state) != SHM_SLOT_READY &&
	    (fd = take_from(spread, other, atomic_load(&other->place))) >= 0)
		return fd;
	atomic_fetch_sub(&spread->slot->requests_busy, 1);
	metrics_add(M_HANDED_OVER, 0, 0, 1);
	return -1;
}

bool spread_keep(const struct spread *spread, int fd)
{
	atomic_fetch_add(&inbox_of(spread, spread->slot)->waiting, 1);
	if (!put_into(spread, spread->slot, fd))
		return false;
	atomic_fetch_sub(&spread->slot->requests_busy, 1);
	return true;
}

int spread_inbox(const struct spread *spread)
{
	return is_alone(spread) ? -1 : spread->inboxes->read_end[atomic_load(&spread->slot->place)];
}

int spread_take(const struct spread *spread)
{
	int fd;

	if (is_alone(spread))
		return -1;
	atomic_fetch_add(&spread->slot->requests_busy, 1);
	fd = take_from(spread, spread->slot, atomic_load(&spread->slot->place));
	if (fd < 0)
		atomic_fetch_sub(&spread->slot->requests_busy, 1);
	return fd;
}

/* What waits at a worker that stands still or is stuck is anybody's who has a thread free. */
void spread_rescue(const struct spread *spread)
{
	int used = is_alone(spread) ? 0 : atomic_load(&spread->shm->pool.slots_used);
	int64_t now_ms = clock_mono_ms();
	int fd;

	for (int i = 0; i < used; i++) {
		const struct shm_slot *slot = &spread->shm->slots[i];

		if (!is_sibling(spread, slot) || now_ms - atomic_load(&slot->moved_ms) < STUCK_MS)
			continue;
		while (has_thread(spread, spread->slot) &&
		       (fd = take_from(spread, slot, atomic_load(&slot->place))) >= 0) {
			atomic_fetch_add(&spread->slot->requests_busy, 1);
			if (!spread_keep(spread, fd)) {
				atomic_fetch_sub(&spread->slot->requests_busy, 1);
				close(fd);
			}
		}
	}
}
