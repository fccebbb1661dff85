/*
 * engine: the thread that carries all runs of a worker. Other threads leave commands in a queue and
 * wake it; nothing in it blocks. Text that one round of events brought is handed on together at the
 * round's end: one append, one record a follower. (A timer instead of the round's end was measured:
 * it saves nothing and costs its delay.)
 */
#include "engine_room.h"

#include "base/clock.h"
#include "base/log.h"
#include <stdlib.h>

#define TICK_MS 50 /* the grain of every deadline here */

/* --- the runs of this engine --- */

static unsigned bucket_of(const char *id)
{
	unsigned sum = 2166136261u;

	for (; *id; id++)
		sum = (sum ^ (unsigned char)*id) * 16777619u;
	return sum % RUN_BUCKETS;
}

struct run *engine_find_run(const struct engine *engine, const char *id)
{
	struct run *run = engine->buckets[bucket_of(id)];

	while (run && strcmp(run_id(run), id) != 0)
		run = run->next_in_bucket;
	return run;
}

static void add_run(struct engine *engine, struct run *run)
{
	struct run **bucket = &engine->buckets[bucket_of(run_id(run))];

	run->next_in_bucket = *bucket;
	*bucket = run;
	run->next = engine->runs;
	if (run->next)
		run->next->prev = run;
	engine->runs = run;
}

static void forget_dirty(struct engine *engine, struct run *run)
{
	struct run **at = &engine->dirty;

	while (*at && *at != run)
		at = &(*at)->next_dirty;
	if (*at)
		*at = run->next_dirty;
}

void engine_forget_run(struct engine *engine, struct run *run)
{
	struct run **at = &engine->buckets[bucket_of(run_id(run))];

	if (run->is_dirty)
		forget_dirty(engine, run);
	while (*at != run)
		at = &(*at)->next_in_bucket;
	*at = run->next_in_bucket;
	if (run->prev)
		run->prev->next = run->next;
	else
		engine->runs = run->next;
	if (run->next)
		run->next->prev = run->prev;
	if (!run->is_view) {
		atomic_fetch_sub(&engine->run_count, 1);
		if (engine->slot)
			atomic_fetch_sub(&engine->slot->runs, 1);
	}
	run_free(run);
}

/* --- what others ask for --- */

/* The run of a ticket: a new one, the one that is known already, or a view of another's. NULL: no
 * memory. */
static struct run *run_of_ticket(struct engine *engine, struct stream_ticket *ticket)
{
	struct run *run;

	if (ticket->start.spool) {
		run = run_begin(engine, &ticket->start);
	} else if ((run = engine_find_run(engine, stream_ticket_run(ticket)))) {
		spool_unref(ticket->followed);
		return run;
	} else {
		run = view_begin(engine, ticket->followed);
	}
	if (run)
		add_run(engine, run);
	/* The wish may have come while the turn was on its way here. */
	if (run && ticket->start.spool && notices_stop_asked(engine, run_id(run)))
		run_finish(run, STATUS_STOPPED, NULL);
	return run;
}

static void refuse_ticket(struct engine *engine, struct stream_ticket *ticket, struct sink *sink)
{
	const struct sink_summary summary = { .status = 499,
					      .first_byte_ms = -1,
					      .outcome = "error",
					      .run_id = stream_ticket_run(ticket) };

	if (sink)
		sink->ops->close(sink, &summary);
	if (ticket->start.spool) {
		atomic_fetch_sub(&engine->run_count, 1);
		if (engine->slot)
			atomic_fetch_sub(&engine->slot->runs, 1);
	}
	stream_ticket_drop(ticket, &engine->hooks);
}

static void do_ticket(struct engine *engine, struct stream_ticket *ticket, struct sink *sink)
{
	struct run *run = sink ? run_of_ticket(engine, ticket) : NULL;

	if (!run) {
		refuse_ticket(engine, ticket, sink);
		return;
	}
	follower_join(ticket->follower, run, sink);
	free(ticket);
	run_pump(run);
	if (engine->tick.due_ms == 0)
		loop_set_timer(engine->loop, &engine->tick, loop_now_ms(engine->loop) + TICK_MS);
}

static void do_command(struct engine *engine, struct command *command)
{
	struct run *run;

	switch (command->kind) {
	case COMMAND_TICKET:
		do_ticket(engine, command->ticket, command->sink);
		return; /* the command lies in the ticket */
	case COMMAND_SAVED:
		if ((run = engine_find_run(engine, command->run_id)))
			run_saved(run);
		break;
	case COMMAND_STOP:
		engine->stop_at_ms = command->deadline_ms;
		if (engine->tick.due_ms == 0)
			loop_set_timer(engine->loop, &engine->tick, loop_now_ms(engine->loop));
		break;
	}
	free(command);
}

static void on_wake(void *ctx)
{
	struct engine *engine = ctx;
	struct command *command, *next;

	pthread_mutex_lock(&engine->lock);
	command = engine->first;
	engine->first = NULL;
	engine->last = &engine->first;
	pthread_mutex_unlock(&engine->lock);
	for (; command; command = next) {
		next = command->next;
		do_command(engine, command);
	}
}

static void leave_command(struct engine *engine, struct command *command)
{
	command->next = NULL;
	pthread_mutex_lock(&engine->lock);
	*engine->last = command;
	engine->last = &command->next;
	pthread_mutex_unlock(&engine->lock);
	loop_notify(engine->loop);
}

/* --- time --- */

