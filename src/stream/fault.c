/* fault: see fault.h. */
#include "fault.h"

#include <stdlib.h>

void fault_set(struct fault *fault, const struct error *error)
{
	struct error *kept = error->code == ERROR_NONE ? NULL : malloc(sizeof *kept);

	fault->is_lost = error->code != ERROR_NONE && !kept;
	if (kept)
		*kept = *error; /* it may be what is kept already */
	free(fault->error);
	fault->error = kept;
}

void fault_name(struct fault *fault, enum error_code code, const char *detail)
{
	struct error error = { .code = ERROR_NONE };

	error_set(&error, code, "%s", detail);
	fault_set(fault, &error);
}

const struct error *fault_error(const struct fault *fault)
{
	static const struct error none = { .code = ERROR_NONE };
	static const struct error lost = { .code = ERROR_OVERLOADED,
					   .retry_after_s = 1,
					   .detail = "No memory for another answer." };

	return fault->is_lost ? &lost : fault->error ? fault->error : &none;
}

void fault_done(struct fault *fault)
{
	free(fault->error);
	*fault = (struct fault){ NULL, false };
}
