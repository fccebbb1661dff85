/*
 * h2_hosts: questions over HTTP/2 to a server whose name has the addresses that a test says, by
 * lines of stdin: `h2_hosts CA_FILE URL FRESH_MS HTTP1_MS`.
 *
 *   addresses A ...   what look-ups find from now on; none: they fail
 *   hang              they wait for the next line `addresses`
 *   ask               a question; says how it ended, or "elsewhere": by HTTP/1.1
 */
#include "../../src/net/h2.h"
#include "../../src/net/h2_host.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_MS 5000

/* --- the resolver, in the place of the C library's --- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct in_addr list[H2_ADDRESSES_MAX];
	size_t count;
	bool hangs;
} known = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

struct found {
	struct addrinfo info;
	struct sockaddr_in at;
};

static struct found *found_new(struct in_addr address, const char *port)
{
	struct found *found = calloc(1, sizeof *found);

	found->at = (struct sockaddr_in){ .sin_family = AF_INET,
					  .sin_port = htons((uint16_t)atoi(port)),
					  .sin_addr = address };
	found->info = (struct addrinfo){ .ai_family = AF_INET,
					 .ai_socktype = SOCK_STREAM,
					 .ai_addrlen = sizeof found->at,
					 .ai_addr = (struct sockaddr *)&found->at };
	return found;
}

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
		struct addrinfo **out)
{
	struct addrinfo **link = out;

	(void)host;
	*out = NULL;
	if (hints->ai_flags & AI_NUMERICHOST)
		return EAI_NONAME;
	pthread_mutex_lock(&known.lock);
	while (known.hangs)
		pthread_cond_wait(&known.changed, &known.lock);
	for (size_t i = 0; i < known.count; i++) {
		*link = &found_new(known.list[i], port)->info;
		link = &(*link)->ai_next;
	}
	pthread_mutex_unlock(&known.lock);
	return *out ? 0 : EAI_AGAIN;
}

void freeaddrinfo(struct addrinfo *info)
{
	while (info) {
		struct addrinfo *next = info->ai_next;

		free(info); /* it stands first */
		info = next;
	}
}

static void learn(char *words)
{
	char *at = NULL;

	pthread_mutex_lock(&known.lock);
	known.hangs = false;
	known.count = 0;
	for (char *word = strtok_r(words, " ", &at); word; word = strtok_r(NULL, " ", &at))
		known.count += (size_t)inet_pton(AF_INET, word, &known.list[known.count]);
	pthread_cond_broadcast(&known.changed);
	pthread_mutex_unlock(&known.lock);
}

static void hang(void)
{
	pthread_mutex_lock(&known.lock);
	known.hangs = true;
	pthread_mutex_unlock(&known.lock);
}

/* --- questions --- */

static struct h2 *h2;
static struct net_request request;
static int status;

static void on_head(void *ctx, const struct net_response *response)
{
	(void)ctx;
	status = response->status;
}

static void on_body(void *ctx, struct slice bytes)
{
	(void)ctx, (void)bytes;
}

static void on_end(void *ctx, enum net_failure failure)
{
	(void)ctx;
	printf("%d %s\n", status, net_failure_word(failure));
}

static void on_elsewhere(void *ctx, struct net_question *question)
{
	(void)ctx;
	net_question_free(question);
	puts("elsewhere");
}

static const struct h2_events events = { { on_head, on_body, on_end }, on_elsewhere };

static void ask(void)
{
	struct net_question *question;
	struct buffer body;

	status = 0;
	buffer_init(&body, 1024);
	buffer_append(&body, SLICE("{\"model\":\"m\",\"stream\":true,\"messages\":"
				   "[{\"role\":\"user\",\"content\":\"hello\"}]}"));
	question = net_question_new(&request, &body);
	if (!h2_start(h2, &question, &events, NULL))
		on_elsewhere(NULL, question);
}

/* --- what the test says --- */

static void obey(char *line)
{
	if (strncmp(line, "addresses", 9) == 0)
		learn(line + 9);
	else if (strcmp(line, "hang") == 0)
		hang();
	else
		ask();
}

static void on_said(struct loop_watch *watch, uint32_t events_seen)
{
	char lines[512], *at = NULL;
	ssize_t n = read(watch->fd, lines, sizeof lines - 1);

	(void)events_seen;
	if (n <= 0) {
		loop_stop(watch->owner);
		return;
	}
	lines[n] = '\0';
	for (char *line = strtok_r(lines, "\n", &at); line; line = strtok_r(NULL, "\n", &at))
		obey(line);
}

int main(int argc, char **argv)
{
	static const char *const headers[] = { "Content-Type: application/json",
					       "Authorization: Bearer sk", NULL };
	struct h2_ages ages;
	struct loop *loop;
	struct loop_watch said;

	if (argc != 5)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	request = (struct net_request){ .url = argv[2],
					.headers = headers,
					.ca_file = argv[1],
					.connect_ms = CONNECT_MS,
					.is_stream = true };
	ages = (struct h2_ages){ .fresh_ms = atoi(argv[3]), .http1_ms = atoi(argv[4]) };
	loop = loop_open(NULL);
	h2 = loop ? h2_open(loop, 4, &ages) : NULL;
	said = (struct loop_watch){ .fd = -1, .ready = on_said, .owner = loop };
	if (!h2 || !loop_watch(loop, &said, STDIN_FILENO, EPOLLIN))
		return 1;
	loop_run(loop);
	h2_free(h2);
	loop_free(loop);
	return 0;
}
