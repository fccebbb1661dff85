/* Sets of keys, as an issuer serves them or a file holds them: a set of keys for our algorithms, no
 * two of one name, or a sentence that says why there is none. */
#include "../../src/guard/jose_alg.h"
#include "../../src/guard/keyset.h"
#include "base/utf8.h"
#include "fuzz.h"

static void check_set(struct keyset *set, unsigned algs, const struct error *err)
{
	if (!set) {
		CHECK(err->code == ERROR_CONFIG && err->detail[0]);
		CHECK(utf8_valid(slice_of(err->detail), NULL));
		return;
	}
	CHECK(set->count >= 1 && set->count <= KEYSET_MAX && (set->algs & algs) != 0);
	for (size_t i = 0; i < jose_alg_count; i++) {
		const struct jose_key *key = NULL;
		size_t found = 0;

		while ((key = keyset_next(set, key, SLICE("a"), &jose_algs[i])))
			found++;
		CHECK(found <= set->count && (!set->by_name || found <= 1));
	}
	keyset_unref(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = fuzz_input(data, size);
	unsigned how = fuzz_byte(&text);
	unsigned algs = how % 2 ? ~jose_algs_of(JOSE_HMAC, NULL) : ~0u;
	struct error err = { 0 };

	if (how & 2)
		check_set(keyset_of_text(text, algs, &err), algs, &err);
	else
		check_set(keyset_of_json(text, algs, &err), algs, &err);
	return 0;
}
