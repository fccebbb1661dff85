/*
 * limit: see guard/limit.h.
 *
 * Each machine counts for itself in any case: what is over a limit here is over it everywhere, and
 * is not asked of Redis. What passes here is, where there is one; while it is away, what passed
 * here has passed: each machine holds the limit for its own share.
 */
#include "limit_room.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "guard_room.h"
#include <stdio.h>

#define COUNTS_MAX   REDIS_COUNTS_MAX
#define WIDER_SHARE  10   /* what a /48 may do more than a /64 */
#define SAY_EVERY_MS 1000 /* and worker */

/* One of those that have to agree. */
struct count {
	enum metric_limit_kind kind;
	struct rate rate;
	struct gcra_rate gcra;
	struct siphash key;
};

struct counts {
	struct count list[COUNTS_MAX];
	struct redis_count shared[COUNTS_MAX]; /* the same, as Redis knows them, if there is one */
	size_t count;
};

/* --- who is counted --- */

/* A wait is rounded up, so that no more than the rate is ever let through. */
static struct gcra_rate gcra_of_rate(struct rate rate, int64_t share)
{
	int64_t burst = rate.count * share;

	return (struct gcra_rate){ burst, (rate.window_s * 1000000 + burst - 1) / burst };
}

/* The braces keep all of them on one machine of a cluster. */
static void name_shared(const struct count *count, struct slice text, struct redis_count *out)
{
	char hash[ID_UUID_SIZE];

	id_hash(&text, 1, hash);
	snprintf(out->name, sizeof out->name, "c1d:{limits}:%d:%s", (int)count->kind, hash);
	out->rate = count->gcra;
}

/* who: NULL: it does not exist. sort: 'a' an address, 'u' a user: no name of one is the other. */
static void add_count(struct guard *guard, struct counts *out, enum metric_limit_kind kind,
		      struct rate rate, char sort, const char *who, int64_t share)
{
	struct count *made = &out->list[out->count];
	char text[COUNTED_AS_MAX + 8];

	if (!who || rate.count == 0)
		return;
	snprintf(text, sizeof text, "%d%c%s", (int)kind, sort, who);
	*made = (struct count){ .kind = kind,
				.rate = rate,
				.gcra = gcra_of_rate(rate, share),
				.key = siphash(guard->shm->limits_key, slice_of(text)) };
	if (guard->redis)
		name_shared(made, slice_of(text), &out->shared[out->count]);
	out->count++;
}

/* By address first: who throws its name away with each request leaves no names behind. */
static struct counts counts_of(struct guard *guard, const struct caller *caller,
			       enum limit_policy policy)
{
	const struct config *config = guard->config;
	const struct {
		enum metric_limit_kind kind;
		struct rate rate;
	} of[] = { [LIMIT_CHAT] = { METRIC_LIMIT_chat, config->limit_chat },
		   [LIMIT_READ] = { METRIC_LIMIT_read, config->limit_read },
		   [LIMIT_WRITE] = { METRIC_LIMIT_write, config->limit_write } };
	bool is_address = caller_is_address(caller);
	struct counts counts = { .count = 0 };

	if (!guard->counts)
		return counts;
	add_count(guard, &counts, of[policy].kind, of[policy].rate, 'a',
		  is_address ? caller->counted_as : caller->also_counted_as, 1);
	add_count(guard, &counts, of[policy].kind, of[policy].rate, 'a', caller->wider_counted_as,
		  WIDER_SHARE);
	add_count(guard, &counts, of[policy].kind, of[policy].rate, 'u',
		  is_address ? NULL : caller->counted_as, 1);
	if (policy == LIMIT_CHAT)
		add_count(guard, &counts, METRIC_LIMIT_site, config->limit_site, 's', "", 1);
	return counts;
}

/* --- counting --- */

static void give_back_here(struct guard *guard, const struct counts *counts, size_t count,
			   int64_t taken_us)
{
	for (size_t i = 0; i < count; i++)
		gcra_give_back(guard->counts, counts->list[i].key, counts->list[i].gcra, taken_us,
			       clock_mono_us());
}

/* All of them or none. Gives the number of the one that refuses; counts->count: none does. */
static size_t take_here(struct guard *guard, const struct counts *counts, int64_t now_us,
			struct gcra_use uses[COUNTS_MAX])
{
	for (size_t i = 0; i < counts->count; i++) {
		bool ok = gcra_take(guard->counts, counts->list[i].key, counts->list[i].gcra,
				    now_us, &uses[i]);

		if (uses[i].crowded)
			metrics_add(M_LIMITS_CROWDED, 0, 0, 1);
		if (ok)
			continue;
		give_back_here(guard, counts, i, now_us);
		return i;
	}
	return counts->count;
}

/* What passed here, of all machines. It does not become better than it is here. */
static size_t take_everywhere(struct guard *guard, const struct counts *counts,
			      struct gcra_use uses[COUNTS_MAX], struct limit_taken *taken)
{
	struct gcra_use shared[COUNTS_MAX];
	size_t refused = counts->count;

	switch (redis_take(guard->redis, counts->shared, counts->count, shared, &refused,
			   &taken->redis_us)) {
	case REDIS_AWAY: return counts->count;
	case REDIS_NO:
		give_back_here(guard, counts, counts->count, taken->at_us);
		uses[refused] = shared[refused];
		return refused;
	default:
		for (size_t i = 0; i < counts->count; i++)
			if (shared[i].left <= uses[i].left)
				uses[i] = shared[i];
		return counts->count;
	}
}

