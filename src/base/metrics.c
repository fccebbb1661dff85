/*
 * metrics: where each series lies in a slot, and the text of the scrape.
 *
 * A family takes size_a * size_b series in a row; a counter series is one word, a histogram series
 * its buckets, the one beyond the last, and the sum in microseconds.
 */
#include "base/metrics.h"

#include "metrics_pool.h"
#include <pthread.h>

enum metric_type { COUNTER, HISTOGRAM };

static const char *const metric_status_names[] = {
#define X(n) #n,
	METRIC_STATUSES(X)
#undef X
		"other",
};
static const char *const metric_outcome_names[] = {
#define X(n) #n,
	METRIC_OUTCOMES(X)
#undef X
};
static const char *const metric_upstream_kinds[] = {
#define X(n) #n,
	METRIC_UPSTREAM_KIND_LIST(X)
#undef X
};
static const char *const metric_chat_routes[] = { "/api/chat" };
static const char *const metric_token_kinds[] = {
#define X(n) #n,
	METRIC_TOKENS_KIND_LIST(X)
#undef X
};
static const char *const metric_limit_kinds[] = {
#define X(n) #n,
	METRIC_LIMIT_KIND_LIST(X)
#undef X
};
static const char *const metric_redis_kinds[] = {
#define X(n) #n,
	METRIC_REDIS_KIND_LIST(X)
#undef X
};
static const char *const metric_cache_kinds[] = {
#define X(n) #n,
	METRIC_CACHE_KIND_LIST(X)
#undef X
};
static const char *const metric_cache_changes[] = {
#define X(n) #n,
	METRIC_CACHE_CHANGE_LIST(X)
#undef X
};
static const char *const metric_store_kinds[] = {
#define X(n) #n,
	METRIC_STORE_KIND_LIST(X)
#undef X
};
static const char *const metric_http2_kinds[] = {
#define X(n) #n,
	METRIC_HTTP2_KIND_LIST(X)
#undef X
};
static const char *const metric_firestore_kinds[] = {
#define X(n) #n,
	METRIC_FIRESTORE_KIND_LIST(X)
#undef X
};
static const char *const metric_cookie_kinds[] = {
#define X(n) #n,
	METRIC_COOKIE_KIND_LIST(X)
#undef X
};
static const char *const metric_refusals[] = {
#define X(n) #n,
	METRIC_REFUSAL_LIST(X)
#undef X
};
static const char *const metric_fetches[] = {
#define X(n) #n,
	METRIC_FETCH_LIST(X)
#undef X
};
static const int statuses[] = {
#define X(n) n,
	METRIC_STATUSES(X)
#undef X
};
static const int64_t buckets_ms[] = METRIC_BUCKETS_MS;

#define BUCKETS      ((int)(sizeof buckets_ms / sizeof buckets_ms[0]))
#define SERIES_SIZE  (BUCKETS + 2)
#define SERIES_SHOWN 64 /* a family of so many shows those that never counted, too */

struct label {
	const char *name;
	const char *const *values;
	int count;
};

static struct family {
	const char *name;
	enum metric_type type;
	const char *help;
	struct label labels[2];
} families[METRIC_COUNT] = {
#define X(id, name, type, help, label_a, names_a, count_a, label_b, names_b, count_b)              \
	[id] = {                                                                                   \
		name, type, help, { { label_a, names_a, count_a }, { label_b, names_b, count_b } } \
	},
	METRIC_FAMILIES(X)
#undef X
};

static struct shm_slot *here; /* where this process counts */
static int first_word[METRIC_COUNT + 1];
static pthread_once_t laid_out = PTHREAD_ONCE_INIT;

static int width(enum metric family)
{
	return families[family].type == HISTOGRAM ? SERIES_SIZE : 1;
}

static void lay_out(void)
{
	static const int sizes[METRIC_COUNT] = {
#define X(id, name, type, help, label_a, names_a, count_a, label_b, names_b, count_b)              \
	[id] = (count_a) * (count_b),
		METRIC_FAMILIES(X)
#undef X
	};

	for (int i = 0; i < METRIC_COUNT; i++)
		first_word[i + 1] = first_word[i] + sizes[i] * width((enum metric)i);
}

void metrics_attach(struct shm_slot *slot)
{
	pthread_once(&laid_out, lay_out);
	here = first_word[METRIC_COUNT] <= SHM_COUNTERS ? slot : NULL;
}

void metrics_name_labels(enum metric family, int dimension, const char *const *names, int count)
{
	struct label *label = &families[family].labels[dimension];

	label->values = names;
	label->count = count < label->count ? count : label->count;
}

/* The stride is the table's size of label b, which metrics_name_labels never changes for the one
 * family that names a. */
static int word_of(enum metric family, int label_a, int label_b)
{
	return first_word[family] +
	       (label_a * families[family].labels[1].count + label_b) * width(family);
}

