/* request_thread: see request_thread.h. */
#include "request_thread.h"

#include "base/clock.h"
#include "base/log.h"
#include "kept.h"
#include "serve.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define NO_DESCRIPTORS_PAUSE_MS 50
#define STACK_SIZE              (512u * 1024)
#define PASSED_A_LOOK           64 /* connections, at most */

enum { SEEN_LISTENER, SEEN_INBOX, SEEN_STOP };
_Static_assert(SEEN_STOP < KEPT_OTHERS, "numbers of what is no connection");

struct request_threads {
	struct request_work work;
	struct kept *kept;
	int stop; /* eventfd, readable for ever once it is time */
	int count;
	atomic_int at_work;  /* threads that have not left yet */
	atomic_bool is_told; /* to stop: no further connection is taken */
	/* The main thread's: when those that wait are waited for no longer, and whether that is
	 * over. */
	bool is_shut;
	int64_t linger_until_ms;
	struct request_thread {
		struct request_threads *all;
		pthread_t thread;
		_Atomic int64_t busy_since_ms; /* 0: it waits */
	} threads[];
};

/* --- the loop --- */

static void rest_without_descriptors(const struct request_threads *threads, int reason)
{
	static _Atomic int64_t said_ms;
	struct pollfd stop = { .fd = threads->stop, .events = POLLIN };
	int64_t now_ms = clock_mono_ms();

	if (now_ms - atomic_load(&said_ms) > 1000) {
		atomic_store(&said_ms, now_ms);
		log_error("connections wait: no descriptors or memory left",
			  LOG_T("reason", strerror(reason)));
	}
	poll(&stop, 1, NO_DESCRIPTORS_PAUSE_MS);
}

static void move_on(struct request_thread *thread, bool begins)
{
	int64_t now_ms = clock_mono_ms();

	atomic_store(&thread->busy_since_ms, begins ? now_ms : 0);
	atomic_store(&thread->all->work.slot->moved_ms, now_ms);
}

/* One that counts among requests_busy already. */
static void serve_counted(struct request_thread *thread, struct connection *connection)
{
	const struct request_work *work = &thread->all->work;

	do
		move_on(thread, true); /* with each: none of them hangs because there are many */
	while (serve_next(work, thread->all->kept, connection));
	move_on(thread, false);
	atomic_fetch_sub(&work->slot->requests_busy, 1);
}

static void serve_new(struct request_thread *thread, int fd)
{
	struct connection connection = { .fd = fd, .place = -1 };

	serve_counted(thread, &connection);
}

/* EPOLLEXCLUSIVE: a connection wakes a thread of one worker, and not of each. EPOLLET: and of that
 * worker one, not all that wait, one behind the other, until it is accepted. */
static bool listen_to(const struct request_threads *threads)
{
	return kept_watch(threads->kept, threads->work.listener, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET,
			  SEEN_LISTENER) ||
	       errno == EEXIST; /* another thread was quicker */
}

/* What is added is looked at: if connections wait, the next is told of. A stop that came in between
 * is not undone. false: it could not be had. */
static bool listen_anew(const struct request_threads *threads)
{
	bool ok;

	kept_unwatch(threads->kept, threads->work.listener);
	if (atomic_load(&threads->is_told))
		return true;
	ok = listen_to(threads);
	if (atomic_load(&threads->is_told))
		kept_unwatch(threads->kept, threads->work.listener);
	return ok;
}

/* However many have come, they are told of once: so whoever has looked at one listens anew, before
 * it is served. Should that fail, the main thread's look does it. When the socket is shut we are
 * about to be told to stop. */
static void accept_one(struct request_thread *thread)
{
	const struct request_work *work = &thread->all->work;
	int fd = accept4(work->listener, NULL, NULL, SOCK_CLOEXEC);
	int reason = fd < 0 ? errno : 0;

	if (reason == EAGAIN || reason == EINVAL)
		return;
	if (error_is_shortage(reason))
		rest_without_descriptors(thread->all, reason);
	listen_anew(thread->all);
	if (fd < 0)
		return;
	atomic_fetch_add(&work->slot->requests_busy, 1);
	fd = spread_place(&work->spread, fd);
	if (fd >= 0)
		serve_new(thread, fd);
}

