/* The issuer's keys: how long they count, what is kept of them, and what is no set of keys. */
#include "token_maker.h"

#include "../../src/guard/jwks.h"
#include "../../src/guard/jwks_file.h"
#include "../../src/net/net_max_age.h"

#include <sys/ioctl.h>
#include <unistd.h>

static void e9_a_key_that_is_gone_counts_five_minutes_beyond_its_age_at_most(void **state)
{
	(void)state;
	for (int64_t age_s = 0; age_s < 90000; age_s += 7)
		assert_in_range(jwks_refresh_s(age_s), 1, (uint64_t)age_s + 300 - 35);
	assert_in_range(jwks_refresh_s(-1), 60, 265); /* nothing was said */
	assert_true(jwks_refresh_s(19800) < 19800);   /* ahead of the end */
	assert_true(jwks_refresh_s(INT64_MAX) <= 6 * 3600);
}

static void e9_what_an_answer_says_of_its_age(void **state)
{
	static const struct {
		const char *line;
		int64_t wanted; /* -2: as it was */
	} rows[] = {
		{ "Cache-Control: max-age=60\r\n", 60 },
		{ "cache-control:public,max-age=19845,must-revalidate, no-transform\r\n", 19845 },
		{ "Cache-Control: MAX-AGE=7", 7 },
		{ "Cache-Control: max-age=60, no-cache\r\n", -1 },
		{ "Cache-Control: no-store\r\n", -1 },
		{ "Cache-Control: max-age=\r\n", -1 },
		{ "Cache-Control: max-age=-5\r\n", -1 },
		{ "Cache-Control: s-maxage=60\r\n", -1 },
		{ "Cache-Control: max-age=99999999999999999999999\r\n", 366 * 86400 },
		{ "Cache-Control:\r\n", -1 },
		{ "Cache-Control", -2 },
		{ "Age: 7\r\n", -2 },
		{ "", -2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t seconds = -2;

		net_max_age(slice_of(rows[i].line), &seconds);
		if (seconds != rows[i].wanted)
			fail_msg("%s: %lld", rows[i].line, (long long)seconds);
	}
}

/* --- the file --- */

static void e9_what_is_kept_is_read_once_and_only_of_the_same_address(void **state)
{
	static struct jwks_file one, again, other;
	const struct jwks_kept kept = { 1800000000, 60 };
	struct jwks_kept found = { 0 };
	struct buffer text;
	struct error err = { 0 };
	char folder[] = "/tmp/c1d-jwks-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_true(jwks_file_init(&one, folder, "https://id.example/keys"));
	assert_true(jwks_file_init(&again, folder, "https://id.example/keys"));
	assert_true(jwks_file_init(&other, folder, "https://id.example/others"));
	buffer_init(&text, JWKS_MAX);
	assert_false(jwks_file_read(&one, &found, &text)); /* it is not there */
	assert_true(jwks_file_write(&one, &kept, SLICE("{\"keys\":[]}\n"), &err));
	assert_false(jwks_file_read(&one, &found, &text)); /* who wrote it knows it */
	assert_true(jwks_file_read(&again, &found, &text));
	assert_int_equal(found.came_s, kept.came_s);
	assert_int_equal(found.max_age_s, kept.max_age_s);
	assert_true(slice_is(buffer_slice(&text), "{\"keys\":[]}\n"));
	buffer_reset(&text);
	assert_false(jwks_file_read(&again, &found, &text)); /* it has not changed */
	assert_int_equal(rename(one.path, other.path), 0);
	buffer_reset(&text);
	assert_false(jwks_file_read(&other, &found, &text)); /* of another address */
	unlink(other.path);
	assert_int_equal(rmdir(folder), 0);
	assert_false(jwks_file_write(&one, &kept, SLICE("x"), &err));
	assert_int_equal(err.code, ERROR_INTERNAL);
	buffer_done(&text);
}

/* --- sets --- */

static struct keyset *set_of(const char *text)
{
	struct error err = { 0 };
	struct keyset *set = keyset_of_text(slice_of(text), ~0u, &err);

	assert_int_equal(set == NULL, err.code != ERROR_NONE);
	return set;
}

static void e9_what_is_no_set_of_keys(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"<!doctype html>",
		"{}",
		"[]",
		"{\"keys\":[]}",
		"{\"keys\":{}}",
		"{\"keys\":[1,null,\"x\",[],{}]}",
		"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
		"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AAAA\",\"e\":\"AQAB\"}]}",
		"{\"keys\":[{\"kty\":\"RSA\"}]}",
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}]}",
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AAAA\",\"y\":\"AAAA\"}]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AAAA\"}]}",
		"{\"a\":\"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n\"}",
		"-----BEGIN PUBLIC KEY-----",
		"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct keyset *set = set_of(bad[i]);

		if (set)
			fail_msg("%s", bad[i]);
	}
}

