/*
 * token_says KEYS NOW_MS ISSUER AUDIENCE ALG...: reads tokens from stdin, one a line, and says of
 * each whether it is believed: the user's id, or "-". For tests/differential/run, which asks
 * somebody else, too.
 */
#include "../../src/guard/token.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX (1u << 20)

static struct keyset *read_keys(const char *path, unsigned algs)
{
	static char text[FILE_MAX];
	FILE *file = fopen(path, "re");
	size_t n = file ? fread(text, 1, sizeof text, file) : 0;
	struct error err = { .detail = "it cannot be read" };
	struct keyset *set = keyset_of_text((struct slice){ text, n }, algs, &err);

	if (!set)
		fprintf(stderr, "%s: %s\n", path, err.detail);
	if (file)
		fclose(file);
	return set;
}

static void say(const struct token_policy *policy, const struct keyset *set, struct slice text,
		int64_t now_ms)
{
	struct arena arena;
	struct slice payload;
	struct token token;

	arena_init(&arena, 1 << 20);
	if (token_verify(&arena, policy->algs, set, text, &payload) == TOKEN_GOOD &&
	    token_claims(&arena, policy, payload, now_ms, &token) == TOKEN_GOOD)
		puts(token.user_id);
	else
		puts("-");
	arena_done(&arena);
}

int main(int argc, char **argv)
{
	struct token_policy policy = { .user_claim = "sub" };
	struct keyset *set;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	if (argc < 6)
		return 2;
	policy.issuer = argv[3];
	policy.audience = argv[4];
	for (int i = 5; i < argc; i++)
		policy.algs |= jose_alg_bit(jose_alg_of(slice_of(argv[i])));
	if (!(set = read_keys(argv[1], policy.algs)))
		return 1;
	while ((n = getline(&line, &room, stdin)) > 0)
		say(&policy, set, (struct slice){ line, (size_t)n - (line[n - 1] == '\n') },
		    strtoll(argv[2], NULL, 10));
	free(line);
	keyset_unref(set);
	return 0;
}
