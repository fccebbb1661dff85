/* fence: see fence.h. */
#include "base/fence.h"

#include <stdio.h>

const char *const fence_words[FENCE_COUNT] = {
#define X(layer, word) word,
	FENCE_LAYERS(X)
#undef X
};

unsigned fence_of_pool(const struct shm *shm)
{
	unsigned stand = FENCE_WHOLE;

	for (int i = 0; i < SHM_SLOTS; i++)
		if (atomic_load(&shm->slots[i].state) == SHM_SLOT_READY)
			stand &= atomic_load(&shm->slots[i].fences);
	return stand;
}

void fence_list(unsigned layers, char out[FENCE_LIST_SIZE])
{
	size_t len = 0;

	snprintf(out, FENCE_LIST_SIZE, "none");
	for (int i = 0; i < FENCE_COUNT; i++)
		if (layers & FENCE_BIT(i))
			len += (size_t)snprintf(out + len, FENCE_LIST_SIZE - len, "%s%s",
						len ? ", " : "", fence_words[i]);
}
