/*
 * reach: what a worker reaches once the fence around it stands: files, folders, TCP ports. Each
 * room says its own (net_reach, store_reach); server/ makes the fence of it (server/sandbox.h).
 *
 * What does not fit, or finds no memory, is left out, and `is_short` says so. One thread.
 */
#ifndef BASE_REACH_H
#define BASE_REACH_H

#include "base/arena.h"
#include <stdint.h>
#include <sys/types.h>

#define REACH_PATHS 64
#define REACH_PORTS 64

struct reach_path {
	const char *path;
	bool may_write; /* a folder, and all in it */
	mode_t mode;    /* of a folder that is made when it is not there; 0: it is not made */
};

struct reach {
	struct arena arena;
	struct reach_path paths[REACH_PATHS];
	size_t path_count;
	uint16_t ports[REACH_PORTS];
	size_t port_count;
	bool every_port; /* they cannot be known beforehand */
	bool is_short;
};

void reach_init(struct reach *reach);
void reach_done(struct reach *reach);

/* A file, or a folder and all in it; NULL, and what is not there, are passed over. */
void reach_read(struct reach *reach, const char *path);
void reach_write(struct reach *reach, const char *folder, mode_t mode);
void reach_write_beside(struct reach *reach, const char *file, mode_t mode); /* its folder */

void reach_port(struct reach *reach, uint16_t port);
void reach_every_port(struct reach *reach);
/* The ports of scheme://[user@]host[:port][,host[:port]]...[/...]; `usual` is that of a host which
 * names none. NULL is passed over. */
void reach_url(struct reach *reach, const char *url, uint16_t usual);

#endif
