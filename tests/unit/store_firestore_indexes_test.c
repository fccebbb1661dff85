/*
 * Firestore serves a query only by an index, and its emulator does not tell of one that is missing.
 * So each query of the store's table is compared with what Firestore indexes by itself (each field
 * alone) and what firestore.indexes.json has deployed.
 */
#include "../../src/store/firestore/firestore_room.h"

#include "base/json.h"
#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define FILE_NAME "packaging/firestore/firestore.indexes.json"

static struct buffer text;
static struct json *root;

static int read_file(void **state)
{
	FILE *file = fopen(FILE_NAME, "r");
	int c;

	(void)state;
	buffer_init(&text, 1 << 20);
	while (file && (c = getc(file)) != EOF)
		buffer_append_char(&text, (char)c);
	if (file)
		fclose(file);
	root = json_parse(buffer_slice(&text), NULL);
	return root ? 0 : -1;
}

static int let_go(void **state)
{
	(void)state;
	json_free(root);
	buffer_done(&text);
	return 0;
}

/* The next word; false: there is none. */
static bool next(const char **words, struct slice *word)
{
	size_t len = *words ? strcspn(*words, " ") : 0;

	if (len == 0)
		return false;
	*word = (struct slice){ *words, len };
	*words += len + strspn(*words + len, " ");
	return true;
}

static size_t count_of(const char *words)
{
	struct slice word;
	size_t count = 0;

	while (next(&words, &word))
		count++;
	return count;
}

/* Each field has an index of its own; what compares and orders by different ones takes another. */
static bool needs_index(const struct firestore_query *query)
{
	return count_of(query->equal) + (query->order ? 1 : 0) > 1;
}

static bool is_compared(const struct firestore_query *query, struct slice field)
{
	const char *words = query->equal;
	struct slice word;

	while (next(&words, &word))
		if (slice_equal(word, field))
			return true;
	return false;
}

/* First what is compared, in any order, then what it is ordered by, in its direction. */
static bool serves(const struct json *index, const struct firestore_query *query)
{
	const struct json *fields = json_get(index, "fields"), *field = json_first(fields);
	bool falls = query->order && *query->order == '-';

	if (!slice_is(json_text(json_get(index, "collectionGroup")),
		      firestore_collections[query->in]))
		return false;
	for (size_t i = 0; i < count_of(query->equal); i++, field = json_next(field))
		if (!field || !is_compared(query, json_text(json_get(field, "fieldPath"))))
			return false;
	return field && !json_next(field) && query->order &&
	       slice_is(json_text(json_get(field, "fieldPath")), query->order + falls) &&
	       slice_is(json_text(json_get(field, "order")), falls ? "DESCENDING" : "ASCENDING");
}

static void each_query_has_its_index(void **state)
{
	const struct json *indexes = json_get(root, "indexes");

	(void)state;
	for (size_t i = 0; i < FQ_QUERIES; i++) {
		const struct firestore_query *query = &firestore_queries[i];
		bool is_served = !needs_index(query);

		for (const struct json *at = json_first(indexes); at; at = json_next(at))
			is_served = is_served || serves(at, query);
		if (!is_served)
			fail_msg("no index for %s: %s, by %s", firestore_collections[query->in],
				 query->equal, query->order);
	}
}

/* Each costs with every write. */
static void each_index_has_its_query(void **state)
{
	const struct json *indexes = json_get(root, "indexes");
	size_t count = 0;

	(void)state;
	for (const struct json *at = json_first(indexes); at; at = json_next(at), count++) {
		bool is_used = false;

		for (size_t i = 0; i < FQ_QUERIES; i++)
			is_used = is_used || (needs_index(&firestore_queries[i]) &&
					      serves(at, &firestore_queries[i]));
		if (!is_used)
			fail_msg("index %zu serves no query", count);
	}
	assert_true(count > 0);
}

/* Long texts are not indexed; so nothing may be looked for by them. */
static void nothing_is_looked_for_by_what_is_not_indexed(void **state)
{
	const struct json *exempt = json_first(json_get(root, "fieldOverrides"));

	(void)state;
	assert_non_null(exempt);
	for (; exempt; exempt = json_next(exempt)) {
		struct slice in = json_text(json_get(exempt, "collectionGroup"));
		struct slice field = json_text(json_get(exempt, "fieldPath"));

		assert_null(json_first(json_get(exempt, "indexes")));
		for (size_t i = 0; i < FQ_QUERIES; i++) {
			const struct firestore_query *query = &firestore_queries[i];

			if (!slice_is(in, firestore_collections[query->in]))
				continue;
			assert_false(is_compared(query, field));
			assert_false(query->order &&
				     slice_is(field, query->order + (*query->order == '-')));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_query_has_its_index),
		cmocka_unit_test(each_index_has_its_query),
		cmocka_unit_test(nothing_is_looked_for_by_what_is_not_indexed),
	};

	return cmocka_run_group_tests_name("store: Firestore's indexes", tests, read_file, let_go);
}
