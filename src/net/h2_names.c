/*
 * h2_names: see h2_names.h.
 *
 *   asked --the thread takes it--> (looked up) --> found --the loop takes it--> told, and gone
 */
#include "h2_names.h"

#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct lookup {
	struct lookup *next;
	h2_names_found *found;
	void *ctx;
	struct h2_addresses addresses;
	bool no_memory;
	char *port;
	char host[];
};

/* Its owner's and the thread's: whoever leaves last takes it away. */
struct desk {
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	struct lookup *asked, *found;
	int users;
	bool closed;
	int wake; /* an eventfd: something was found */
};

struct h2_names {
	struct loop *loop;
	struct loop_watch watch;
	struct desk *desk;
	bool has_thread;
};

/* --- addresses --- */

static void add(struct h2_addresses *out, const struct addrinfo *info)
{
	struct h2_address *address = &out->list[out->count];

	if (out->count == H2_ADDRESSES_MAX || info->ai_addrlen > sizeof address->at)
		return;
	memcpy(&address->at, info->ai_addr, info->ai_addrlen);
	address->len = info->ai_addrlen;
	out->count++;
}

static bool is_same(const struct h2_address *a, const struct h2_address *b)
{
	return a->len == b->len && memcmp(&a->at, &b->at, a->len) == 0;
}

void h2_addresses_put_last(struct h2_addresses *addresses, const struct h2_address *address)
{
	struct h2_address moved = *address; /* it may lie among them */
	size_t i = 0;

	while (i < addresses->count && !is_same(&addresses->list[i], &moved))
		i++;
	if (i == addresses->count)
		return;
	for (; i + 1 < addresses->count; i++)
		addresses->list[i] = addresses->list[i + 1];
	addresses->list[i] = moved;
}

static const struct addrinfo *next_of(const struct addrinfo *info, bool is_first_family, int first)
{
	while (info && (info->ai_family == first) != is_first_family)
		info = info->ai_next;
	return info;
}

/* One of the first one's family, one of the others, and so on (RFC 8305, 4). */
static void in_turn(const struct addrinfo *all, struct h2_addresses *out)
{
	int family = all->ai_family;
	const struct addrinfo *same = all, *other = next_of(all, false, family);

	out->count = 0;
	while (same || other) {
		if (same) {
			add(out, same);
			same = next_of(same->ai_next, true, family);
		}
		if (other) {
			add(out, other);
			other = next_of(other->ai_next, false, family);
		}
	}
}

static int look_up(const char *host, const char *port, int flags, struct h2_addresses *out)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags }, *all = NULL;
	int code = getaddrinfo(host, port, &hints, &all);

	if (code != 0)
		return code;
	in_turn(all, out);
	freeaddrinfo(all);
	return 0;
}

bool h2_names_numeric(const char *host, const char *port, struct h2_addresses *out)
{
	return look_up(host, port, AI_NUMERICHOST | AI_NUMERICSERV, out) == 0;
}

/* --- the desk --- */

static struct desk *desk_new(void)
{
	struct desk *desk = calloc(1, sizeof *desk);

	if (!desk)
		return NULL;
	desk->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (desk->wake < 0) {
		free(desk);
		return NULL;
	}
	pthread_mutex_init(&desk->lock, NULL);
	pthread_cond_init(&desk->changed, NULL);
	desk->users = 1;
	return desk;
}

static void free_all(struct lookup *lookup)
{
	while (lookup) {
		struct lookup *next = lookup->next;

		free(lookup);
		lookup = next;
	}
}

/* With the lock, which it gives back. */
static void desk_leave(struct desk *desk)
{
	bool is_last = --desk->users == 0;

	pthread_mutex_unlock(&desk->lock);
	if (!is_last)
		return;
	free_all(desk->asked);
	free_all(desk->found);
	pthread_cond_destroy(&desk->changed);
	pthread_mutex_destroy(&desk->lock);
	close(desk->wake);
	free(desk);
}

