/* X-Forwarded-For behind proxies: who is counted is whom the web server talked to, or an address of
 * the header to whose right there are proxies of ours alone. Lines: the networks, REMOTE_ADDR, the
 * header. */
#include "../../src/guard/proxies.h"
#include "fuzz.h"

static bool is_ours(const struct config *config, struct slice text)
{
	struct address address;

	for (size_t i = 0; i < config->proxy_count && address_parse(text, &address); i++)
		if (cidr_holds(&config->proxies[i], &address))
			return true;
	return false;
}

static void read_networks(struct slice line, struct config *config)
{
	while (line.len > 0 && config->proxy_count < PROXIES_MAX) {
		const char *blank = memchr(line.ptr, ' ', line.len);
		struct slice word = { line.ptr, blank ? (size_t)(blank - line.ptr) : line.len };
		struct cidr *network = &config->proxies[config->proxy_count];

		if (cidr_parse(word, network)) {
			CHECK(network->bits >= 0 && network->bits <= 128);
			CHECK(cidr_holds(network, &network->first));
			config->proxy_count++;
		}
		line = slice_skip(line, word.len + (blank != NULL));
	}
}

/* 192.0.2.7:4711 and [2001:db8::7]:4711, as some proxies write it. */
static struct slice without_port(struct slice text)
{
	const char *colon = memchr(text.ptr, ':', text.len);
	const char *end = memchr(text.ptr, ']', text.len);

	if (text.len > 0 && *text.ptr == '[')
		return end ? (struct slice){ text.ptr + 1, (size_t)(end - text.ptr) - 1 } : text;
	if (colon && colon == memrchr(text.ptr, ':', text.len))
		text.len = (size_t)(colon - text.ptr);
	return text;
}

/* Every address behind it. */
static void check_behind(const struct config *config, struct slice rest)
{
	while (rest.len > 0) {
		const char *comma = memrchr(rest.ptr, ',', rest.len);
		struct slice last = comma ? slice_skip(rest, (size_t)(comma - rest.ptr) + 1) : rest;

		while (last.len > 0 && strchr(" \t", last.ptr[0]) && last.ptr[0])
			last = slice_skip(last, 1);
		while (last.len > 0 && strchr(" \t", last.ptr[last.len - 1]) &&
		       last.ptr[last.len - 1])
			last.len--;
		if (!comma) /* what is left of the client's own: a port, blanks */
			break;
		CHECK(is_ours(config, without_port(last)));
		rest.len = (size_t)(comma - rest.ptr);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config config;
	struct slice rest = fuzz_input(data, size), remote, client;

	config.proxy_count = 0;
	read_networks(fuzz_line(&rest), &config);
	remote = fuzz_line(&rest);
	client = proxies_client(&config, remote, rest);
	if (client.ptr == remote.ptr && client.len == remote.len)
		return 0;
	CHECK(is_ours(&config, remote));
	CHECK(client.ptr >= rest.ptr && client.ptr + client.len <= rest.ptr + rest.len);
	check_behind(&config, slice_skip(rest, (size_t)(client.ptr - rest.ptr) + client.len));
	return 0;
}
