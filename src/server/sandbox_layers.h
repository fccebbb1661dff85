/*
 * sandbox_layers: how the fence of server/sandbox.h is put up, in this order: rights and files
 * before a worker opens anything and starts a thread, calls when all is open, before the first
 * request is read.
 *
 *   sandbox.c         the order, the words, what is missing
 *   sandbox_rights.c  capabilities, new privileges, core, others' eyes
 *   sandbox_files.c   landlock: files, ports, signals
 *   sandbox_calls.c   seccomp: system calls
 *   sandbox_watch.c   files of the list that are replaced
 *   sandbox_probes.c  test builds: forbidden acts
 */
#ifndef SERVER_SANDBOX_LAYERS_H
#define SERVER_SANDBOX_LAYERS_H

#include "base/reach.h"
#include "config/config.h"
#include "server/sandbox.h"

/* No core, and no other process of this user looks into this one's memory. In the supervisor, too.
 */
void sandbox_close_memory(void);
/* Those of the list that are not there yet, since a rule is made for a folder and not for a name.
 */
void sandbox_make_folders(const struct reach *reach);
/* Each gives the layers that stand now. */
unsigned sandbox_close_rights(void);
unsigned sandbox_close_files(const struct reach *reach, unsigned wanted);
unsigned sandbox_close_calls(void);
/* ... that the kernel has. */
unsigned sandbox_offers_files(void);
unsigned sandbox_offers_calls(void);

/* The two moments, on a worker's main thread: before it opens its parts (what they open is in
 * `reach`) and before it starts to work. Each gives the layers that it put up. */
unsigned sandbox_enter(const struct config *config, const struct reach *reach);
unsigned sandbox_close(const struct config *config);
/* A warning when a layer is missing without which a worker is hardly fenced in. */
void sandbox_say(const struct config *config, unsigned layers);

/* A name of the list may come to mean another file (resolv.conf that is written anew) or folder (a
 * disk that is mounted later): the fence does not know names, so the workers want to be made anew.
 */
struct sandbox_watch;
struct sandbox_watch *sandbox_watch_open(const struct reach *reach); /* NULL: no memory */
/* The path of one that is another file than at the last call; NULL: all are the same. */
const char *sandbox_watch_look(struct sandbox_watch *watch);
void sandbox_watch_free(struct sandbox_watch *watch);

#endif
