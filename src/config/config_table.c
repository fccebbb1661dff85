/* config_table: the table of settings as data: names, near misses, values. */
#include "config_room.h"

#include "base/nearest.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RATE_MAX 1000000 /* a window */

const struct setting settings[] = {
#define X(field, name, kind, fallback, min, max, help)                                             \
	{ name, kind, fallback, min, max, help, offsetof(struct config, field) },
	SETTINGS(X)
#undef X
};
const size_t setting_count = sizeof settings / sizeof settings[0];

const struct setting *setting_find(struct slice name)
{
	for (size_t i = 0; i < setting_count; i++)
		if (slice_is(name, settings[i].name))
			return &settings[i];
	return NULL;
}

/* The secret whose file NAME_FILE names; NULL: there is none. */
static const struct setting *find_of_file(struct slice name)
{
	size_t ending = sizeof SETTING_FILE_ENDING - 1;
	const struct setting *setting;

	if (name.len <= ending ||
	    memcmp(name.ptr + name.len - ending, SETTING_FILE_ENDING, ending) != 0)
		return NULL;
	setting = setting_find((struct slice){ name.ptr, name.len - ending });
	return setting && setting->kind == SECRET ? setting : NULL;
}

const char *setting_nearest(struct slice name)
{
	struct nearest nearest = nearest_to(name);

	for (size_t i = 0; i < setting_count; i++)
		nearest_offer(&nearest, settings[i].name);
	return nearest.name;
}

/* --- values --- */

struct slice config_next_word(const char **at)
{
	static const char between[] = " \t\n,";
	struct slice word;

	*at += strspn(*at, between);
	word = (struct slice){ *at, strcspn(*at, between) };
	*at += word.len;
	return word;
}

void config_problem(struct load *load, const char *where, const char *fix, const char *format, ...)
{
	va_list ap;

	load->problems++;
	if (!load->report)
		return;
	buffer_appendf(load->report, "c1d: %s: ", where);
	va_start(ap, format);
	buffer_vappendf(load->report, format, ap);
	va_end(ap);
	buffer_appendf(load->report, "\n     fix: %s\n", fix);
}

static bool parse_bool(const char *text, bool *out)
{
	static const char *const words[] = { "no", "yes", "off", "on", "false", "true", "0", "1" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcasecmp(text, words[i]) == 0) {
			*out = i % 2 == 1;
			return true;
		}
	return false;
}

static bool parse_number(const struct setting *setting, const char *text, int64_t *out)
{
	static const char suffixes[] = "kmg";
	char *end = NULL;
	long long n;

	if (*text < '0' || *text > '9' || strlen(text) > 17)
		return false;
	n = strtoll(text, &end, 10);
	if (setting->kind == BYTES && *end) {
		const char *found = strchr(suffixes, *end | 0x20);
		int shift = found ? (int)(found - suffixes + 1) * 10 : 0;

		if (!found || n > (INT64_MAX >> shift))
			return false;
		n <<= shift;
		end++;
	}
	if (*end || n < setting->min || n > setting->max)
		return false;
	*out = n;
	return true;
}

/* N/unit; the table of counts (guard/gcra.h) knows nothing shorter than a microsecond. */
static bool parse_rate(const char *text, struct rate *out)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = { { "second", 1 }, { "minute", 60 }, { "hour", 3600 }, { "day", 86400 } };
	size_t digits = strspn(text, "0123456789");
	struct rate rate = { .count = digits > 0 && digits < 8 ? strtoll(text, NULL, 10) : 0 };

	if (strcmp(text, "off") == 0) {
		*out = (struct rate){ 0, 1 };
		return true;
	}
	for (size_t i = 0; text[digits] == '/' && i < sizeof units / sizeof units[0]; i++)
		if (strcmp(text + digits + 1, units[i].name) == 0)
			rate.window_s = units[i].seconds;
	if (rate.count < 1 || rate.count > RATE_MAX || rate.window_s == 0)
		return false;
	*out = rate;
	return true;
}

static void store_text(struct load *load, const struct setting *setting, const char *value,
		       const char *where)
{
	char **field = (char **)((char *)&load->config + setting->offset);

	for (const char *at = value; *at; at++)
		if ((unsigned char)*at < 0x20 && *at != '\n' && *at != '\t') {
			config_problem(load, where, "remove it", "%s holds a control character",
				       setting->name);
			return;
		}
	*field = *value ? arena_text(load->arena, value) : NULL;
}

void setting_store(struct load *load, const struct setting *setting, const char *value,
		   const char *where)
{
	char *field = (char *)&load->config + setting->offset;
	const char *shown = setting->kind == SECRET ? "..." : value;

	switch (setting->kind) {
	case TEXT:
	case SECRET: store_text(load, setting, value, where); return;
	case BOOL:
		if (!parse_bool(value, (bool *)field))
			config_problem(load, where, "write yes or no",
				       "%s=%s is neither yes nor no", setting->name, shown);
		return;
	case RATE:
		if (!parse_rate(value, (struct rate *)field))
			config_problem(load, where,
				       "write off, or a rate such as 10/minute: 1 to 1000000 a "
				       "second, minute, hour or day",
				       "%s=%s is no rate", setting->name, shown);
		return;
	default:
		if (!parse_number(setting, value, (int64_t *)field)) {
			char fix[96];

			snprintf(fix, sizeof fix, "write a whole number from %lld to %lld%s",
				 (long long)setting->min, (long long)setting->max,
				 setting->kind == BYTES ? ", k, m or g may follow" : "");
			config_problem(load, where, fix, "%s=%s is out of range or no number",
				       setting->name, shown);
		}
	}
}

bool config_take(struct load *load, struct slice name, const char *value, const char *where)
{
	const struct setting *setting = setting_find(name), *of_file;

	if (setting)
		setting_store(load, setting, value, where);
	else if ((of_file = find_of_file(name)) && load->files)
		load->files[of_file - settings] = *value ? arena_text(load->arena, value) : NULL;
	else
		return false;
	return true;
}

void config_each_secret(const struct config *config, void (*each)(const char *secret))
{
	for (size_t i = 0; i < setting_count; i++) {
		const char *const *field =
			(const char *const *)((const char *)config + settings[i].offset);

		if (settings[i].kind == SECRET && *field)
			each(*field);
	}
	for (size_t i = 0; i < config->visitor_secret_count; i++)
		each(config->visitor_secrets[i]);
	if (config->store_uri && strchr(config->store_uri, '@'))
		each(config->store_uri);
	if (config->redis.password)
		each(config->redis.password);
}
