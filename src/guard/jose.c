/* jose: see jose.h. */
#include "jose.h"

#include "base/base64url.h"

/* What makes a token mean something else than it seems to, to who knows the word. */
static const char *const refused[] = { "crit", "b64", "zip", "enc" };

/* Two dots, neither more nor less. Without a header or a signature there is nothing to look at. */
static bool split(struct slice token, struct slice parts[3])
{
	for (int i = 0; i < 3; i++) {
		const char *dot = memchr(token.ptr, '.', token.len);
		size_t len = dot ? (size_t)(dot - token.ptr) : token.len;

		if ((len == 0 && i != 1) || (i < 2) != (dot != NULL))
			return false;
		parts[i] = (struct slice){ token.ptr, len };
		token = slice_skip(token, dot ? len + 1 : len);
	}
	return true;
}

static enum jose_fault decode(struct arena *arena, struct slice text, size_t max, struct slice *out)
{
	size_t room = text.len * 3 / 4 + 1, len = 0;
	char *bytes = arena_alloc(arena, room);

	if (!bytes)
		return JOSE_NO_MEMORY;
	if (!base64url_read(text, bytes, room < max ? room : max, &len))
		return JOSE_FORM;
	*out = (struct slice){ bytes, len };
	return JOSE_FINE;
}

static bool is_text(const struct json *value)
{
	return !value || json_type(value) == JSON_STRING;
}

static enum jose_fault read_words(struct arena *arena, const struct json *header, unsigned algs,
				  struct jose *out)
{
	const struct json *kid = json_get(header, "kid");
	const char *kept;

	if (json_type(header) != JSON_OBJECT || !is_text(kid) || !is_text(json_get(header, "typ")))
		return JOSE_HEADER;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (json_get(header, refused[i]))
			return JOSE_HEADER;
	out->alg = jose_alg_of(json_text(json_get(header, "alg")));
	if (!out->alg || !(algs & jose_alg_bit(out->alg)))
		return JOSE_ALG;
	out->kid = json_text(kid);
	if (out->kid.len > JOSE_KID_MAX)
		return JOSE_HEADER;
	if (!(kept = arena_copy(arena, out->kid)))
		return JOSE_NO_MEMORY;
	out->kid.ptr = kept;
	return JOSE_FINE;
}

/* A strict reading: no member twice, at whatever depth. */
static enum jose_fault read_header(struct arena *arena, struct slice text, unsigned algs,
				   struct jose *out)
{
	struct error err = { 0 };
	struct json *header = json_parse(text, &err);
	enum jose_fault fault;

	if (!header)
		return err.code == ERROR_OVERLOADED ? JOSE_NO_MEMORY : JOSE_HEADER;
	fault = read_words(arena, header, algs, out);
	json_free(header);
	return fault;
}

enum jose_fault jose_read(struct arena *arena, struct slice token, unsigned algs, struct jose *out)
{
	struct slice parts[3], header, signature;
	struct jose read = { .alg = NULL };
	enum jose_fault fault;

	if (token.len > JOSE_MAX || !split(token, parts))
		return JOSE_FORM;
	read.text = (struct slice){ token.ptr, parts[0].len + 1 + parts[1].len };
	if ((fault = decode(arena, parts[0], JOSE_MAX, &header)) != JOSE_FINE ||
	    (fault = decode(arena, parts[1], JOSE_MAX, &read.payload)) != JOSE_FINE ||
	    (fault = decode(arena, parts[2], JOSE_SIGNATURE_MAX, &signature)) != JOSE_FINE ||
	    (fault = read_header(arena, header, algs, &read)) != JOSE_FINE)
		return fault;
	read.signature = (const unsigned char *)signature.ptr;
	read.signature_len = signature.len;
	*out = read;
	return JOSE_FINE;
}
