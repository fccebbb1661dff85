/*
 * deadlines: how long the end of a worker may take, part by part. They add up: what a part may use
 * is over before the next patience ends, up to the TimeoutStopSec= of systemd/c1d.service. A test
 * adds.
 *
 *   requests under way  STOP_REQUESTS_MS, STOP_LINGER_MS of it for connections that may bring more
 *   streams             C1D_STOP_SECONDS
 *   ended answers       STOP_SAVE_MS, into the store; what is left stays in the spool
 *   the rest            STOP_CLOSE_MS
 *   then the supervisor kills, STOP_SPARE_MS later
 */
#ifndef SERVER_DEADLINES_H
#define SERVER_DEADLINES_H

/* Longer than the shipped nginx files let nginx use a connection: keepalive_time and
 * keepalive_timeout, and some for a busy machine. */
#define STOP_LINGER_MS 3500

#define STOP_REQUESTS_MS 4000
#define STOP_SAVE_MS     6000
#define STOP_CLOSE_MS    1000
#define STOP_SPARE_MS    1000

/* From SIGTERM on, beyond C1D_STOP_SECONDS. */
#define STOP_KILL_MS (STOP_REQUESTS_MS + STOP_SAVE_MS + STOP_CLOSE_MS + STOP_SPARE_MS)

/* Beyond the drain of a reload, for the same parts. */
#define DRAIN_KILL_MS (STOP_LINGER_MS + STOP_SAVE_MS + STOP_CLOSE_MS + STOP_SPARE_MS)

#endif
