/* mongo_driver: the driver itself, which a process starts once: its log, and what it leaves behind.
 */
#include "mongo_room.h"

#include "base/log.h"
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* It tells of each failed probe, twice a second while a server is away; store_mark.c tells of that
 * once. */
static void on_log(mongoc_log_level_t level, const char *domain, const char *message, void *ctx)
{
	(void)ctx;
	log_write(level <= MONGOC_LOG_LEVEL_ERROR ? LOG_WARN : LOG_DEBUG, "MongoDB driver",
		  (const struct log_field[]){ LOG_T("part", domain), LOG_T("reason", message) }, 2);
}

/*
 * When it is loaded, which is before main, the driver makes a file in /dev/shm for its figures,
 * which nobody reads. It is named after the process and stays where that is killed or forks; to
 * whoever gets the number next the driver says so on stderr, by a write that waits for a reader.
 * So it goes away twice: behind the libraries' constructors what ours has made, and before them
 * what another has left (https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.dynamic.html,
 * DT_PREINIT_ARRAY).
 */
__attribute__((constructor)) static void leave_nothing(void)
{
	char name[32];

	snprintf(name, sizeof name, "/mongoc-%d", (int)getpid());
	shm_unlink(name);
}

__attribute__((section(".preinit_array"),
	       used)) static void (*const before_libraries)(void) = leave_nothing;

static void start_driver(void)
{
	mongoc_log_set_handler(on_log, NULL);
	mongoc_init();
}

void mongo_wake(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, start_driver);
}
