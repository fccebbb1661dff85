/*
 * mongo_reach: where the driver will go with a URI, and which files it will read. From the text
 * alone: the supervisor asks, too, and it calls no driver.
 */
#include "mongo_room.h"

#include "net/net.h"
#include <stdlib.h>
#include <strings.h>

#define USUAL_PORT 27017

/* The value of an option in name=value&name=value, "" without one. */
static struct slice option_of(const char *options, const char *name)
{
	size_t len = strlen(name);

	while (options && *options) {
		size_t n = strcspn(options, "&");

		if (n > len && strncasecmp(options, name, len) == 0 && options[len] == '=')
			return (struct slice){ options + len + 1, n - len - 1 };
		options += n + (options[n] == '&');
	}
	return SLICE("");
}

/* Servers of a replica set name their others, and a name of SRV records its servers. */
static bool names_others(const char *uri, const char *options)
{
	const char *hosts = strstr(uri, "://");

	return strncmp(uri, "mongodb+srv:", 12) == 0 || option_of(options, "replicaSet").len > 0 ||
	       slice_is(option_of(options, "directConnection"), "false") ||
	       (hosts && memchr(hosts, ',', strcspn(hosts + 3, "/?") + 3));
}

static void decode(struct slice in, char *out, size_t size)
{
	char digits[3] = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < in.len && n + 1 < size; i++) {
		if (in.ptr[i] == '%' && i + 2 < in.len) {
			memcpy(digits, in.ptr + i + 1, 2);
			out[n++] = (char)strtol(digits, NULL, 16);
			i += 2;
		} else {
			out[n++] = in.ptr[i];
		}
	}
	out[n] = '\0';
}

static void reach_file(const char *options, const char *name, struct reach *reach)
{
	struct slice value = option_of(options, name);
	char path[4096];

	decode(value, path, sizeof path);
	if (value.len > 0)
		reach_read(reach, path);
}

void mongo_reach(const char *uri, const struct config *config, struct reach *reach)
{
	static const char *const files[] = { "tlsCAFile", "tlsCertificateKeyFile", "tlsCRLFile",
					     "sslCertificateAuthorityFile",
					     "sslClientCertificateKeyFile" };
	const char *question = strchr(uri, '?');
	const char *options = question ? question + 1 : NULL;

	(void)config;
	reach_url(reach, uri, USUAL_PORT);
	if (names_others(uri, options))
		reach_every_port(reach);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		reach_file(options, files[i], reach);
	net_reach(NULL, NULL, reach);
}
