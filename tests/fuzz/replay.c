/*
 * replay: a target's main where libFuzzer is not: runs each file of the folders and files that it
 * is given once. The last line says how many.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_MAX (1 << 20)

static size_t count;

__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static void give_up(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	exit(2);
}

/* In memory of just its size, so that whoever reads behind its end is caught. */
static void run_file(const char *path, int fd, size_t size)
{
	uint8_t *data = malloc(size + (size == 0));
	ssize_t n = data ? read(fd, data, size) : -1;

	if (n < 0)
		give_up(path);
	LLVMFuzzerTestOneInput(data, (size_t)n);
	free(data);
	count++;
}

static void run(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat is;

	if (fd < 0 || fstat(fd, &is) != 0)
		give_up(path);
	if (S_ISREG(is.st_mode) && is.st_size <= INPUT_MAX)
		run_file(path, fd, (size_t)is.st_size);
	close(fd);
}

static void run_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	char inside[4096];

	if (!folder)
		give_up(path);
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.') {
			snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
			run(inside);
		}
	closedir(folder);
}

int main(int argc, char **argv)
{
	struct stat is;

	LLVMFuzzerInitialize(&argc, &argv);
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &is) != 0)
			give_up(argv[i]);
		if (S_ISDIR(is.st_mode))
			run_folder(argv[i]);
		else
			run(argv[i]);
	}
	printf("%zu inputs\n", count);
	return 0;
}