/* --- telling --- */

/* What the caller itself has left: of its own counts the least. */
static struct gcra_use least_of(const struct counts *counts, const struct gcra_use *uses)
{
	struct gcra_use least = { .left = INT64_MAX };

	for (size_t i = 0; i < counts->count; i++)
		if (counts->list[i].kind != METRIC_LIMIT_site && uses[i].left < least.left)
			least = uses[i];
	return least;
}

static void tell(const struct config *config, const struct caller *caller, enum limit_policy policy,
		 const struct counts *counts, const struct gcra_use *uses,
		 struct response *response)
{
	bool has_runs = policy == LIMIT_CHAT && !caller_is_address(caller);
	const struct count *first = &counts->list[0];
	struct gcra_use least = least_of(counts, uses);
	bool is_own = counts->count > 0 && first->kind != METRIC_LIMIT_site;

	limit_tell(response, is_own ? first->kind : METRIC_LIMIT_chat,
		   is_own ? first->rate : (struct rate){ 0, 1 },
		   has_runs ? config->runs_per_user : 0, &least);
}

/* The access log has each; this one says why, now and then. */
static void say(struct guard *guard, const struct caller *caller, const char *policy)
{
	int64_t now_ms = clock_mono_ms(), said_ms = atomic_load(&guard->limit_said_ms);
	char tag[GUARD_TAG_SIZE];

	if (now_ms - said_ms < SAY_EVERY_MS ||
	    !atomic_compare_exchange_strong(&guard->limit_said_ms, &said_ms, now_ms))
		return;
	guard_tag(guard, caller->user_id, tag);
	log_notice("a limit is reached", LOG_T("policy", policy), LOG_T("user", tag));
}

static bool refuse(struct guard *guard, const struct caller *caller, const struct count *count,
		   const struct gcra_use *use, struct error *err)
{
	struct error mine;

	limit_refuse(count->kind, count->rate, use, &mine);
	metrics_add(M_LIMITED, count->kind, 0, 1);
	say(guard, caller, mine.policy);
	if (err)
		*err = mine;
	return false;
}

bool limit_take(struct guard *guard, const struct caller *caller, enum limit_policy policy,
		struct response *response, struct limit_taken *taken, struct error *err)
{
	struct counts counts = counts_of(guard, caller, policy);
	struct gcra_use uses[COUNTS_MAX] = { 0 };
	int64_t now_us = clock_mono_us();
	size_t refused = take_here(guard, &counts, now_us, uses);

	*taken = (struct limit_taken){ .policy = policy, .at_us = now_us };
	if (guard->redis && counts.count > 0 && refused == counts.count)
		refused = take_everywhere(guard, &counts, uses, taken);
	taken->any = counts.count > 0 && refused == counts.count;
	tell(guard->config, caller, policy, &counts, uses, response);
	return refused == counts.count ||
	       refuse(guard, caller, &counts.list[refused], &uses[refused], err);
}

void limit_give_back(struct guard *guard, const struct caller *caller,
		     const struct limit_taken *taken)
{
	struct counts counts = taken->any ? counts_of(guard, caller, taken->policy)
					  : (struct counts){ .count = 0 };

	give_back_here(guard, &counts, counts.count, taken->at_us);
	if (guard->redis && counts.count > 0 && taken->redis_us)
		redis_give_back(guard->redis, counts.shared, counts.count, taken->redis_us);
}

/* --- where Redis is --- */

/* The fence lets anybody connect to a socket with a path. As a file of the list it would be
 * watched, and each start of Redis, which makes it anew, would be a reload. */
void limit_reach(const struct config *config, struct reach *reach)
{
	if (config->redis.host)
		reach_port(reach, (uint16_t)config->redis.port);
}

bool limit_try(const struct config *config, bool *shared, struct error *err)
{
	*shared = config->redis.host || config->redis.path;
	return !*shared || redis_try(&config->redis, err);
}

/* --- bad credentials --- */

static bool failed_count(struct guard *guard, const struct request *request, struct counts *out)
{
	out->count = 0;
	if (guard->counts)
		add_count(guard, out, METRIC_LIMIT_failed, guard->config->limit_failed, 'a',
			  address_counted(request->arena, request->remote_addr), 1);
	return out->count > 0;
}

/* By gcra_may or gcra_take. */
static bool failed_passes(struct guard *guard, const struct request *request,
			  bool (*passes)(struct gcra *, struct siphash, struct gcra_rate, int64_t,
					 struct gcra_use *),
			  struct error *err)
{
	struct gcra_use use;
	struct counts one;

	if (!failed_count(guard, request, &one) ||
	    passes(guard->counts, one.list[0].key, one.list[0].gcra, clock_mono_us(), &use))
		return true;
	metrics_add(M_LIMITED, METRIC_LIMIT_failed, 0, 1);
	return limit_refuse(METRIC_LIMIT_failed, one.list[0].rate, &use, err);
}

bool limit_failed_allows(struct guard *guard, const struct request *request, struct error *err)
{
	return failed_passes(guard, request, gcra_may, err);
}

bool limit_failed_take(struct guard *guard, const struct request *request, struct error *err)
{
	return failed_passes(guard, request, gcra_take, err);
}
