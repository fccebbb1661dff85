/* config_help: the table for people: what there is, and what is in force. */
#include "config_room.h"

#include <string.h>

static const char *default_of(const struct setting *setting)
{
	return setting->fallback ? setting->fallback : "";
}

static void put_markdown(const struct setting *setting, struct buffer *out)
{
	const char *fallback = default_of(setting);

	buffer_appendf(out, "| `%s` | %s%s%s | %s |\n", setting->name, *fallback ? "`" : "",
		       fallback, *fallback ? "`" : "", setting->help);
}

bool config_help(bool markdown, struct buffer *out)
{
	if (markdown)
		buffer_append(out, SLICE("| setting | default | what it is |\n|---|---|---|\n"));
	for (size_t i = 0; i < setting_count; i++) {
		const char *fallback = default_of(&settings[i]);

		if (markdown)
			put_markdown(&settings[i], out);
		else
			buffer_appendf(out, "%s%s%s\n    %s\n", settings[i].name,
				       *fallback ? "=" : "", fallback, settings[i].help);
	}
	return !out->failed;
}

static void put_value(const struct config *config, const struct setting *setting,
		      struct buffer *out)
{
	const char *field = (const char *)config + setting->offset;
	const char *text;

	switch (setting->kind) {
	case TEXT:
	case SECRET:
		memcpy(&text, field, sizeof text);
		buffer_append(out, slice_of(text && setting->kind == SECRET ? "(set)" : text));
		return;
	case BOOL: buffer_append(out, slice_of(*(const bool *)field ? "yes" : "no")); return;
	default: buffer_appendf(out, "%lld", (long long)*(const int64_t *)field);
	}
}

bool config_show(const struct config *config, struct buffer *out)
{
	for (size_t i = 0; i < setting_count; i++) {
		buffer_appendf(out, "%s=", settings[i].name);
		put_value(config, &settings[i], out);
		buffer_append_char(out, '\n');
	}
	return !out->failed;
}
