/* shm: one shared mapping, made before the fork; it has a descriptor, so that it can outlive an
 * exec. */
#include "base/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whoever cut it would end every process that has it mapped. */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static struct shm *map(int fd)
{
	struct shm *shm = mmap(NULL, sizeof *shm, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return shm == MAP_FAILED ? NULL : shm;
}

struct shm *shm_map(int *fd, struct error *err)
{
	int file = memfd_create("c1d", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct shm *shm = file >= 0 && ftruncate(file, sizeof *shm) == 0 &&
					  fcntl(file, F_ADD_SEALS, SEALS) == 0
				  ? map(file)
				  : NULL;
	size_t key_size = sizeof shm->limits_key;

	if (!shm || getrandom(shm->limits_key, key_size, 0) != (ssize_t)key_size) {
		error_set(err, ERROR_INTERNAL, "The shared memory could not be mapped: %s.",
			  strerror(errno));
		shm_unmap(shm);
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

	fcntl(fd, F_SETFD, FD_CLOEXEC);
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

void shm_confine(struct shm *shm, struct shm_slot *own)
{
	/* Where pages are larger, neighbours share one, and nothing can be said about one alone. */
	if (sysconf(_SC_PAGESIZE) > SHM_PAGE)
		return;
	mprotect(&shm->pool, sizeof shm->pool, PROT_READ);
	mprotect(&shm->supervisor, sizeof shm->supervisor, PROT_READ);
	mprotect(shm->slots, sizeof shm->slots, PROT_READ);
	mprotect(own, sizeof *own, PROT_READ | PROT_WRITE);
}

void shm_set_reason(struct shm *shm, const char *reason)
{
	struct shm_pool *pool = &shm->pool;
	size_t len = strnlen(reason, SHM_REASON - 1);

	while (len > 0 && reason[len] && ((unsigned char)reason[len] & 0xC0) == 0x80)
		len--;
	atomic_fetch_add(&pool->reason_version, 1);
	for (size_t i = 0; i < SHM_REASON; i++)
		atomic_store_explicit(&pool->reason[i], i < len ? reason[i] : '\0',
				      memory_order_relaxed);
	atomic_fetch_add(&pool->reason_version, 1);
}

/* It changes at reloads only: whoever reads meanwhile reads again. */
void shm_reason(const struct shm *shm, char out[SHM_REASON])
{
	const struct shm_pool *pool = &shm->pool;
	uint32_t version;

	for (int tries = 0; tries < 100; tries++) {
		version = atomic_load(&pool->reason_version);
		for (size_t i = 0; i < SHM_REASON; i++)
			out[i] = atomic_load(&pool->reason[i]);
		if (version % 2 == 0 && version == atomic_load(&pool->reason_version))
			return;
	}
	out[0] = '\0';
}
