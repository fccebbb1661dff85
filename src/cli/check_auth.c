/* check_auth: who is let in: the settings of C1D_AUTH, and whether there are keys to check tokens
 * with.
 */
#include "check.h"

#include "guard/guard.h"
#include "guard/tokens.h"

/* systemd's ExecReload= sees no credentials, so that this cannot say more than it knows. */
static bool may_be_a_credential(const struct config *config)
{
	bool is_jwt = false;

	for (size_t i = 0; i < config->auth_mode_count; i++)
		is_jwt |= config->auth_modes[i] == AUTH_jwt;
	return is_jwt && !config->jwt_secret && !config->jwt_key_file && !config->jwt_jwks_url;
}

int check_auth_settings(const struct config *config)
{
	struct error err = { 0 };

	if (may_be_a_credential(config) && config_host().reload_command) {
		check_say(CHECK_OK, "sign-in",
			  "the key of tokens is not in the settings; the service has what systemd "
			  "handed over");
		return EXIT_OK;
	}
	if (may_be_a_credential(config)) {
		check_say(
			CHECK_WARN, "sign-in",
			"no key of tokens is to be seen from here: unless systemd hands "
			"c1d-jwt-secret to the service as a credential it will not start; set one "
			"of C1D_JWT_SECRET, C1D_JWT_KEY_FILE and C1D_JWT_JWKS_URL");
		return EXIT_OK;
	}
	if (guard_check(config, &err))
		return EXIT_OK;
	check_say(CHECK_FAIL, "sign-in", "%s", err.detail);
	return EXIT_CONFIG;
}

/* What a key set is asked for at is the same for everybody: nothing is spent by asking. */
static int check_tokens(const struct config *config)
{
	struct tokens_report report;
	struct error err = { 0 };

	if (tokens_try(config, &report, &err)) {
		check_say(CHECK_OK, "token keys", "%s", report.keys);
		if (report.loose[0])
			check_say(CHECK_WARN, "tokens", "%s", report.loose);
		return EXIT_OK;
	}
	if (config->jwt_secret || config->jwt_key_file) {
		check_say(CHECK_FAIL, "token keys", "%s", err.detail);
		return EXIT_CONFIG;
	}
	check_say(CHECK_FAIL, "token keys",
		  "what is to be had at the address of the issuer's keys is of no use: %s Look at "
		  "the address, the name server and the firewall; until it answers everybody who "
		  "shows a token is told 503",
		  err.detail);
	return EXIT_UNAVAILABLE;
}

int check_auth(const struct config *config)
{
	int code = check_auth_settings(config);

	return code == EXIT_OK && tokens_wanted(config) && !may_be_a_credential(config)
		       ? check_tokens(config)
		       : code;
}
