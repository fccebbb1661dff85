/* store_libraries: the drivers behind the stores, each as built against and as running. */
#include "net/redis_line.h"
#include "store/store.h"

#include <libpq-fe.h>
#include <mongoc/mongoc.h>
#include <sqlite3.h>
#include <stdio.h>

#ifndef PQ_VERSION
#define PQ_VERSION unknown /* its headers do not tell; the Makefile does */
#endif
#define TEXT_OF(x)    #x
#define VERSION_OF(x) TEXT_OF(x)

/* Since version 10 it has two numbers. */
static const char *libpq_running(void)
{
	static char text[24];

	snprintf(text, sizeof text, "%d.%d", PQlibVersion() / 10000, PQlibVersion() % 10000);
	return text;
}

/* It has no call that tells; the loader takes none of another name. */
static const char *hiredis_running(void)
{
	return "libhiredis.so." VERSION_OF(HIREDIS_SONAME);
}

const struct store_library store_libraries[] = {
	{ "libmongoc", MONGOC_VERSION_S, mongoc_get_version },
	{ "SQLite", SQLITE_VERSION, sqlite3_libversion },
	{ "libpq", VERSION_OF(PQ_VERSION), libpq_running },
	{ "hiredis",
	  VERSION_OF(HIREDIS_MAJOR) "." VERSION_OF(HIREDIS_MINOR) "." VERSION_OF(HIREDIS_PATCH),
	  hiredis_running },
	{ NULL, NULL, NULL },
};
