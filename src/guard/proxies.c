/* proxies: see proxies.h. */
#include "proxies.h"

static bool is_trusted(const struct config *config, const struct address *address)
{
	for (size_t i = 0; i < config->proxy_count; i++)
		if (cidr_holds(&config->proxies[i], address))
			return true;
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct slice trimmed(struct slice text)
{
	while (text.len > 0 && is_blank(*text.ptr))
		text = slice_skip(text, 1);
	while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
		text.len--;
	return text;
}

/* The last member of the list, cut off it. */
static struct slice take_last(struct slice *list)
{
	const char *comma = list->len > 0 ? memrchr(list->ptr, ',', list->len) : NULL;
	size_t begins = comma ? (size_t)(comma - list->ptr) + 1 : 0;
	struct slice last = slice_skip(*list, begins);

	list->len = comma ? begins - 1 : 0;
	return trimmed(last);
}

/* Some proxies write the port: 192.0.2.7:4711, [2001:db8::7]:4711. */
static struct slice without_port(struct slice text)
{
	const char *end;

	if (text.len == 0)
		return text;
	if (*text.ptr == '[') {
		end = memchr(text.ptr, ']', text.len);
		return end ? (struct slice){ text.ptr + 1, (size_t)(end - text.ptr) - 1 } : text;
	}
	end = memchr(text.ptr, ':', text.len);
	if (end && end == memrchr(text.ptr, ':', text.len))
		text.len = (size_t)(end - text.ptr);
	return text;
}

struct slice proxies_client(const struct config *config, struct slice remote,
			    struct slice forwarded)
{
	struct slice client = remote;
	struct address address;

	if (!address_parse(remote, &address))
		return remote;
	for (int hops = 0; hops < PROXIES_HOPS_MAX && is_trusted(config, &address); hops++) {
		struct slice before = without_port(take_last(&forwarded));

		if (!address_parse(before, &address))
			break;
		client = before;
	}
	return client;
}
