/* firestore_ask: one question to the token server, and what its answer means. */
#include "base/clock.h"
#include "base/digits.h"
#include "base/json.h"
#include "firestore_jwt.h"
#include "firestore_token.h"

#define REPLY_MAX  65536
#define JWT_MAX    16384
#define LIFE_MAX_S 86400
#define GRANT_TYPE "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="

/* --- refusals (RFC 6749, 5.2), and what Google says behind them --- */

static const struct refusal {
	const char *error, *says; /* says: part of error_description */
	const char *words;
} refusals[] = {
	{ "invalid_grant", "reasonable timeframe",
	  "Google refuses the token request for its times: this machine's clock is wrong." },
	{ "invalid_grant", "Signature",
	  "Google refuses the key's signature: it was revoked, or belongs to another account." },
	{ "invalid_grant", "not found",
	  "Google knows no such service account: it was deleted, or client_email is wrong." },
	{ "invalid_grant", "",
	  "Google refuses the service account's key: is it revoked, or this machine's clock "
	  "wrong?" },
	{ "invalid_client", "", "Google knows no such service account: is client_email right?" },
	{ "unauthorized_client", "", "The service account may not ask for this scope." },
	{ "disabled_client", "", "The service account is disabled." },
	{ "invalid_scope", "", "The token server knows no such scope: is token_uri Google's?" },
};

static bool has(struct slice text, const char *part)
{
	return *part == '\0' || (text.len > 0 && memmem(text.ptr, text.len, part, strlen(part)));
}

static bool refused(const struct json *reply, int status, struct error *err)
{
	struct slice error = json_text(json_get(reply, "error"));
	struct slice says = json_text(json_get(reply, "error_description"));

	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
		if (slice_is(error, refusals[i].error) && has(says, refusals[i].says))
			return error_set(err, ERROR_CONFIG, "%s", refusals[i].words);
	return error_set(err,
			 status >= 400 && status < 500 && status != 429 ? ERROR_CONFIG
									: ERROR_STORE_DOWN,
			 "The token server answers with status %d.", status);
}

/* --- grants --- */

static int64_t seconds_of(const struct json *value)
{
	int64_t n = 3600; /* RFC 6749, 5.1: it should say so */

	digits_read(json_number(value), DIGITS_MAX, &n);
	return n < 1 ? 1 : n > LIFE_MAX_S ? LIFE_MAX_S : n;
}

/* Visible characters: anything else in a header would be another one. */
static bool is_token(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
			return false;
	return text.len > 0;
}

static bool take_grant(const struct json *reply, struct firestore_grant *out, struct error *err)
{
	static const char prefix[] = "Authorization: Bearer ";
	struct slice token = json_text(json_get(reply, "access_token"));

	if (!is_token(token) || token.len >= sizeof out->header - sizeof prefix)
		return error_set(err, ERROR_STORE_DOWN,
				 "The token server's answer has no token that can be used.");
	memcpy(out->header, prefix, sizeof prefix - 1);
	memcpy(out->header + sizeof prefix - 1, token.ptr, token.len);
	out->header[sizeof prefix - 1 + token.len] = '\0';
	out->expires_s = seconds_of(json_get(reply, "expires_in"));
	return true;
}

static bool read_answer(const struct net_answer *answer, struct slice text,
			struct firestore_grant *out, struct error *err)
{
	struct json *reply;
	bool ok;

	if (answer->failure != NET_OK)
		return error_set(err, ERROR_STORE_DOWN, "The token server does not answer: %s.",
				 net_failure_word(answer->failure));
	reply = json_parse(text, NULL);
	ok = answer->status == 200 ? take_grant(reply, out, err)
				   : refused(reply, answer->status, err);
	json_free(reply);
	return ok;
}

/* --- asking --- */

static bool write_body(const struct firestore_account *account, struct buffer *body)
{
	return buffer_append(body, SLICE(GRANT_TYPE)) &&
	       firestore_jwt(account, clock_wall_ms() / 1000, body);
}

bool firestore_token_ask(const struct firestore_account *account, struct net_client *client,
			 const char *ca_file, int64_t until_ms, struct firestore_grant *out,
			 struct error *err)
{
	static const char *const headers[] = { "Content-Type: application/x-www-form-urlencoded",
					       "Accept: application/json", NULL };
	const struct net_request request = { .url = account->token_uri,
					     .headers = headers,
					     .ca_file = ca_file,
					     .connect_ms = until_ms - clock_mono_ms() };
	struct buffer body, reply;
	struct net_answer answer;
	bool ok;

	buffer_init(&body, JWT_MAX);
	buffer_init(&reply, REPLY_MAX);
	if ((ok = write_body(account, &body) ||
		  error_set(err, ERROR_CONFIG, "The service account's key does not sign."))) {
		net_client_post(client, &request, buffer_slice(&body), until_ms, &reply, &answer);
		ok = read_answer(&answer, buffer_slice(&reply), out, err);
	}
	if (reply.data)
		explicit_bzero(reply.data, reply.size);
	buffer_done(&reply);
	buffer_done(&body);
	return ok;
}
