/* shm: one anonymous shared mapping, made before the fork. */
#include "base/shm.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

struct shm *shm_map(struct error *err)
{
	struct shm *shm =
		mmap(NULL, sizeof *shm, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shm == MAP_FAILED) {
		error_set(err, ERROR_INTERNAL, "The shared memory could not be mapped: %s.",
			  strerror(errno));
		return NULL;
	}
	shm->version = SHM_VERSION;
	shm->size = sizeof *shm;
	return shm;
}

void shm_unmap(struct shm *shm)
{
	if (shm)
		munmap(shm, sizeof *shm);
}
