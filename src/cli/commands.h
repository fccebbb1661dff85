/*
 * commands: what cli.c's table names, a file each, and what these share (command.c). Each returns
 * the exit code; argv[0] is the command's own name.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "config/config.h"

/* As sysexits(3) has them. X(name, code, what it says) */
/* clang-format off */
#define EXIT_CODES(X) \
	X(EXIT_OK, 0, "done") \
	X(EXIT_FAILED, 1, "failed, or a line of an import was refused, a copy is not equal, or what it printed did not get out") \
	X(EXIT_USAGE, 2, "the command was not understood, or nobody was there to say yes") \
	X(EXIT_UNAVAILABLE, 69, "the store, or what else was to be reached, cannot be, or did not answer in time") \
	X(EXIT_AGAIN, 75, "it was stopped (Ctrl-C, SIGTERM), or there is more to do: the same command goes on") \
	X(EXIT_CONFIG, 78, "a setting is wrong; it says which, and how to mend it")
/* clang-format on */

enum {
#define X(name, code, about) name = (code),
	EXIT_CODES(X)
#undef X
};

int command_serve(int argc, char **argv);
int command_check(int argc, char **argv);
int command_secret(int argc, char **argv);
int command_version(int argc, char **argv);
int command_keys(int argc, char **argv);
int command_users(int argc, char **argv);
int command_threads(int argc, char **argv);
int command_export(int argc, char **argv);
int command_import(int argc, char **argv);
int command_copy(int argc, char **argv);
int command_backup(int argc, char **argv);
int command_store(int argc, char **argv);

/* A row of cli.c's table. */
struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *takes; /* the words it knows, as below */
	const char *options, *help;
};
extern const struct command commands[];
extern const size_t command_count;

/* The words that a command knows, separated by blanks. "=" behind one: it takes a value. Each "*":
 * one word of any kind that is no option. */
#define TAKES_THREADS                                                                              \
	"--config= list show delete restore-title --user= --q= --archived= --limit= --cursor= "    \
	"--json --yes *"
#define TAKES_USERS  "--config= revoke= restore= erase= list --json --quiet --yes"
#define TAKES_EXPORT "--config= --user= --json --quiet *"
#define TAKES_IMPORT "--config= --user= --json --quiet *"
#define TAKES_COPY   "--config= --state= --json --quiet * *"
#define TAKES_BACKUP "--config= --force --json --quiet *"
#define TAKES_STORE  "--config= status migrate --json --quiet"

/* --- command.c --- */
/* Every command takes --config FILE. Reads the settings and sets the log up; on failure says why
 * and gives false. */
bool command_settings(int argc, char **argv, struct config *out, int *exit_code);
/* The same for who tells it elsewhere; report holds every problem, a line each and how to mend it.
 */
bool command_load(int argc, char **argv, struct config *out, struct buffer *report,
		  struct error *err);
/* As the settings say; both of the above do it. */
void command_set_log_up(const struct config *config);
/* Is the option there? Options are words of their own: -t, --config FILE. */
bool command_has(int argc, char **argv, const char *option);
/* The word of these that it is; *has_value: it takes one. */
bool command_knows(const char *takes, const char *word, bool *has_value);
/* The nth word, from 0, that is none of these and no value of one; NULL: there is none. */
const char *command_operand(const char *takes, int argc, char **argv, int n);
/* The word behind it, NULL when it is not there. */
const char *command_option(int argc, char **argv, const char *option);

/* A command that does several things has a word for each behind its name (argv[1]); some take a
 * name behind that (argv[2]). A row without a word ends the table. */
struct command_verb {
	const char *word;
	bool names; /* takes a name */
	int (*run)(const struct config *config, int argc, char **argv);
};
/* With the settings. EXIT_USAGE, having said the usage, for a word that is none of these. */
int command_run_verb(const struct command_verb *verbs, const char *usage, int argc, char **argv);

#endif
