/*
 * metrics: what the pool counts, for Prometheus. One table (metrics_table.h) says every family; its
 * series lie in the shared memory, a block a worker, and are summed at the scrape. Any thread;
 * adding is one relaxed atomic.
 *
 * Names and rules: https://prometheus.io/docs/practices/naming/ and OpenMetrics 1.0. A label is a
 * fixed list, never a client's text.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/buffer.h"
#include "base/metrics_table.h"
#include "base/shm.h"

enum metric {
#define X(id, ...) id,
	METRIC_FAMILIES(X)
#undef X
		METRIC_COUNT
};

/* Where this process counts. Called once, before threads; slot may be NULL (tests): then nothing is
 * counted. */
void metrics_attach(struct shm_slot *slot);

/* Names of a label's values that only a room above knows (routes). names must outlive the process's
 * use. */
void metrics_name_labels(enum metric family, int dimension, const char *const *names, int count);

void metrics_add(enum metric family, int label_a, int label_b, uint64_t n); /* labels not used: 0 */
/* The word itself of a counter without labels, for those below this file; NULL: not counted. */
_Atomic uint64_t *metrics_word(enum metric family);
void metrics_observe_us(enum metric histogram, int label_a, int64_t us);

/* The whole pool as text. openmetrics: with "# EOF". */
bool metrics_render(const struct shm *shm, bool openmetrics, struct buffer *out);

#endif
