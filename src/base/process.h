/*
 * process: what a process of ours uses, as the kernel counts it. Private to base/metrics.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_use {
	int64_t cpu_ms, resident_bytes, threads, open_fds;
};

/* Adds what `pid` uses now, and with `children` the processor time of its children that have
 * ended. False: it is gone, or may not be looked at; nothing is added. */
bool process_use_add(pid_t pid, bool children, struct process_use *sum);

#endif
