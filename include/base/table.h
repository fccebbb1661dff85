/*
 * table: pointers found by a hash; grows as it fills. Holds no memory of theirs. Not for several
 * threads at once.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_item {
	uint64_t hash;
	void *what; /* NULL: free */
};

/* Zeroed is empty. */
struct table {
	struct table_item *items;
	size_t size, count; /* size: 0 or a power of two */
};

bool table_add(struct table *table, uint64_t hash, void *what); /* false: no memory */
/* The first with this hash that `is` agrees to; NULL: none. */
void *table_find(const struct table *table, uint64_t hash,
		 bool (*is)(const void *what, const void *key), const void *key);
void table_remove(struct table *table, uint64_t hash, const void *what);
void table_done(struct table *table);

uint64_t table_hash_text(const char *text);
uint64_t table_hash_number(uint64_t number);

#endif
