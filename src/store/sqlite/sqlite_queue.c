/* sqlite_queue: who is next is called by whoever leaves, with what he leaves. */
#include "sqlite_queue.h"

#include "base/cond.h"
#include <stdlib.h>

#define GROUP_MAX 32 /* calls that share a transaction: the first waits for the last */

/* One that waits; it lies on its own stack. */
struct sqlite_writer {
	struct sqlite_writer *next;
	struct sqlite_call *call;
	pthread_cond_t called;
	bool is_called;
};

/* Freed by the last one that knows of it. */
struct sqlite_group {
	size_t calls, waiting;
	pthread_cond_t ended;
	bool is_over;
	enum error_code code;
};

/* --- the queue --- */

static void enqueue(struct sqlite_queue *queue, struct sqlite_writer *writer)
{
	if (!queue->first)
		queue->last = &queue->first;
	*queue->last = writer;
	queue->last = &writer->next;
}

static void dequeue(struct sqlite_queue *queue, struct sqlite_writer *writer)
{
	struct sqlite_writer **at = &queue->first;

	while (*at != writer)
		at = &(*at)->next;
	*at = writer->next;
	if (!writer->next)
		queue->last = at;
}

static void call_first(struct sqlite_queue *queue)
{
	struct sqlite_writer *writer = queue->first;

	dequeue(queue, writer);
	writer->is_called = true;
	pthread_cond_signal(&writer->called);
}

bool sqlite_queue_wait(struct sqlite_queue *queue, pthread_mutex_t *lock, struct sqlite_call *call)
{
	struct sqlite_writer self = { .call = call };

	if (!queue->is_writing) {
		queue->is_writing = true;
		return true;
	}
	cond_init(&self.called);
	enqueue(queue, &self);
	while (!self.is_called && cond_wait_until(&self.called, lock, call->until_ms))
		;
	if (!self.is_called)
		dequeue(queue, &self);
	pthread_cond_destroy(&self.called);
	return self.is_called;
}

void sqlite_queue_pass(struct sqlite_queue *queue)
{
	if (queue->first)
		call_first(queue);
	else
		queue->is_writing = false;
}

/* --- groups --- */

static struct sqlite_group *make_group(void)
{
	struct sqlite_group *group = calloc(1, sizeof *group);

	if (group) {
		group->calls = 1;
		cond_init(&group->ended);
	}
	return group;
}

static void forget(struct sqlite_group *group)
{
	if (!group->is_over || group->waiting > 0)
		return;
	pthread_cond_destroy(&group->ended);
	free(group);
}

/* What is lazy is not synced, so nobody who was told of it may be in it. */
static bool may_join(const struct sqlite_call *call, const struct sqlite_writer *next)
{
	return next && !next->call->is_lazy && !call->is_lazy &&
	       (!call->group || call->group->calls < GROUP_MAX);
}

bool sqlite_queue_leave(struct sqlite_queue *queue, pthread_mutex_t *lock, struct sqlite_call *call,
			enum error_code *code)
{
	struct sqlite_group *group;

	if (!may_join(call, queue->first) || !(call->group || (call->group = make_group())))
		return false;
	group = call->group;
	group->calls++;
	queue->first->call->conn = call->conn;
	queue->first->call->group = group;
	call_first(queue);
	group->waiting++;
	while (!group->is_over && cond_wait_until(&group->ended, lock, call->until_ms))
		;
	group->waiting--;
	*code = group->is_over ? group->code : ERROR_STORE_TIMEOUT;
	forget(group);
	return true;
}

void sqlite_queue_tell(struct sqlite_call *call, enum error_code code)
{
	struct sqlite_group *group = call->group;

	group->is_over = true;
	group->code = code;
	pthread_cond_broadcast(&group->ended);
	forget(group);
}
