/*
 * pg_uri: libpq reads a URI, but not all that stands in one which is Prisma's, too; and where the
 * URI is silent libpq looks into the environment and the home folder, which are not ours to read.
 * So the URI is taken apart here, checked, and libpq is given every word that it would look for
 * elsewhere.
 */
#include "pg_room.h"

#include "base/buffer.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define URI_MAX 4096
#define NOWHERE "/dev/null/none" /* a file that cannot be */

#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"

/* --- the environment --- */

/* libpq would fill what a URI does not say from variables that only it knows. */
static void forget_environment(void)
{
	static const char *const first[] = { "PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR" };
	PQconninfoOption *options;

	for (size_t i = 0; i < sizeof first / sizeof *first; i++)
		unsetenv(first[i]);
	options = PQconndefaults();
	for (PQconninfoOption *o = options; o && o->keyword; o++)
		if (o->envvar)
			unsetenv(o->envvar);
	PQconninfoFree(options);
}

void pg_wake(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, forget_environment);
}

/* --- Prisma's own options --- */

static bool take_schema(struct slice value, struct pg_uri *out)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	if (value.len == 0 || value.len >= sizeof out->schema)
		return false;
	snprintf(out->schema, sizeof out->schema, "%.*s", SLICE_ARG(value));
	return strspn(out->schema, letters) == value.len;
}

static bool take_limit(struct slice value, struct pg_uri *out)
{
	char digits[8];
	char *end;
	long limit;

	snprintf(digits, sizeof digits, "%.*s", SLICE_ARG(value));
	limit = strtol(digits, &end, 10);
	out->connections = (size_t)limit;
	return value.len < sizeof digits && *end == '\0' && limit >= 2 && limit <= 1000;
}

static bool take_pooled(struct slice value, struct pg_uri *out)
{
	out->is_pooled = slice_is(value, "true");
	return out->is_pooled || slice_is(value, "false");
}

static bool take_nothing(struct slice value, struct pg_uri *out)
{
	(void)value;
	(void)out;
	return true;
}

static const struct prisma_option {
	const char *name;
	bool (*take)(struct slice value, struct pg_uri *out);
	const char *wanted;
} prisma_options[] = {
	{ "schema", take_schema, "a name of letters, digits, _ and -" },
	{ "connection_limit", take_limit, "2 to 1000" },
	{ "pgbouncer", take_pooled, "true or false" },
	/* Ours have limits of their own. */
	{ "pool_timeout", take_nothing, "" },
	{ "socket_timeout", take_nothing, "" },
	{ "statement_cache_size", take_nothing, "" },
};

static const struct prisma_option *prisma_option(struct slice name)
{
	for (size_t i = 0; i < sizeof prisma_options / sizeof *prisma_options; i++)
		if (slice_is(name, prisma_options[i].name))
			return &prisma_options[i];
	return NULL;
}

/* --- what a URI may hold --- */

/* user:password@host: an '@' or '/' of the password itself has to be escaped, or half of it is
 * taken for a host. */
static bool check_authority(const char *text, struct error *err)
{
	const char *authority = strstr(text, "://"), *first;
	size_t len = authority ? strcspn(authority + 3, "/?") : 0;

	if (!authority)
		return error_set(err, ERROR_CONFIG,
				 "The PostgreSQL URI has to begin with postgresql://.");
	authority += 3;
	first = memchr(authority, '@', len);
	if ((first && memchr(first + 1, '@', len - (size_t)(first + 1 - authority))) ||
	    (!first && strchr(authority, '@') && !strchr(authority, '?')))
		return error_set(err, ERROR_CONFIG,
				 "The PostgreSQL URI has an '@' or '/' in its user or password: "
				 "write %%40 and %%2F.");
	return true;
}

/* Options that would have libpq do what is ours, or read files that are not named. */
static bool is_refused(struct slice name)
{
	static const char *const refused[] = { "service", "client_encoding", "replication",
					       "target_session_attrs", "load_balance_hosts" };

	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (slice_is(name, refused[i]))
			return true;
	return false;
}

