/* store_libraries: the drivers behind the stores, each as built against and as running. */
#include "store/store.h"

#include <mongoc/mongoc.h>
#include <sqlite3.h>

const struct store_library store_libraries[] = {
	{ "libmongoc", MONGOC_VERSION_S, mongoc_get_version },
	{ "SQLite", SQLITE_VERSION, sqlite3_libversion },
	{ NULL, NULL, NULL },
};
