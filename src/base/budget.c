/* budget: see base/budget.h. */
#include "base/budget.h"

#include "base/clock.h"
#include "base/cond.h"
#include <pthread.h>
#include <stdlib.h>

#define WAIT_MS 1000

struct budget {
	pthread_mutex_t lock;
	pthread_cond_t given; /* somebody gave back */
	size_t max, lent;
	_Atomic int64_t *shown;
	_Atomic uint64_t *refusals;
};

struct budget *budget_open(int64_t max, _Atomic int64_t *lent, _Atomic uint64_t *refusals,
			   struct error *err)
{
	struct budget *budget = calloc(1, sizeof *budget);

	if (!budget) {
		error_set(err, ERROR_INTERNAL, "No memory for the memory's budget.");
		return NULL;
	}
	cond_init(&budget->given);
	pthread_mutex_init(&budget->lock, NULL);
	budget->max = (size_t)max;
	budget->shown = lent;
	budget->refusals = refusals;
	return budget;
}

void budget_free(struct budget *budget)
{
	if (!budget)
		return;
	pthread_cond_destroy(&budget->given);
	pthread_mutex_destroy(&budget->lock);
	free(budget);
}

struct loan loan_of(struct budget *budget)
{
	return (struct loan){ .budget = budget, .wait_left_ms = WAIT_MS };
}

static void set_lent(struct budget *budget, size_t lent)
{
	budget->lent = lent;
	if (budget->shown)
		atomic_store_explicit(budget->shown, (int64_t)lent, memory_order_relaxed);
}

/* With the lock. Until there is room for n more or the loan's patience ends. */
static bool wait_for_room(struct loan *loan, size_t n)
{
	struct budget *budget = loan->budget;
	int64_t began_ms = clock_mono_ms(), end_ms = began_ms + loan->wait_left_ms;

	while (n <= budget->max && n > budget->max - budget->lent &&
	       cond_wait_until(&budget->given, &budget->lock, end_ms))
		;
	loan->wait_left_ms -= (int)(clock_mono_ms() - began_ms);
	if (loan->wait_left_ms < 0)
		loan->wait_left_ms = 0;
	return n <= budget->max && n <= budget->max - budget->lent;
}

bool loan_resize(struct loan *loan, size_t size)
{
	struct budget *budget = loan->budget;
	size_t held = size > LOAN_FREE ? size : 0;
	bool ok = true;

	if (!budget || held == loan->held)
		return true;
	pthread_mutex_lock(&budget->lock);
	if (held < loan->held)
		pthread_cond_broadcast(&budget->given);
	else
		ok = wait_for_room(loan, held - loan->held);
	if (ok) {
		set_lent(budget, budget->lent - loan->held + held);
		loan->held = held;
	} else if (budget->refusals) {
		atomic_fetch_add_explicit(budget->refusals, 1, memory_order_relaxed);
	}
	pthread_mutex_unlock(&budget->lock);
	return ok;
}

bool budget_refused(struct error *err)
{
	error_set(err, ERROR_OVERLOADED,
		  "The server has no memory left for a request of this size; try again in a "
		  "moment.");
	if (err)
		err->retry_after_s = 1;
	return false;
}
