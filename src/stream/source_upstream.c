/*
 * source_upstream: one call of the C1 API, with its deadlines: for the first byte, and for each
 * silence after it. A timer is moved when it fires, not with each byte.
 */
#include "source_upstream.h"

#include "base/log.h"
#include "base/metrics.h"
#include "llm/llm_health.h"
#include <stdlib.h>

struct attempt {
	struct source source; /* first */
	struct upstream *upstream;
	struct llm_call *call; /* NULL before it begins, and once it is over */
	int64_t last_byte_ms;
	bool any_byte, any_text;
	struct loop_timer silence;
	const char *run_id;
	struct buffer body;
};

static void end(struct attempt *attempt, const struct source_end *how)
{
	loop_clear_timer(attempt->upstream->loop, &attempt->silence);
	attempt->source.events->end(attempt->source.ctx, how);
}

/* --- what the call says --- */

static int64_t patience_ms(const struct attempt *attempt)
{
	const struct config *config = attempt->upstream->config;

	return attempt->any_byte ? config->idle_ms : config->first_byte_ms;
}

static void on_byte(void *ctx)
{
	struct attempt *attempt = ctx;
	struct loop *loop = attempt->upstream->loop;

	attempt->last_byte_ms = loop_now_ms(loop);
	if (attempt->any_byte)
		return;
	attempt->any_byte = true;
	loop_set_timer(loop, &attempt->silence, attempt->last_byte_ms + patience_ms(attempt));
}

static struct buffer *room(void *ctx)
{
	const struct source *source = &((struct attempt *)ctx)->source;

	return source->events->room(source->ctx);
}

static void on_text(void *ctx, size_t len)
{
	struct attempt *attempt = ctx;

	if (len > 0) {
		attempt->upstream->chunks++;
		attempt->any_text = true;
	}
	attempt->source.events->text(attempt->source.ctx, len);
}

static void on_end(void *ctx, const struct llm_end *said)
{
	struct attempt *attempt = ctx;
	const struct source_end how = { .status = said->outcome,
					.finish_reason = said->finish_reason,
					.usage = said->usage,
					.asked = said->asked,
					.error = said->error };

	attempt->call = NULL; /* gone by itself: nothing to cancel */
	llm_health_note(attempt->upstream->shm, said->verdict);
	end(attempt, &how);
}

/* --- its silence --- */

static void give_up(struct attempt *attempt)
{
	struct source_end how = { .status = attempt->any_text ? STATUS_INTERRUPTED : STATUS_ERROR,
				  .finish_reason = "",
				  .usage = USAGE_UNKNOWN,
				  .asked = true };

	llm_cancel(attempt->call);
	attempt->call = NULL;
	metrics_add(M_UPSTREAM_ERRORS, METRIC_UPSTREAM_timeout, 0, 1);
	log_warn("upstream too slow", LOG_T("run", attempt->run_id),
		 LOG_T("deadline", attempt->any_byte ? "idle" : "first byte"));
	llm_health_note(attempt->upstream->shm, LLM_FAILS);
	error_set(&how.error, ERROR_UPSTREAM_TIMEOUT, "The C1 API fell silent; try again.");
	end(attempt, &how);
}

static void on_silence(struct loop_timer *timer)
{
	struct attempt *attempt = timer->owner;
	struct loop *loop = attempt->upstream->loop;
	int64_t due_ms = attempt->last_byte_ms + patience_ms(attempt);

	if (loop_now_ms(loop) < due_ms)
		loop_set_timer(loop, timer, due_ms);
	else
		give_up(attempt);
}

/* --- life --- */

static void begin(struct source *source)
{
	static const struct llm_events events = {
		.byte = on_byte, .room = room, .text = on_text, .end = on_end
	};
	struct attempt *attempt = (struct attempt *)source;
	struct upstream *upstream = attempt->upstream;
	struct source_end never = { .status = STATUS_ERROR,
				    .finish_reason = "",
				    .usage = USAGE_UNKNOWN };

	attempt->last_byte_ms = loop_now_ms(upstream->loop);
	attempt->call = llm_start(&upstream->llm, attempt->run_id, &attempt->body, &events, attempt,
				  &never.error);
	if (attempt->call)
		loop_set_timer(upstream->loop, &attempt->silence,
			       attempt->last_byte_ms + patience_ms(attempt));
	else
		end(attempt, &never);
}

static void free_attempt(struct source *source)
{
	struct attempt *attempt = (struct attempt *)source;

	if (attempt->call)
		llm_cancel(attempt->call);
	loop_clear_timer(attempt->upstream->loop, &attempt->silence);
	buffer_done(&attempt->body);
	free(attempt);
}

struct source *source_upstream(struct upstream *upstream, const char *run_id, struct buffer *body)
{
	static const struct source_ops ops = { begin, free_attempt };
	struct attempt *attempt = calloc(1, sizeof *attempt);

	if (!attempt) {
		buffer_done(body);
		return NULL;
	}
	attempt->source.ops = &ops;
	attempt->upstream = upstream;
	attempt->run_id = run_id;
	attempt->body = *body;
	*body = (struct buffer){ 0 };
	attempt->silence = (struct loop_timer){ .fire = on_silence, .owner = attempt };
	return &attempt->source;
}

void upstream_round(struct upstream *upstream)
{
	if (upstream->chunks > 0)
		metrics_add(M_CHUNKS, 0, 0, upstream->chunks);
	upstream->chunks = 0;
}