static void on_tick(struct loop_timer *timer)
{
	struct engine *engine = timer->owner;
	int64_t now_ms = loop_now_ms(engine->loop);
	struct run *next;

	if (engine->stop_at_ms && now_ms >= engine->stop_at_ms)
		engine->cut_off = true;
	for (struct run *run = engine->runs; run; run = next) {
		next = run->next;
		run_tick(run, now_ms);
	}
	if (engine->runs)
		loop_set_timer(engine->loop, timer, now_ms + TICK_MS);
	else if (engine->stop_at_ms)
		loop_stop(engine->loop);
}

static void on_round(void *ctx)
{
	struct engine *engine = ctx;
	struct run *run;

	atomic_store(&engine->round_ms, loop_now_ms(engine->loop));
	while ((run = engine->dirty)) {
		engine->dirty = run->next_dirty;
		run_flush(run);
	}
}

/* --- life --- */

struct engine *engine_open(const struct config *config, struct shm *shm, struct shm_slot *slot,
			   struct error *err)
{
	struct engine *engine = calloc(1, sizeof *engine);

	if (!engine) {
		error_set(err, ERROR_INTERNAL, "No memory for the engine.");
		return NULL;
	}
	engine->config = config;
	engine->shm = shm;
	engine->slot = slot;
	engine->board = board_of(shm);
	engine->board_slot = board_slot(shm, slot);
	engine->inotify = engine->stop_folder = -1;
	engine->last = &engine->first;
	engine->tick = (struct loop_timer){ .fire = on_tick, .owner = engine };
	pthread_mutex_init(&engine->lock, NULL);
	buffer_init(&engine->scratch, SINK_CHUNK_MAX);
	if (net_init(err))
		engine->loop = loop_open(err);
	if (engine->loop)
		engine->multi = net_multi_open(engine->loop, (size_t)config->runs_max, err);
	if (!engine->multi) {
		engine_free(engine);
		return NULL;
	}
	loop_wake(engine->loop, on_wake, engine);
	loop_after_round(engine->loop, on_round, engine);
	return engine;
}

static void *engine_thread(void *arg)
{
	struct engine *engine = arg;

	loop_run(engine->loop);
	atomic_store(&engine->over, true);
	return NULL;
}

bool engine_start(struct engine *engine, const struct engine_hooks *hooks, struct error *err)
{
	engine->hooks = *hooks;
	if (!notices_open(engine, err))
		return false;
	if (pthread_create(&engine->thread, NULL, engine_thread, engine) != 0)
		return error_set(err, ERROR_INTERNAL, "The engine's thread could not be started.");
	engine->started = true;
	return true;
}

void engine_stop_by(struct engine *engine, int64_t deadline_ms)
{
	struct command *command = calloc(1, sizeof *command);

	if (!command)
		return; /* whoever asks asks again, or kills */
	command->kind = COMMAND_STOP;
	command->deadline_ms = deadline_ms;
	leave_command(engine, command);
}

bool engine_is_alive(struct engine *engine, int64_t patience_ms)
{
	int64_t now_ms = clock_mono_ms();

	if (atomic_load(&engine->round_ms) >= engine->asked_ms)
		engine->asked_ms = now_ms;
	loop_notify(engine->loop);
	return now_ms - engine->asked_ms < patience_ms;
}

bool engine_is_over(const struct engine *engine)
{
	return !engine->started || atomic_load(&engine->over);
}

void engine_stop(struct engine *engine, int64_t deadline_ms)
{
	if (!engine->started)
		return;
	engine_stop_by(engine, deadline_ms);
	pthread_join(engine->thread, NULL);
	engine->started = false;
}

void engine_free(struct engine *engine)
{
	struct command *next;

	if (!engine)
		return;
	for (struct command *command = engine->first; command; command = next) {
		next = command->next; /* only words on runs that are over can be left */
		free(command);
	}
	notices_close(engine);
	net_multi_free(engine->multi);
	loop_free(engine->loop);
	net_done();
	buffer_done(&engine->scratch);
	pthread_mutex_destroy(&engine->lock);
	free(engine);
}

struct board *engine_board(const struct engine *engine)
{
	return engine->board;
}

int engine_board_slot(const struct engine *engine)
{
	return engine->board_slot;
}

bool engine_take_room(struct engine *engine, struct error *err)
{
	if (atomic_fetch_add(&engine->run_count, 1) < engine->config->runs_max)
		return true;
	atomic_fetch_sub(&engine->run_count, 1);
	error_set(err, ERROR_OVERLOADED,
		  "Too many answers are being written; try again in a moment.");
	if (err)
		err->retry_after_s = 1;
	return false;
}

void engine_give_room(struct engine *engine)
{
	atomic_fetch_sub(&engine->run_count, 1);
}

void engine_hand_over(struct engine *engine, struct stream_ticket *ticket, struct sink *sink)
{
	/* Here and not when it is taken on: between the two it would be nobody's load. */
	if (ticket->start.spool && engine->slot)
		atomic_fetch_add(&engine->slot->runs, 1);
	ticket->command.kind = COMMAND_TICKET;
	ticket->command.ticket = ticket;
	ticket->command.sink = sink;
	leave_command(engine, &ticket->command);
}

void engine_saved(struct engine *engine, const char *id)
{
	struct command *command = calloc(1, sizeof *command);
	size_t len = strlen(id);

	if (!command || len > ID_MAX) {
		free(command); /* the tick's deadline closes the bodies then */
		return;
	}
	command->kind = COMMAND_SAVED;
	memcpy(command->run_id, id, len + 1);
	leave_command(engine, command);
}
