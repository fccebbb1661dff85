/* config_help: the table for people. */
#include "config_room.h"

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
