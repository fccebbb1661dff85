/*
 * sandbox: the fence around a worker. A worker that was taken over by what it read shall be able
 * to do what a worker does, and nothing else: see this pool's answers and its store, and talk to
 * the ports of the C1 API and the store. It runs no program, makes no process, opens no other file,
 * listens nowhere and looks into nobody's memory.
 *
 * Its layers (base/fence.h) stand on top of each other, as far as kernel and container offer them;
 * what is missing is said in the log, by `c1d check`, in the figures, and where it matters in
 * /readyz. What is refused fails with EPERM or EACCES: nothing that a client sends may end a
 * worker.
 */
#ifndef SERVER_SANDBOX_H
#define SERVER_SANDBOX_H

#include "base/fence.h"

/* The layers that kernel and container offer here. */
unsigned sandbox_offered(void);

#endif
