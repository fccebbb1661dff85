/* reach: see reach.h. */
#include "base/reach.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_MAX (1u << 20)

void reach_init(struct reach *reach)
{
	*reach = (struct reach){ .path_count = 0 };
	arena_init(&reach->arena, MEMORY_MAX);
}

void reach_done(struct reach *reach)
{
	arena_done(&reach->arena);
}

/* --- paths --- */

static void add_path(struct reach *reach, struct slice path, bool may_write, mode_t mode)
{
	const char *copy = NULL;

	if (reach->path_count < REACH_PATHS)
		copy = arena_copy(&reach->arena, path);
	if (!copy)
		reach->is_short = true;
	else
		reach->paths[reach->path_count++] = (struct reach_path){ copy, may_write, mode };
}

void reach_read(struct reach *reach, const char *path)
{
	if (path)
		add_path(reach, slice_of(path), false, 0);
}

void reach_write(struct reach *reach, const char *folder, mode_t mode)
{
	if (folder)
		add_path(reach, slice_of(folder), true, mode);
}

void reach_write_beside(struct reach *reach, const char *file, mode_t mode)
{
	const char *end = strrchr(file, '/');

	if (!end)
		add_path(reach, SLICE("."), true, 0);
	else
		add_path(reach, (struct slice){ file, end > file ? (size_t)(end - file) : 1 }, true,
			 mode);
}

/* --- ports --- */

void reach_port(struct reach *reach, uint16_t port)
{
	for (size_t i = 0; i < reach->port_count; i++)
		if (reach->ports[i] == port)
			return;
	if (reach->port_count < REACH_PORTS)
		reach->ports[reach->port_count++] = port;
	else
		reach->is_short = true;
}

void reach_every_port(struct reach *reach)
{
	reach->every_port = true;
}

/* host, host:port, [v6], [v6]:port. */
static void add_host(struct reach *reach, const char *host, size_t len, uint16_t usual)
{
	const char *colon = memrchr(host, ':', len);
	const char *bracket = memrchr(host, ']', len);
	long port = usual;

	if (colon && (!bracket || colon > bracket))
		port = strtol(colon + 1, NULL, 10);
	if (port > 0 && port <= UINT16_MAX)
		reach_port(reach, (uint16_t)port);
}

void reach_url(struct reach *reach, const char *url, uint16_t usual)
{
	const char *at = url ? strstr(url, "://") : NULL, *user, *end;

	if (!at)
		return;
	at += 3;
	end = at + strcspn(at, "/?#");
	if ((user = memrchr(at, '@', (size_t)(end - at))))
		at = user + 1;
	for (;;) {
		size_t len = strcspn(at, ",/?#");

		add_host(reach, at, len, usual);
		if (at[len] != ',')
			return;
		at += len + 1;
	}
}
