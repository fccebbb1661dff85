/*
 * net_reach: what names, certificates and connections take of the system: files that are read again
 * and again (resolver, certificates), and modules that have to be there beforehand.
 */
#include "net/net.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DNS_PORT 53 /* answers that do not fit into a datagram */

/* --- modules --- */

/* "hosts: files resolve [!UNAVAIL=return] dns": libnss_resolve.so.2. Those that the C library has
 * in itself are not found, and not missed. They stay loaded. */
static void load_modules(const char *list)
{
	char file[64];

	while (*(list += strspn(list, " \t\n"))) {
		size_t len = strcspn(list, " \t\n");

		if (*list != '[' && *list != '#' && !memchr(list, '/', len) && len < 32) {
			snprintf(file, sizeof file, "libnss_%.*s.so.2", (int)len, list);
			dlopen(file, RTLD_NOW);
		}
		list += len;
	}
}

void net_wake(void)
{
	FILE *file = fopen("/etc/nsswitch.conf", "re");
	char *line = NULL;
	size_t size = 0;

	while (file && getline(&line, &size, file) >= 0)
		if (strncmp(line, "hosts:", 6) == 0)
			load_modules(line + 6);
	free(line);
	if (file)
		fclose(file);
	/* The C library wants it when a thread ends by pthread_exit, or is cancelled. */
	dlopen("libgcc_s.so.1", RTLD_NOW);
}

/* --- files --- */

/* systemd-resolved and others keep it in a folder of theirs and write it anew there. */
static void reach_resolver(struct reach *reach)
{
	static const char *const files[] = { "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf",
					     "/etc/host.conf", "/etc/gai.conf" };
	char real[PATH_MAX], *end;

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		reach_read(reach, files[i]);
	if (realpath(files[0], real) && strncmp(real, "/run/", 5) == 0 &&
	    (end = strrchr(real + 5, '/'))) {
		*end = '\0';
		reach_read(reach, real);
	}
}

/* Certificates are links to where the packages have them. */
static void reach_certificates(const char *ca_file, struct reach *reach)
{
	static const char *const places[] = { "/etc/ssl/certs", "/usr/share/ca-certificates",
					      "/usr/local/share/ca-certificates",
					      "/etc/pki/ca-trust/extracted", "/etc/pki/tls/certs" };

	reach_read(reach, ca_file);
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		reach_read(reach, places[i]);
}

void net_reach(const char *url, const char *ca_file, struct reach *reach)
{
	reach_url(reach, url, url && strncmp(url, "https:", 6) == 0 ? 443 : 80);
	reach_port(reach, DNS_PORT);
	reach_resolver(reach);
	reach_certificates(ca_file, reach);
}
