/* reload: see reload.h. */
#include "reload.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "notify.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIAL_MS   20000
#define WORDS_MAX  16
#define NO_PROGRAM 127 /* as shells say it */

void reload_adopt(struct pool *pool)
{
	char path[64];
	FILE *file;
	int pid;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	if (!(file = fopen(path, "re")))
		return;
	while (pool->old_count < POOL_OLD_MAX && fscanf(file, "%d", &pid) == 1)
		pool->old[pool->old_count++] = pid;
	fclose(file);
}

/* --- how it went --- */

void reload_failed(struct pool *pool, const char *reason)
{
	pool->reload_failed = true;
	metrics_add(M_RELOADS_FAILED, 0, 0, 1);
	shm_set_reason(pool->shm, reason);
	atomic_store(&pool->shm->pool.reload_failed, true);
	log_error("reload failed: what ran before it stays", LOG_T("reason", reason));
	notify_send(pool->host.notify_socket,
		    "READY=1\nMAINPID=%d\nSTATUS=the last reload failed: %s", (int)getpid(),
		    reason);
}

void reload_done(struct pool *pool)
{
	pool->reload_failed = false;
	atomic_store(&pool->shm->pool.reload_failed, false);
	shm_set_reason(pool->shm, "");
}

/* --- the trial --- */

/* In the child. */
static void exec_trial(const struct pool *pool, int out)
{
	char option[] = "--trial", *words[WORDS_MAX];
	sigset_t none;
	size_t n = 0;

	for (; n < WORDS_MAX - 2 && pool->app->argv[n]; n++)
		words[n] = pool->app->argv[n];
	words[n] = option;
	words[n + 1] = NULL;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (config_host_leave(-1, -1) && dup2(out, STDOUT_FILENO) >= 0)
		execvp(words[0], words);
	_exit(NO_PROGRAM);
}

void reload_begin(struct pool *pool, int64_t now_ms)
{
	struct trial *trial = &pool->trial;
	int ends[2];

	notify_send(pool->host.notify_socket, "RELOADING=1\nMONOTONIC_USEC=%lld",
		    (long long)clock_mono_us());
	if (pipe2(ends, O_CLOEXEC) != 0) {
		reload_failed(pool, "The server has no descriptors left for a trial.");
		return;
	}
	*trial = (struct trial){ .pid = fork(), .said = ends[0], .until_ms = now_ms + TRIAL_MS };
	if (trial->pid == 0)
		exec_trial(pool, ends[1]);
	close(ends[1]);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	if (trial->pid > 0)
		return;
	trial->pid = 0;
	close(ends[0]);
	reload_failed(pool, "The server has no processes left for a trial.");
}

/* What does not fit is read and dropped. */
static void hear(struct trial *trial)
{
	char piece[512] = { 0 };
	ssize_t n;

	while ((n = read(trial->said, piece, sizeof piece)) > 0) {
		size_t room = sizeof trial->text - 1 - trial->len;
		size_t kept = (size_t)n < room ? (size_t)n : room;

		memcpy(trial->text + trial->len, piece, kept);
		trial->len += kept;
	}
	trial->text[trial->len] = '\0';
}

void reload_give_up(struct pool *pool)
{
	if (pool->trial.pid > 0)
		kill(pool->trial.pid, SIGKILL);
}

/* --- what it said --- */

/* The next problem: a line, and those behind it that begin with a blank. NULL: none is left. */
static char *next_problem(char **at)
{
	char *start = *at, *end = start;

	if (!*start)
		return NULL;
	while ((end = strchr(end, '\n')) && (end[1] == ' ' || end[1] == '\t'))
		*end = ' ';
	*at = end ? end + 1 : start + strlen(start);
	if (end)
		*end = '\0';
	return start;
}

static void refuse(struct pool *pool)
{
	struct trial *trial = &pool->trial;
	char *at = trial->text, *problem;
	const char *sentence = next_problem(&at);

	if (trial->is_late)
		sentence = "The trial of the new program did not end in time.";
	else if (WIFEXITED(trial->status) && WEXITSTATUS(trial->status) == NO_PROGRAM)
		sentence = "The program cannot be executed.";
	else if (!sentence)
		sentence = "The trial of the new program said nothing.";
	while ((problem = next_problem(&at)))
		log_error("reload refused", LOG_T("problem", problem));
	reload_failed(pool, sentence);
}

/* --- the point of no return --- */

static void execute(struct pool *pool)
{
	log_info("reload");
	log_flush();
	fcntl(pool->listener.fd, F_SETFD, 0);
	fcntl(pool->shm_fd, F_SETFD, 0);
	if (config_host_leave(pool->listener.fd, pool->shm_fd))
		execvp(pool->app->argv[0], pool->app->argv);
	fcntl(pool->listener.fd, F_SETFD, FD_CLOEXEC);
	fcntl(pool->shm_fd, F_SETFD, FD_CLOEXEC);
	reload_failed(pool, "The program cannot be executed.");
}

void reload_look(struct pool *pool, int64_t now_ms)
{
	struct trial *trial = &pool->trial;

	if (trial->pid == 0)
		return;
	hear(trial);
	if (trial->has_ended) {
		close(trial->said);
		trial->pid = 0;
		if (WIFEXITED(trial->status) && WEXITSTATUS(trial->status) == 0)
			execute(pool);
		else
			refuse(pool);
	} else if (!trial->is_late && now_ms >= trial->until_ms) {
		trial->is_late = true;
		kill(trial->pid, SIGKILL);
	}
}
