/*
 * What stands in the settings of a Firestore: its address, its service account's key as people
 * paste it, the account's file; and what its answers mean.
 */
#include "../../src/store/firestore/firestore_account.h"
#include "../../src/store/firestore/firestore_address.h"
#include "../../src/store/firestore/firestore_answer.h"
#include "../../src/store/firestore/firestore_settings.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* --- keys, made once --- */

static EVP_PKEY *rsa, *small, *curve;

static int make_keys(void **state)
{
	(void)state;
	rsa = EVP_RSA_gen(2048);
	small = EVP_RSA_gen(1024);
	curve = EVP_EC_gen("P-256");
	return !(rsa && small && curve);
}

static int free_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(small);
	EVP_PKEY_free(curve);
	return 0;
}

enum form { PKCS8, PKCS1, PUBLIC, ENCRYPTED };

static char *pem_of(EVP_PKEY *key, enum form form)
{
	char pass[] = "pass", *data, *text;
	BIO *bio = BIO_new(BIO_s_mem());
	long len;

	switch (form) {
	case PKCS8: PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL); break;
	case PKCS1:
		PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL);
		break;
	case PUBLIC: PEM_write_bio_PUBKEY(bio, key); break;
	case ENCRYPTED:
		PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), NULL, 0, NULL, pass);
		break;
	}
	len = BIO_get_mem_data(bio, &data);
	text = strndup(data, (size_t)len);
	BIO_free(bio);
	return text;
}

/* Each newline as `with`, the whole between `quote`s. */
static char *pasted(const char *pem, const char *with, const char *quote)
{
	struct buffer out;

	buffer_init(&out, 1 << 16);
	buffer_append(&out, slice_of(quote));
	for (; *pem; pem++)
		buffer_append(&out, *pem == '\n' ? slice_of(with) : (struct slice){ pem, 1 });
	buffer_append(&out, slice_of(quote));
	return out.data;
}

/* --- the key --- */

static void takes(const char *pem, const char *newline, const char *quote)
{
	char *text = pasted(pem, newline, quote);
	EVP_PKEY *key = NULL;

	assert_null(firestore_account_key(text, &key));
	assert_int_equal(EVP_PKEY_eq(key, rsa), 1);
	EVP_PKEY_free(key);
	free(text);
}

static void a_key_is_taken_however_it_was_pasted(void **state)
{
	static const char *const newlines[] = { "\n", "\\n", "\\\\n", "\r\n", "\\r\\n" };
	static const char *const quotes[] = { "", "\"", "'" };

	(void)state;
	for (enum form form = PKCS8; form <= PKCS1; form++) {
		char *pem = pem_of(rsa, form);

		for (size_t i = 0; i < sizeof newlines / sizeof *newlines; i++)
			for (size_t k = 0; k < sizeof quotes / sizeof *quotes; k++)
				takes(pem, newlines[i], quotes[k]);
		free(pem);
	}
}

static void refuses(const char *text, const char *word)
{
	EVP_PKEY *key = NULL;
	const char *why = firestore_account_key(text, &key);

	assert_non_null(why);
	assert_null(key);
	if (!strstr(why, word))
		fail_msg("'%s' does not say '%s'", why, word);
}

static void refuses_pem(EVP_PKEY *key, enum form form, const char *word)
{
	char *pem = pem_of(key, form);

	refuses(pem, word);
	free(pem);
}

static void f19_a_key_that_is_none_is_told_by_what_it_is_instead(void **state)
{
	char *pem = pem_of(rsa, PKCS8), *end = strstr(pem, "-----END"), *huge;

	(void)state;
	refuses("", "-----BEGIN PRIVATE KEY-----");
	refuses("hunter2", "-----BEGIN PRIVATE KEY-----");
	refuses("{\"type\": \"service_account\"}", "GOOGLE_APPLICATION_CREDENTIALS");
	refuses_pem(rsa, PUBLIC, "public key");
	refuses_pem(rsa, ENCRYPTED, "encrypted");
	refuses_pem(small, PKCS8, "2048 bits");
	refuses_pem(curve, PKCS8, "no RSA key");
	memmove(pem + 100, pem + 140, strlen(pem + 140) + 1); /* a line was lost on the way */
	refuses(pem, "damaged");
	*strstr(pem, "-----END") = '\0';
	refuses(pem, "ends before");
	assert_non_null(end);
	free(pem);
	huge = malloc(20000);
	memset(huge, 'x', 19999);
	huge[19999] = '\0';
	refuses(huge, "longer");
	free(huge);
}

/* --- the file --- */

