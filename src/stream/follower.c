/* follower: see follower.h. */
#include "follower.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "framing.h"
#include "http/problem.h"
#include "llm/c1.h"
#include <stdlib.h>

/* One of an answer that is over that takes nothing for so long is given up. */
#define LINGER_MS      (15 * 60 * 1000)
#define LINGER_STOP_MS 3000 /* while the worker stops */

#define READ_COUNTED 4096 /* what one read of a spool counts for, whatever it brings */

static const struct error expired = {
	.code = ERROR_UNAUTHORIZED,
	.detail = "Your token has expired meanwhile. Sign in again, then ask for the rest.",
};

/* What each piece of text touches comes first. */
struct follower {
	struct run_reader reader; /* first */
	struct followers *all;
	struct run *run;
	struct sink *sink;
	int64_t offset; /* next byte of the answer it is to get */
	int64_t sent;   /* body bytes, framing included */
	int64_t last_sent_ms;
	const struct error *refusal;
	bool begun;   /* the head is out: the status is spent */
	bool blocked; /* the sink keeps a rest */
	bool hungry;  /* its share of this round is used up */
	bool starved; /* and it got nothing of it */
	bool ending;  /* the tail is with the sink: only the end is left */
	bool ended;   /* the end is with the sink too */
	bool gone;    /* to be freed at the end of the round */
	int status;
	struct loop_watch watch;
	struct stream_options options;
	struct loop_timer timer; /* a sign of life, the end of patience, or the next round */
	struct follower *next_gone;
	struct buffer headers; /* of the success; dropped once begun */
	int64_t refused_ms;
	int64_t until_ms; /* monotonic: its client counts as signed in; 0: for good */
};

/* --- leaving --- */

/* The one way out: the sink is closed and its access line written. */
static void depart(struct follower *f, const char *outcome)
{
	struct followers *all = f->all;
	struct sink_summary summary = {
		.status = f->begun ? f->status : 499,
		.bytes = f->sent,
		.outcome = outcome,
		.run_id = run_id(f->run),
	};

	loop_forget(all->loop, &f->watch);
	loop_clear_timer(all->loop, &f->timer);
	metrics_add(M_STREAM_BYTES, 0, 0, (uint64_t)f->sent);
	f->sink->ops->close(f->sink, &summary);
	f->gone = true;
	f->next_gone = all->gone;
	all->gone = f;
	atomic_fetch_sub(&all->count, 1);
	if (all->slot)
		atomic_fetch_sub(&all->slot->followers, 1);
	run_leave(f->run, &f->reader);
}

static void client_gone(struct follower *f)
{
	metrics_add(M_CLIENTS_GONE, 0, 0, 1);
	depart(f, "client_gone");
}

/* --- time --- */

static const struct framing *form_of(const struct follower *f)
{
	return framing_of(f->options.format);
}

static int64_t beat_ms(const struct follower *f)
{
	return form_of(f)->always_beats ? f->all->config->heartbeat_ms : f->options.keepalive_ms;
}

static bool is_over(const struct follower *f)
{
	return f->refusal || run_is_over(f->run);
}

static int64_t given_up_ms(const struct follower *f)
{
	int64_t since_ms = f->refusal ? f->refused_ms : run_ended_ms(f->run);

	return since_ms + (f->all->is_cut || f->refusal ? LINGER_STOP_MS : LINGER_MS);
}

static bool may_expire(const struct follower *f)
{
	return f->until_ms > 0 && !f->ending;
}

/* When it is to be looked at again. Sending moves no timer: one that fires too early is set anew.
 */
static void set_timer(struct follower *f)
{
	int64_t due_ms = 0;

	if (f->gone)
		return;
	if (f->hungry)
		due_ms = loop_now_ms(f->all->loop) + !f->starved; /* who got nothing comes first */
	else if (is_over(f))
		due_ms = given_up_ms(f);
	else if (beat_ms(f) > 0)
		due_ms = f->last_sent_ms + beat_ms(f);
	if (may_expire(f) && (due_ms == 0 || f->until_ms < due_ms))
		due_ms = f->until_ms;
	loop_move_timer(f->all->loop, &f->timer, due_ms);
}

