/*
 * shape: what a request may say, as tables: a row a member of a body or a word of a query. The
 * checks, the nearest name of an unknown one and the OpenAPI document all come from the rows, so
 * that what is told, what is taken and what is refused are the same.
 *
 *   shape.c   bodies and single values against their rows
 *   query.c   the query against its rows
 *   shapes.c  the rows
 *
 * A name may have a second spelling; an error names the one that the client used. null is the same
 * as absent.
 */
#ifndef API_SHAPE_H
#define API_SHAPE_H

#include "base/error.h"
#include "base/json.h"
#include "stream/engine.h"

enum field_kind {
	FIELD_TEXT,     /* a string of min to max characters */
	FIELD_LINE,     /* the same without control characters */
	FIELD_BYTES,    /* a string of min to max bytes: what may be large */
	FIELD_ID,       /* an id */
	FIELD_WORD,     /* one of `words` */
	FIELD_LEAVE,    /* continue, cancel or grace:SECONDS */
	FIELD_NUMBER,   /* a whole number from min to max; in a query */
	FIELD_FLAG,     /* true or false; in a body */
	FIELD_OBJECT,   /* an object of `members`; without them any, of up to max bytes */
	FIELD_EITHER,   /* a text of up to max bytes or an object of `members` */
	FIELD_ECHO,     /* what our answers hold and clients send back: taken and not looked at */
	FIELD_MESSAGES, /* an array, in which take_question finds the question */
};

struct shape;

struct field {
	const char *name, *alias; /* alias: the other spelling, or NULL */
	enum field_kind kind;
	int64_t min, max;
	int64_t fallback;  /* of a number that is absent; of a word: which one counts then */
	const char *words; /* separated by blanks */
	const struct shape *members;
	const char *about; /* for the OpenAPI document */
	bool is_required;
};

struct shape {
	const char *name; /* of its schema */
	const struct field *fields;
	size_t count;
	const char *rule; /* what no row says and the handler checks, as members of a JSON Schema;
			     NULL: nothing */
};

/* The row that has this name or alias; NULL: none. */
const struct field *shape_find(const struct shape *shape, struct slice name);

/* Checks an object against its rows, member by member. path: what stands before a name in an error
 * ("prompt."), or "". ERROR_VALIDATION, for an id ERROR_BAD_ID. */
bool shape_check(const struct shape *shape, const struct json *object, const char *path,
		 struct error *err);
/* The value of the row `name` in an object that was checked, in whichever spelling; NULL when it is
 * absent or null, or when nobody looks at it. */
const struct json *shape_value(const struct shape *shape, const struct json *object,
			       const char *name);

/* Checks one value that is text in a query and a string in a body; shown: its name as it came. */
bool field_check_text(const struct field *field, const char *shown, struct slice text,
		      struct error *err);
/* false: it is no whole number of up to 18 digits. */
bool field_number(struct slice text, int64_t *out);
/* "continue", "cancel" or "grace:SECONDS". */
#define GRACE_MAX_S 3600
bool leave_parse(struct slice text, enum leave_policy *policy, int64_t *grace_ms);
/* Which of a row's words it is; -1: none. */
int field_word(const struct field *field, struct slice text);
/* ERROR_VALIDATION: none of these rows has this name. more (may be NULL): further rows. */
bool field_unknown(const struct shape *shape, const struct shape *more, const char *shown,
		   struct slice name, struct error *err);
bool field_missing(const char *shown, struct error *err); /* ERROR_VALIDATION */

/* Writes `path` and a name that a client made up, as far as it can be shown. */
#define SHOWN_SIZE 64
void field_show(char out[SHOWN_SIZE], const char *path, struct slice name);

/* --- shapes.c --- */
extern const struct shape shape_chat, shape_thread_draft, shape_thread_patch, shape_message_draft,
	shape_message_patch, shape_thread_title, shape_message_whole, shape_openui_draft,
	shape_openui_chat;
extern const struct shape query_owner; /* of every route where it matters who asks */
extern const struct shape query_chat, query_stream, query_threads, query_messages, query_runs,
	query_none, query_all_threads, query_history, query_bare, query_openui_chat;

#endif
