/*
 * firestore_asks: requests to Firestore as the store makes them, for a test that plays Firestore.
 * The settings are the environment's. Each line of stdin is `COUNT VERB HOW MS BODY`: so many
 * threads ask the same at once, HOW is once or repeatable. For each that has come to an end:
 * `STATUS MILLISECONDS REPLY`, the reply in one line.
 */
#include "../../src/store/firestore/firestore_call.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/net.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define REPLY_MAX   (1u << 20)
#define THREADS_MAX 64

static struct firestore_link *firestore;

struct ask {
	char verb[64], how[16];
	int count, ms;
	const char *body;
};

static void say(enum firestore_status status, int64_t took_ms, struct slice reply)
{
	char *line = strndup(reply.ptr, reply.len);

	for (char *at = line; (at = strpbrk(at, "\r\n"));)
		*at = ' ';
	printf("%s %lld %s\n", firestore_status_word(status), (long long)took_ms, line);
	free(line);
}

static void *thread_main(void *arg)
{
	const struct ask *ask = arg;
	enum firestore_how how =
		strcmp(ask->how, "once") == 0 ? FIRESTORE_ONCE : FIRESTORE_REPEATABLE;
	int64_t began_ms = clock_mono_ms();
	enum firestore_status status;
	struct buffer reply;

	buffer_init(&reply, REPLY_MAX);
	status = firestore_call(firestore, ask->verb, slice_of(ask->body), how, began_ms + ask->ms,
				&reply);
	say(status, clock_mono_ms() - began_ms, buffer_slice(&reply));
	buffer_done(&reply);
	return NULL;
}

static void ask_all(struct ask *ask)
{
	pthread_t threads[THREADS_MAX];

	for (int i = 0; i < ask->count; i++)
		pthread_create(&threads[i], NULL, thread_main, ask);
	for (int i = 0; i < ask->count; i++)
		pthread_join(threads[i], NULL);
	fflush(stdout);
}

static void read_lines(void)
{
	struct ask ask;
	char *line = NULL;
	size_t room = 0;
	int body;

	while (getline(&line, &room, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%d %63s %15s %d %n", &ask.count, ask.verb, ask.how, &ask.ms,
			   &body) != 4 ||
		    ask.count > THREADS_MAX)
			break;
		ask.body = line + body;
		ask_all(&ask);
	}
	free(line);
}

int main(void)
{
	struct config config;
	struct error err = { 0 };
	bool is_loaded = config_load(NULL, &config, NULL, &err);

	if (is_loaded && net_init(&err))
		firestore = firestore_link_open(config.store_uri, &config, &err);
	if (is_loaded)
		config_done(&config);
	if (!firestore) {
		fprintf(stderr, "%s\n", err.detail);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	read_lines();
	firestore_link_free(firestore);
	net_done();
	return 0;
}
