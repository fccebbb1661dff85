/*
 * config_room: what config's files share.
 *
 *   config.c        the way from all sources to one struct config
 *   config_table.c  the table as data, nearest names, values checked and printed
 *   config_entry.c  one NAME=value of the environment
 *   config_auth.c   who may come in
 *   config_store.c  which store is meant
 *   config_limits.c whose header is believed, and where several machines count
 *   redis_url.c     the address of Redis
 *   config_file.c   KEY=value lines
 *   config_help.c   help, markdown, and what is in force
 *   config_secrets.c  keys and passwords: their files, and that they do not stay in /proc
 *   config_host.c   what systemd handed us
 */
#ifndef CONFIG_ROOM_H
#define CONFIG_ROOM_H

#include "base/arena.h"
#include "config/config.h"

enum setting_kind { TEXT, SECRET, COUNT, MS, BYTES, BOOL, RATE };

struct setting {
	const char *name;
	enum setting_kind kind;
	const char *fallback; /* as text; NULL: unset */
	int64_t min, max;
	const char *help;
	size_t offset; /* of its field in struct config */
};

extern const struct setting settings[];
extern const size_t setting_count;

/* One load under way. */
struct load {
	struct config config;
	struct arena *arena;   /* what the config's strings point to */
	struct buffer *report; /* may be NULL */
	int problems;
	const char **files; /* one a setting: where NAME_FILE says that it is; NULL */
};

const struct setting *setting_find(struct slice name);
/* The nearest name, or NULL when none is near. */
const char *setting_nearest(struct slice name);
/* Stores a value, or reports why not. `where` is "environment", "c1d.conf:12" and so on. */
void setting_store(struct load *load, const struct setting *setting, const char *value,
		   const char *where);
#define SETTING_FILE_ENDING "_FILE"
/* A setting, or where the file of one is. false: there is none of that name. */
bool config_take(struct load *load, struct slice name, const char *value, const char *where);
/* The next word of a list that blanks and commas separate; empty: none is left. */
struct slice config_next_word(const char **at);
/* Reports a problem: what is wrong where, why, and what to do. */
void config_problem(struct load *load, const char *where, const char *fix, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* What C1D_AUTH and C1D_VISITOR_SECRET say, word by word. */
void config_choose_auth(struct load *load);
/* The same of C1D_TRUSTED_PROXIES and REDIS_URL. */
void config_choose_limits(struct load *load);
/* store_uri, of C1D_STORE and of what else may name a store. */
void config_choose_store(struct load *load);
/* NAME=value of the environment. */
void config_read_entry(struct load *load, const char *entry);
/* Those that an earlier life of this process hid; -1: none. */
void config_read_hidden(struct load *load, int inherited);
int config_hidden(void); /* the descriptor; -1: nothing was hidden */
/* NAME_FILE, then credentials. */
void config_read_secrets(struct load *load);
/* false: the file cannot be read. */
bool config_read_file(struct load *load, const char *path);

#endif
