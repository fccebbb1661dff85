/*
 * token: what a signed token says of its bearer (RFC 7519), and whether that is to be believed.
 *
 * A policy is settled at the start and never by a token: which algorithms, whose signature, for
 * whom. Times may be off by TOKEN_SKEW_MS, and not by a millisecond more.
 *
 * Pure; any thread. What is read belongs to the arena.
 */
#ifndef GUARD_TOKEN_H
#define GUARD_TOKEN_H

#include "base/arena.h"
#include "base/metrics.h"
#include "keyset.h"

#define TOKEN_SKEW_MS 60000

struct token_policy {
	unsigned algs;                 /* the set in jose_alg.h */
	const char *issuer, *audience; /* NULL: any issuer; no audience may be named */
	const char *user_claim;        /* whose text is the user's id */
	const char *admin_name,
		*admin_value; /* the claim that makes an administrator; NULL: none */
	bool is_firebase;     /* iat and auth_time have to be there, too */
};

/* What a good one says. */
struct token {
	const char *user_id; /* 1 to 128 characters without controls */
	bool is_admin;
	int64_t until_ms;     /* wall: it counts until TOKEN_SKEW_MS behind this */
	int64_t signed_in_ms; /* wall: auth_time, else iat; 0: not said */
};

/* Why it is not believed: enum metric_refusal, or one of these. */
#define TOKEN_GOOD      (-1)
#define TOKEN_NO_MEMORY (-2)

/* An encoded token of any length: was it signed by one of these keys, by one of these algorithms?
 * Nothing of its payload is looked at before. */
int token_verify(struct arena *arena, unsigned algs, const struct keyset *set, struct slice text,
		 struct slice *payload);
/* What it says; now_ms: wall. *out is filled on TOKEN_GOOD. */
int token_claims(struct arena *arena, const struct token_policy *policy, struct slice payload,
		 int64_t now_ms, struct token *out);

#endif
