/*
 * scarce: a c1d in which one allocation of our own code fails, when a test says so
 * (allocations.py).
 *
 * The linker sends what our objects ask the allocator for through here (ld --wrap); libraries keep
 * theirs, but for cJSON, which lets us. The test and the workers share a file, C1D_TEST_SCARCE: the
 * test sets how many allocations succeed until one fails, and reads where it was.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRAMES 6

struct scarce {
	_Atomic int64_t countdown;       /* the allocation that makes it 0 fails; 0: none */
	_Atomic int64_t failed;          /* how many did */
	_Atomic int64_t supervisor;      /* whose do not */
	_Atomic uint64_t frames[FRAMES]; /* where the last one was, as offsets in this program */
};

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t max);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t max);

extern const char __executable_start, etext;

static struct scarce *scarce;

/* Frame pointers, for as long as they lead up a stack of ours. */
static void note_frames(const uintptr_t *frame)
{
	uintptr_t start = (uintptr_t)&__executable_start, end = (uintptr_t)&etext;

	for (int i = 0; i < FRAMES; i++) {
		const uintptr_t *up = (const uintptr_t *)frame[0];
		uintptr_t at = frame[1];

		atomic_store(&scarce->frames[i], at > start && at < end ? at - start : 0);
		if (up <= frame || up > frame + 65536 || (uintptr_t)up % sizeof *up)
			break;
		frame = up;
	}
}

/* In the frame of the one that is wrapped. */
static bool fails(const void *frame)
{
	if (!scarce || atomic_load(&scarce->countdown) <= 0 ||
	    atomic_load(&scarce->supervisor) == getpid() ||
	    atomic_fetch_sub(&scarce->countdown, 1) != 1)
		return false;
	note_frames(frame);
	atomic_fetch_add(&scarce->failed, 1);
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails(__builtin_frame_address(0)) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails(__builtin_frame_address(0)) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails(__builtin_frame_address(0)) ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
	return fails(__builtin_frame_address(0)) ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t max)
{
	return fails(__builtin_frame_address(0)) ? NULL : __real_strndup(text, max);
}

__attribute__((constructor)) static void begin(void)
{
	cJSON_Hooks hooks = { __wrap_malloc, free };
	const char *path = getenv("C1D_TEST_SCARCE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *shared;

	if (fd < 0)
		return;
	shared = mmap(NULL, sizeof *scarce, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (shared == MAP_FAILED)
		return;
	scarce = shared;
	atomic_store(&scarce->supervisor, getpid());
	cJSON_InitHooks(&hooks);
}
