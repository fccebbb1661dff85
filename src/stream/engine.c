/*
 * engine: the thread that carries all runs of a worker. Other threads leave commands in a queue and
 * wake it; nothing in it blocks. Text that one round of events brought is handed on together at the
 * round's end: one append, one record a follower. (A timer instead of the round's end was measured:
 * it saves nothing and costs its delay.)
 */
#include "stream/engine.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/table.h"
#include "follower.h"
#include "notices.h"
#include "run.h"
#include "source_file.h"
#include "source_upstream.h"
#include "ticket.h"
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_LOOK_MS     2000  /* how often a file of another worker is looked at unasked */
#define FILE_PATIENCE_MS 10000 /* with one that nobody owns: the pool adopts it in two seconds */
#define AHEAD_SPREAD_MS  250   /* workers that start together do not all dial in one moment */
#define FOLLOWERS_A_RUN  64
#define FOLLOWERS_LEAST  64 /* that a worker carries besides each run's first */

struct engine {
	const struct config *config;
	const struct shm *shm;
	struct shm_slot *slot;
	struct engine_hooks hooks;
	struct loop *loop;
	struct net_multi *multi;
	struct notices *notices; /* from engine_start on */
	struct runs runs;
	struct table by_id; /* runs that others may join */
	struct followers followers;
	struct upstream upstream;
	struct files files;
	pthread_t thread;
	atomic_bool over;         /* its loop has ended */
	_Atomic int64_t round_ms; /* when it last went round */
	int64_t asked_ms;         /* when it was first asked to, since then; the main thread's */
	bool started;
	bool stopping;
	struct loop_timer stop; /* the deadline of what still runs */
	atomic_long run_count;  /* any thread */
	pthread_mutex_t lock;   /* guards the commands */
	struct command *first, **last;
};

/* --- the runs of this engine --- */

static bool has_id(const void *run, const void *id)
{
	return strcmp(run_id(run), id) == 0;
}

/* NULL: not one of ours. */
static struct run *find_run(const struct engine *engine, const char *id)
{
	return table_find(&engine->by_id, table_hash_text(id), has_id, id);
}

static void on_run_ended(void *ctx, struct spool *spool)
{
	struct engine *engine = ctx;

	engine->hooks.ended(engine->hooks.ctx, spool);
}

static void on_run_gone(void *ctx, struct run *run)
{
	struct engine *engine = ctx;

	table_remove(&engine->by_id, table_hash_text(run_id(run)), run);
	if (!run_is_ours(run))
		return;
	atomic_fetch_sub(&engine->run_count, 1);
	if (engine->slot)
		atomic_fetch_sub(&engine->slot->runs, 1);
}

static void on_ask_stop(void *ctx, const char *id)
{
	notices_ask_stop(((struct engine *)ctx)->notices, id);
}

/* Somebody wishes a run stopped; every engine hears of it, its owner obeys. */
static void on_stop_wish(void *ctx, const char *id)
{
	struct engine *engine = ctx;
	struct run *run = find_run(engine, id);

	if (!run || !run_is_ours(run))
		return;
	notices_take_stop(engine->notices, id);
	run_halt(run);
}

/* --- what others ask for --- */

static struct run *begin_run(struct engine *engine, struct run_start *start)
{
	struct run *run = run_ours(&engine->runs, start);
	bool is_listed;

	if (!run)
		return NULL;
	is_listed = table_add(&engine->by_id, table_hash_text(run_id(run)), run);
	run_take(run,
		 is_listed ? source_upstream(&engine->upstream, run_id(run), &start->body) : NULL);
	buffer_done(&start->body); /* what was not taken */
	/* The wish may have come while the turn was on its way here. */
	if (notices_take_stop(engine->notices, run_id(run)))
		run_halt(run);
	return run;
}

/* The one that is carried already, or another's seen through its file. */
static struct run *see_run(struct engine *engine, struct stream_ticket *ticket)
{
	struct run *run = ticket->is_replay ? NULL : find_run(engine, stream_ticket_run(ticket));
	struct spool *spool = ticket->followed;

	if (run) {
		spool_unref(spool);
		return run;
	}
	if (!(run = run_seen(&engine->runs, spool)))
		return NULL;
	if (!ticket->is_replay)
		table_add(&engine->by_id, table_hash_text(run_id(run)), run);
	run_take(run, source_file(&engine->files, spool));
	return run;
}

