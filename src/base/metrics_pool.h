/*
 * metrics_pool: the part of the scrape that nobody counts: how the pool stands now, and what its
 * processes use. Private to base/metrics.
 */
#ifndef BASE_METRICS_POOL_H
#define BASE_METRICS_POOL_H

#include "base/buffer.h"
#include "base/shm.h"

void metrics_pool_put(const struct shm *shm, bool openmetrics, struct buffer *out);

#endif
