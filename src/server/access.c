/* access: see access.h. */
#include "access.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include <stdio.h>

void access_fill(struct access *out, const struct request *request, const char *route,
		 int route_label)
{
	*out = (struct access){ .route = route,
				.route_label = route_label,
				.arrived_us = request->arrived_us };
	snprintf(out->id, sizeof out->id, "%s", request->id);
	snprintf(out->method, sizeof out->method, "%.*s", SLICE_ARG(request->method));
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

void access_answer(const struct access *access, int status, int64_t bytes, const char *outcome)
{
	int64_t us = clock_mono_us() - access->arrived_us, ms = us / 1000;

	metrics_add(M_REQUESTS, access->route_label, metric_status_label(status), 1);
	metrics_observe_us(M_REQUEST_SECONDS, 0, us);
	LOG_AT(level_of(access, status), "request", LOG_T("id", access->id),
	       LOG_T("method", access->method), LOG_T("route", access->route),
	       LOG_I("status", status), LOG_I("ms", ms), LOG_I("bytes", bytes),
	       LOG_T("outcome", outcome));
}

void access_stream(const struct access *access, const struct sink_summary *summary)
{
	int64_t ms = (clock_mono_us() - access->arrived_us) / 1000;

	metrics_add(M_REQUESTS, access->route_label, metric_status_label(summary->status), 1);
	log_info("request", LOG_T("id", access->id), LOG_T("method", access->method),
		 LOG_T("route", access->route), LOG_I("status", summary->status), LOG_I("ms", ms),
		 LOG_I("bytes", summary->bytes), LOG_I("first_byte_ms", summary->first_byte_ms),
		 LOG_T("outcome", summary->outcome), LOG_T("run", summary->run_id));
}