static bool is_known(const PQconninfoOption *known, struct slice name)
{
	for (; known->keyword; known++)
		if (slice_is(name, known->keyword))
			return true;
	return slice_is(name, "ssl");
}

/* Takes Prisma's options, and copies the others behind what stands before the '?'. */
static bool take_options(const char *options, struct pg_uri *out, struct buffer *kept,
			 struct error *err)
{
	PQconninfoOption *known = PQconndefaults();
	char sign = '?';
	bool ok = true;

	if (!known)
		return error_set(err, ERROR_INTERNAL, "No memory for the store.");
	while (ok && *options) {
		struct slice pair = { options, strcspn(options, "&") };
		struct slice name = { options, strcspn(options, "=&") };
		struct slice value = slice_skip(pair, name.len + (name.len < pair.len));
		const struct prisma_option *prisma = prisma_option(name);

		if (prisma && !prisma->take(value, out))
			ok = error_set(err, ERROR_CONFIG, "The PostgreSQL URI's %s has to be %s.",
				       prisma->name, prisma->wanted);
		else if (!prisma && (!is_known(known, name) || is_refused(name)))
			ok = error_set(err, ERROR_CONFIG,
				       "The PostgreSQL URI has an option '%.*s' that is unknown or "
				       "not for the store.",
				       name.len < 40 ? (int)name.len : 40, name.ptr);
		else if (!prisma) {
			buffer_append_char(kept, sign);
			buffer_append(kept, pair);
			sign = '&';
		}
		options += pair.len + (options[pair.len] == '&');
	}
	PQconninfoFree(known);
	return ok;
}

const char *pg_uri_get(const struct pg_uri *uri, const char *keyword)
{
	const PQconninfoOption *option = uri->options;

	while (option->keyword && strcmp(option->keyword, keyword) != 0)
		option++;
	return option->keyword && option->val && *option->val ? option->val : NULL;
}

static size_t items(const char *list)
{
	size_t count = 1;

	while (list && (list = strchr(list, ',')) && list++)
		count++;
	return count;
}

/* Of a list with commas: empty for the usual one, or 1 to 65535. */
static bool are_ports(const char *list)
{
	for (;;) {
		char *end;
		long port = strtol(list, &end, 10);

		if (end == list ? *list && *list != ',' : port < 1 || port > 65535)
			return false;
		if (*end == '\0')
			return true;
		if (*end != ',')
			return false;
		list = end + 1;
	}
}

/* What libpq would say only when it connects. */
static bool check_hosts(struct pg_uri *out, struct error *err)
{
	const char *host = pg_uri_get(out, "host"), *address = pg_uri_get(out, "hostaddr");
	const char *port = pg_uri_get(out, "port");

	out->hosts = items(address ? address : host);
	if (port && !are_ports(port))
		return error_set(err, ERROR_CONFIG,
				 "The PostgreSQL URI's port has to be 1 to 65535.");
	if (out->hosts > PG_HOSTS || (host && address && items(host) != items(address)) ||
	    (port && items(port) != 1 && items(port) != out->hosts))
		return error_set(err, ERROR_CONFIG,
				 "The PostgreSQL URI has to name as many ports as hosts, and %d at "
				 "most.",
				 PG_HOSTS);
	return true;
}

static bool check_tls(const struct pg_uri *uri, struct error *err)
{
	static const char *const modes[] = { "disable", "allow",     "prefer",
					     "require", "verify-ca", "verify-full" };
	const char *mode = pg_uri_get(uri, "sslmode");
	bool ok = mode == NULL;

	for (size_t i = 0; !ok && i < sizeof modes / sizeof *modes; i++)
		ok = strcmp(mode, modes[i]) == 0;
	return ok || error_set(err, ERROR_CONFIG,
			       "The PostgreSQL URI's sslmode has to be disable, allow, prefer, "
			       "require, verify-ca or verify-full.");
}

