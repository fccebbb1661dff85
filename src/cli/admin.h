/*
 * admin: what the commands that work on stores share: whom they are, the store, words and codes for
 * what went wrong. See docs/how-to/administration.md for what each does.
 */
#ifndef CLI_ADMIN_H
#define CLI_ADMIN_H

#include "admin/place.h"
#include "admin/record.h"
#include "base/json.h"
#include "commands.h"
#include "progress.h"
#include "stream/spool.h"

struct admin {
	const struct config *config;
	const char *command; /* its name, for errors */
	struct progress progress;
	struct place place; /* the store of the settings; opened by admin_open */
	bool json, quiet;
	char user[64]; /* that root became; "": nobody else */
};

/* Root becomes who the service runs as (C1D_USER, or whom the state folder belongs to), so that no
 * file is made that the service cannot open. What root alone may read or write is opened before.
 * false: told, *code. */
bool admin_begin(struct admin *admin, const struct config *config, int argc, char **argv,
		 int *code);
/* The store of the settings. */
bool admin_open(struct admin *admin, enum place_for what, int *code);
void admin_end(struct admin *admin);

/* Says it on stderr, and gives the exit code. */
int admin_failed(struct admin *admin, const struct error *err);
/* Shall it be done? --yes, or whoever sits at the terminal says so. EXIT_USAGE else. */
int admin_ask(const struct admin *admin, bool yes, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The spool of this node; NULL: there is none here. */
struct spool_dir *admin_spools(const struct admin *admin);

/* A file for a command: "-" is stdin or stdout. -1: told. A file that is there is not written over.
 */
int admin_open_file(const char *command, const char *path, bool to_write);

/* A JSON object of a summary, on one line: begun, filled by the caller, ended with a line's end. */
void admin_json_begin(struct buffer *text, struct json_writer *w);
void admin_json_end(struct buffer *text, struct json_writer *w, bool to_stderr);

/* Text of somebody's for a terminal: what would move the cursor, or turn the direction of writing,
 * is shown as \u{..}. lines: ends of lines and tabs stay. */
bool admin_plain(struct buffer *out, struct slice text, bool lines);

#endif
