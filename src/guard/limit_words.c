/* limit_words: what a client is told of its limits: headers, and the sentence of a 429. */
#include "limit_room.h"

#include <stdio.h>

#define SECOND_US 1000000

static const char *const names[METRIC_LIMIT_KINDS] = {
#define X(name) [METRIC_LIMIT_##name] = #name,
	METRIC_LIMIT_KIND_LIST(X)
#undef X
};

static int64_t in_seconds(int64_t us)
{
	return (us + SECOND_US - 1) / SECOND_US;
}

void limit_tell(struct response *response, enum metric_limit_kind kind, struct rate rate,
		int64_t runs_per_user, const struct gcra_use *use)
{
	char policy[64] = "", runs[64] = "", wait[32] = "";

	if (rate.count > 0)
		snprintf(policy, sizeof policy, "\"%s\";q=%lld;w=%lld", names[kind],
			 (long long)rate.count, (long long)rate.window_s);
	if (runs_per_user > 0)
		snprintf(runs, sizeof runs, "%s\"runs\";q=%lld;qu=\"concurrent-requests\"",
			 *policy ? ", " : "", (long long)runs_per_user);
	if (use->more_us > 0)
		snprintf(wait, sizeof wait, ";t=%lld", (long long)in_seconds(use->more_us));
	if (*policy || *runs)
		response_headerf(response, "RateLimit-Policy", "%s%s", policy, runs);
	if (rate.count > 0)
		response_headerf(response, "RateLimit", "\"%s\";r=%lld%s", names[kind],
				 (long long)use->left, wait);
	response_keep(response);
}

/* --- the sentence --- */

static const char *window_name(int64_t seconds)
{
	return seconds == 1      ? "second"
	       : seconds == 60   ? "minute"
	       : seconds == 3600 ? "hour"
				 : "day";
}

static const char *wait_text(int64_t seconds, char out[32])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = { { 1, "second" }, { 60, "minute" }, { 3600, "hour" } };
	size_t unit = seconds < 120 ? 0 : seconds < 7200 ? 1 : 2;
	int64_t n = (seconds + units[unit].seconds - 1) / units[unit].seconds;

	snprintf(out, 32, "%lld %s%s", (long long)n, units[unit].name, n == 1 ? "" : "s");
	return out;
}

bool limit_refuse(enum metric_limit_kind kind, struct rate rate, const struct gcra_use *use,
		  struct error *err)
{
	static const char *const what[METRIC_LIMIT_KINDS] = {
		[METRIC_LIMIT_chat] = "questions",
		[METRIC_LIMIT_read] = "requests that read",
		[METRIC_LIMIT_write] = "requests that change something",
		[METRIC_LIMIT_site] = "questions to this site",
		[METRIC_LIMIT_failed] = "bad tokens or keys from one address",
	};
	int64_t wait_s = in_seconds(use->more_us);
	char wait[32];

	error_set(err, ERROR_RATE_LIMITED, "There may be %lld %s a %s. Try again in %s.",
		  (long long)rate.count, what[kind], window_name(rate.window_s),
		  wait_text(wait_s, wait));
	if (err) {
		err->retry_after_s = (int)wait_s;
		err->policy = names[kind];
	}
	return false;
}
