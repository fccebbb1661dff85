/* unattended: see unattended.h. */
#include "unattended.h"

#include "base/log.h"

#define LOOK_MS 1000 /* how often readers on other workers are looked for */
#define AT_ONCE 16   /* the next one that is left alone finds the rest */

/* The oldest of its user's runs that nobody follows are stopped, as many as are over
 * C1D_UNATTENDED_MAX. */
static void hold_the_cap(const struct unattended *run, int64_t now_ms)
{
	struct board_entry oldest[AT_ONCE];
	size_t count = board_unattended(run->board, run->user_key,
					now_ms - run->config->unattended_ms, oldest, AT_ONCE);
	size_t allowed = (size_t)run->config->unattended_max;

	for (size_t i = 0; i < AT_ONCE && count > allowed; i++, count--) {
		log_notice("run stopped: nobody follows it and its user has others",
			   LOG_T("run", oldest[i].run_id));
		run->ask_stop(run->ctx, oldest[i].run_id);
	}
}

/* Since when nobody at all follows it; 0: somebody does, on another worker. */
static int64_t unfollowed_since(const struct unattended *run)
{
	struct board_entry entry;

	return board_find(run->board, run->run_id, &entry) ? entry.unfollowed_ms : run->since_ms;
}

/* How long it may be alone, then what. That readers of other workers leave nobody tells, so while
 * there are any it is looked again. */
static void look(struct unattended *run)
{
	int64_t now_ms = loop_now_ms(run->loop), since_ms = unfollowed_since(run);
	int64_t patience_ms =
		run->leave == LEAVE_CONTINUE ? run->config->unattended_ms : run->grace_ms;

	if (since_ms == 0)
		loop_set_timer(run->loop, &run->timer, now_ms + LOOK_MS);
	else if (now_ms - since_ms < patience_ms)
		loop_set_timer(run->loop, &run->timer, since_ms + patience_ms);
	else if (run->leave != LEAVE_CONTINUE)
		run->deserted(run->ctx);
	else
		hold_the_cap(run, now_ms);
}

static void on_time(struct loop_timer *timer)
{
	look(timer->owner);
}

void unattended_begin(struct unattended *run)
{
	run->timer.fire = on_time;
	run->timer.owner = run;
	run->since_ms = loop_now_ms(run->loop);
	look(run);
}

void unattended_end(struct unattended *run)
{
	loop_clear_timer(run->loop, &run->timer);
}
