/* access: see access.h. */
#include "access.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include <stdio.h>

void access_fill(struct access *out, const struct request *request, const struct response *response)
{
	*out = (struct access){ .route = response->route,
				.route_label = response->route_label,
				.arrived_us = request->arrived_us };
	snprintf(out->id, sizeof out->id, "%s", request->id);
	snprintf(out->method, sizeof out->method, "%.*s", SLICE_ARG(request->method));
	snprintf(out->user, sizeof out->user, "%s", response->user);
}

void access_first_byte(struct access *access)
{
	if (!access->first_byte_us)
		access->first_byte_us = clock_mono_us();
}

/* What monitors ask every few seconds is worth a line only when it goes wrong. */
static enum log_level level_of(const struct access *access, int status)
{
	static const char *const asked_by_monitors[] = { "/metrics", "/livez", "/readyz", "/health",
							 "/api/health" };

	for (size_t i = 0; i < sizeof asked_by_monitors / sizeof *asked_by_monitors; i++)
		if (status < 400 && strcmp(access->route, asked_by_monitors[i]) == 0)
			return LOG_DEBUG;
	return LOG_INFO;
}

/* run: NULL: it has none. */
static void tell(const struct access *access, enum log_level level, int status, int64_t now_us,
		 int64_t bytes, const char *outcome, const char *run)
{
	int64_t first_us = access->first_byte_us;

	metrics_add(M_REQUESTS, access->route_label, metric_status_label(status), 1);
	LOG_AT(level, "request", LOG_T("id", access->id), LOG_T("method", access->method),
	       LOG_T("route", access->route), LOG_I("status", status), LOG_T("user", access->user),
	       LOG_I("first_byte_ms", first_us ? (first_us - access->arrived_us) / 1000 : -1),
	       LOG_I("ms", (now_us - access->arrived_us) / 1000), LOG_I("bytes", bytes),
	       LOG_T("outcome", outcome), LOG_T(run ? "run" : NULL, run ? run : ""));
}

void access_answer(const struct access *access, int status, int64_t bytes, const char *outcome)
{
	int64_t now_us = clock_mono_us();

	metrics_observe_us(M_REQUEST_SECONDS, 0, now_us - access->arrived_us);
	tell(access, level_of(access, status), status, now_us, bytes, outcome, NULL);
}

void access_stream(const struct access *access, const struct sink_summary *summary)
{
	tell(access, LOG_INFO, summary->status, clock_mono_us(), summary->bytes, summary->outcome,
	     summary->run_id);
}
