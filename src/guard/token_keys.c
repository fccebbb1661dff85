/* token_keys: see token_keys.h. */
#include "token_keys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>

#define FILE_MAX (256u << 10)

static bool read_file(const char *path, struct buffer *text, struct error *err)
{
	FILE *file = fopen(path, "re");
	size_t n = 1;
	char *to;

	if (!file)
		return error_set(err, ERROR_CONFIG, "C1D_JWT_KEY_FILE cannot be read: %s.",
				 strerror(errno));
	while (n > 0 && (to = buffer_reserve(text, 4096))) {
		n = fread(to, 1, 4096, file);
		buffer_commit(text, n);
	}
	n = (size_t)ferror(file);
	fclose(file);
	return (n == 0 && !text->failed) ||
	       error_set(err, ERROR_CONFIG, "C1D_JWT_KEY_FILE is no file of keys.");
}

static struct keyset *keys_of_file(const struct token_settings *settings, struct error *err)
{
	struct keyset *set = NULL;
	struct error why = { 0 };
	struct buffer text;

	buffer_init(&text, FILE_MAX);
	if (read_file(settings->key_file, &text, err) &&
	    !(set = keyset_of_text(buffer_slice(&text), settings->policy.algs, &why)))
		error_set(err, ERROR_CONFIG,
			  "C1D_JWT_KEY_FILE: %.120s It has to hold public keys "
			  "in PEM, certificates, or a JWK set.",
			  why.detail);
	if (text.data) /* it may have been a set of secrets */
		OPENSSL_cleanse(text.data, text.size);
	buffer_done(&text);
	return set;
}

static struct keyset *fixed_keys(const struct token_settings *settings, struct error *err)
{
	return settings->secret ? keyset_of_secret(slice_of(settings->secret), err)
				: keys_of_file(settings, err);
}

bool token_keys_open(const struct config *config, struct shm *shm,
		     const struct token_settings *settings, struct token_keys *out,
		     struct error *err)
{
	struct token_keys keys = { .fixed = NULL };

	if (settings->url)
		keys.jwks = jwks_open(config, shm, settings->url, settings->policy.algs, err);
	else
		keys.fixed = fixed_keys(settings, err);
	*out = keys;
	return keys.fixed || keys.jwks;
}

void token_keys_close(struct token_keys *keys)
{
	keyset_unref(keys->fixed);
	jwks_free(keys->jwks);
	*keys = (struct token_keys){ .fixed = NULL };
}

struct keyset *token_keys_try(const struct config *config, const struct token_settings *settings,
			      struct error *err)
{
	return settings->url ? jwks_try(config, settings->url, settings->policy.algs, err)
			     : fixed_keys(settings, err);
}
