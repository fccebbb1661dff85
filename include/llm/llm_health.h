/*
 * llm_health: how the C1 API is, for /health, from what the pool's calls of it came to. It is down
 * when three in a row failed through a fault of its own. A request that it rightly refuses and its
 * content filter say nothing of its health, and a single failure is no outage. Any thread.
 */
#ifndef LLM_LLM_HEALTH_H
#define LLM_LLM_HEALTH_H

#include "base/shm.h"

enum llm_verdict { LLM_SAYS_NOTHING, LLM_WORKS, LLM_FAILS };

/* A call came to this. shm may be NULL, here and below. */
void llm_health_note(struct shm *shm, enum llm_verdict verdict);
/* A mere connection came to this: it counts until the first call has told something. */
void llm_health_note_probe(struct shm *shm, bool ok);
bool llm_health_wants_probe(const struct shm *shm);

struct llm_health {
	bool known, up;
	int64_t last_ok_ms, last_error_ms; /* wall; 0: never */
};
struct llm_health llm_health(const struct shm *shm);

#endif
