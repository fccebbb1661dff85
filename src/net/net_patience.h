/* net_patience: how long both carriers of a request wait, and for what. */
#ifndef NET_NET_PATIENCE_H
#define NET_NET_PATIENCE_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/socket.h>

#define UNACKED_MS 10000 /* a connection whose peer acknowledges nothing for this long is dead */

static inline void net_bound_unacked(int fd)
{
	int unacked_ms = UNACKED_MS;

	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof unacked_ms);
}

/* Of two deadlines; 0 is none. */
static inline int64_t net_sooner(int64_t a_ms, int64_t b_ms)
{
	return b_ms && (!a_ms || b_ms < a_ms) ? b_ms : a_ms;
}

#endif