static char *file_of(const char *type, const char *more)
{
	char *pem = pem_of(rsa, PKCS8), *key = pasted(pem, "\\n", "");
	char *text = malloc(8192);

	snprintf(text, 8192,
		 "{\"type\": \"%s\", \"private_key_id\": \"k1\", \"private_key\": \"%s\"%s}", type,
		 key, more);
	free(key);
	free(pem);
	return text;
}

static const char *parse(const char *text, struct firestore_account *out)
{
	*out = (struct firestore_account){ .emulator = NULL };
	arena_init(&out->arena, 65536);
	return firestore_account_parse(slice_of(text), out);
}

static void the_file_of_the_console_is_taken(void **state)
{
	char *text =
		file_of("service_account",
			", \"client_email\": \"a@b\", \"universe_domain\": \"googleapis.com\", "
			"\"token_uri\": \"https://oauth2.example/token\"");
	struct firestore_account account;

	(void)state;
	assert_null(parse(text, &account));
	assert_string_equal(account.email, "a@b");
	assert_string_equal(account.key_id, "k1");
	assert_string_equal(account.token_uri, "https://oauth2.example/token");
	assert_int_equal(EVP_PKEY_eq(account.key, rsa), 1);
	firestore_account_done(&account);
	free(text);
}

static void f19_a_file_that_is_another_is_told(void **state)
{
	static const struct {
		const char *type, *more, *word;
	} files[] = {
		{ "authorized_user", ", \"client_email\": \"a@b\"", "type service_account" },
		{ "service_account", "", "no client_email" },
		{ "service_account", ", \"client_email\": 5", "no client_email" },
		{ "service_account",
		  ", \"client_email\": \"a@b\", \"token_uri\": \"http://evil.example/token\"",
		  "not https" },
		{ "service_account",
		  ", \"client_email\": \"a@b\", \"token_uri\": \"http://127.0.0.1.evil/\"",
		  "not https" },
	};
	struct firestore_account account;

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char *text = file_of(files[i].type, files[i].more);
		const char *wrong = parse(text, &account);

		assert_non_null(wrong);
		assert_non_null(strstr(wrong, files[i].word));
		firestore_account_done(&account);
		free(text);
	}
	assert_string_equal(parse("-----BEGIN", &account), "is no JSON");
	firestore_account_done(&account);
	assert_non_null(parse("[]", &account));
	firestore_account_done(&account);
	assert_non_null(parse("{\"type\":\"service_account\",\"client_email\":\"a@b\","
			      "\"private_key\":\"x\"}",
			      &account));
	firestore_account_done(&account);
}

/* --- the address --- */

static void an_address_names_project_database_and_where(void **state)
{
	struct firestore_address address;
	struct arena arena;

	(void)state;
	arena_init(&arena, FIRESTORE_ADDRESS_MAX);
	assert_null(firestore_address_read("firestore:my-project", &arena, &address));
	assert_string_equal(address.project, "my-project");
	assert_string_equal(address.database, "(default)");
	assert_string_equal(address.endpoint, "https://firestore.googleapis.com");
	assert_null(address.ca_file);
	assert_null(firestore_address_read("firestore:example.com:p/chat?ca_file=/etc/ca.pem&"
					   "endpoint=https://fs.example:8443/",
					   &arena, &address));
	assert_string_equal(address.project, "example.com:p");
	assert_string_equal(address.database, "chat");
	assert_string_equal(address.endpoint, "https://fs.example:8443");
	assert_string_equal(address.ca_file, "/etc/ca.pem");
	arena_done(&arena);
}

static void f19_an_address_that_is_none_is_refused(void **state)
{
	static const char *const uris[] = { "firestore:",
					    "firestore://my-project",
					    "firestore:a b",
					    "firestore:p/",
					    "firestore:p/d/e",
					    "firestore:p/../q",
					    "firestore:p?",
					    "firestore:p?endpoint=",
					    "firestore:p?endpoint=http://fs.example",
					    "firestore:p?endpoint=https://user@fs.example",
					    "firestore:p?ca_file=",
					    "firestore:p?other=1",
					    "firestore:p#x" };
	struct firestore_address address;
	struct arena arena;

	(void)state;
	arena_init(&arena, FIRESTORE_ADDRESS_MAX);
	for (size_t i = 0; i < sizeof uris / sizeof *uris; i++)
		if (!firestore_address_read(uris[i], &arena, &address))
			fail_msg("%s was taken", uris[i]);
	arena_done(&arena);
}

/* --- what it reaches --- */

static bool has_port(const struct reach *reach, uint16_t port)
{
	for (size_t i = 0; i < reach->port_count; i++)
		if (reach->ports[i] == port)
			return true;
	return false;
}

