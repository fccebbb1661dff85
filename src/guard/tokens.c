/* tokens: see guard/tokens.h. */
#include "guard/tokens.h"

#include "token_keys.h"
#include <stdio.h>

bool tokens_wanted(const struct config *config)
{
	return token_settings_wanted(config);
}

static const char *source_of(const struct token_settings *settings)
{
	return settings->secret     ? "C1D_JWT_SECRET"
	       : settings->key_file ? settings->key_file
				    : settings->url;
}

/* Those that the keys can check, of the ones that the settings name. */
static void list_algorithms(unsigned algs, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < jose_alg_count && n < size; i++)
		if (algs & jose_alg_bit(&jose_algs[i]))
			n += (size_t)snprintf(out + n, size - n, "%s%s", n > 0 ? " " : "",
					      jose_algs[i].name);
}

static void tell_keys(const struct token_settings *settings, const struct keyset *set, char *out,
		      size_t size)
{
	char names[100];

	list_algorithms(set->algs & settings->policy.algs, names, sizeof names);
	snprintf(out, size, "%zu key%s (%s) of %s", set->count, set->count == 1 ? "" : "s", names,
		 source_of(settings));
}

static void tell_loose(const struct token_policy *policy, char *out, size_t size)
{
	snprintf(out, size, "%s%s%s",
		 policy->issuer ? ""
				: "C1D_JWT_ISSUER is not set, so whoever can sign with a key of "
				  "these is believed",
		 policy->issuer || policy->audience ? "" : "; ",
		 policy->audience ? ""
				  : "C1D_JWT_AUDIENCE is not set, so tokens that are for somebody "
				    "(aud) are refused, and all others count, whatever they were "
				    "made for");
}

bool tokens_try(const struct config *config, struct tokens_report *out, struct error *err)
{
	struct token_settings settings;
	struct keyset *set;

	if (!token_settings_read(config, &settings, err) ||
	    !(set = token_keys_try(config, &settings, err)))
		return false;
	tell_keys(&settings, set, out->keys, sizeof out->keys);
	tell_loose(&settings.policy, out->loose, sizeof out->loose);
	keyset_unref(set);
	return true;
}