static void refuse_ticket(struct engine *engine, struct stream_ticket *ticket, struct sink *sink)
{
	const struct sink_summary summary = { .status = 499,
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

/* As many as there are runs, for each has its first, and so many besides. */
static bool has_room_for_follower(const struct engine *engine)
{
	long besides = engine->config->runs_max / 2;

	if (besides < FOLLOWERS_LEAST)
		besides = FOLLOWERS_LEAST;
	return atomic_load(&engine->followers.count) < atomic_load(&engine->run_count) + besides;
}

static const struct error *why_not_follow(const struct engine *engine, const struct run *run)
{
	static const struct error many = {
		.code = ERROR_OVERLOADED,
		.retry_after_s = 5,
		.detail = "This answer is being read by too many at once; try again later."
	};
	static const struct error busy = { .code = ERROR_OVERLOADED,
					   .retry_after_s = 1,
					   .detail = "Too many answers are being read; try again "
						     "in a moment." };

	if (run_readers(run) >= FOLLOWERS_A_RUN)
		return &many;
	return has_room_for_follower(engine) ? NULL : &busy;
}

static void do_ticket(struct engine *engine, struct stream_ticket *ticket, struct sink *sink)
{
	bool is_new = ticket->start.spool != NULL;
	struct run *run = NULL;

	if (sink)
		run = is_new ? begin_run(engine, &ticket->start) : see_run(engine, ticket);
	if (!run) {
		refuse_ticket(engine, ticket, sink);
		return;
	}
	follower_join(ticket->follower, &engine->followers, run, sink,
		      is_new ? NULL : why_not_follow(engine, run));
	ticket_free(ticket);
	if (engine->runs.is_cut)
		runs_cut(&engine->runs);
}

static void do_command(struct engine *engine, struct command *command)
{
	struct run *run;

	switch (command->kind) {
	case COMMAND_TICKET:
		do_ticket(engine, command->ticket, command->sink);
		return; /* the command lies in the ticket */
	case COMMAND_SAVED:
		if ((run = find_run(engine, command->run_id)))
			run_saved(run);
		break;
	case COMMAND_STOP:
		engine->stopping = true;
		loop_set_timer(engine->loop, &engine->stop, command->deadline_ms);
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

static void on_stop_time(struct loop_timer *timer)
{
	struct engine *engine = timer->owner;

	engine->followers.is_cut = true;
	runs_cut(&engine->runs);
}

static void on_round(void *ctx)
{
	struct engine *engine = ctx;

	atomic_store(&engine->round_ms, loop_now_ms(engine->loop));
	upstream_round(&engine->upstream);
	runs_flush(&engine->runs);
	followers_round(&engine->followers);
	if (engine->stopping && !engine->runs.all)
		loop_stop(engine->loop);
}

/* --- life --- */

static void set_up(struct engine *engine, const struct config *config, struct shm *shm,
		   struct shm_slot *slot)
{
	static const struct run_calls calls = { on_run_ended, on_run_gone, on_ask_stop };

	engine->config = config;
	engine->shm = shm;
	engine->slot = slot;
	engine->last = &engine->first;
	engine->stop = (struct loop_timer){ .fire = on_stop_time, .owner = engine };
	engine->runs = (struct runs){ .config = config,
				      .board = board_of(shm),
				      .slot = board_slot(shm, slot),
				      .calls = calls,
				      .ctx = engine };
	engine->upstream = (struct upstream){ .config = config, .shm = shm };
	engine->files = (struct files){ .look_ms = FILE_LOOK_MS, .patience_ms = FILE_PATIENCE_MS };
	pthread_mutex_init(&engine->lock, NULL);
}

struct engine *engine_open(const struct config *config, struct shm *shm, struct shm_slot *slot,
			   struct error *err)
{
	struct engine *engine = calloc(1, sizeof *engine);

	if (!engine) {
		error_set(err, ERROR_INTERNAL, "No memory for the engine.");
		return NULL;
	}
	set_up(engine, config, shm, slot);
	if (net_init(err))
		engine->loop = loop_open(err);
	if (engine->loop)
		engine->multi = net_multi_open(engine->loop, (size_t)config->runs_max, err);
	if (!engine->multi) {
		engine_free(engine);
		return NULL;
	}
	engine->runs.loop = engine->upstream.loop = engine->files.loop = engine->loop;
	llm_init(&engine->upstream.llm, engine->multi, config);
	followers_init(&engine->followers, engine->loop, config, slot);
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
	engine->notices =
		notices_open(engine->loop, engine->config->spool_path, on_stop_wish, engine, err);
	if (!engine->notices)
		return false;
	engine->files.notices = engine->notices;
	llm_dial_ahead(&engine->upstream.llm, getpid() * 37 % AHEAD_SPREAD_MS);
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
	notices_close(engine->notices);
	net_multi_free(engine->multi);
	llm_done(&engine->upstream.llm);
	runs_done(&engine->runs);
	followers_done(&engine->followers);
	loop_free(engine->loop);
	net_done();
	table_done(&engine->by_id);
	pthread_mutex_destroy(&engine->lock);
	free(engine);
}

/* --- any thread --- */

struct board *engine_board(const struct engine *engine)
{
	return engine->runs.board;
}

int engine_board_slot(const struct engine *engine)
{
	return engine->runs.slot;
}

/* Connections are spread by counts that run a moment behind, so a worker may be full while another
 * is not quite: a question is not refused for that. */
static bool has_room(const struct engine *engine, long runs)
{
	const struct shm *shm = engine->shm;
	int used = shm && engine->slot ? atomic_load(&shm->pool.slots_used) : 0;
	int64_t room = 0;

	if (runs < engine->config->runs_max)
		return true;
	if (runs >= engine->config->runs_max + ENGINE_RUNS_OVER)
		return false;
	for (int i = 0; i < used; i++) {
		const struct shm_slot *slot = &shm->slots[i];

		if (slot != engine->slot && atomic_load(&slot->state) == SHM_SLOT_READY &&
		    atomic_load(&slot->generation) == atomic_load(&engine->slot->generation))
			room += engine->config->runs_max - atomic_load(&slot->runs);
	}
	return room > runs - engine->config->runs_max;
}

bool engine_take_room(struct engine *engine, struct error *err)
{
	if (has_room(engine, atomic_fetch_add(&engine->run_count, 1)))
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
		free(command); /* the run's deadline closes the bodies then */
		return;
	}
	command->kind = COMMAND_SAVED;
	memcpy(command->run_id, id, len + 1);
	leave_command(engine, command);
}
