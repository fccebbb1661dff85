/*
 * firestore_answer: what an answer of Firestore means. Pure.
 */
#ifndef FIRESTORE_ANSWER_H
#define FIRESTORE_ANSWER_H

#include "firestore_status.h"
#include "net/client.h"

struct firestore_result {
	enum firestore_status status;
	bool is_unauthorized; /* it did not take the token */
	bool was_sent;
	bool is_nobody_there; /* no connection, or it was cut */
	int http;             /* 0: no answer */
	int retry_after_s;    /* -1: it says none */
	struct slice said;    /* of the reply: for the log */
};

/* `said` is a view of text. */
struct firestore_result firestore_result_of(const struct net_answer *answer, struct slice text);

#endif
