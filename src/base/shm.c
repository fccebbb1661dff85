/* shm: one shared mapping, made before the fork; it has a descriptor, so that it can outlive an
 * exec. */
#include "base/shm.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct shm *map(int fd)
{
	struct shm *shm = mmap(NULL, sizeof *shm, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return shm == MAP_FAILED ? NULL : shm;
}

struct shm *shm_map(int *fd, struct error *err)
{
	int file = memfd_create("c1d", 0);
	struct shm *shm = file >= 0 && ftruncate(file, sizeof *shm) == 0 ? map(file) : NULL;

	if (!shm) {
		error_set(err, ERROR_INTERNAL, "The shared memory could not be mapped: %s.",
			  strerror(errno));
		if (file >= 0)
			close(file);
		return NULL;
	}
	shm->version = SHM_VERSION;
	shm->size = sizeof *shm;
	if (fd)
		*fd = file;
	else
		close(file);
	return shm;
}

struct shm *shm_adopt(int fd)
{
	struct stat is;
	struct shm *shm = fstat(fd, &is) == 0 && is.st_size == sizeof *shm ? map(fd) : NULL;

	if (shm && (shm->version != SHM_VERSION || shm->size != sizeof *shm)) {
		shm_unmap(shm);
		shm = NULL;
	}
	return shm;
}

void shm_unmap(struct shm *shm)
{
	if (shm)
		munmap(shm, sizeof *shm);
}
