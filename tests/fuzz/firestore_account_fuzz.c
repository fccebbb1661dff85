/* A service account's file, and its key as people paste it: whole, with a token_uri that a secret
 * may go to, or a sentence that says why not. '@KEY' is a good key, so that there are such files.
 */
#include "../../src/store/firestore/firestore_account.h"
#include "../../src/store/firestore/firestore_address.h"
#include "fuzz.h"

#include <openssl/pem.h>

static char pem[8192]; /* newlines as JSON has them */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	BIO *bio = BIO_new(BIO_s_mem());
	size_t n = 0;
	char *text;
	long len;

	(void)argc;
	(void)argv;
	CHECK(key && bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
	len = BIO_get_mem_data(bio, &text);
	for (long i = 0; i < len; i++) {
		if (text[i] == '\n')
			pem[n++] = '\\';
		pem[n++] = text[i] == '\n' ? 'n' : text[i];
	}
	BIO_free(bio);
	EVP_PKEY_free(key);
	return 0;
}

static void put_key(struct slice text, struct buffer *out)
{
	const char *at;

	while (text.len > 0 && (at = memmem(text.ptr, text.len, "@KEY", 4))) {
		size_t before = (size_t)(at - text.ptr);

		buffer_append(out, (struct slice){ text.ptr, before });
		buffer_append(out, slice_of(pem));
		text = slice_skip(text, before + 4);
	}
	buffer_append(out, text);
	buffer_append_char(out, '\0');
}

static void check_file(struct slice text)
{
	struct firestore_account account = { .emulator = NULL };
	const char *wrong;

	arena_init(&account.arena, 65536);
	wrong = firestore_account_parse(text, &account);
	if (wrong)
		CHECK(*wrong);
	else
		CHECK(account.key && account.email && *account.email &&
		      firestore_is_safe(account.token_uri));
	firestore_account_done(&account);
}

static void check_key(const char *text)
{
	EVP_PKEY *key = NULL;
	const char *wrong = firestore_account_key(text, &key);

	CHECK((wrong == NULL) == (key != NULL));
	EVP_PKEY_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = fuzz_input(data, size);
	unsigned how = fuzz_byte(&input);
	struct buffer text;

	buffer_init(&text, 1 << 20);
	put_key(input, &text);
	if (text.failed)
		;
	else if (how % 2)
		check_key(text.data);
	else
		check_file((struct slice){ text.data, text.len - 1 });
	buffer_done(&text);
	return 0;
}
