/*
 * config_secrets: keys and passwords: where they are read, and that they do not stay where others
 * may look. A credential of systemd wins over NAME_FILE, which names a file, and this over the
 * value itself, in the environment or in the settings file.
 *
 * What the environment says can be read in /proc/PID/environ for as long as the process lives, so
 * it is moved into a file in memory, which the next life of this process gets by its descriptor.
 */
#include "config_room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_MAX 65536
#define HIDDEN_MAX (1u << 20)
#define FOR_OTHERS 0007 /* the bits of a mode */

/* --- files --- */

static void take(struct load *load, const struct setting *setting, int fd, const char *where)
{
	char *text = malloc(SECRET_MAX);
	ssize_t n = text ? read(fd, text, SECRET_MAX - 1) : -1;

	while (n > 0 && strchr("\r\n", text[n - 1]))
		n--;
	if (n > 0) {
		text[n] = '\0';
		setting_store(load, setting, text, where);
	} else {
		config_problem(load, where, "write the secret into it", "the file of %s is empty",
			       setting->name);
	}
	if (text)
		explicit_bzero(text, SECRET_MAX);
	free(text);
}

/* false: it cannot be read; errno. A pipe or a device might never end. */
static bool read_secret(struct load *load, const struct setting *setting, const char *path,
			const char *where)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat is;

	if (fd < 0)
		return false;
	if (fstat(fd, &is) != 0 || !S_ISREG(is.st_mode)) {
		close(fd);
		errno = EINVAL;
		return false;
	}
	if (is.st_mode & FOR_OTHERS)
		load->config.open_secret = arena_text(load->arena, path);
	take(load, setting, fd, where);
	close(fd);
	return true;
}

static void read_files(struct load *load)
{
	for (size_t i = 0; i < setting_count; i++) {
		const char *path = load->files[i];
		char where[64];

		snprintf(where, sizeof where, "%s" SETTING_FILE_ENDING, settings[i].name);
		if (path && !read_secret(load, &settings[i], path, where))
			config_problem(load, where, "check the name and who may read it",
				       "%s cannot be read: %s", path, strerror(errno));
	}
}

/* THESYS_API_KEY is the file thesys-api-key. */
static void credential_name(const char *name, char out[64])
{
	size_t n = 0;

	for (; n < 63 && name[n]; n++)
		out[n] = name[n] == '_'                     ? '-'
			 : name[n] >= 'A' && name[n] <= 'Z' ? (char)(name[n] | 0x20)
							    : name[n];
	out[n] = '\0';
}

void config_read_secrets(struct load *load)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	char name[64], path[4096];

	read_files(load);
	for (size_t i = 0; folder && i < setting_count; i++) {
		if (settings[i].kind != SECRET)
			continue;
		credential_name(settings[i].name, name);
		snprintf(path, sizeof path, "%s/%s", folder, name);
		read_secret(load, &settings[i], path, "credential");
	}
}

/* --- the environment --- */

static int hidden = -1; /* the file in memory */

/* A secret, or an address that has a password in it. */
static bool is_secret(const char *entry)
{
	const char *equals = strchr(entry, '='), *scheme = equals ? strstr(equals, "://") : NULL;
	const struct setting *setting =
		equals ? setting_find((struct slice){ entry, (size_t)(equals - entry) }) : NULL;

	return setting && (setting->kind == SECRET || (scheme && strchr(scheme, '@')));
}

static bool keep(const char *entry)
{
	size_t len = strlen(entry) + 1;

	if (hidden < 0)
		hidden = memfd_create("c1d-secrets", MFD_CLOEXEC);
	return hidden >= 0 && write(hidden, entry, len) == (ssize_t)len;
}

bool config_hide_environment(void)
{
	for (char **at = environ; *at;) {
		if (!is_secret(*at)) {
			at++;
			continue;
		}
		if (!keep(*at))
			return false;
		explicit_bzero(*at, strlen(*at));
		/* Not unsetenv: of a name that is there twice it would take both, one unread. */
		for (char **hole = at; (*hole = hole[1]); hole++)
			;
	}
	return true;
}

void config_forget_environment(void)
{
	if (hidden >= 0)
		close(hidden);
	hidden = -1;
}

int config_hidden(void)
{
	return hidden;
}

void config_read_hidden(struct load *load, int inherited)
{
	char *text, *at;
	ssize_t n;

	if (inherited < 0 || !(text = calloc(1, HIDDEN_MAX)))
		return;
	hidden = inherited;
	fcntl(hidden, F_SETFD, FD_CLOEXEC);
	n = pread(hidden, text, HIDDEN_MAX - 1, 0);
	for (at = text; n > 0 && at < text + n; at += strlen(at) + 1)
		config_read_entry(load, at);
	explicit_bzero(text, HIDDEN_MAX);
	free(text);
}

void config_wipe(const char *secret)
{
	if (secret)
		explicit_bzero((char *)(uintptr_t)secret, strlen(secret));
}
