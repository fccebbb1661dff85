/*
 * tables: what the program's tables hold, as one JSON object: what tests/docs/reference makes pages
 * of. Settings are told by `c1d help` already.
 */
#include "../../src/api/api_room.h"
#include "../../src/cli/commands.h"
#include "base/metrics.h"
#include "stream/events.h"

#include <stdio.h>

static struct json_writer w;

static void open_list(const char *key)
{
	json_key(&w, key);
	json_open(&w, '[');
}

struct cell {
	const char *name, *text; /* text NULL: null */
};

static void put_cells(const struct cell *cells, size_t count)
{
	for (size_t i = 0; i < count; i++)
		json_put_text(&w, cells[i].name, cells[i].text);
}

#define PUT_CELLS(...)                                                                             \
	put_cells((const struct cell[]){ __VA_ARGS__ },                                            \
		  sizeof((const struct cell[]){ __VA_ARGS__ }) / sizeof(struct cell))
#define PUT_ROW(...) (json_open(&w, '{'), PUT_CELLS(__VA_ARGS__), json_close(&w, '}'))

static void put_error(enum error_code code, const char *help)
{
	if (code == ERROR_NONE)
		return;
	json_open(&w, '{');
	json_put_int(&w, "status", error_status(code));
	PUT_CELLS({ "code", error_word(code) }, { "title", error_title(code) }, { "help", help });
	json_close(&w, '}');
}

static void put_errors(void)
{
	open_list("errors");
#define X(code, status, word, title, help) put_error(code, help);
	ERROR_CODES(X)
#undef X
	json_close(&w, ']');
}

static void put_events(void)
{
	open_list("events");
#define X(name, schema, about) PUT_ROW({ "name", name }, { "schema", schema }, { "about", about });
	STREAM_EVENTS(X)
#undef X
	json_close(&w, ']');
}

static void put_shield(void)
{
	open_list("shield");
#define X(name, value, about) PUT_ROW({ "name", name }, { "value", value }, { "about", about });
	RESPONSE_SHIELD(X)
#undef X
	json_close(&w, ']');
}

static void put_commands(void)
{
	open_list("commands");
	for (size_t i = 0; i < command_count; i++)
		PUT_ROW({ "name", commands[i].name }, { "takes", commands[i].takes },
			{ "options", commands[i].options }, { "help", commands[i].help });
	json_close(&w, ']');
}

static void put_exit_codes(void)
{
	open_list("exit_codes");
#define X(name, code, about)                                                                       \
	json_open(&w, '{');                                                                        \
	json_put_int(&w, "code", code);                                                            \
	json_put_text(&w, "about", about);                                                         \
	json_close(&w, '}');
	EXIT_CODES(X)
#undef X
	json_close(&w, ']');
}

/* A scrape of a pool that has counted nothing has each family, and the series of all but the
 * largest. */
static void put_metrics(void)
{
	struct shm *shm = shm_map(NULL, NULL);
	struct buffer text;

	buffer_init(&text, 1u << 20);
	atomic_store(&shm->redis_state, SHM_REDIS_UP);
	atomic_store(&shm->cache_state, SHM_REDIS_UP);
	metrics_render(shm, false, &text);
	json_key(&w, "scrape");
	json_string(&w, buffer_slice(&text));
	json_key(&w, "labels");
	json_open(&w, '{');
#define X(id, name, type, help, label_a, names_a, count_a, label_b, names_b, count_b)              \
	json_key(&w, name);                                                                        \
	json_open(&w, '{');                                                                        \
	json_put_text(&w, "a", label_a);                                                           \
	json_put_text(&w, "b", label_b);                                                           \
	json_close(&w, '}');
	METRIC_FAMILIES(X)
#undef X
	json_close(&w, '}');
	buffer_done(&text);
	shm_unmap(shm);
}

int main(void)
{
	struct buffer out;

	buffer_init(&out, 4u << 20);
	json_writer_init(&w, &out);
	json_open(&w, '{');
	put_errors();
	put_events();
	put_shield();
	put_commands();
	put_exit_codes();
	put_metrics();
	json_key(&w, "openapi");
	openapi_write(&out, routes);
	json_close(&w, '}');
	if (out.failed || fwrite(out.data, 1, out.len, stdout) != out.len)
		return 1;
	buffer_done(&out);
	return 0;
}
