/*
 * api_room: what the API's files share: one call on its walk, the route table, reading fields,
 * writing values.
 *
 *   api.c        the walk: route, body, caller, handler, problem
 *   scopes.c     what a caller may do at all
 *   cors.c       pages elsewhere: refused, or told what they may
 *   routes.c     the table, and the route that tells of it
 *   aliases.c    the table of other clients' routes: of which of ours each is another address
 *   shape.h      what requests may say, as tables: shape.c query.c shapes.c
 *   cursor.c     the pages of a list, signed
 *   fields.c     what the body said
 *   render.c     threads, messages and runs as JSON
 *   pages.c      messages on their way out: rows become JSON as the store tells them
 *   threads.c messages.c chat.c runs.c me.c health.c   a resource each
 *   openapi.c    the document of a table; schema.c, answers.c: its schemas
 */
#ifndef API_ROOM_H
#define API_ROOM_H

#include "api/api.h"
#include "base/json.h"
#include "service/runs.h"
#include "shape.h"

#define API_IDS_MAX   2
#define API_QUERY_MAX 8 /* rows of a route's query, those of query_owner too */

struct query_value {
	const struct field *field;
	struct slice text; /* decoded, a NUL behind it */
};

/* One request on its walk. */
struct call {
	struct api *api;
	struct request *request;
	struct response *response;
	struct arena *arena;
	const struct route *route;
	const char *ids[API_IDS_MAX]; /* the path's, checked, in order */
	struct query_value query[API_QUERY_MAX];
	size_t query_count;
	const struct json *body; /* an object; NULL for a route without a body */
	/* The question that an alias found in what its client sent (take_question), and its id;
	 * { NULL, 0 }: none, or it has none. */
	struct slice said, said_id;
	enum origin origin;
	struct caller caller;
};

/* Fills call->response and returns true, or says why not. */
typedef bool api_handler(struct call *call, struct error *err);

enum route_flags {
	ROUTE_CALLER = 1,  /* who asks matters: `user_id` is read and checked */
	ROUTE_STREAMS = 2, /* answers with a stream */
	/* Which scope it needs; several: any of them. */
	ROUTE_READS = 512,
	ROUTE_WRITES = 1024,
	ROUTE_CHATS = 2048,
	/* Headers, for the OpenAPI document. */
	ROUTE_KEYED = 4,          /* reads Idempotency-Key */
	ROUTE_RESUMES = 8,        /* reads Last-Event-ID; 204 when nothing is missing */
	ROUTE_IF_MATCH = 16,      /* reads If-Match */
	ROUTE_IF_NONE_MATCH = 32, /* reads If-None-Match; 304 */
	ROUTE_TAGGED = 64,        /* writes ETag */
	ROUTE_PAGED = 128,        /* writes Link */
	ROUTE_PLACES = 256,       /* writes Location */
	/* Forms that other clients know. */
	ROUTE_CURSOR = 4096,   /* a page is {threads, nextCursor} */
	ROUTE_BARE = 8192,     /* a message is {id, role, content}, as a person reads it */
	ROUTE_HISTORY = 16384, /* the body is a whole conversation: it may hold more values */
};

struct route {
	const char *method, *template; /* :id and :mid stand for one id each */
	api_handler *handle;
	int flags;
	const struct shape *query; /* what may stand behind '?', besides query_owner's */
	const struct shape *takes; /* the body; NULL: none */
	size_t body_max;
	/* For the OpenAPI document. */
	const char *summary;
	int status;        /* of a success */
	const char *gives; /* schema of the answer; a leading '*' means an array of it; NULL:
			      another content type, or nothing */
	/* Of an alias. */
	const char *same_as; /* the route of ours: "METHOD template" */
	api_handler *turn;   /* makes of the body what its handler reads; NULL: it is that */
	const char *says;    /* the answer is {"message"} with this; NULL: the handler's */
	/* Of a table's end, which has no template: the table that goes on. */
	const struct route *more;
};

extern const struct route routes[], aliases[];

/* The line behind this one; NULL: it was the last of all tables. */
static inline const struct route *route_next(const struct route *route)
{
	return route[1].template ? &route[1] : route[1].more;
}

/* --- aliases.c --- */
/* Says what an alias says in the place of its handler's answer. */
bool alias_answer(struct call *call, struct error *err);

/* --- fields.c: members of the body, by the row's name, in whichever spelling they came. The walk
 * has checked them. --- */
/* { NULL, 0 } when absent. */
struct slice body_text(const struct call *call, const char *name);
int body_flag(const struct call *call, const char *name);                 /* 0 or 1; -1: absent */
const struct json *body_value(const struct call *call, const char *name); /* NULL: absent */
/* An object's JSON text, in the arena; *out is untouched when absent. ERROR_VALIDATION when it is
 * larger than its row allows. */