/* OpenSSL would ask for it at the terminal, or wait for one in stdin. */
static void e9_a_key_under_a_password_is_none_and_nobody_is_asked(void **state)
{
	static const char typed[] = "password\n";
	int ends[2], left = 0, stdin_fd = dup(STDIN_FILENO);

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], typed, sizeof typed - 1), sizeof typed - 1);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	assert_null(set_of("-----BEGIN PUBLIC KEY-----\n"
			   "Proc-Type: 4,ENCRYPTED\n"
			   "DEK-Info: AES-128-CBC,000102030405060708090A0B0C0D0E0F\n\n"
			   "AAAAAAAAAAAAAAAAAAAAAA==\n"
			   "-----END PUBLIC KEY-----\n"));
	assert_int_equal(ioctl(STDIN_FILENO, FIONREAD, &left), 0);
	assert_int_equal(left, sizeof typed - 1);
	assert_int_equal(dup2(stdin_fd, STDIN_FILENO), STDIN_FILENO);
	close(stdin_fd), close(ends[0]), close(ends[1]);
}

static char *jwk_of(EVP_PKEY *ed, const char *kid, const char *more)
{
	unsigned char bytes[32];
	size_t len = sizeof bytes;
	char *x, *text = malloc(512);

	EVP_PKEY_get_raw_public_key(ed, bytes, &len);
	x = base64url_of(bytes, len);
	snprintf(text, 512, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\",\"kid\":\"%s\"%s}",
		 x, kid, more);
	free(x);
	return text;
}

static void e9_what_a_key_is_for(void **state)
{
	static const struct {
		const char *more;
		bool is_taken;
	} rows[] = {
		{ "", true },
		{ ",\"use\":\"sig\"", true },
		{ ",\"use\":\"enc\"", false },
		{ ",\"use\":1", false },
		{ ",\"key_ops\":[\"verify\"]", true },
		{ ",\"key_ops\":[\"sign\",\"verify\"]", true },
		{ ",\"key_ops\":[\"encrypt\"]", false },
		{ ",\"key_ops\":\"verify\"", false },
		{ ",\"alg\":\"EdDSA\"", true },
		{ ",\"alg\":\"RS256\"", false },
		{ ",\"alg\":\"none\"", false },
		{ ",\"alg\":7", false },
		{ ",\"d\":\"AAAA\",\"x5c\":[\"AAAA\"],\"x5u\":\"https://evil.example\"", true },
	};
	EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *jwk = jwk_of(ed, "a", rows[i].more), *text = joined("{\"keys\":[", jwk, "]}");
		struct keyset *set = set_of(text);

		if ((set != NULL) != rows[i].is_taken)
			fail_msg("%s", rows[i].more);
		keyset_unref(set);
		free(text);
		free(jwk);
	}
	EVP_PKEY_free(ed);
}

static void e9_a_name_of_a_key_has_255_bytes_at_most(void **state)
{
	EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	char name[257];

	(void)state;
	memset(name, 'k', sizeof name);
	for (size_t len = 255; len <= 256; len++) {
		char *jwk, *text;
		struct keyset *set;

		name[len] = '\0';
		jwk = jwk_of(ed, name, "");
		text = joined("{\"keys\":[", jwk, "]}");
		set = set_of(text);
		assert_true((set != NULL) == (len == 255));
		keyset_unref(set);
		free(text), free(jwk);
		name[len] = 'k';
	}
	EVP_PKEY_free(ed);
}

static void e9_a_secret_that_can_be_guessed_makes_no_set(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_null(keyset_of_secret(slice_of(&TOKEN_SECRET[1]), &err));
	assert_int_equal(err.code, ERROR_CONFIG);
	assert_non_null(strstr(err.detail, "32 bytes or more, and this one has 31"));
}

static void e9_two_keys_of_one_name_are_none_and_too_many_are_none(void **state)
{
	EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	char *a = jwk_of(ed, "a", ""), *b = jwk_of(ed, "b", ""), *pair, *text, name[16];
	struct keyset *set;

	(void)state;
	pair = joined(a, ",", b);
	text = joined("{\"keys\":[", pair, "]}");
	set = set_of(text);
	assert_int_equal(set->count, 2);
	keyset_unref(set);
	free(text), free(pair);
	pair = joined(a, ",", a);
	text = joined("{\"keys\":[", pair, "]}");
	assert_null(set_of(text));
	free(text), free(pair);

	text = strdup("{\"keys\":[");
	for (int i = 0; i <= KEYSET_MAX; i++) {
		char *key, *longer;

		snprintf(name, sizeof name, "k%d", i);
		key = jwk_of(ed, name, "");
		longer = joined(text, i ? "," : "", key);
		free(text), free(key);
		text = longer;
	}
	pair = joined(text, "]}", "");
	assert_null(set_of(pair));
	free(pair), free(text), free(a), free(b);
	EVP_PKEY_free(ed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(e9_a_key_that_is_gone_counts_five_minutes_beyond_its_age_at_most),
		cmocka_unit_test(e9_what_an_answer_says_of_its_age),
		cmocka_unit_test(e9_what_is_kept_is_read_once_and_only_of_the_same_address),
		cmocka_unit_test(e9_what_is_no_set_of_keys),
		cmocka_unit_test(e9_a_key_under_a_password_is_none_and_nobody_is_asked),
		cmocka_unit_test(e9_what_a_key_is_for),
		cmocka_unit_test(e9_a_name_of_a_key_has_255_bytes_at_most),
		cmocka_unit_test(e9_a_secret_that_can_be_guessed_makes_no_set),
		cmocka_unit_test(e9_two_keys_of_one_name_are_none_and_too_many_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
