/*
 * config: every setting of c1d, from one table (config/settings.h).
 *
 * Precedence: environment over file over default. A file holds KEY=value lines (what systemd's
 * EnvironmentFile= reads): '#' comments, optional single or double quotes. An unknown key in a
 * file, or an unknown C1D_* in the environment, is an error that names the nearest key. Secrets may
 * lie in $CREDENTIALS_DIRECTORY/<name> (systemd.exec(5), LoadCredential=), which wins over all, or
 * in the file that <NAME>_FILE names, which wins over environment and settings file.
 *
 * Read once before threads; constant afterwards, so every thread may read it.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/buffer.h"
#include "base/cidr.h"
#include "base/error.h"
#include "config/auth.h"
#include "config/redis_url.h"
#include "config/settings.h"
#include <stdint.h>

#define PROXIES_MAX 64 /* networks of C1D_TRUSTED_PROXIES */

struct config {
#define X(field, name, kind, ...) SETTING_TYPE_##kind field;
	SETTINGS(X)
#undef X
	char *store_uri;  /* C1D_STORE, else what else names one, else sqlite in the state folder */
	char *spool_path; /* C1D_SPOOL_DIR, else spool/ in the state folder */
	char *config_path;                          /* the file that was read; NULL without one */
	enum auth_mode auth_modes[AUTH_MODE_COUNT]; /* C1D_AUTH's, each once, as they stand */
	size_t auth_mode_count;
	char *visitor_secrets[VISITOR_SECRETS_MAX]; /* C1D_VISITOR_SECRET's, newest first */
	size_t visitor_secret_count;
	char *open_secret; /* a file of a secret that everybody may read; NULL: there is none */
	struct cidr proxies[PROXIES_MAX]; /* C1D_TRUSTED_PROXIES */
	size_t proxy_count;
	struct redis_url redis; /* REDIS_URL; without host and path: there is none */
	void *memory;           /* what the strings point to */
};

/* path: NULL = the C1D_CONFIG variable, else /etc/c1d/c1d.conf when that exists. On failure *out is
 * untouched and `report` (may be NULL) holds all problems: where, what, why, and how to mend it. */
bool config_load(const char *path, struct config *out, struct buffer *report, struct error *err);
/* As if nothing was set anywhere. */
bool config_defaults(struct config *out, struct error *err);
void config_done(struct config *config); /* secrets are wiped */

/* Secrets that came by the environment leave it, and with it /proc/PID/environ: config_load finds
 * them again in this process, and behind config_host_leave in its next life. Before threads. false:
 * there is no memory for it. */
bool config_hide_environment(void);
/* They are not kept any longer: in a child that has no next life. */
void config_forget_environment(void);
/* Makes nothing of a secret that has been handed on. NULL is fine. */
void config_wipe(const char *secret);

/* C1D_AUTH=none: nobody is asked who it is. */
static inline bool config_lets_anybody_in(const struct config *config)
{
	return config->auth_mode_count == 1 && config->auth_modes[0] == AUTH_none;
}

/* Each setting that may not be shown and is set, and the store's address when it holds a password.
 */
void config_each_secret(const struct config *config, void (*each)(const char *secret));

/* Every setting with its default and one line of help: for `c1d help settings` (text) and the
 * README (markdown). */
bool config_help(bool markdown, struct buffer *out);

/* What systemd (or a test) handed us, read here because only config/ reads the environment. */
struct config_host {
	int listen_fds;            /* LISTEN_FDS when LISTEN_PID is us, else 0 */
	const char *notify_socket; /* NOTIFY_SOCKET or NULL */
	int64_t watchdog_ms;       /* WATCHDOG_USEC / 1000 when it is for us, else 0 */
	bool journal;              /* JOURNAL_STREAM names our stderr */
	bool reload_command;       /* an ExecReload= ($MAINPID), from which credentials are kept */
	int64_t credentials_ms;    /* wall, when the newest credential was handed over; 0: none */
	/* Of a supervisor that executed itself anew, or tries a program; -1: none. */
	int inherited_listener, inherited_shm, inherited_secrets;
};
struct config_host config_host(void);

/* Leaves the two descriptors for the next config_host of this process, behind an exec, and the
 * secrets that were hidden. -1: it is not to have that one. */
bool config_host_leave(int listener, int shm);

#endif
