/* samples: times, and what of them is told. */
#include "client.h"

#include <stdlib.h>

#define SAMPLES_MAX (16 << 20)

void sample(struct samples *samples, double ms)
{
	if (samples->count == samples->room) {
		size_t room = samples->room ? 2 * samples->room : 1 << 16;
		double *more =
			room <= SAMPLES_MAX ? realloc(samples->ms, room * sizeof *more) : NULL;

		if (!more)
			return;
		samples->ms = more;
		samples->room = room;
	}
	samples->ms[samples->count++] = ms;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double quantile(struct samples *samples, double q)
{
	if (samples->count == 0)
		return 0;
	qsort(samples->ms, samples->count, sizeof *samples->ms, by_size);
	return samples->ms[(size_t)(q * (double)(samples->count - 1))];
}
