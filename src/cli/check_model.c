/*
 * check_model: the C1 API, without a question: nothing here costs money. The list of models proves
 * the key where there is one; the API's documents name none, so where it is missing a chat without
 * content follows: a good address refuses it as malformed, a wrong one does not know it.
 */
#include "check.h"

#include "net/net.h"
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MS  5000
#define NOT_ASKED  0 /* a status: no answer came, and that was said */
#define HEADER_MAX 4096

/* --- certificates --- */

static int count_certificates(FILE *file)
{
	X509 *certificate;
	int count = 0;

	while ((certificate = PEM_read_X509(file, NULL, NULL, NULL))) {
		X509_free(certificate);
		count++;
	}
	return count;
}

int check_ca_file(const struct config *config)
{
	const char *path = config->ca_file;
	FILE *file;
	int count;

	if (!path)
		return EXIT_OK;
	if (!(file = fopen(path, "re"))) {
		check_say(
			CHECK_FAIL, "CA file",
			"THESYS_CA_FILE: %s cannot be read: %s; mend the name, or who may read it",
			path, strerror(errno));
		return EXIT_CONFIG;
	}
	count = count_certificates(file);
	fclose(file);
	if (count == 0) {
		check_say(CHECK_FAIL, "CA file",
			  "THESYS_CA_FILE: %s holds no certificate (-----BEGIN CERTIFICATE-----)",
			  path);
		return EXIT_CONFIG;
	}
	check_say(CHECK_OK, "CA file", "%s holds %d certificate%s", path, count,
		  count == 1 ? "" : "s");
	return EXIT_OK;
}

/* --- the address and the key --- */

void check_say_no_key(void)
{
	if (config_host().reload_command) {
		check_say(CHECK_OK, "key",
			  "it is not in the settings; the service has what systemd handed over");
		return;
	}
	check_say(
		CHECK_WARN, "key",
		"no THESYS_API_KEY is to be seen from here: unless systemd hands it to the service "
		"as a credential every question will be answered 502; put it into the settings "
		"file, or try credentials by hand: CREDENTIALS_DIRECTORY=/etc/credstore c1d check");
}

/* The status of the answer; NOT_ASKED when there is none. */
static int ask(const struct config *config, const char *path, const char *body)
{
	char url[4096], authorization[HEADER_MAX];
	const char *headers[] = { authorization, body ? "Content-Type: application/json" : NULL,
				  NULL };
	struct net_request request = { .url = url,
				       .headers = headers,
				       .ca_file = config->ca_file,
				       .connect_ms = config->connect_ms };
	struct error err = { 0 };
	int status = NOT_ASKED;

	snprintf(url, sizeof url, "%s%s", config->base_url, path);
	snprintf(authorization, sizeof authorization, "Authorization: Bearer %s",
		 config->api_key ? config->api_key : "");
	if (!net_ask(&request, slice_of(body), ANSWER_MS, &status, &err))
		check_say(
			CHECK_FAIL, "C1 API",
			"%s does not answer: %s; look at THESYS_BASE_URL, the name server and the "
			"firewall",
			config->base_url, err.detail);
	return status;
}

#define REFUSED "the C1 API refuses THESYS_API_KEY; make a new one"
#define NO_CHAT                                                                                    \
	"there is no chat at this address; mend THESYS_BASE_URL, to which /chat/completions is "   \
	"appended"
#define UNPROVED                                                                                   \
	"the address is good; it has no list of models, so the key is not proved: it was not "     \
	"refused"

static const struct verdict_of {
	int status;
	enum verdict verdict;
	const char *what, *words;
	int code;
} verdicts[] = {
	{ 401, CHECK_FAIL, "key", REFUSED, EXIT_CONFIG },
	{ 403, CHECK_FAIL, "key", REFUSED, EXIT_CONFIG },
	{ 404, CHECK_FAIL, "C1 API", NO_CHAT, EXIT_CONFIG },
	{ 405, CHECK_FAIL, "C1 API", NO_CHAT, EXIT_CONFIG },
	{ 400, CHECK_WARN, "key", UNPROVED, EXIT_OK },
	{ 422, CHECK_WARN, "key", UNPROVED, EXIT_OK },
	{ 429, CHECK_WARN, "key", "the C1 API takes it but is over its limit for now", EXIT_OK },
};

static int tell(int status)
{
	for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
		const struct verdict_of *known = &verdicts[i];

		if (known->status != status)
			continue;
		check_say(known->verdict, known->what, "%s (%d)", known->words, status);
		return known->code;
	}
	check_say(CHECK_FAIL, "C1 API",
		  "it answers with status %d; look at its status page, or mend "
		  "THESYS_BASE_URL",
		  status);
	return EXIT_UNAVAILABLE;
}

static bool is_refusal(int status)
{
	return status == 401 || status == 403;
}

int check_model(const struct config *config)
{
	int status;

	if (!config->api_key)
		check_say_no_key();
	status = ask(config, "/models", NULL);
	if (status == NOT_ASKED)
		return EXIT_UNAVAILABLE;
	if (!config->api_key) {
		check_say(CHECK_OK, "C1 API", "%s answers", config->base_url);
		return EXIT_OK;
	}
	if (status == 200) {
		check_say(CHECK_OK, "C1 API", "%s answers and takes the key", config->base_url);
		return EXIT_OK;
	}
	if (!is_refusal(status) && status / 100 == 4)
		status = ask(config, "/chat/completions", "{}");
	return status == NOT_ASKED ? EXIT_UNAVAILABLE : tell(status);
}
