/* cond: condition variables that wait by the monotonic clock (base/clock.h). */
#ifndef BASE_COND_H
#define BASE_COND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* pthread_cond_destroy undoes it. */
void cond_init(pthread_cond_t *cond);
/* With the lock held, as pthread_cond_timedwait(3): woken, perhaps for nothing. false: it is
 * until_ms. */
bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ms);

#endif
