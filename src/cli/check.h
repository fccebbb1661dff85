/*
 * check: what check's files share. Each check prints one line, OK, WARN or FAIL, with what it
 * looked at, what it found and what to do, and changes nothing.
 *
 *   check.c         the order, the exit code, settings, store
 *   check_user.c    becoming the user that the service runs as
 *   check_folders.c state folder, spool
 *   check_who.c     who is let in, and what visitors are known by
 *   check_socket.c  the socket and who may connect to it
 *   check_model.c   the C1 API: its certificates, its address, our key
 *   check_auth.c    who is let in: settings, and the keys of tokens
 *   check_limits.c  how often, and the Redis that counts it
 *   check_cache.c   the Redis in front of the store
 *   check_say.c     the line
 */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include "commands.h"

enum verdict { CHECK_OK, CHECK_WARN, CHECK_FAIL };

/* Prints the line. */
void check_say(enum verdict verdict, const char *what, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Root becomes this user; whoever else is it already. name NULL: SERVICE_USER, when there is one.
 * false: a usage error, told on stderr. *became: a name, or NULL when nothing changed. */
#define SERVICE_USER "c1d" /* User= of systemd/c1d.service */
bool check_become(const char *name, const char **became);

/* Each gives an exit code: EXIT_OK also with warnings. */
int check_state(const struct config *config);
int check_spool(const struct config *config);
int check_who(const struct config *config);
int check_socket(const struct config *config);
int check_ca_file(const struct config *config);
int check_model(const struct config *config);
int check_auth(const struct config *config);
int check_auth_settings(const struct config *config); /* the part of it that opens nothing */
int check_limits(const struct config *config);
int check_cache(const struct config *config);

bool check_is_folder(const char *path);
/* Tries it, with a file that never gets a name. errno says why not. */
bool check_can_write_in(const char *folder);

/* It lies in the state folder, which is not there yet, and comes with it. */
bool check_comes_with_state(const struct config *config, const char *path);
/* A missing key, in the words of `check` and `check -t`. At a reload it may well be a credential.
 */
void check_say_no_key(void);
/* Who is let in, for both, too. */
void check_say_who(const struct config *config);

#endif
