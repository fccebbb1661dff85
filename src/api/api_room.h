/*
 * api_room: what the API's files share: one call on its walk, the route table, reading fields,
 * writing values.
 *
 *   api.c        the walk: route, body, caller, handler, problem
 *   cors.c       pages elsewhere: refused, or told what they may
 *   routes.c     the table
 *   fields.c     JSON fields and query parameters, checked and named in errors
 *   render.c     threads, messages and runs as JSON
 *   pages.c      messages on their way out, never a whole page at once
 *   threads.c messages.c chat.c runs.c health.c openapi.c   a resource each
 */
#ifndef API_ROOM_H
#define API_ROOM_H

#include "api/api.h"
#include "base/json.h"
#include "guard/origin.h"
#include "model/caller.h"
#include "service/runs.h"

#define API_IDS_MAX 2

/* One request on its walk. */
struct call {
	struct api *api;
	struct request *request;
	struct response *response;
	struct arena *arena;
	const char *ids[API_IDS_MAX]; /* the path's, checked, in order */
	const struct json *body;      /* an object; NULL for a route without a body */
	enum origin origin;
	struct caller caller;
};

/* Fills call->response and returns true, or says why not. */
typedef bool api_handler(struct call *call, struct error *err);

enum route_flags {
	ROUTE_CALLER = 1,  /* who asks matters: `user_id` is read and checked */
	ROUTE_BODY = 2,    /* takes a JSON object */
	ROUTE_STREAMS = 4, /* answers with a stream */
};

struct route {
	const char *method, *template; /* :id and :mid stand for one id each */
	api_handler *handle;
	int flags;
	size_t body_max;
	/* For the OpenAPI document. */
	const char *summary;
	const char *query; /* names of parameters, separated by blanks; NULL: none */
	const char *takes; /* schema of the body */
	int status;        /* of a success */
	const char *gives; /* schema of the answer; a leading '*' means an array of it; NULL:
			      another content type */
};

extern const struct route routes[];
extern const size_t route_count;

/* --- fields.c. `alias` is the other spelling, or NULL. Both with different values:
 * ERROR_VALIDATION. Absent or null: true, *out untouched. Wrong type or length: ERROR_VALIDATION
 * naming the field. --- */
bool field_text(const struct call *call, const struct json *object, const char *name,
		const char *alias, size_t max, struct slice *out, struct error *err);
bool field_id(const struct call *call, const struct json *object, const char *name,
	      const char *alias, struct slice *out, struct error *err);
bool field_bool(const struct json *object, const char *name, int *out,
		struct error *err); /* 0 or 1 */
/* An object's JSON text, in the arena. */
bool field_object(const struct call *call, const struct json *object, const char *name,
		  const char **out, struct error *err);
bool field_missing(const char *name, struct error *err); /* ERROR_VALIDATION */

/* A query parameter that is one of `words`; *out is its index, untouched when absent. */
bool query_word(const struct call *call, const char *name, const char *const *words, int count,
		int *out, struct error *err);
/* The text of a parameter, NUL-terminated in the arena; NULL when absent. */
bool query_text(const struct call *call, const char *name, size_t max, const char **out,
		struct error *err);
bool query_id(const struct call *call, const char *name, const char **out, struct error *err);
/* Appends text percent-encoded (RFC 3986, all but unreserved). */
bool percent_encode(struct buffer *out, struct slice text);

/* --- render.c --- */
void render_thread(struct json_writer *w, const struct thread *thread);
/* A message around its content, which is written between the two as the inside of a JSON string. */
void render_message_open(struct json_writer *w, const struct message *message);
void render_message_close(struct json_writer *w, const struct message *message);
void render_run(struct json_writer *w, const struct run_info *run);
/* Starts a JSON answer and gives its writer. */
struct json_writer answer_json(struct call *call, int status);
/* False when the answer did not fit into memory. */
bool answer_done(const struct call *call, struct error *err);

/* --- pages.c --- */
/* Answers with messages, rendered as they go out; is_list: as an array, else the one. They and
 * their list live in the call's arena. */
bool answer_messages(struct call *call, int status, const struct message_list *list, bool is_list,
		     bool as_c1, struct error *err);

/* --- cors.c --- */
/* Finds call->origin, and puts what a listed page needs into the response's kept headers. */
void cors_begin(struct call *call);
/* ERROR_FOREIGN_ORIGIN when this page may not do this. */
bool cors_admit(const struct call *call, struct error *err);
/* Answers OPTIONS on an address that takes these methods, a preflight included. */
void cors_answer_options(struct call *call, const char *methods);

/* --- handlers --- */
api_handler chat_post, threads_list, threads_create, thread_get, thread_update, thread_delete,
	messages_list, message_add, message_update, thread_runs, run_get, run_stream, run_stop,
	health_get, livez_get, readyz_get, metrics_get, openapi_get;

/* --- chat.c, also for runs.c: what a stream's query says --- */
struct stream_options;
bool stream_query(const struct call *call, struct stream_options *out, struct error *err);
void stream_headers(struct response *response, const struct stream_options *options,
		    const char *run_id, const char *thread_id, const char *message_id);

#endif
