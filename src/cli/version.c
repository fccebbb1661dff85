/* version: this program and its libraries, each as built against and as running with: an upgrade of
 * one shows here. */
#include "base/version.h"

#include "base/json.h"
#include "commands.h"
#include "net/net.h"
#include "store/store.h"
#include <openssl/crypto.h>
#include <openssl/opensslv.h>
#include <stdio.h>

/* libfcgi names its version nowhere but in its package: the Makefile asks pkg-config for it. */
#define TEXT_OF(words) #words
#define TEXT(macro)    TEXT_OF(macro)

static void line(const char *name, const char *built, const char *running)
{
	printf("  %-12s built with %-12s running with %s\n", name, built, running);
}

int command_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("c1d " C1D_VERSION "\n");
	line("libfcgi", TEXT(FCGI_VERSION), "the same, as far as it tells");
	line("libcurl", net_version(false), net_version(true));
	line("nghttp2", net_h2_version(false), net_h2_version(true));
	line("cJSON", json_version(false), json_version(true));
	for (const struct store_library *library = store_libraries; library->name; library++)
		line(library->name, library->built, library->running());
	line("OpenSSL", OPENSSL_VERSION_STR, OpenSSL_version(OPENSSL_VERSION_STRING));
	return EXIT_OK;
}