/* --- sending --- */

/* What a call of the sink said. false: the follower is gone, or waits for room. */
static bool went_on(struct follower *f, enum sink_result result)
{
	if (result == SINK_GONE) {
		client_gone(f);
		return false;
	}
	f->blocked = result == SINK_BLOCKED;
	loop_watch(f->all->loop, &f->watch, f->watch.fd, EPOLLRDHUP | (f->blocked ? EPOLLOUT : 0));
	return !f->blocked;
}

static bool send_bytes(struct follower *f, struct slice bytes)
{
	f->sent += (int64_t)bytes.len;
	f->last_sent_ms = loop_now_ms(f->all->loop);
	return went_on(f, f->sink->ops->send(f->sink, bytes));
}

/* For one that is made anew. */
static struct buffer *new_frame(struct followers *all)
{
	all->framed.run = NULL;
	buffer_reset(&all->scratch);
	return &all->scratch;
}

/* What was framed. Half of it would tell something else. */
static bool send_scratch(struct follower *f)
{
	const struct buffer *scratch = &f->all->scratch;

	return scratch->failed ? went_on(f, SINK_GONE) : send_bytes(f, buffer_slice(scratch));
}

/* The head of a success, and what stands before all text. */
static bool begin(struct follower *f)
{
	if (f->begun)
		return true;
	f->begun = true;
	f->sink->ops->begin(f->sink, f->status, buffer_slice(&f->headers));
	buffer_done(&f->headers);
	if (!form_of(f)->run)
		return true;
	form_of(f)->run(run_record(f->run), f->offset, new_frame(f->all));
	return send_scratch(f);
}

/* Who comes back to an answer that is being written, and lacks nothing of it, is told that he is
 * there, however long the model is silent. Where no text has come yet the status is kept for how
 * that ends; and a form without a frame of its own has nothing to say. */
static void greet(struct follower *f)
{
	bool lacks_nothing = f->offset > 0 && f->offset == run_record(f->run)->length;

	if (lacks_nothing && !f->gone && !is_over(f) && form_of(f)->run)
		begin(f);
}

/* Framed once for all who stand at the same place. */
static void frame_piece(const struct follower *f, struct slice piece)
{
	struct followers *all = f->all;
	const struct framed wanted = { f->run, f->options.format, f->offset,
				       f->offset + (int64_t)piece.len };
	const struct framed *is = &all->framed;

	if (is->run == wanted.run && is->format == wanted.format && is->from == wanted.from &&
	    is->behind == wanted.behind)
		return;
	form_of(f)->delta(run_record(f->run), wanted.behind, piece, new_frame(all));
	all->framed = wanted;
}

static bool send_piece(struct follower *f, struct slice piece)
{
	bool is_raw = !form_of(f)->delta;

	if (!is_raw)
		frame_piece(f, piece);
	f->offset += (int64_t)piece.len;
	return is_raw ? send_bytes(f, piece) : send_scratch(f);
}

/* --- the end --- */

static void finish_body(struct follower *f)
{
	enum sink_result result = f->ended ? SINK_DONE : f->sink->ops->end(f->sink);

	f->ended = true;
	if (went_on(f, result))
		depart(f, f->refusal == &expired ? "expired"
			  : f->refusal           ? "refused"
						 : message_status_text(run_status(f->run)));
}

/* Nothing was sent and nothing will come: a plain status with a problem body. */
static void end_with_problem(struct follower *f, const struct error *error)
{
	struct response response;

	response_init(&response);
	buffer_append(&response.headers,
		      (struct slice){ f->headers.data, f->options.headers_kept });
	response_keep(&response);
	problem_response(error, f->options.request_id, &response);
	if (error == &expired)
		response_header(&response, "WWW-Authenticate",
				SLICE("Bearer error=\"invalid_token\""));
	f->begun = f->ending = true;
	f->status = response.status;
	if (response.headers.failed || response.body.failed) {
		went_on(f, SINK_GONE); /* without a word of ours the web server says 503 */
	} else {
		f->sink->ops->begin(f->sink, response.status, buffer_slice(&response.headers));
		if (send_bytes(f, buffer_slice(&response.body)))
			finish_body(f);
	}
	response_done(&response);
}

