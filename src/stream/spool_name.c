/*
 * spool_name: see spool_name.h. A kept answer is found without a search because its place follows
 * from its id: the first 48 bits of a UUIDv7 are the time in milliseconds (RFC 9562, 5.7).
 */
#include "spool_name.h"

#include <stdio.h>
#include <stdlib.h>

#define BUCKET_MS 60000

bool spool_name_is_run(const char *name)
{
	return id_valid(slice_of(name)) && strcmp(name, SPOOL_STOP) != 0 &&
	       strcmp(name, SPOOL_DONE) != 0 && strcmp(name, SPOOL_TAILS_FILE) != 0;
}

/* 0 for an id that holds no time: those share one bucket. */
static int64_t time_of(const char *run_id)
{
	char digits[13] = { 0 };

	if (strlen(run_id) < 13 || run_id[8] != '-')
		return 0;
	memcpy(digits, run_id, 8);
	memcpy(digits + 8, run_id + 9, 4);
	return strspn(digits, "0123456789abcdef") == 12 ? (int64_t)strtoll(digits, NULL, 16) : 0;
}

void spool_name_hidden(const char *run_id, char out[SPOOL_PATH_SIZE])
{
	snprintf(out, SPOOL_PATH_SIZE, ".%s", run_id);
}

void spool_name_bucket(const char *run_id, char out[SPOOL_PATH_SIZE])
{
	snprintf(out, SPOOL_PATH_SIZE, SPOOL_DONE "/%lld",
		 (long long)(time_of(run_id) / BUCKET_MS));
}

void spool_name_done(const char *run_id, char out[SPOOL_PATH_SIZE])
{
	snprintf(out, SPOOL_PATH_SIZE, SPOOL_DONE "/%lld/%s",
		 (long long)(time_of(run_id) / BUCKET_MS), run_id);
}

int64_t spool_name_bucket_end(const char *name)
{
	size_t digits = strspn(name, "0123456789");

	if (digits == 0 || digits > 10 || name[digits])
		return -1;
	return (strtoll(name, NULL, 10) + 1) * BUCKET_MS;
}
