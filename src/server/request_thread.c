/* request_thread: see request_thread.h. */
#include "request_thread.h"

#include "access.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "incoming.h"
#include "record.h"
#include "record_sink.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define NO_DESCRIPTORS_PAUSE_MS 50
#define SHUT_PAUSE_MS           50
#define ANSWER_MS               60000 /* for a whole answer; a single write waits C1D_WRITE_MS at most */
#define HEAD_MAX                16384
#define STACK_SIZE              (512u * 1024)

struct request_threads {
	struct request_work work;
	int stop; /* eventfd, readable for ever once it is time */
	int count;
	atomic_int at_work; /* threads that have not left yet */
	struct request_thread {
		struct request_threads *all;
		pthread_t thread;
		int epoll;
		_Atomic int64_t busy_since_ms; /* 0: it waits */
	} threads[];
};

/* --- one request --- */

static void set_write_deadline(int fd, int64_t ms)
{
	struct timeval limit = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* The body as it stands, then piece by piece what the response goes on with. Gives its length; *ok
 * false: the client has gone or takes nothing. A body that fails is cut: without the request's end
 * the web server sees that it is not whole. */
static int64_t write_body(int fd, uint16_t request_id, struct slice head, struct response *response,
			  bool *ok)
{
	int64_t deadline_ms = clock_mono_ms() + ANSWER_MS, bytes = 0;
	struct buffer *body = &response->body;

	for (;;) {
		bool is_last = !response->more && !body->failed;

		bytes += (int64_t)body->len;
		*ok = record_write(fd, request_id, head, buffer_slice(body), is_last, deadline_ms);
		if (!*ok || is_last || body->failed)
			return bytes;
		head = SLICE("");
		buffer_reset(body);
		if (!response->more(response->more_ctx, body))
			response->more = NULL;
	}
}

/* Half an answer would be another one: without a word of ours the web server says 503. */
static bool is_whole(const struct response *response, const struct buffer *head)
{
	return !head->failed && !response->headers.failed && !response->body.failed;
}

static void write_answer(const struct request_work *work, int fd, uint16_t request_id,
			 struct response *response, struct access *access)
{
	const char *outcome = response->error ? error_word(response->error) : "ok";
	struct buffer head;
	int64_t bytes = 0;
	bool ok = true;

	buffer_init(&head, HEAD_MAX);
	record_head(&head, response->status, buffer_slice(&response->headers));
	set_write_deadline(fd, work->config->write_ms);
	access_first_byte(access);
	if (is_whole(response, &head))
		bytes = write_body(fd, request_id, buffer_slice(&head), response, &ok);
	else
		response->status = 503;
	if (!ok || !is_whole(response, &head))
		outcome = ok ? "no_memory" : "client_gone";
	buffer_done(&head);
	close(fd);
	access_answer(access, response->status, bytes, outcome);
}

static void hand_over(const struct request_work *work, int fd, uint16_t request_id,
		      struct response *response, const struct access *access)
{
	struct sink *sink;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	sink = record_sink_new(fd, request_id, access);
	if (!sink) {
		close(fd);
		access_answer(access, 499, 0, "no_memory");
	}
	engine_hand_over(work->engine, response->stream, sink);
}

static void serve(const struct request_work *work, int fd)
{
	struct incoming in;
	struct response response;
	struct access access;
	uint16_t request_id;

	if (!incoming_read(&in, fd, work->config->read_ms, work->budget)) {
		close(fd);
		metrics_add(M_BAD_PEERS, 0, 0, 1);
		log_notice("connection without a usable request");
		return;
	}
	response_init(&response);
	work->app->handle(work->app_state, &in.request, &response);
	access_fill(&access, &in.request, &response);
	request_id = incoming_release(&in);
	if (response.stream)
		hand_over(work, fd, request_id, &response, &access);
	else
		write_answer(work, fd, request_id, &response, &access);
	response_done(&response);
	incoming_done(&in);
}

/* --- the loop --- */

static void rest_without_descriptors(const struct request_threads *threads)
{
	static _Atomic int64_t said_ms;
	struct pollfd stop = { .fd = threads->stop, .events = POLLIN };
	int64_t now_ms = clock_mono_ms();

	if (now_ms - atomic_load(&said_ms) > 1000) {
		atomic_store(&said_ms, now_ms);
		log_error("connections wait: no descriptors or memory left",
			  LOG_T("reason", strerror(errno)));
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
static void serve_counted(struct request_thread *thread, int fd)
{
	const struct request_work *work = &thread->all->work;

	move_on(thread, true);
	serve(work, fd);
	move_on(thread, false);
	atomic_fetch_sub(&work->slot->requests_busy, 1);
}

/* Counted; -1: none, or it went to another worker. */
static int accept_one(const struct request_threads *threads)
{
	const struct request_work *work = &threads->work;
	int fd = accept4(work->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0) {
		atomic_fetch_add(&work->slot->requests_busy, 1);
		return spread_place(&work->spread, fd);
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		rest_without_descriptors(threads);
	else if (errno == EINVAL) /* shut: we are about to be told to stop */
		poll(&(struct pollfd){ .fd = threads->stop, .events = POLLIN }, 1, SHUT_PAUSE_MS);
	return -1;
}

/* A connection wakes one thread of one worker, and that worker may die or stand still before it is
 * accepted. So one thread of each looks unasked. */
#define LOOK_MS 500

enum { READY_LISTENER = 1, READY_INBOX = 2, READY_STOP = 4 };

static bool watch(int epoll, int fd, uint32_t events, uint32_t what)
{
	struct epoll_event event = { .events = events, .data.u32 = what };

	return fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* -1 with errno. */
static int open_epoll(const struct request_threads *threads)
{
	const struct request_work *work = &threads->work;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll >= 0 && watch(epoll, work->listener, EPOLLIN | EPOLLEXCLUSIVE, READY_LISTENER) &&
	    watch(epoll, spread_inbox(&work->spread), EPOLLIN | EPOLLEXCLUSIVE, READY_INBOX) &&
	    watch(epoll, threads->stop, EPOLLIN, READY_STOP))
		return epoll;
	if (epoll >= 0)
		close(epoll);
	return -1;
}

/* Either of the two may have woken this thread and no other. So when both are there, one is served
 * here and the other goes where the next free thread looks. */
static void serve_one(struct request_thread *thread, unsigned ready)
{
	const struct spread *spread = &thread->all->work.spread;
	int handed = ready & READY_INBOX ? spread_take(spread) : -1;
	int accepted = ready & READY_LISTENER ? accept_one(thread->all) : -1;

	if (handed >= 0 && accepted >= 0 && spread_keep(spread, accepted))
		accepted = -1;
	if (handed >= 0)
		serve_counted(thread, handed);
	if (accepted >= 0)
		serve_counted(thread, accepted);
}

static void *thread_main(void *arg)
{
	struct request_thread *thread = arg;
	struct request_threads *all = thread->all;
	struct epoll_event events[3];
	unsigned ready = 0;
	int fd;

	while (!(ready & READY_STOP)) {
		int n = epoll_wait(thread->epoll, events, 3, thread == all->threads ? LOOK_MS : -1);

		ready = n == 0 ? READY_LISTENER | READY_INBOX : 0;
		for (int i = 0; i < n; i++)
			ready |= events[i].data.u32;
		/* Also when it is to stop: nobody else was woken for what is there. */
		serve_one(thread, ready);
	}
	while ((fd = spread_take(&all->work.spread)) >= 0)
		serve_counted(thread, fd);
	atomic_fetch_sub(&all->at_work, 1);
	return NULL;
}

/* --- life --- */

static bool start_one(struct request_threads *threads, const pthread_attr_t *attributes)
{
	struct request_thread *thread = &threads->threads[threads->count];

	thread->all = threads;
	thread->epoll = open_epoll(threads);
	if (thread->epoll < 0)
		return false;
	atomic_fetch_add(&threads->at_work, 1);
	errno = pthread_create(&thread->thread, attributes, thread_main, thread);
	if (errno != 0) {
		atomic_fetch_sub(&threads->at_work, 1);
		close(thread->epoll);
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

struct request_threads *request_threads_start(const struct request_work *work, struct error *err)
{
	size_t wanted = (size_t)work->config->threads;
	struct request_threads *threads =
		calloc(1, sizeof *threads + wanted * sizeof threads->threads[0]);

	if (!threads || (threads->stop = eventfd(0, EFD_CLOEXEC)) < 0) {
		free(threads);
		error_set(err, ERROR_INTERNAL, "The request threads could not be made.");
		return NULL;
	}
	threads->work = *work;
	if (start_all(threads, (int)wanted))
		return threads;
	error_set(err, ERROR_INTERNAL, "The request threads could not be started: %s.",
		  strerror(errno));
	request_threads_stop(threads);
	return NULL;
}

void request_threads_rescue(const struct request_threads *threads)
{
	spread_rescue(&threads->work.spread);
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

void request_threads_tell(struct request_threads *threads)
{
	uint64_t one = 1;

	if (write(threads->stop, &one, sizeof one) != sizeof one)
		log_error("request threads not told to stop");
}

bool request_threads_over(const struct request_threads *threads)
{
	return atomic_load(&threads->at_work) == 0;
}

void request_threads_stop(struct request_threads *threads)
{
	if (!threads)
		return;
	request_threads_tell(threads);
	while (threads->count > 0) {
		struct request_thread *thread = &threads->threads[--threads->count];

		pthread_join(thread->thread, NULL);
		close(thread->epoll);
	}
	close(threads->stop);
	free(threads);
}
