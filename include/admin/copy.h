/*
 * copy: all threads of one store into another, which may have others besides.
 *
 * First everything is copied, in the order of ids, and a journal remembers how far that is and what
 * was put. Then rounds compare the threads of both sides: what changed at the source meanwhile is
 * copied again, what is gone there is removed from the target, where this copy had put it, until a
 * round finds nothing. Then one round reads every message of both sides, and mends what differs. So
 * both stores may be in use; what changes behind the last round is fetched by the same call, later.
 *
 * Whenever it ends, by an error, a signal or a power cut, the same call goes on from the journal.
 *
 * An answer that is being written is `interrupted` at the target (admin/record.h), and copied again
 * when its thread's rev says that it is saved.
 */
#ifndef ADMIN_COPY_H
#define ADMIN_COPY_H

#include "admin/place.h"
#include "admin/record.h"
#include "base/id.h"

struct copy_report {
	struct record_sum from, to;     /* as the last round read them: of what is at the source */
	int64_t copied, again, removed; /* threads: at first, once more, from the target */
	int64_t others;                 /* threads of the target that came otherwise */
	int64_t differing;              /* threads that did not become equal */
	char first_differing[ID_MAX + 1];
	bool settled; /* nothing changed at the source while the last round ran */
};

/* ERROR_CONFIG: the journal cannot be used (another copy's, or in use); ERROR_PRECONDITION: the
 * source is empty now, but was not; ERROR_GONE: stopped. id names the copy in the journal. */
bool copy_run(struct place *from, struct place *to, const char *journal_path, const char *id,
	      struct copy_report *out, struct error *err);

#endif
