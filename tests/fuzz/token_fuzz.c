/* Tokens: none is believed but one that our key signed; and what a well-signed payload of any bytes
 * says is taken within its bounds, or not at all. The first byte chooses: a token as it stands, a
 * header and a payload (a line each) signed here by HMAC, or a payload alone. */
#include "../../src/guard/jose.h"
#include "../../src/guard/jose_alg.h"
#include "../../src/guard/token.h"
#include "base/base64url.h"
#include "base/utf8.h"
#include "fuzz.h"

#include <openssl/hmac.h>

#define NOW_MS   INT64_C(1764333000000)
#define SECRET   "0123456789abcdef0123456789abcdef"
#define ALL_HMAC jose_algs_of(JOSE_HMAC, NULL)

static struct keyset *keys;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	keys = keyset_of_secret(SLICE(SECRET), NULL);
	return keys == NULL;
}

static void check_claims(struct arena *arena, struct slice payload)
{
	const struct token_policy policies[] = {
		{ .algs = ALL_HMAC,
		  .issuer = "https://issuer",
		  .audience = "c1d",
		  .user_claim = "sub" },
		{ .algs = ALL_HMAC,
		  .user_claim = "email",
		  .admin_name = "role",
		  .admin_value = "admin" },
		{ .algs = ALL_HMAC,
		  .issuer = "https://issuer",
		  .audience = "c1d",
		  .user_claim = "sub",
		  .is_firebase = true },
	};

	for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
		struct token token = { .user_id = NULL };

		if (token_claims(arena, &policies[i], payload, NOW_MS, &token) != TOKEN_GOOD)
			continue;
		CHECK(token.user_id && *token.user_id && utf8_valid(slice_of(token.user_id), NULL));
		CHECK(utf8_prefix(slice_of(token.user_id), 128).len == strlen(token.user_id));
		for (const char *at = token.user_id; *at; at++)
			CHECK((unsigned char)*at >= 0x20 && *at != 0x7F);
		CHECK(token.until_ms > NOW_MS - TOKEN_SKEW_MS);
		CHECK(token.signed_in_ms <= NOW_MS + TOKEN_SKEW_MS);
		CHECK(!token.is_admin || policies[i].admin_name);
	}
}

/* Not by our key: no bytes of a fuzzer's are. */
static void read_token(struct arena *arena, struct slice text)
{
	struct slice payload;

	CHECK(token_verify(arena, ALL_HMAC, keys, text, &payload) != TOKEN_GOOD);
}

static void put_part(struct buffer *out, struct slice bytes)
{
	char *room = buffer_reserve(out, BASE64URL_LEN(bytes.len) + 1);

	CHECK(room);
	base64url_write(bytes.ptr, bytes.len, room);
	buffer_commit(out, BASE64URL_LEN(bytes.len));
}

static void sign_token(struct arena *arena, struct slice header, struct slice payload)
{
	unsigned char mac[32];
	struct slice read;
	struct buffer token;

	buffer_init(&token, 1 << 16);
	put_part(&token, header);
	buffer_append_char(&token, '.');
	put_part(&token, payload);
	HMAC(EVP_sha256(), SECRET, sizeof SECRET - 1, (unsigned char *)token.data, token.len, mac,
	     NULL);
	buffer_append_char(&token, '.');
	put_part(&token, (struct slice){ (char *)mac, sizeof mac });
	if (token_verify(arena, ALL_HMAC, keys, buffer_slice(&token), &read) == TOKEN_GOOD) {
		CHECK(slice_equal(read, payload));
		CHECK(fuzz_contains(header, SLICE("HS256")) ||
		      memchr(header.ptr, '\\', header.len));
		check_claims(arena, read);
	}
	buffer_done(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = fuzz_input(data, size), header;
	struct arena arena;

	arena_init(&arena, 4 << 20);
	switch (fuzz_byte(&input) % 3) {
	case 0: read_token(&arena, input); break;
	case 1:
		header = fuzz_line(&input);
		sign_token(&arena, header, input);
		break;
	default: check_claims(&arena, input);
	}
	arena_done(&arena);
	return 0;
}
