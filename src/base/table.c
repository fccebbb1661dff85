/*
 * table: open addressing, linear probing, at most three quarters full. What is removed leaves no
 * mark: those behind it that it had pushed on move back (Knuth 6.4, algorithm R).
 */
#include "base/table.h"

#include <stdlib.h>

#define SIZE_FIRST 64

static void put(struct table_item *items, size_t size, struct table_item item)
{
	size_t at = item.hash & (size - 1);

	while (items[at].what)
		at = (at + 1) & (size - 1);
	items[at] = item;
}

static bool grow(struct table *table)
{
	size_t size = table->size ? table->size * 2 : SIZE_FIRST;
	struct table_item *items = calloc(size, sizeof *items);

	if (!items)
		return false;
	for (size_t i = 0; i < table->size; i++)
		if (table->items[i].what)
			put(items, size, table->items[i]);
	free(table->items);
	table->items = items;
	table->size = size;
	return true;
}

bool table_add(struct table *table, uint64_t hash, void *what)
{
	if (table->count + 1 > table->size / 4 * 3 && !grow(table))
		return false;
	put(table->items, table->size, (struct table_item){ hash, what });
	table->count++;
	return true;
}

void *table_find(const struct table *table, uint64_t hash,
		 bool (*is)(const void *what, const void *key), const void *key)
{
	size_t mask = table->size - 1;

	if (table->count == 0)
		return NULL;
	for (size_t at = hash & mask; table->items[at].what; at = (at + 1) & mask)
		if (table->items[at].hash == hash && is(table->items[at].what, key))
			return table->items[at].what;
	return NULL;
}

/* The gap moves on to wherever an item stands that would not be found across it. */
static void close_gap(struct table *table, size_t gap)
{
	size_t mask = table->size - 1;

	for (size_t at = (gap + 1) & mask; table->items[at].what; at = (at + 1) & mask) {
		size_t home = table->items[at].hash & mask;

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		table->items[gap] = table->items[at];
		gap = at;
	}
	table->items[gap] = (struct table_item){ 0 };
}

void table_remove(struct table *table, uint64_t hash, const void *what)
{
	size_t mask = table->size - 1;

	if (table->count == 0)
		return;
	for (size_t at = hash & mask; table->items[at].what; at = (at + 1) & mask)
		if (table->items[at].what == what) {
			table->count--;
			close_gap(table, at);
			return;
		}
}

void table_done(struct table *table)
{
	free(table->items);
	*table = (struct table){ 0 };
}

uint64_t table_hash_text(const char *text) /* FNV-1a */
{
	uint64_t sum = 14695981039346656037u;

	for (; *text; text++)
		sum = (sum ^ (unsigned char)*text) * 1099511628211u;
	return sum ^ sum >> 32;
}

uint64_t table_hash_number(uint64_t number) /* Fibonacci hashing, Knuth 6.4 */
{
	number *= 11400714819323198485u;
	return number ^ number >> 32;
}
