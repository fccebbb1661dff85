/*
 * config_file: KEY=value lines, as systemd's EnvironmentFile= reads them: '#' or ';' begins a
 * comment line, a value may stand in single or double quotes.
 */
#include "config_room.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\r\n");
	len = strlen(text);
	while (len > 0 && strchr(" \t\r\n", text[len - 1]))
		text[--len] = '\0';
	return text;
}

/* In place. false: a quote is not closed. */
static bool unquote(char **value)
{
	char *text = *value, quote = text[0];
	size_t len = strlen(text), out = 0;

	if (quote != '"' && quote != '\'')
		return true;
	if (len < 2 || text[len - 1] != quote)
		return false;
	for (size_t i = 1; i + 1 < len; i++) {
		if (quote == '"' && text[i] == '\\' && i + 2 < len && strchr("\"\\$`", text[i + 1]))
			i++;
		text[out++] = text[i];
	}
	text[out] = '\0';
	return true;
}

static void read_line(struct load *load, char *line, const char *where)
{
	char *equals, *name, *value, fix[128];
	const char *nearest;

	line = trim(line);
	if (!*line || *line == '#' || *line == ';')
		return;
	equals = strchr(line, '=');
	if (!equals) {
		config_problem(load, where, "write KEY=value", "this line is no setting");
		return;
	}
	*equals = '\0';
	name = trim(line);
	value = trim(equals + 1);
	if (!unquote(&value)) {
		config_problem(load, where, "close the quote",
			       "the value of %s has a quote that is not closed", name);
	} else if (!config_take(load, slice_of(name), value, where)) {
		nearest = setting_nearest(slice_of(name));
		snprintf(fix, sizeof fix,
			 nearest ? "did you mean %s?" : "c1d help settings lists what there is",
			 nearest);
		config_problem(load, where, fix, "there is no setting %s", name);
	}
}

bool config_read_file(struct load *load, const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, where[512];
	size_t size = 0;
	int number = 0;

	if (!file) {
		config_problem(load, path, "check the name and who may read it; root may: sudo",
			       "it cannot be read: %s", strerror(errno));
		return false;
	}
	while (getline(&line, &size, file) >= 0) {
		snprintf(where, sizeof where, "%s:%d", path, ++number);
		read_line(load, line, where);
	}
	free(line);
	fclose(file);
	return true;
}
