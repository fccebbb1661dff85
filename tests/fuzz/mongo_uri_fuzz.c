/* The MongoDB URI: no word of a refusal holds the password; what is taken is safe to write by. */
#include "../../src/store/mongodb/mongo_room.h"
#include "fuzz.h"

#define PASSWORD "hunter2canary"

static void check_taken(const mongoc_uri_t *uri)
{
	const mongoc_write_concern_t *concern = mongoc_uri_get_write_concern(uri);

	CHECK(mongoc_write_concern_get_w(concern) != 0);
	CHECK(mongoc_uri_get_database(uri) && mongoc_uri_get_appname(uri));
	CHECK(mongoc_uri_get_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, 0) != 0);
}

static struct error read_uri(const char *text)
{
	struct error err = { 0 };
	mongoc_uri_t *uri = mongo_uri(text, &err);

	CHECK(uri || err.code == ERROR_CONFIG);
	if (uri)
		check_taken(uri);
	else
		CHECK(err.detail[0]);
	mongoc_uri_destroy(uri);
	return err;
}

/* The driver tells on stderr what it does not like, at length. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	mongoc_init();
	mongoc_log_set_handler(NULL, NULL);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(fuzz_input(data, size));
	struct buffer uri;
	struct error err;

	read_uri(text);
	buffer_init(&uri, 1 << 20);
	buffer_appendf(&uri, "mongodb://user:" PASSWORD "@%s", text);
	err = read_uri(uri.data);
	CHECK(strstr(text, PASSWORD) || !strstr(err.detail, PASSWORD));
	buffer_done(&uri);
	free(text);
	return 0;
}