/* What follows the last delta, by format. It is sent as one piece; the body's end waits until it is
 * out. */
static void end_stream(struct follower *f, const struct error *error)
{
	struct buffer *scratch;

	if (!begin(f))
		return;
	scratch = new_frame(f->all);
	if (form_of(f)->end)
		form_of(f)->end(run_record(f->run), run_status(f->run), error,
				f->options.request_id, scratch);
	else if (f->options.errors_card && error->code != ERROR_NONE)
		c1_error_card(scratch, error_title(error->code), error->detail);
	f->ending = true;
	if ((scratch->len == 0 && !scratch->failed) || send_scratch(f))
		finish_body(f);
}

static void end(struct follower *f)
{
	const struct error *error = f->refusal ? f->refusal : run_error(f->run);
	bool as_card = f->options.format == STREAM_RAW && f->options.errors_card;

	if (error->code != ERROR_NONE && !f->begun && !as_card)
		end_with_problem(f, error);
	else
		end_stream(f, error);
}

/* What its client may have is over, whatever becomes of the run: it is told, and not that it is
 * done; a raw body just ends, as it does when an answer fails. */
static void expire(struct follower *f)
{
	f->refusal = &expired;
	f->refused_ms = loop_now_ms(f->all->loop);
	f->hungry = false;
	if (f->blocked) {
		depart(f, "expired");
		return;
	}
	if (!f->begun || !form_of(f)->error) {
		end(f);
		return;
	}
	form_of(f)->error(&expired, f->options.request_id, new_frame(f->all));
	f->ending = true;
	if (send_scratch(f))
		finish_body(f);
}

/* --- all there is for it --- */

/* Whoever reads much of spools goes on in the next round, so that all others have their turn. */
static bool may_read(struct follower *f, int64_t *share)
{
	if (run_has_in_memory(f->run, f->offset))
		return true;
	f->hungry = (*share <= 0 || f->all->budget <= 0) && f->offset < run_record(f->run)->length;
	f->starved = *share == CATCH_UP_MAX;
	*share -= READ_COUNTED;
	f->all->budget -= READ_COUNTED;
	return !f->hungry;
}

/* What is kept cannot be read. While the answer grows that may pass; of one that is over nobody
 * shall take what he has got for all of it. */
static bool waits_for_text(struct follower *f)
{
	static const struct error unreadable = {
		.code = ERROR_SPOOL,
		.detail = "The kept answer cannot be read now; try again.",
		.retry_after_s = 1,
	};

	if (!run_is_over(f->run))
		return true;
	metrics_add(M_SPOOL_ERRORS, 0, 0, 1);
	log_error("kept answer not read", LOG_T("run", run_id(f->run)), LOG_I("at", f->offset));
	if (f->begun) {
		depart(f, "broken_off");
		return false;
	}
	f->refusal = &unreadable;
	f->refused_ms = loop_now_ms(f->all->loop);
	return true;
}

/* false: it is gone, waits for room, or for the next round. */
static bool send_text(struct follower *f)
{
	size_t max = form_of(f)->text_max;
	int64_t share = CATCH_UP_MAX;

	for (;;) {
		struct slice piece;

		if (!may_read(f, &share))
			return false;
		piece = run_piece(f->run, f->offset, max, f->all->chunk);
		if (piece.len == 0)
			return piece.ptr || waits_for_text(f);
		if (!begin(f) || !send_piece(f, piece))
			return false;
	}
}

static void pump(struct follower *f)
{
	if (f->blocked || f->gone)
		return;
	f->hungry = false;
	if (f->ending)
		finish_body(f);
	else if ((f->refusal || send_text(f)) && is_over(f))
		end(f);
	if (f->hungry || is_over(f))
		set_timer(f);
}