static void put_last(struct lookup **list, struct lookup *lookup)
{
	while (*list)
		list = &(*list)->next;
	lookup->next = NULL;
	*list = lookup;
}

/* --- the thread --- */

static struct lookup *take_asked(struct desk *desk)
{
	struct lookup *lookup;

	while (!desk->asked && !desk->closed)
		pthread_cond_wait(&desk->changed, &desk->lock);
	lookup = desk->closed ? NULL : desk->asked;
	if (lookup)
		desk->asked = lookup->next;
	return lookup;
}

static void *thread_main(void *arg)
{
	struct desk *desk = arg;
	struct lookup *lookup;

	pthread_mutex_lock(&desk->lock);
	while ((lookup = take_asked(desk))) {
		int code;

		pthread_mutex_unlock(&desk->lock);
		code = look_up(lookup->host, lookup->port, 0, &lookup->addresses);
		lookup->no_memory = code == EAI_MEMORY;
		pthread_mutex_lock(&desk->lock);
		put_last(&desk->found, lookup);
		eventfd_write(desk->wake, 1);
	}
	desk_leave(desk);
	return NULL;
}

static bool has_thread(struct h2_names *names)
{
	pthread_attr_t attributes;
	pthread_t thread;

	if (names->has_thread)
		return true;
	if (pthread_attr_init(&attributes) != 0)
		return false;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_mutex_lock(&names->desk->lock);
	names->has_thread = pthread_create(&thread, &attributes, thread_main, names->desk) == 0;
	names->desk->users += names->has_thread;
	pthread_mutex_unlock(&names->desk->lock);
	pthread_attr_destroy(&attributes);
	return names->has_thread;
}

/* --- the loop's side --- */

static void on_found(struct loop_watch *watch, uint32_t events)
{
	struct h2_names *names = watch->owner;
	struct lookup *found, *next;
	eventfd_t count;

	(void)events;
	eventfd_read(names->desk->wake, &count);
	pthread_mutex_lock(&names->desk->lock);
	found = names->desk->found;
	names->desk->found = NULL;
	pthread_mutex_unlock(&names->desk->lock);
	for (; found; found = next) {
		next = found->next;
		found->found(found->ctx, &found->addresses, found->no_memory);
		free(found);
	}
}

struct h2_names *h2_names_open(struct loop *loop)
{
	struct h2_names *names = calloc(1, sizeof *names);

	if (!names)
		return NULL;
	names->loop = loop;
	names->watch = (struct loop_watch){ .fd = -1, .ready = on_found, .owner = names };
	names->desk = desk_new();
	if (names->desk && loop_watch(loop, &names->watch, names->desk->wake, EPOLLIN))
		return names;
	h2_names_free(names);
	return NULL;
}

void h2_names_free(struct h2_names *names)
{
	if (!names)
		return;
	loop_forget(names->loop, &names->watch);
	if (names->desk) {
		pthread_mutex_lock(&names->desk->lock);
		names->desk->closed = true;
		pthread_cond_signal(&names->desk->changed);
		desk_leave(names->desk);
	}
	free(names);
}

bool h2_names_ask(struct h2_names *names, const char *host, const char *port, h2_names_found *found,
		  void *ctx)
{
	size_t host_size = strlen(host) + 1, port_size = strlen(port) + 1;
	struct lookup *lookup =
		has_thread(names) ? calloc(1, sizeof *lookup + host_size + port_size) : NULL;

	if (!lookup)
		return false;
	lookup->found = found;
	lookup->ctx = ctx;
	memcpy(lookup->host, host, host_size);
	lookup->port = memcpy(lookup->host + host_size, port, port_size);
	pthread_mutex_lock(&names->desk->lock);
	put_last(&names->desk->asked, lookup);
	pthread_cond_signal(&names->desk->changed);
	pthread_mutex_unlock(&names->desk->lock);
	return true;
}
