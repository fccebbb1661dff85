/* Entity tags: the versions found are in the header as we write them, and a list of just them says
 * the same. */
#include "fuzz.h"
#include "http/etag.h"

#define MAX 4

static void check_again(const int64_t *versions, int count)
{
	int64_t again[MAX];
	struct buffer list;

	buffer_init(&list, 4096);
	for (int i = 0; i < count; i++)
		buffer_appendf(&list, "%s\"%lld\"", i % 2 ? ", W/" : ",", (long long)versions[i]);
	CHECK(etag_versions(buffer_slice(&list), again, MAX) == count);
	for (int i = 0; i < count; i++)
		CHECK(again[i] == versions[i]);
	buffer_done(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice header = fuzz_input(data, size);
	int64_t versions[MAX];
	int count = etag_versions(header, versions, MAX);
	char tag[32];

	CHECK(count >= ETAG_ANY && count <= MAX);
	CHECK((count == ETAG_ANY) == slice_is(header, "*"));
	for (int i = 0; i < count; i++) {
		CHECK(versions[i] >= 0);
		snprintf(tag, sizeof tag, "\"%lld\"", (long long)versions[i]);
		CHECK(fuzz_contains(header, slice_of(tag)));
	}
	if (count > 0)
		check_again(versions, count);
	return 0;
}
