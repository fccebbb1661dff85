/* readers: see readers.h. */
#include "readers.h"

void readers_add(struct readers *readers, struct run_reader *reader)
{
	reader->next = readers->first;
	reader->prev = NULL;
	if (reader->next)
		reader->next->prev = reader;
	readers->first = reader;
	readers->count++;
}

void readers_remove(struct readers *readers, struct run_reader *reader)
{
	if (reader->prev)
		reader->prev->next = reader->next;
	else
		readers->first = reader->next;
	if (reader->next)
		reader->next->prev = reader->prev;
	readers->count--;
}

void readers_more(const struct readers *readers)
{
	struct run_reader *next;

	for (struct run_reader *reader = readers->first; reader; reader = next) {
		next = reader->next;
		reader->ops->more(reader);
	}
}

void readers_cut(const struct readers *readers)
{
	struct run_reader *next;

	for (struct run_reader *reader = readers->first; reader; reader = next) {
		next = reader->next;
		reader->ops->cut(reader);
	}
}
