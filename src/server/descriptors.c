/*
 * descriptors: how many there are, and how many answers they let a worker carry. Without this the
 * first answer too many fails wherever it needs its next one, and the user is told of an API that
 * cannot be reached; with it he is told that too much is going on.
 */
#include "descriptors.h"

#include "base/log.h"
#include "kept.h"
#include "stream/engine.h"
#include "stream/spool.h"
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#define FOR_TWO_RUNS 7  /* their clients, files and calls, and a second one who follows either */
#define FOR_A_THREAD 3  /* a connection, a file, one to the store */
#define FOR_THE_REST 64 /* listener, engine, store, log, shared memory, resolver */
#define FOR_A_PLACE  2  /* both ends of its inbox */
#define KEPT_SHARE   8  /* of what is left, the part of connections that wait */

static int64_t hard_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max > INT32_MAX)
		return INT32_MAX;
	return (int64_t)limit.rlim_max;
}

struct server_fit server_fit(const struct config *config)
{
	struct server_fit fit = { .descriptors = hard_limit() };
	int64_t left = fit.descriptors - FOR_THE_REST - SPOOL_AHEAD -
		       FOR_A_THREAD * config->threads - FOR_A_PLACE * SERVER_WORKERS_MAX;

	fit.kept = left / KEPT_SHARE < KEPT_MAX ? left / KEPT_SHARE : KEPT_MAX;
	if (fit.kept < 1)
		fit.kept = 1;
	left = (left - fit.kept) * 2 / FOR_TWO_RUNS - ENGINE_RUNS_OVER;
	fit.runs = left < 1 ? 1 : left;
	fit.is_short = fit.runs < config->runs_max;
	if (!fit.is_short)
		fit.runs = config->runs_max;
	return fit;
}

void descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warn("descriptors not raised", LOG_T("reason", strerror(errno)));
}

int64_t descriptors_fit(const struct config *config)
{
	const struct server_fit fit = server_fit(config);

	log_info("descriptors", LOG_I("a_process", fit.descriptors),
		 LOG_I("answers_a_worker", fit.runs));
	if (fit.is_short)
		log_warn("descriptors do not suffice for C1D_RUNS_MAX: raise LimitNOFILE= or "
			 "ulimit -Hn",
			 LOG_I("asked", config->runs_max), LOG_I("answers_a_worker", fit.runs));
	return fit.runs;
}