static void count(int word, uint64_t n)
{
	atomic_fetch_add_explicit(&here->counters[word], n, memory_order_relaxed);
}

void metrics_add(enum metric family, int label_a, int label_b, uint64_t n)
{
	if (here)
		count(word_of(family, label_a, label_b), n);
}

_Atomic uint64_t *metrics_word(enum metric family)
{
	return here ? &here->counters[word_of(family, 0, 0)] : NULL;
}

void metrics_observe_us(enum metric histogram, int label_a, int64_t us)
{
	int word, bucket = 0;

	if (!here)
		return;
	word = word_of(histogram, label_a, 0);
	while (bucket < BUCKETS && us > buckets_ms[bucket] * 1000)
		bucket++;
	count(word + bucket, 1);
	count(word + BUCKETS + 1, (uint64_t)(us > 0 ? us : 0));
}

int metric_status_label(int status)
{
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
		if (statuses[i] == status)
			return (int)i;
	return METRIC_STATUS_other;
}

/* --- the scrape --- */

static uint64_t sum_of(const struct shm *shm, int word)
{
	uint64_t sum = atomic_load_explicit(&shm->supervisor.counters[word], memory_order_relaxed);

	for (int i = 0; i < SHM_SLOTS; i++)
		sum += atomic_load_explicit(&shm->slots[i].counters[word], memory_order_relaxed);
	return sum;
}

/* `{a="x",b="y"`, left open for `le`; nothing when there is no label. Gives whether it is open. */
static bool put_labels(struct buffer *out, const struct family *family, int a, int b)
{
	const int at[2] = { a, b };
	bool open = false;

	for (int i = 0; i < 2; i++) {
		const struct label *label = &family->labels[i];

		if (!label->name)
			continue;
		buffer_appendf(out, "%c%s=\"%s\"", open ? ',' : '{', label->name,
			       label->values ? label->values[at[i]] : "");
		open = true;
	}
	return open;
}

static void put_name(struct buffer *out, const struct family *family, const char *suffix, int a,
		     int b)
{
	buffer_appendf(out, "%s%s", family->name, suffix);
	if (put_labels(out, family, a, b))
		buffer_append_char(out, '}');
}

static void put_counter(struct buffer *out, const struct shm *shm, enum metric id, int a, int b)
{
	const struct family *family = &families[id];
	uint64_t n = sum_of(shm, word_of(id, a, b));

	/* Of many series most never count: those are left out until they do. */
	if (n == 0 && family->labels[0].count * family->labels[1].count > SERIES_SHOWN)
		return;
	put_name(out, family, "", a, b);
	buffer_appendf(out, " %llu\n", (unsigned long long)n);
}

static void put_histogram(struct buffer *out, const struct shm *shm, enum metric id, int a)
{
	const struct family *family = &families[id];
	int word = word_of(id, a, 0);
	uint64_t total = 0;

	for (int i = 0; i <= BUCKETS; i++) {
		total += sum_of(shm, word + i);
		buffer_appendf(out, "%s_bucket", family->name);
		buffer_append_char(out, put_labels(out, family, a, 0) ? ',' : '{');
		if (i < BUCKETS)
			buffer_appendf(out, "le=\"%g\"} %llu\n", (double)buckets_ms[i] / 1000,
				       (unsigned long long)total);
		else
			buffer_appendf(out, "le=\"+Inf\"} %llu\n", (unsigned long long)total);
	}
	put_name(out, family, "_sum", a, 0);
	buffer_appendf(out, " %.6f\n", (double)sum_of(shm, word + BUCKETS + 1) / 1000000);
	put_name(out, family, "_count", a, 0);
	buffer_appendf(out, " %llu\n", (unsigned long long)total);
}

/* OpenMetrics names a counter's family without its _total. */
static void put_family(struct buffer *out, const struct shm *shm, enum metric id, bool openmetrics)
{
	const struct family *family = &families[id];
	size_t len = strlen(family->name);

	if (openmetrics && family->type == COUNTER)
		len -= strlen("_total");
	buffer_appendf(out, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)len, family->name,
		       family->help, (int)len, family->name,
		       family->type == COUNTER ? "counter" : "histogram");
	for (int a = 0; a < family->labels[0].count; a++) {
		if (family->type == HISTOGRAM)
			put_histogram(out, shm, id, a);
		for (int b = 0; family->type == COUNTER && b < family->labels[1].count; b++)
			put_counter(out, shm, id, a, b);
	}
}

bool metrics_render(const struct shm *shm, bool openmetrics, struct buffer *out)
{
	pthread_once(&laid_out, lay_out);
	metrics_pool_put(shm, openmetrics, out);
	for (int i = 0; i < METRIC_COUNT; i++)
		put_family(out, shm, (enum metric)i, openmetrics);
	if (openmetrics)
		buffer_append(out, SLICE("# EOF\n"));
	return !out->failed;
}
