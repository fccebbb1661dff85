/*
 * h2_head: the head of an answer, as its fields come one by one (RFC 9113, 8.3.2).
 */
#ifndef NET_H2_HEAD_H
#define NET_H2_HEAD_H

#include "net/net.h"

#define H2_HEAD_MAX  32768     /* of its names and values, 32 more for each */
#define H2_HEAD_BOMB (1 << 20) /* so much is sent to do harm */
#define H2_TYPE_MAX  128

struct h2_head {
	int status, retry_after_s;
	size_t size, type_len;
	char type[H2_TYPE_MAX];
};

void h2_head_begin(struct h2_head *head);
/* What is beyond H2_HEAD_MAX is only counted: `size` tells. */
void h2_head_field(struct h2_head *head, struct slice name, struct slice value);
/* Points into the head. */
struct net_response h2_head_response(const struct h2_head *head);

#endif
