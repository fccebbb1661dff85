/* wheel: what is due when, by the millisecond. A slot holds the streams of its moment and of each
 * turn of the wheel later; a stream that is not due yet is left where it is. */
#include "mock.h"

#include <time.h>

#define SLOTS   8192
#define SLOT_NS 1000000

static struct stream *slots[SLOTS];
static int64_t turned_to; /* the number of the slot that was looked at last */
static size_t held;

int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void wheel_put(struct stream *stream)
{
	int64_t number = stream->due_ns / SLOT_NS;
	struct stream **slot;

	if (number < turned_to)
		number = turned_to;
	slot = &slots[number % SLOTS];
	stream->next = *slot;
	stream->at = slot;
	if (stream->next)
		stream->next->at = &stream->next;
	*slot = stream;
	held++;
}

void wheel_take_out(struct stream *stream)
{
	if (!stream->at)
		return;
	*stream->at = stream->next;
	if (stream->next)
		stream->next->at = stream->at;
	stream->at = NULL;
	held--;
}

bool wheel_is_empty(void)
{
	return held == 0;
}

void wheel_turn(int64_t at_ns, void (*on_due)(struct stream *))
{
	int64_t to = at_ns / SLOT_NS, from = turned_to;

	if (to - from >= SLOTS) /* each slot once is all of them */
		from = to - SLOTS + 1;
	turned_to = to;
	for (; from <= to; from++) {
		struct stream *stream, *due = NULL, *next;

		for (stream = slots[from % SLOTS]; stream; stream = next) {
			next = stream->next;
			if (stream->due_ns > at_ns)
				continue;
			wheel_take_out(stream);
			stream->next = due;
			due = stream;
		}
		for (; due; due = next) {
			next = due->next;
			on_due(due);
		}
	}
}