/* What is set on a connection of a pooler's would be another client's, too. */
static bool check_pooled(const struct pg_uri *uri, struct error *err)
{
	return !uri->is_pooled || !uri->schema[0] || strcmp(uri->schema, "public") == 0 ||
	       error_set(err, ERROR_CONFIG,
			 "The PostgreSQL URI has a schema and pgbouncer=true: the schema has to be "
			 "the user's (ALTER ROLE ... SET search_path) and not the URI's.");
}

bool pg_uri_read(const char *text, struct pg_uri *out, struct error *err)
{
	const char *options = strchr(text, '?');
	struct buffer kept;
	char *why = NULL;
	bool ok;

	*out = (struct pg_uri){ .connections = PG_CONNECTIONS };
	buffer_init(&kept, URI_MAX);
	buffer_append(&kept,
		      (struct slice){ text, options ? (size_t)(options - text) : strlen(text) });
	ok = check_authority(text, err) && (!options || take_options(options + 1, out, &kept, err));
	if (ok && (kept.failed || !(out->options = PQconninfoParse(kept.data, &why))))
		/* libpq's words may quote the password. */
		ok = error_set(err, ERROR_CONFIG,
			       "The PostgreSQL URI is malformed: "
			       "postgresql://user:password@host:port/database?options.");
	PQfreemem(why);
	buffer_done(&kept);
	return ok && check_hosts(out, err) && check_tls(out, err) && check_pooled(out, err);
}

void pg_uri_done(struct pg_uri *uri)
{
	if (uri->options)
		PQconninfoFree(uri->options);
	uri->options = NULL;
}

/* --- what libpq is given --- */

/* One of a list; NULL for one that is left empty. */
static const char *item_of(const char *list, size_t at, char *out, size_t size)
{
	while (at-- > 0 && strchr(list, ','))
		list = strchr(list, ',') + 1;
	snprintf(out, size, "%.*s", (int)strcspn(list, ","), list);
	return *out ? out : NULL;
}

/* What is said for where the URI says nothing. */
static const char *usual(const struct pg_uri *uri, const char *keyword)
{
	static const char *const words[][2] = {
		{ "application_name", "c1d" },   { "gssencmode", "disable" },
		{ "passfile", NOWHERE },         { "sslcert", NOWHERE },
		{ "sslcrl", NOWHERE },           { "sslkey", NOWHERE },
		{ "keepalives_idle", "60" },     { "keepalives_interval", "10" },
		{ "tcp_user_timeout", "10000" },
	};
	const char *mode = pg_uri_get(uri, "sslmode");

	if (strcmp(keyword, "sslrootcert") == 0)
		return mode && strncmp(mode, "verify", 6) == 0 ? SYSTEM_CA : NOWHERE;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i][0], keyword) == 0)
			return words[i][1];
	return NULL;
}

void pg_uri_keywords(const struct pg_uri *uri, size_t host, struct pg_keywords *out)
{
	size_t count = 0;

	for (const PQconninfoOption *o = uri->options; o->keyword && count + 2 < PG_KEYWORDS; o++) {
		const char *value = pg_uri_get(uri, o->keyword);

		if (value && strcmp(o->keyword, "host") == 0)
			value = item_of(value, host, out->host, sizeof out->host);
		else if (value && strcmp(o->keyword, "hostaddr") == 0)
			value = item_of(value, host, out->address, sizeof out->address);
		else if (value && strcmp(o->keyword, "port") == 0)
			value = item_of(value, items(value) > 1 ? host : 0, out->port,
					sizeof out->port);
		if (!value)
			value = usual(uri, o->keyword);
		if (!value || strcmp(o->keyword, "connect_timeout") == 0)
			continue; /* that is ours to keep */
		out->names[count] = o->keyword;
		out->values[count++] = value;
	}
	out->names[count] = "client_encoding";
	out->values[count++] = "UTF8";
	out->names[count] = NULL;
	out->values[count] = NULL;
}
