/*
 * engine_room: what the engine's parts know of each other. All of it is touched by the engine's
 * thread only, except where a line says otherwise.
 *
 *   engine.c    the thread, its commands from others, the tick of deadlines
 *   run.c       one answer: upstream text -> spool -> followers, and how it ends
 *   run_state.c the states of a run, as a table
 *   view.c      a run of another worker, or one that is over, seen through its file
 *   notices.c   what the kernel tells of the spool folder: stop files, growth
 *   ticket.c    a stream on its way from a request thread
 *   follower.c  one client: its own offset, what it is sent and when it leaves
 *   framing.c   the bytes of the two forms, raw and SSE
 */
#ifndef STREAM_ENGINE_ROOM_H
#define STREAM_ENGINE_ROOM_H

#include "base/loop.h"
#include "llm/llm.h"
#include "run_state.h"
#include "stream/board.h"
#include "stream/engine.h"
#include "ticket.h"
#include <pthread.h>
#include <stdatomic.h>

#define RUN_BUCKETS 256

struct follower {
	struct run *run;
	struct follower *next;
	struct sink *sink;
	struct loop_watch watch;
	struct stream_options options;
	struct buffer headers; /* of the success; dropped once begun */
	int64_t offset;        /* next byte of the answer it is to get */
	int64_t sent;          /* body bytes, framing included */
	int64_t taken_ms, last_sent_ms, first_byte_ms;
	bool begun;   /* the head is out: the status is spent */
	bool blocked; /* the sink keeps a rest */
	bool ending;  /* the tail is with the sink: only the end is left */
	bool ended;   /* the end is with the sink too */
	int status;
};

struct run {
	struct engine *engine;
	struct run *next_in_bucket;
	struct run *next, *prev; /* of all runs */
	struct run *next_dirty;  /* of those with fresh text this round */
	bool is_dirty;
	bool is_view; /* another worker's, or over: see view.c */
	int notice;   /* of a view: inotify's number */
	enum run_state state;
	struct spool *spool;
	struct llm_call *call; /* NULL once it is over */
	struct follower *followers;
	struct buffer fresh; /* text of this round */
	int64_t fresh_at;    /* its offset in the answer; -1: not in the spool yet */
	enum leave_policy leave;
	int64_t grace_ms;
	int64_t arrived_ms, started_ms, last_byte_ms, ended_ms; /* monotonic */
	int64_t alone_ms;        /* since when no client of this worker follows it */
	struct loop_timer alone; /* looks what that means */
	bool any_byte, any_text;
	struct error error; /* how it failed; NONE when it did not */
};

struct engine {
	const struct config *config;
	struct shm *shm;
	struct shm_slot *slot;
	struct board *board;
	int board_slot; /* this worker on the board */
	struct engine_hooks hooks;
	struct loop *loop;
	struct net_multi *multi;
	pthread_t thread;
	atomic_bool over;         /* its loop has ended */
	_Atomic int64_t round_ms; /* when it last went round */
	int64_t asked_ms;         /* when it was first asked to, since then; the main thread's */
	bool started;
	struct loop_timer tick;
	struct loop_watch notices;
	int inotify, stop_folder; /* -1 until engine_start */
	int stop_notice;          /* inotify's number of the stop folder */
	struct run *runs, *dirty;
	struct run *buckets[RUN_BUCKETS];
	struct buffer scratch;      /* one frame */
	char chunk[SINK_CHUNK_MAX]; /* one read of a spool */
	int64_t stop_at_ms;         /* 0: not stopping */
	bool cut_off;               /* the deadline is over: what still runs is ended */
	atomic_long run_count;      /* any thread */
	pthread_mutex_t lock;       /* guards the commands */
	struct command *first, **last;
};

/* --- engine.c --- */
void engine_forget_run(struct engine *engine, struct run *run); /* out of the lists; frees it */
struct run *engine_find_run(const struct engine *engine,
			    const char *id); /* NULL: not one of ours */

/* --- notices.c --- */
bool notices_open(struct engine *engine, struct error *err);
void notices_close(struct engine *engine);
/* To whoever owns it, this engine too. */
void notices_ask_stop(const struct engine *engine, const char *run_id);
/* Is a stop wished for already? The wish is taken. */
bool notices_stop_asked(const struct engine *engine, const char *run_id);
int notices_watch(struct engine *engine,
		  const char *run_id); /* inotify's number, -1: growth is seen at the ticks */
void notices_forget(struct engine *engine, int notice);

/* --- view.c --- */
struct run *view_begin(struct engine *engine,
		       struct spool *spool); /* takes the reference; NULL: nothing taken */
void view_look(struct run *view);            /* reads the file's header anew; not a view: nothing */

/* --- run.c --- */
struct run *run_begin(struct engine *engine,
		      struct run_start *start); /* NULL: no memory; nothing was taken */
void run_finish(struct run *run, enum message_status status, const struct llm_end *said);
void run_pump(struct run *run);  /* every follower gets what there is */
void run_flush(struct run *run); /* fresh text into the spool, then to the followers */
void run_tick(struct run *run, int64_t now_ms);
void run_saved(struct run *run); /* followers' bodies may close */
void run_left(struct run *run);  /* a follower has gone */
void run_free(struct run *run);
const char *run_id(const struct run *run);

/* --- follower.c --- */
struct follower *follower_new(const struct stream_options *options, struct slice headers);
void follower_free(struct follower *follower);
void follower_join(struct follower *follower, struct run *run, struct sink *sink);
/* Sends what there is for it; leaves or finishes when it is time. The follower may be gone
 * afterwards. */
void follower_pump(struct follower *follower);
void follower_tick(struct follower *follower, int64_t now_ms);

#endif