static void the_fence_has_the_emulators_port_and_no_other(void **state)
{
	char host[] = "127.0.0.1:9099";
	struct config config = { .firestore_emulator = host };
	struct reach reach;

	(void)state;
	reach_init(&reach);
	firestore_settings_reach("firestore:p", &config, &reach);
	assert_true(has_port(&reach, 9099) && has_port(&reach, 53));
	assert_false(has_port(&reach, 443) || reach.every_port);
	reach_done(&reach);
}

static void the_fence_has_the_ports_that_address_and_file_name(void **state)
{
	char path[] = "/tmp/c1d-account-XXXXXX";
	int fd = mkstemp(path);
	struct config config = { .google_credentials = path };
	struct reach reach;
	bool has_file = false;

	(void)state;
	assert_true(dprintf(fd, "{\"token_uri\" : \"https://127.0.0.1:8444/token\"}") > 0);
	reach_init(&reach);
	firestore_settings_reach("firestore:p?endpoint=https://fs.example:8443", &config, &reach);
	assert_true(has_port(&reach, 8443) && has_port(&reach, 8444));
	for (size_t i = 0; i < reach.path_count; i++)
		has_file |= strcmp(reach.paths[i].path, path) == 0;
	assert_true(has_file);
	reach_done(&reach);
	close(fd);
	unlink(path);
}

/* --- answers --- */

static enum firestore_status means(int status, const char *type, const char *text)
{
	struct net_answer answer = { .status = status, .retry_after_s = -1 };

	snprintf(answer.content_type, sizeof answer.content_type, "%s", type);
	return firestore_result_of(&answer, slice_of(text)).status;
}

static void an_answer_means_what_its_word_says_else_its_status(void **state)
{
	static const char json[] = "application/json; charset=UTF-8";

	(void)state;
	assert_int_equal(means(200, json, "{}"), FIRESTORE_OK);
	assert_int_equal(means(200, "text/html", "<html>"), FIRESTORE_UNKNOWN);
	assert_int_equal(means(200, "", "{}"), FIRESTORE_UNKNOWN);
	assert_int_equal(means(409, json, "{\"error\":{\"status\":\"ALREADY_EXISTS\"}}"),
			 FIRESTORE_EXISTS);
	assert_int_equal(
		means(409, json, "[{\"error\":{\"code\":409,\n\"status\" : \"ABORTED\"}}]"),
		FIRESTORE_ABORTED);
	assert_int_equal(means(400, json, "{\"error\":{\"status\":\"FAILED_PRECONDITION\"}}"),
			 FIRESTORE_PRECONDITION);
	assert_int_equal(means(409, json, "{\"error\":{\"status\":\"NEW_WORD\"}}"),
			 FIRESTORE_UNKNOWN);
	assert_int_equal(means(409, json, "{\"status\""), FIRESTORE_ABORTED);
	assert_int_equal(means(429, "text/html", ""), FIRESTORE_BUSY);
	assert_int_equal(means(503, "text/html", "<html>"), FIRESTORE_DOWN);
	assert_int_equal(means(502, "", ""), FIRESTORE_UNKNOWN);
	assert_int_equal(means(403, "", ""), FIRESTORE_DENIED);
	assert_int_equal(means(301, "text/html", ""), FIRESTORE_UNKNOWN);
	assert_int_equal(means(418, "", ""), FIRESTORE_INVALID);
}

static void what_was_never_sent_was_not_done(void **state)
{
	struct net_answer answer = { .failure = NET_CONNECT };

	(void)state;
	assert_int_equal(firestore_result_of(&answer, SLICE("")).status, FIRESTORE_DOWN);
	answer = (struct net_answer){ .failure = NET_CUT, .was_sent = true, .status = 200 };
	assert_int_equal(firestore_result_of(&answer, SLICE("{")).status, FIRESTORE_UNKNOWN);
	answer = (struct net_answer){ .failure = NET_NO_MEMORY, .is_too_large = true };
	assert_int_equal(firestore_result_of(&answer, SLICE("")).status, FIRESTORE_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_taken_however_it_was_pasted),
		cmocka_unit_test(f19_a_key_that_is_none_is_told_by_what_it_is_instead),
		cmocka_unit_test(the_file_of_the_console_is_taken),
		cmocka_unit_test(f19_a_file_that_is_another_is_told),
		cmocka_unit_test(an_address_names_project_database_and_where),
		cmocka_unit_test(f19_an_address_that_is_none_is_refused),
		cmocka_unit_test(the_fence_has_the_emulators_port_and_no_other),
		cmocka_unit_test(the_fence_has_the_ports_that_address_and_file_name),
		cmocka_unit_test(an_answer_means_what_its_word_says_else_its_status),
		cmocka_unit_test(what_was_never_sent_was_not_done),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
