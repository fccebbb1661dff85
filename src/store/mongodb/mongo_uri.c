/*
 * mongo_uri: the driver takes nearly anything and fails half a minute later, so a URI is
 * checked first. Where it is silent, waits are short and writes are safe.
 */
#include "mongo_room.h"

#include <stdio.h>
#include <strings.h>

#define CLIENTS_MIN 2 /* one for the ping */

/* Options that the driver reads itself; all others it tells us about by type. */
static bool is_known_option(const char *name)
{
	static const char *const others[] = { "w",
					      "journal",
					      "wtimeoutms",
					      "readconcernlevel",
					      "readpreference",
					      "readpreferencetags",
					      "maxstalenessseconds",
					      "authmechanism",
					      "authsource",
					      "authmechanismproperties",
					      "compressors",
					      "zlibcompressionlevel",
					      "srvservicename",
					      "srvmaxhosts",
					      "loadbalanced",
					      "gssapiservicename",
					      "canonicalizehostname",
					      "safe",
					      "slaveok" };

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (strcasecmp(name, others[i]) == 0)
			return true;
	return mongoc_uri_option_is_int32(name) || mongoc_uri_option_is_int64(name) ||
	       mongoc_uri_option_is_bool(name) || mongoc_uri_option_is_utf8(name);
}

static bool check_options(const char *text, struct error *err)
{
	const char *at = strchr(text, '?');
	char name[64];

	while (at && *++at) {
		size_t len = strcspn(at, "=&");

		snprintf(name, sizeof name, "%.*s", (int)len, at);
		if (len >= sizeof name || !is_known_option(name))
			return error_set(err, ERROR_CONFIG,
					 "The MongoDB URI has an unknown option '%s'.", name);
		at = strchr(at, '&');
	}
	return true;
}

/* user:password@host: an '@' of the password itself has to be %40, or half of it is taken for a
 * host. */
static bool check_authority(const char *text, struct error *err)
{
	const char *authority = strstr(text, "://"), *first, *second;
	size_t len;

	if (!authority)
		return error_set(err, ERROR_CONFIG,
				 "The MongoDB URI has to begin with mongodb:// or mongodb+srv://.");
	authority += 3;
	len = strcspn(authority, "/?");
	first = memchr(authority, '@', len);
	second = first ? memchr(first + 1, '@', len - (size_t)(first + 1 - authority)) : NULL;
	if (second || (!first && strchr(authority, '@') && !strchr(authority, '?')))
		return error_set(err, ERROR_CONFIG,
				 "The MongoDB URI has an '@' or '/' in its user or password: write "
				 "%%40 and %%2F.");
	return true;
}

/* What is written has to be acknowledged, and what is read has to be what was written last: on
 * neither depends speed, on both that no answer is lost. */
static bool check_safety(const mongoc_uri_t *uri, struct error *err)
{
	const mongoc_write_concern_t *concern = mongoc_uri_get_write_concern(uri);
	const mongoc_read_prefs_t *prefs = mongoc_uri_get_read_prefs_t(uri);
	int32_t clients =
		mongoc_uri_get_option_as_int32(uri, MONGOC_URI_MAXPOOLSIZE, MONGO_CLIENTS);

	if (mongoc_write_concern_get_w(concern) == 0 ||
	    mongoc_write_concern_get_w(concern) == MONGOC_WRITE_CONCERN_W_ERRORS_IGNORED)
		return error_set(err, ERROR_CONFIG,
				 "The MongoDB URI has w=0: what is saved would not be known to be "
				 "saved. Leave w out (majority) or write w=1.");
	if (prefs && mongoc_read_prefs_get_mode(prefs) != MONGOC_READ_PRIMARY)
		return error_set(
			err, ERROR_CONFIG,
			"The MongoDB URI has a readPreference other than primary: what was "
			"just saved might not be found. Leave it out.");
	if (clients < CLIENTS_MIN)
		return error_set(err, ERROR_CONFIG,
				 "The MongoDB URI has maxPoolSize=%d: at least %d are needed.",
				 (int)clients, CLIENTS_MIN);
	return true;
}

static void set_int(mongoc_uri_t *uri, const char *name, int32_t value)
{
	if (!mongoc_uri_has_option(uri, name))
		mongoc_uri_set_option_as_int32(uri, name, value);
}

static void set_write_concern(mongoc_uri_t *uri)
{
	mongoc_write_concern_t *concern =
		mongoc_write_concern_copy(mongoc_uri_get_write_concern(uri));
	const bson_t *options = mongoc_uri_get_options(uri);

	if (!bson_has_field(options, "w"))
		mongoc_write_concern_set_w(concern, MONGOC_WRITE_CONCERN_W_MAJORITY);
	if (!bson_has_field(options, "journal"))
		mongoc_write_concern_set_journal(concern, true);
	if (!bson_has_field(options, "wtimeoutms"))
		mongoc_write_concern_set_wtimeout_int64(concern, 5000);
	mongoc_uri_set_write_concern(uri, concern);
	mongoc_write_concern_destroy(concern);
}

static void set_defaults(mongoc_uri_t *uri)
{
	set_int(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, 1500);
	set_int(uri, MONGOC_URI_CONNECTTIMEOUTMS, 1000);
	set_int(uri, MONGOC_URI_SOCKETTIMEOUTMS, 5000);
	set_int(uri, MONGOC_URI_WAITQUEUETIMEOUTMS, 2000);
	if (!mongoc_uri_has_option(uri, MONGOC_URI_RETRYWRITES))
		mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, true);
	if (!mongoc_uri_get_appname(uri))
		mongoc_uri_set_appname(uri, "c1d");
	if (!mongoc_uri_get_database(uri))
		mongoc_uri_set_database(uri, MONGO_DATABASE);
	set_write_concern(uri);
}

mongoc_uri_t *mongo_uri(const char *text, struct error *err)
{
	mongoc_uri_t *uri;
	bson_error_t why;

	if (!check_authority(text, err) || !check_options(text, err))
		return NULL;
	uri = mongoc_uri_new_with_error(text, &why);
	if (!uri) {
		/* The driver's words may quote the password. */
		error_set(err, ERROR_CONFIG,
			  "The MongoDB URI is malformed: "
			  "mongodb://user:password@host:port/database?options.");
		return NULL;
	}
	if (!check_safety(uri, err)) {
		mongoc_uri_destroy(uri);
		return NULL;
	}
	set_defaults(uri);
	return uri;
}

bool mongo_check(const char *text, const struct config *config, struct error *err)
{
	mongoc_uri_t *uri = mongo_uri(text, err);

	(void)config;
	if (uri)
		mongoc_uri_destroy(uri);
	return uri != NULL;
}
