/*
 * sqlite_log: what writers have put into the write-ahead log is taken into the file by a thread of
 * its own. By itself SQLite lets a writer do it, behind every thousandth page, while all others
 * wait for their turn.
 */
#ifndef SQLITE_LOG_H
#define SQLITE_LOG_H

#include "sqlite_queue.h"

struct sqlite_log;

/* What it is given is the pool's and outlives it. NULL: there is no thread to be had; connections
 * stay with SQLite's own way. */
struct sqlite_log *sqlite_log_start(const char *path, int64_t limit_ms,
				    struct sqlite_queue *writers, pthread_mutex_t *lock);
/* Ends what it is at first. No connection that it watches may write any more. NULL is fine. */
void sqlite_log_stop(struct sqlite_log *log);
/* The thread is told how long the log is behind each commit of this connection. NULL is fine. */
void sqlite_log_watch(struct sqlite_log *log, struct sqlite_conn *conn);

#endif