static void give_up_when_due(struct follower *f, int64_t now_ms)
{
	if (now_ms >= given_up_ms(f))
		client_gone(f);
}

static void on_time(struct loop_timer *timer)
{
	struct follower *f = timer->owner;
	int64_t now_ms = loop_now_ms(f->all->loop);

	if (may_expire(f) && now_ms >= f->until_ms)
		expire(f);
	else if (f->hungry)
		pump(f);
	else if (is_over(f))
		give_up_when_due(f, now_ms);
	else if (f->blocked)
		f->last_sent_ms = now_ms; /* it has enough to take: nobody takes it for dead */
	else if (now_ms - f->last_sent_ms >= beat_ms(f) && begin(f))
		send_bytes(f, slice_of(form_of(f)->heartbeat));
	set_timer(f);
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
	struct follower *f = watch->owner;

	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		client_gone(f);
		return;
	}
	if ((events & EPOLLOUT) && went_on(f, f->sink->ops->flush(f->sink)))
		pump(f);
}

/* --- what its run says --- */

static void on_more(struct run_reader *reader)
{
	pump((struct follower *)reader);
}

/* What another worker writes goes on there: this stream is broken off, and a client that cares asks
 * for the rest. One of an answer that is over has a moment to take it. */
static void on_cut(struct run_reader *reader)
{
	struct follower *f = (struct follower *)reader;

	if (!run_is_ours(f->run) && !is_over(f))
		depart(f, "worker_stopped");
	else
		set_timer(f);
}

/* --- life --- */

static int64_t later(int64_t a_ms, int64_t b_ms)
{
	return a_ms > b_ms ? a_ms : b_ms;
}

struct follower *follower_new(const struct stream_options *options, struct slice headers)
{
	struct follower *f = calloc(1, sizeof *f);

	if (!f)
		return NULL;
	f->options = *options;
	f->offset = options->offset;
	f->status = 200;
	f->watch.fd = -1;
	buffer_init(&f->headers, headers.len + 1);
	if (!buffer_append(&f->headers, headers)) {
		follower_free(f);
		return NULL;
	}
	return f;
}

void follower_free(struct follower *f)
{
	if (!f)
		return;
	buffer_done(&f->headers);
	free(f);
}

void follower_join(struct follower *f, struct followers *all, struct run *run, struct sink *sink,
		   const struct error *refusal)
{
	static const struct run_reader_ops ops = { on_more, on_cut };

	f->reader.ops = &ops;
	f->all = all;
	f->run = run;
	f->sink = sink;
	f->refusal = refusal;
	f->last_sent_ms = f->refused_ms = loop_now_ms(all->loop);
	if (f->options.until_ms > 0)
		f->until_ms = later(f->last_sent_ms + f->options.until_ms - clock_wall_ms(), 1);
	f->watch = (struct loop_watch){ .fd = -1, .ready = on_ready, .owner = f };
	f->timer = (struct loop_timer){ .fire = on_time, .owner = f };
	atomic_fetch_add(&all->count, 1);
	if (all->slot)
		atomic_fetch_add(&all->slot->followers, 1);
	run_join(run, &f->reader);
	if (!loop_watch(all->loop, &f->watch, sink->ops->fd(sink), EPOLLRDHUP)) {
		client_gone(f);
		return;
	}
	set_timer(f);
	pump(f);
	greet(f);
}

void followers_init(struct followers *all, struct loop *loop, const struct config *config,
		    struct shm_slot *slot)
{
	all->loop = loop;
	all->config = config;
	all->slot = slot;
	all->budget = CATCH_UP_ALL;
	buffer_init(&all->scratch, SINK_CHUNK_MAX);
}

void followers_done(struct followers *all)
{
	followers_round(all);
	buffer_done(&all->scratch);
}

void followers_round(struct followers *all)
{
	struct follower *f;

	all->budget = CATCH_UP_ALL;
	all->framed.run = NULL; /* runs are freed between rounds */
	while ((f = all->gone)) {
		all->gone = f->next_gone;
		follower_free(f);
	}
}
