/* config_limits: what limits stand on: whose X-Forwarded-For is believed, and the Redis in which
 * several machines count. */
#include "config_room.h"

static void add_proxy(struct load *load, struct slice word)
{
	struct config *config = &load->config;

	if (config->proxy_count == PROXIES_MAX)
		config_problem(load, "settings", "write networks where there are single addresses",
			       "C1D_TRUSTED_PROXIES has more than %d networks", PROXIES_MAX);
	else if (!cidr_parse(word, &config->proxies[config->proxy_count]))
		config_problem(load, "settings",
			       "write an address, or a network by its first one: 10.0.0.0/8, "
			       "2001:db8::/32",
			       "C1D_TRUSTED_PROXIES: %.*s is neither", SLICE_ARG(word));
	else
		config->proxy_count++;
}

static void choose_proxies(struct load *load)
{
	const char *at = load->config.trusted_proxies ? load->config.trusted_proxies : "";
	int problems = load->problems;
	struct slice word;

	while (load->problems == problems && (word = config_next_word(&at)).len > 0)
		add_proxy(load, word);
}

static void choose_redis(struct load *load)
{
	const char *url = load->config.redis_url;
	const char *wrong = url ? redis_url_parse(url, load->arena, &load->config.redis) : NULL;

	if (wrong)
		config_problem(load, "settings",
			       "write it as redis://:password@host:6379/0, or unix:/path of its "
			       "socket",
			       "REDIS_URL %s", wrong);
}

void config_choose_limits(struct load *load)
{
	choose_proxies(load);
	choose_redis(load);
}
