/* config_auth: who may come in: the words of C1D_AUTH, and the secrets that several nodes share. */
#include "base/nearest.h"
#include "config_room.h"

#include <stdio.h>

static const char *const words[AUTH_MODE_COUNT] = {
#define X(word) [AUTH_##word] = #word,
	AUTH_MODES(X)
#undef X
};

/* --- C1D_AUTH --- */

static void list_words(char *out, size_t size)
{
	size_t n = 0;

	for (int i = 0; i < AUTH_MODE_COUNT && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s",
				      i > 0 ? " " : "one of: ", words[i]);
}

static void refuse_word(struct load *load, struct slice word)
{
	struct nearest nearest = nearest_to(word);
	char fix[256];

	for (int i = 0; i < AUTH_MODE_COUNT; i++)
		nearest_offer(&nearest, words[i]);
	if (nearest.name)
		snprintf(fix, sizeof fix, "did you mean %s?", nearest.name);
	else
		list_words(fix, sizeof fix);
	config_problem(load, "settings", fix, "C1D_AUTH=%.*s is not known", SLICE_ARG(word));
}

static void add_word(struct load *load, struct slice word)
{
	struct config *config = &load->config;
	int mode = 0;

	while (mode < AUTH_MODE_COUNT && !slice_is(word, words[mode]))
		mode++;
	if (mode == AUTH_MODE_COUNT) {
		refuse_word(load, word);
		return;
	}
	for (size_t i = 0; i < config->auth_mode_count; i++)
		if (config->auth_modes[i] == (enum auth_mode)mode)
			return;
	config->auth_modes[config->auth_mode_count++] = (enum auth_mode)mode;
}

/* Ways that let in whoever comes leave nobody to those behind them. */
static void check_order(struct load *load)
{
	const struct config *config = &load->config;

	for (size_t i = 0; config->auth_mode_count > 1 && i < config->auth_mode_count; i++)
		if (config->auth_modes[i] == AUTH_none)
			config_problem(load, "settings", "leave one of them out",
				       "C1D_AUTH has none beside others: who is let in without "
				       "being asked needs no other way");
		else if (config->auth_modes[i] == AUTH_visitor && i + 1 < config->auth_mode_count)
			config_problem(load, "settings", "put visitor last",
				       "C1D_AUTH has visitor before others: whoever comes is a "
				       "visitor, so what he signs in with is never looked at");
}

static void choose_modes(struct load *load)
{
	struct config *config = &load->config;
	const char *at = config->auth ? config->auth : "";
	struct slice word;

	while ((word = config_next_word(&at)).len > 0)
		add_word(load, word);
	if (!config->auth || (load->problems == 0 && config->auth_mode_count == 0))
		config_problem(load, "settings", "remove the line or give it a value",
			       "C1D_AUTH is empty");
	check_order(load);
}

/* --- C1D_VISITOR_SECRET --- */

static void add_secret(struct load *load, struct slice secret)
{
	struct config *config = &load->config;
	size_t count = config->visitor_secret_count;

	if (secret.len < VISITOR_SECRET_MIN) {
		config_problem(load, "settings", "`openssl rand -hex 32` prints a good one",
			       "C1D_VISITOR_SECRET: number %zu has %zu bytes, which can be "
			       "guessed; it needs %d",
			       count + 1, secret.len, VISITOR_SECRET_MIN);
		return;
	}
	if (count == VISITOR_SECRETS_MAX) {
		config_problem(load, "settings", "leave the oldest out, which stand last",
			       "C1D_VISITOR_SECRET has more than %d secrets", VISITOR_SECRETS_MAX);
		return;
	}
	config->visitor_secrets[config->visitor_secret_count++] = arena_copy(load->arena, secret);
}

static void choose_secrets(struct load *load)
{
	const char *at = load->config.visitor_secret ? load->config.visitor_secret : "";
	int problems = load->problems;
	struct slice secret;

	while (load->problems == problems && (secret = config_next_word(&at)).len > 0)
		add_secret(load, secret);
}

void config_choose_auth(struct load *load)
{
	choose_modes(load);
	choose_secrets(load);
}
