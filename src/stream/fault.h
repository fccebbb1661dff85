/*
 * fault: how an answer failed, for the few that do: an error is large, and there are thousands of
 * runs.
 */
#ifndef STREAM_FAULT_H
#define STREAM_FAULT_H

#include "base/error.h"

/* Zeroed there is none. */
struct fault {
	struct error *error;
	bool is_lost; /* there was no memory for it */
};

void fault_set(struct fault *fault, const struct error *error); /* ERROR_NONE is fine */
void fault_name(struct fault *fault, enum error_code code, const char *detail);
const struct error *fault_error(const struct fault *fault); /* ERROR_NONE: there is none */
void fault_done(struct fault *fault);

#endif
