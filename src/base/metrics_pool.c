/* metrics_pool: see metrics_pool.h. */
#include "metrics_pool.h"

#include "base/clock.h"
#include "base/fence.h"
#include "base/version.h"
#include <sys/resource.h>

static void put_gauge(struct buffer *out, const char *name, const char *help, int64_t value)
{
	buffer_appendf(out, "# HELP %s %s\n# TYPE %s gauge\n%s %lld\n", name, help, name, name,
		       (long long)value);
}

static void put_build(struct buffer *out)
{
	buffer_append(out, SLICE("# HELP c1d_build_info Which c1d this is.\n"
				 "# TYPE c1d_build_info gauge\n"
				 "c1d_build_info{version=\"" C1D_VERSION "\"} 1\n"));
}

static void put_scoreboard(struct buffer *out, const struct shm *shm)
{
	int64_t runs = 0, followers = 0, busy = 0, kept = 0, workers = 0, lent = 0;

	for (int i = 0; i < SHM_SLOTS; i++) {
		const struct shm_slot *slot = &shm->slots[i];
		int state = atomic_load(&slot->state);

		if (state == SHM_SLOT_FREE)
			continue;
		workers += state == SHM_SLOT_READY;
		runs += atomic_load(&slot->runs);
		followers += atomic_load(&slot->followers);
		busy += atomic_load(&slot->requests_busy);
		kept += atomic_load(&slot->kept);
		lent += atomic_load(&slot->memory_lent);
	}
	put_gauge(out, "c1d_workers", "Workers that take requests.", workers);
	put_gauge(out, "c1d_runs_in_flight", "Answers that are being written.", runs);
	put_gauge(out, "c1d_followers", "Clients that receive an answer.", followers);
	put_gauge(out, "c1d_request_threads_busy", "Request threads at work.", busy);
	put_gauge(out, "c1d_connections_kept",
		  "Connections of web servers that wait for a next request.", kept);
	put_gauge(out, "c1d_memory_lent_bytes",
		  "Memory of large bodies, pages and prompts, drawn from the budget.", lent);
	put_gauge(out, "c1d_store_up", "Whether the store can be reached.",
		  atomic_load(&shm->store_down_since_ms) == 0);
	if (atomic_load(&shm->redis_state) != SHM_REDIS_NONE)
		put_gauge(out, "c1d_limits_redis_up", "Whether Redis counts, for all machines.",
			  atomic_load(&shm->redis_state) == SHM_REDIS_UP);
	if (atomic_load(&shm->cache_state) != SHM_REDIS_NONE)
		put_gauge(out, "c1d_cache_up", "Whether Redis keeps threads for this node.",
			  atomic_load(&shm->cache_state) == SHM_REDIS_UP &&
				  (uint32_t)atomic_load(&shm->cache_debts) == 0 &&
				  clock_mono_ms() < atomic_load(&shm->cache_lease_ms));
	put_gauge(out, "c1d_worker_respawns", "Workers started again since the start.",
		  atomic_load(&shm->pool.respawns));
	put_gauge(out, "c1d_reload_failed",
		  "1 while what runs is not what the settings ask for; the log says why.",
		  atomic_load(&shm->pool.reload_failed));
	put_gauge(out, "c1d_uptime_seconds", "Since the supervisor started.",
		  (clock_wall_ms() - atomic_load(&shm->pool.started_wall_ms)) / 1000);
}

static void put_fences(struct buffer *out, const struct shm *shm)
{
	unsigned stand = fence_of_pool(shm);

	buffer_append(out, SLICE("# HELP c1d_sandbox Whether a layer of the sandbox stands around "
				 "every worker.\n# TYPE c1d_sandbox gauge\n"));
	for (int i = 0; i < FENCE_COUNT; i++)
		buffer_appendf(out, "c1d_sandbox{layer=\"%s\"} %d\n", fence_words[i],
			       (stand & FENCE_BIT(i)) != 0);
}

struct process_use {
	int64_t processes, cpu_ms, resident_bytes, threads, open_fds;
};

static void add_use(struct process_use *sum, const struct shm_slot *slot)
{
	sum->processes++;
	sum->cpu_ms += atomic_load(&slot->cpu_ms);
	sum->resident_bytes += atomic_load(&slot->resident_bytes);
	sum->threads += atomic_load(&slot->threads);
	sum->open_fds += atomic_load(&slot->open_fds);
}

/* The names that Prometheus gives a process, of the supervisor and all workers together. Workers
 * that have ended stay in the processor time: the supervisor's children. */
static void put_processes(struct buffer *out, const struct shm *shm, bool openmetrics)
{
	struct process_use use = { 0 };
	struct rlimit fds = { 0 };
	const char *total = openmetrics ? "" : "_total";

	add_use(&use, &shm->supervisor);
	for (int i = 0; i < SHM_SLOTS; i++)
		if (atomic_load(&shm->slots[i].pid) > 0)
			add_use(&use, &shm->slots[i]);
	getrlimit(RLIMIT_NOFILE, &fds);
	buffer_appendf(out,
		       "# HELP process_cpu_seconds%s Processor time, of the whole pool.\n"
		       "# TYPE process_cpu_seconds%s counter\nprocess_cpu_seconds_total %.3f\n",
		       total, total, (double)use.cpu_ms / 1000);
	put_gauge(out, "process_resident_memory_bytes",
		  "Memory, of the whole pool; what its processes share counts for each.",
		  use.resident_bytes);
	put_gauge(out, "process_open_fds", "Open descriptors, of the whole pool.", use.open_fds);
	put_gauge(out, "process_max_fds", "How many all of the pool's processes may open.",
		  (int64_t)fds.rlim_cur * use.processes);
	put_gauge(out, "process_threads", "Threads, of the whole pool.", use.threads);
	put_gauge(out, "process_start_time_seconds", "When the supervisor started (Unix time).",
		  atomic_load(&shm->pool.started_wall_ms) / 1000);
}

void metrics_pool_put(const struct shm *shm, bool openmetrics, struct buffer *out)
{
	put_build(out);
	put_scoreboard(out, shm);
	put_fences(out, shm);
	put_processes(out, shm, openmetrics);
}
