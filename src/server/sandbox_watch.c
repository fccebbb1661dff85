/* sandbox_watch: files and folders that come to be others under the same name. */
#include "sandbox_layers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What was there; `is` zeroed: nothing. */
struct seen {
	char *path;
	struct stat is;
};

struct sandbox_watch {
	size_t count;
	struct seen files[REACH_PATHS];
};

static struct stat look_at(const char *path)
{
	struct stat is;

	if (stat(path, &is) != 0)
		memset(&is, 0, sizeof is);
	return is;
}

struct sandbox_watch *sandbox_watch_open(const struct reach *reach)
{
	struct sandbox_watch *watch = calloc(1, sizeof *watch);

	for (size_t i = 0; watch && i < reach->path_count; i++) {
		struct seen *file = &watch->files[watch->count];

		if (!(file->path = strdup(reach->paths[i].path))) {
			sandbox_watch_free(watch);
			return NULL;
		}
		file->is = look_at(file->path);
		watch->count++;
	}
	return watch;
}

const char *sandbox_watch_look(struct sandbox_watch *watch)
{
	for (size_t i = 0; watch && i < watch->count; i++) {
		struct seen *file = &watch->files[i];
		struct stat is = look_at(file->path);
		bool is_other = is.st_ino != file->is.st_ino || is.st_dev != file->is.st_dev;

		file->is = is;
		/* One that is gone is missed by nobody who could not miss it before. */
		if (is_other && is.st_ino)
			return file->path;
	}
	return NULL;
}

void sandbox_watch_free(struct sandbox_watch *watch)
{
	for (size_t i = 0; watch && i < watch->count; i++)
		free(watch->files[i].path);
	free(watch);
}
