/*
 * health: how the service is. None of these waits for the store or the C1 API: they tell what the
 * pool last saw.
 */
#include "api_room.h"

#include "base/clock.h"
#include "base/fence.h"
#include "base/metrics.h"
#include <stdio.h>

#define METRICS_MAX (4u * 1024 * 1024)

static void put_when(struct json_writer *w, const char *key, int64_t wall_ms)
{
	json_key(w, key);
	if (wall_ms)
		json_time(w, wall_ms);
	else
		json_null(w);
}

static void put_services(struct json_writer *w, const struct health *health)
{
	json_key(w, "services");
	json_open(w, '{');
	json_key(w, "database");
	json_open(w, '{');
	json_put_text(w, "status", !health->store_up ? "down" : health->store_full ? "full" : "up");
	json_put_text(w, "kind", health->store_kind);
	put_when(w, "down_since", health->store_down_since_ms);
	json_close(w, '}');
	json_key(w, "llm_api");
	json_open(w, '{');
	json_put_text(w, "status", !health->llm_known ? "unknown" : health->llm_up ? "up" : "down");
	put_when(w, "last_ok", health->llm_last_ok_ms);
	put_when(w, "last_error", health->llm_last_error_ms);
	json_close(w, '}');
	json_close(w, '}');
}

bool health_get(struct call *call, struct error *err)
{
	struct json_writer w;
	struct health health;
	bool can_save;

	service_health(call->api->service, &health);
	can_save = health.store_up && !health.store_full;
	w = answer_json(call, can_save ? 200 : 503);
	json_open(&w, '{');
	json_put_text(&w, "status",
		      !can_save                            ? "unhealthy"
		      : health.llm_known && !health.llm_up ? "degraded"
							   : "healthy");
	json_put_time(&w, "timestamp", clock_wall_ms());
	put_services(&w, &health);
	json_close(&w, '}');
	return answer_done(call, err);
}

bool livez_get(struct call *call, struct error *err)
{
	struct json_writer w = answer_json(call, 200);

	json_open(&w, '{');
	json_put_text(&w, "status", "alive");
	json_close(&w, '}');
	return answer_done(call, err);
}

/* The layers of the sandbox without which a worker is hardly fenced in. */
static unsigned missing_fences(const struct api *api)
{
	return api->shm ? FENCE_NEEDED & ~fence_of_pool(api->shm) : 0;
}

static void put_missing_fences(struct json_writer *w, const struct config *config, unsigned missing)
{
	char list[FENCE_LIST_SIZE], text[128];

	fence_list(missing, list);
	snprintf(text, sizeof text, "%s: workers are not closed in by: %s.",
		 config->sandbox ? "The sandbox is not whole" : "C1D_SANDBOX=no", list);
	json_string(w, slice_of(text));
}

/* What is served all the same, but not as somebody meant it. Nothing here is a secret. */
static void put_warnings(struct json_writer *w, const struct api *api)
{
	bool reload_failed = api->shm && atomic_load(&api->shm->pool.reload_failed);
	bool anybody = config_lets_anybody_in(api->config);
	unsigned missing = missing_fences(api);
	char reason[SHM_REASON];

	if (api->config->api_key && !reload_failed && !anybody && !missing)
		return;
	json_key(w, "warnings");
	json_open(w, '[');
	if (anybody)
		json_string(w, SLICE("C1D_AUTH=none: everybody is let in and sees everything."));
	if (!api->config->api_key)
		json_string(w, SLICE("THESYS_API_KEY is not set: no question can be answered."));
	if (missing)
		put_missing_fences(w, api->config, missing);
	if (reload_failed) {
		shm_reason(api->shm, reason);
		json_string(w, SLICE("The last reload failed, what ran before it stays."));
		json_string(w, slice_of(reason));
	}
	json_close(w, ']');
}

bool readyz_get(struct call *call, struct error *err)
{
	struct json_writer w;
	struct health health;

	service_health(call->api->service, &health);
	w = answer_json(call, health.store_up ? 200 : 503);
	json_open(&w, '{');
	json_put_text(&w, "status", health.store_up ? "ready" : "store_down");
	json_put_text(&w, "auth", call->api->config->auth);
	put_warnings(&w, call->api);
	json_close(&w, '}');
	return answer_done(call, err);
}

bool metrics_get(struct call *call, struct error *err)
{
	struct slice accept = call->request->headers[HEADER_ACCEPT];
	bool openmetrics =
		memmem(accept.ptr, accept.len, "application/openmetrics-text", 28) != NULL;
	struct response *response = call->response;

	if (!call->api->shm)
		return error_set(err, ERROR_NOT_FOUND, "Nothing is counted here.");
	response->status = 200;
	response->body.max = METRICS_MAX;
	response_header(
		response, "Content-Type",
		openmetrics ? SLICE("application/openmetrics-text; version=1.0.0; charset=utf-8")
			    : SLICE("text/plain; version=0.0.4; charset=utf-8"));
	response_header(response, "Cache-Control", SLICE("no-store"));
	response_header(response, "Vary", SLICE("Accept"));
	metrics_render(call->api->shm, openmetrics, &response->body);
	return answer_done(call, err);
}
