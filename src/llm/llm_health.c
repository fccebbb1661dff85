/* llm_health: see llm_health.h. */
#include "llm/llm_health.h"

#include "base/clock.h"

#define FAILURES_DOWN 3

static void note(struct shm *shm, bool ok)
{
	atomic_store(ok ? &shm->llm_last_ok_ms : &shm->llm_last_error_ms, clock_wall_ms());
	if (ok)
		atomic_store(&shm->llm_failures, 0);
	else
		atomic_fetch_add(&shm->llm_failures, 1);
}

void llm_health_note(struct shm *shm, enum llm_verdict verdict)
{
	if (!shm || verdict == LLM_SAYS_NOTHING)
		return;
	atomic_store(&shm->llm_asked, true);
	note(shm, verdict == LLM_WORKS);
}

void llm_health_note_probe(struct shm *shm, bool ok)
{
	if (llm_health_wants_probe(shm))
		note(shm, ok);
}

bool llm_health_wants_probe(const struct shm *shm)
{
	return shm && !atomic_load(&shm->llm_asked);
}

struct llm_health llm_health(const struct shm *shm)
{
	struct llm_health health = { 0 };

	if (!shm)
		return health;
	health.last_ok_ms = atomic_load(&shm->llm_last_ok_ms);
	health.last_error_ms = atomic_load(&shm->llm_last_error_ms);
	health.known = health.last_ok_ms || health.last_error_ms;
	health.up = health.known && atomic_load(&shm->llm_failures) < FAILURES_DOWN;
	return health;
}