bool body_object(const struct call *call, const char *name, const char **out, struct error *err);

/* --- query.c --- */
/* Takes all of the query apart and checks it. */
bool query_read(struct call *call, struct error *err);
const char *query_text(const struct call *call, const char *name); /* NULL: absent */
/* The row's fallback: absent; 0: the route has no such row. */
int64_t query_number(const struct call *call, const char *name);
/* Which of the row's words it is; the row's fallback: absent; -1: the route has no such row. */
int query_word(const struct call *call, const char *name);

/* --- render.c --- */
void render_thread(struct buffer *out, const struct thread *thread);
/* A message around its content, which is written between the two as the inside of a JSON string. */
void render_message_open(struct buffer *out, const struct message *message);
void render_message_close(struct buffer *out, const struct message *message);
/* The same of one that is {id, role, content}. */
void render_bare_open(struct buffer *out, const struct message *message);
void render_bare_close(struct buffer *out);
void render_run(struct json_writer *w, const struct run_info *run);
/* Starts a JSON answer and gives its writer. */
struct json_writer answer_json(struct call *call, int status);
/* False when the answer did not fit into memory. */
bool answer_done(const struct call *call, struct error *err);

/* --- pages.c --- */
struct page;

/* STORED: as they are. C1: as the C1 client loads them. BARE: ROUTE_BARE. The two last show no tool
 * and no system. */
enum page_form { PAGE_STORED, PAGE_C1, PAGE_BARE };

/* Messages on their way into this call's answer: a list of up to limit, or one (limit 0). NULL: no
 * memory. */
struct page *page_open(struct call *call, size_t limit, enum page_form form);
/* A message_taker's. Rows come in the order of a list, or all the other way round. */
bool page_take(void *page, const struct message *message);
bool page_is_full(const struct page *page); /* one was refused: no memory */
/* The id of the last one that was taken; NULL: none was. */
const char *page_last_id(const struct page *page);
/* Answers with what was taken. */
bool page_answer(struct call *call, struct page *page, int status, bool is_turned,
		 struct error *err);

/* --- cors.c --- */
/* Finds call->origin, and puts what a listed page needs into the response's kept headers. */
void cors_begin(struct call *call);
/* ERROR_FOREIGN_ORIGIN when this page may not do this. */
bool cors_admit(const struct call *call, struct error *err);
/* Answers OPTIONS on an address that takes these methods, a preflight included. */
void cors_answer_options(struct call *call, const char *methods);

/* --- cursor.c --- */
/* The page behind that place of this list, as a client gets it; in the arena. NULL: no memory. */
const char *cursor_sign(const struct call *call, const struct thread_filter *filter,
			const char *place);
/* Sets filter->cursor, the last of the filter, to the place that the query's cursor means, if there
 * is one. ERROR_VALIDATION: it was not signed for this user and this list. */
bool cursor_read(const struct call *call, struct thread_filter *filter, struct error *err);

/* --- scopes.c --- */
/* ERROR_ACCESS_DENIED, and a header that says the same, unless the caller may do what this route
 * does. */
bool scopes_check(struct call *call, struct error *err);
unsigned scopes_of(const struct route *route); /* any of these is enough; 0: it needs none */

/* --- schema.c: rows as JSON Schema --- */
#define SCHEMA_ID_PATTERN "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$"
#define SCHEMA_ID         "{\"type\":\"string\",\"pattern\":\"" SCHEMA_ID_PATTERN "\"}"
void schema_word(struct json_writer *w, const struct field *field); /* of a query */
/* One for each body that a route takes, by its name. */
void schema_bodies(struct json_writer *w, const struct route *first);
void schema_answers(struct json_writer *w); /* answers.c */

/* --- openapi.c --- */
/* The OpenAPI 3.1 document of all routes from this one on; out->failed tells whether it fitted. */
void openapi_write(struct buffer *out, const struct route *first);

/* errors=card: what went wrong is shown in the chat, since the stock client shows nothing of a
 * status. */
bool chat_wants_card(const struct call *call);
void chat_card(struct call *call, const struct error *problem);

/* --- handlers --- */
api_handler chat_post, threads_list, threads_create, thread_get, thread_update, thread_delete,
	messages_list, message_add, message_update, thread_runs, run_get, run_stream, run_stop,
	me_claim, health_get, livez_get, readyz_get, metrics_get;

/* --- chat.c, also for runs.c: what a stream's query says --- */
struct stream_options;
void stream_query(const struct call *call, struct stream_options *out);
/* false: they are not all there. */
bool stream_headers(struct response *response, const struct stream_options *options,
		    const char *run_id, const char *thread_id, const char *message_id);

#endif
