/*
 * reload: new settings, or a new program, without a lost request. The settings are checked by the
 * program that will use them; then this process executes it in place: same pid, same listener, same
 * children. The new generation starts, and only when all of it is ready the old one is told to stop
 * accepting.
 */
#include "pool.h"

#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK_MS 10000

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

static void exec_check(const struct pool *pool)
{
	char check[] = "check", settings_only[] = "-t", option[] = "--config";
	char *path = pool->config->config_path;
	char *words[] = {
		pool->app->argv[0], check, settings_only, path ? option : NULL, path, NULL
	};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execvp(words[0], words);
	_exit(127);
}

/* Exit code of `c1d check -t`, -1 when it could not be had. */
static int check_settings(const struct pool *pool)
{
	int64_t until_ms = clock_mono_ms() + CHECK_MS;
	const struct timespec look = { .tv_nsec = 5 * 1000000 };
	pid_t pid = fork();
	int status;

	if (pid == 0)
		exec_check(pool);
	while (pid > 0) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		if (clock_mono_ms() > until_ms) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		nanosleep(&look, NULL);
	}
	return -1;
}

void reload_try(struct pool *pool)
{
	int code = check_settings(pool);

	if (code != 0) {
		log_error("reload refused: the settings are wrong; the old ones stay",
			  LOG_I("check", code));
		return;
	}
	log_info("reload");
	fcntl(pool->listener.fd, F_SETFD, 0);
	fcntl(pool->shm_fd, F_SETFD, 0);
	if (config_host_leave(pool->listener.fd, pool->shm_fd))
		execvp(pool->app->argv[0], pool->app->argv);
	fcntl(pool->listener.fd, F_SETFD, FD_CLOEXEC);
	fcntl(pool->shm_fd, F_SETFD, FD_CLOEXEC);
	log_error("reload failed: the program cannot be executed; this one goes on",
		  LOG_T("reason", strerror(errno)));
}