/* false: nothing was there. */
static bool take_one(struct request_thread *thread)
{
	int fd = spread_take(&thread->all->work.spread);

	if (fd >= 0)
		serve_new(thread, fd);
	return fd >= 0;
}

/* Its end is none, and what was seen may have been read already. */
static bool has_request(const struct connection *connection)
{
	char byte;

	return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* A connection's next request goes to another worker like a new connection, where that has clearly
 * less to do. So no worker keeps all the load that it once got. */
static bool pass_on(const struct request_threads *all, struct connection *connection)
{
	const struct spread *spread = &all->work.spread;

	if (!spread_is_uneven(spread) || !has_request(connection))
		return false;
	kept_leave(all->kept, connection);
	connection->fd = spread_place(spread, connection->fd);
	return connection->fd < 0;
}

static void serve_kept(struct request_thread *thread, uint64_t seen)
{
	struct request_threads *all = thread->all;
	struct connection connection;

	if (!kept_claim(all->kept, seen, &connection))
		return;
	atomic_fetch_add(&all->work.slot->requests_busy, 1);
	if (!pass_on(all, &connection))
		serve_counted(thread, &connection);
}

static void look_after(struct request_thread *thread, uint64_t seen)
{
	switch (seen) {
	case SEEN_LISTENER: accept_one(thread); break;
	case SEEN_INBOX: take_one(thread); break;
	default: serve_kept(thread, seen);
	}
}

static void *thread_main(void *arg)
{
	struct request_thread *thread = arg;
	struct request_threads *all = thread->all;
	uint64_t seen = SEEN_LISTENER;

	while (seen != SEEN_STOP)
		if (kept_look(all->kept, -1, &seen) && seen != SEEN_STOP)
			look_after(thread, seen);
	/* What came before the stop was seen is still served. */
	while (kept_look(all->kept, 0, &seen) && seen != SEEN_STOP)
		look_after(thread, seen);
	while (take_one(thread))
		;
	atomic_fetch_sub(&all->at_work, 1);
	return NULL;
}

/* --- life --- */

static bool start_one(struct request_threads *threads, const pthread_attr_t *attributes)
{
	struct request_thread *thread = &threads->threads[threads->count];

	thread->all = threads;
	atomic_fetch_add(&threads->at_work, 1);
	errno = pthread_create(&thread->thread, attributes, thread_main, thread);
	if (errno != 0) {
		atomic_fetch_sub(&threads->at_work, 1);
		return false;
	}
	threads->count++;
	return true;
}

/* All or none: a worker that says it is ready has all its threads. */
static bool start_all(struct request_threads *threads, int wanted)
{
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	while (threads->count < wanted && start_one(threads, &attributes))
		;
	pthread_attr_destroy(&attributes);
	return threads->count == wanted;
}

static bool open_kept(struct request_threads *threads)
{
	const struct request_work *work = &threads->work;

	return (threads->stop = eventfd(0, EFD_CLOEXEC)) >= 0 &&
	       (threads->kept = kept_open(work->kept)) &&
	       kept_watch(threads->kept, threads->stop, EPOLLIN, SEEN_STOP) &&
	       kept_watch(threads->kept, spread_inbox(&work->spread), EPOLLIN, SEEN_INBOX) &&
	       listen_to(threads);
}

struct request_threads *request_threads_start(const struct request_work *work, struct error *err)
{
	size_t wanted = (size_t)work->config->threads;
	struct request_threads *threads =
		calloc(1, sizeof *threads + wanted * sizeof threads->threads[0]);

	if (!threads) {
		error_set(err, ERROR_INTERNAL, "The request threads could not be made.");
		return NULL;
	}
	threads->work = *work;
	threads->stop = -1;
	if (open_kept(threads) && start_all(threads, (int)wanted))
		return threads;
	error_set(err, ERROR_INTERNAL, "The request threads could not be started: %s.",
		  strerror(errno));
	request_threads_stop(threads);
	return NULL;
}

static void pass_on_unread(struct request_threads *threads, struct connection *connection)
{
	const struct spread *spread = &threads->work.spread;

	atomic_fetch_add(&threads->work.slot->requests_busy, 1);
	if (pass_on(threads, connection) ||
	    (connection->place < 0 && spread_keep(spread, connection->fd)))
		return;
	atomic_fetch_sub(&threads->work.slot->requests_busy, 1);
	if (connection->place < 0)
		close(connection->fd);
	else
		kept_put_back(threads->kept, connection);
}

/* Bytes have come that no thread of ours takes, while another worker has one to spare. */
static void pass_on_what_waits(struct request_threads *threads)
{
	const struct spread *spread = &threads->work.spread;
	struct connection connection;
	bool has_new = false;
	uint64_t seen;

	for (int i = 0; i < PASSED_A_LOOK && spread_is_stuck(spread) && spread_is_uneven(spread) &&
			kept_look(threads->kept, 0, &seen);
	     i++) {
		has_new = has_new || seen == SEEN_LISTENER;
		if (seen >= KEPT_OTHERS && kept_claim(threads->kept, seen, &connection))
			pass_on_unread(threads, &connection);
	}
	if (has_new) /* it was told of to us: the next thread that is free shall hear of it */
		listen_anew(threads);
}

static void sweep(struct request_threads *threads)
{
	serve_sweep(threads->kept);
	atomic_store(&threads->work.slot->kept, kept_count(threads->kept));
}

void request_threads_look(struct request_threads *threads)
{
	if (!listen_anew(threads))
		log_error("connections are not listened for", LOG_T("reason", strerror(errno)));
	spread_rescue(&threads->work.spread);
	pass_on_what_waits(threads);
	sweep(threads);
}

int64_t request_threads_busy_ms(const struct request_threads *threads)
{
	int64_t now_ms = clock_mono_ms(), longest_ms = 0;

	for (int i = 0; i < threads->count; i++) {
		int64_t since_ms = atomic_load(&threads->threads[i].busy_since_ms);

		if (since_ms && now_ms - since_ms > longest_ms)
			longest_ms = now_ms - since_ms;
	}
	return longest_ms;
}

/* --- the end --- */

void request_threads_tell(struct request_threads *threads, int64_t linger_until_ms)
{
	atomic_store(&threads->is_told, true);
	kept_unwatch(threads->kept, threads->work.listener);
	threads->linger_until_ms = linger_until_ms;
}

/* No request is under way, and nobody can send one. */
static bool is_left_alone(const struct request_threads *threads)
{
	return kept_count(threads->kept) == 0 &&
	       atomic_load(&threads->work.slot->requests_busy) == 0;
}

static void shut(struct request_threads *threads)
{
	uint64_t one = 1;

	threads->is_shut = true;
	kept_shut(threads->kept);
	if (write(threads->stop, &one, sizeof one) != sizeof one)
		log_error("request threads not told to stop");
}

bool request_threads_over(struct request_threads *threads)
{
	sweep(threads);
	if (!threads->is_shut &&
	    (clock_mono_ms() >= threads->linger_until_ms || is_left_alone(threads)))
		shut(threads);
	return atomic_load(&threads->at_work) == 0;
}

void request_threads_stop(struct request_threads *threads)
{
	if (!threads)
		return;
	if (threads->count > 0)
		shut(threads);
	while (threads->count > 0)
		pthread_join(threads->threads[--threads->count].thread, NULL);
	kept_free(threads->kept);
	if (threads->stop >= 0)
		close(threads->stop);
	free(threads);
}
