/*
 * pg_room: what the parts of the PostgreSQL store know of each other.
 *
 *   pg.c         the maker, the table of its functions, ping
 *   pg_uri.c     what a URI says, to libpq and to us
 *   pg_conn.c    one connection: made within a deadline, settings, errors
 *   pg_pipe.c    statements sent together, their answers in order
 *   pg_pool.c    connections, and a call on one of them, tried again where that is safe
 *   pg_value.c   values that go in and columns that come out
 *   pg_schema.c  tables and indexes, and the way from each version to the next; adoption
 *   pg_sql.h     all statements
 *   pg_try.c     could it be written? for `c1d check`
 *   pg_thread.c, pg_deletion.c, pg_message.c, pg_page.c, pg_turn.c, pg_claim.c, pg_node.c,
 * pg_copy.c the functions
 *
 * A call asks all that it can ask at once, so it takes one round trip where nothing of it hangs on
 * an answer. Whoever adds messages to a thread holds the thread's row, so numbers have no holes.
 */
#ifndef PG_ROOM_H
#define PG_ROOM_H

#include "../store_ops.h"
#include "pg_sql.h"

#include <libpq-fe.h>

#define PG_CONNECTIONS 10 /* a worker, unless the URI has a connection_limit */
#define PG_HOSTS       8
#define PG_TRIES       4   /* besides the first */
#define PG_ASKED       640 /* statements that may wait for their answers */

/* --- pg_uri.c --- */
/* What libpq would read of the environment is taken out of it. Before threads. */
void pg_wake(void);

struct pg_uri {
	PQconninfoOption *options; /* libpq's; a NULL val: not said */
	char schema[64];           /* "": the server's search_path */
	size_t connections;
	size_t hosts;
	bool is_pooled; /* by PgBouncer: a statement's name may be another server's */
};

/* false: err has words, never the password. pg_uri_done in any case. */
bool pg_uri_read(const char *text, struct pg_uri *out, struct error *err);
void pg_uri_done(struct pg_uri *uri);
const char *pg_uri_get(const struct pg_uri *uri, const char *keyword); /* NULL: not said */
/* What libpq is given for the host of this number: ends with NULLs. Lives until the next call with
 * the same room. */
#define PG_KEYWORDS 64
struct pg_keywords {
	const char *names[PG_KEYWORDS], *values[PG_KEYWORDS];
	char host[256], address[64], port[16];
};
void pg_uri_keywords(const struct pg_uri *uri, size_t host, struct pg_keywords *out);

/* --- pg_conn.c --- */
struct pg_conn {
	PGconn *pg;
	int64_t until_ms; /* monotonic: waits end */
	int64_t used_ms;  /* when it was given back */
	bool is_broken, is_named;
	bool is_prepared[SQL_COUNT];
	/* Asked and not answered, in order; a COUNT of SQL is the end of a batch. */
	struct {
		enum sql_id id;
		bool is_prepare;
	} asked[PG_ASKED];
	size_t first, count;
};

/* Over all hosts of the URI until one is found that can be written. NULL: *code says why, err (may
 * be NULL) in the server's words, for an administrator. */
struct pg_conn *pg_conn_open(const struct pg_uri *uri, int64_t limit_ms, int64_t until_ms,
			     enum error_code *code, struct error *err);
void pg_conn_close(struct pg_conn *conn);
/* Is it good after a rest? A server that went away has closed it. */
bool pg_conn_is_good(struct pg_conn *conn);
/* Waits for events of poll(2) until conn->until_ms. false: it is too late. */
bool pg_conn_wait(struct pg_conn *conn, short events);
/* Statements without values, one after the other, outside of pipelines; the last one's rows, or
 * NULL: *code, err in the server's words. To be cleared. */
PGresult *pg_conn_exec(struct pg_conn *conn, const char *sql, enum error_code *code,
		       struct error *err);
/* A result that is an error, or a NULL, as one of ours. What is worth it is logged. */
enum error_code pg_failed(const struct pg_conn *conn, const PGresult *result);
/* Why there is no server, for the log: said once until it is back. sqlstate NULL: libpq's reason.
 */
void pg_note_away(const char *sqlstate, const char *words);
void pg_note_back(void);
/* The meaning of an SQLSTATE. */
enum error_code pg_code_of(const char *sqlstate);
/* Lost what it was doing without having done it: to be tried again. */
bool pg_is_undone(const PGresult *result);

/* --- pg_pool.c --- */
struct pg_pool;

struct pg_call {
	struct pg_pool *pool;
	bool is_write;

	/* The call's own. */
	struct pg_conn *conn;
	enum error_code code;
	int tries;
	int64_t until_ms;
	bool is_over, is_again, is_committing, is_committed, is_undone;
	PGresult *rows;
};

/*
 *	struct pg_call call = { .pool = self, .is_write = true };
 *
 *	while (pg_begin(&call))
 *		pg_end(&call, do_it(&call, ...));
 *	return call.code;
 *
 * What it does may be done more than once: of the times before nothing is left in the database.
 * Writes are one transaction, committed for ERROR_NONE, else undone.
 */
bool pg_begin(struct pg_call *call);
void pg_end(struct pg_call *call, enum error_code code);
/* This call (a write's) has minutes. Its first answer is that of this. */
void pg_may_last(struct pg_call *call);

struct pg_pool *pg_pool_open(const struct store_options *options, struct error *err);
void pg_pool_free(struct pg_pool *pool);
/* A connection of its own, to be closed. */
struct pg_conn *pg_pool_connect(struct pg_pool *pool, int64_t until_ms, enum error_code *code,
				struct error *err);
size_t pg_pool_size(const struct pg_pool *pool);
const struct pg_uri *pg_pool_uri(const struct pg_pool *pool);
int64_t pg_pool_limit(const struct pg_pool *pool);
/* Its tables were seen to be of our version. */
bool pg_pool_is_set_up(struct pg_pool *pool);
void pg_pool_note_set_up(struct pg_pool *pool);

/* --- pg_pipe.c --- */
struct sql_value {
	enum { SQL_NULL, SQL_TEXT, SQL_WORD, SQL_BYTES, SQL_INT, SQL_TIME } kind;
	struct slice text; /* of a WORD with a NUL behind it */
	int64_t number;
};

/* One more statement, with values for $1, $2 ...: they are copied. */
void pg_ask(struct pg_call *call, enum sql_id id, const struct sql_value *values, size_t count);
/* Nothing more is to come: what was asked becomes true before the next answer is read. */
void pg_commit(struct pg_call *call);
/* The next answer, of the statements in their order; what was asked is sent before. The rows live
 * until the next. rows may be NULL. */
enum error_code pg_answer(struct pg_call *call, const PGresult **rows);
/* Reads what is left. */
enum error_code pg_answer_rest(struct pg_call *call);
/* Of the last answer. */
size_t pg_changed(const struct pg_call *call);
/* Forgets what was not answered, and what was begun. */
void pg_undo(struct pg_call *call);

#define SQL_VALUES(...)                                                                            \
	(const struct sql_value[]){ __VA_ARGS__ },                                                 \
		sizeof((const struct sql_value[]){ __VA_ARGS__ }) / sizeof(struct sql_value)

/* --- pg_value.c --- */
static inline struct sql_value sql_slice(struct slice text)
{
	return (struct sql_value){ .kind = SQL_TEXT, .text = text };
}

static inline struct sql_value sql_text(const char *text)
{
	return text ? sql_slice(slice_of(text)) : (struct sql_value){ .kind = SQL_NULL };
}

static inline struct sql_value sql_int(int64_t number)
{
	return (struct sql_value){ .kind = SQL_INT, .number = number };
}

static inline struct sql_value sql_time(int64_t wall_ms)
{
	return (struct sql_value){ .kind = SQL_TIME, .number = wall_ms };
}

/* NULL for what is unknown (negative). */
static inline struct sql_value sql_count(int64_t number)
{
	struct sql_value value = sql_int(number);

	if (number < 0)
		value.kind = SQL_NULL;
	return value;
}

/* PostgreSQL's text has no U+0000: content with one goes into a column of bytes, and what others
 * read has U+FFFD for it. */
struct pg_content {
	struct sql_value text, bytes;
	char *made; /* NULL or to be freed */
};
bool pg_content_of(struct slice content, struct pg_content *out);
void pg_content_done(struct pg_content *content);
/* The text as jsonb takes it: nor does that have U+0000, or any exponent. NULL for NULL; *made is
 * to be freed. */
struct sql_value pg_json_of(const char *text, char **made);

const char *pg_column_text(const PGresult *rows, int row, int column, struct arena *arena);
int64_t pg_column_int(const PGresult *rows, int row, int column);   /* 0 for NULL */
int64_t pg_column_count(const PGresult *rows, int row, int column); /* -1 for NULL */
int64_t pg_column_time(const PGresult *rows, int row, int column);  /* wall ms */

/* --- pg_schema.c --- */
extern const int64_t pg_schema_version;

struct pg_found {
	bool is_ours, has_prisma, has_all; /* our tables; Prisma's, and with all their columns */
	int64_t version;                   /* 0: none yet */
};
/* Brings the tables to this program's version, whoever else is at it. What Prisma made is taken
 * only when it is asked for (may_adopt). ERROR_CONFIG with words: not ours, or newer. */
enum error_code pg_schema(struct pg_conn *conn, bool may_adopt, struct error *err);
/* What is there. */
enum error_code pg_schema_look(struct pg_conn *conn, struct pg_found *out, struct error *err);

/* May it be served, or else migrated, by this program? */
enum error_code pg_schema_check(const struct pg_found *found, bool may_adopt, struct error *err);

/* --- pg_try.c --- */
bool pg_try_write(const char *uri, const struct config *config, const char **how,
		  struct error *err);

/* --- what functions share, within a call --- */
/* The user of the thread whose row was asked for; may owner touch it? */
enum error_code pg_user_answer(struct pg_call *call, const char *owner);
enum error_code pg_thread_answer(struct pg_call *call, struct arena *arena, struct thread *out);
void pg_thread_take(const PGresult *rows, int row, struct arena *arena, struct thread *out);
void pg_thread_ask_insert(struct pg_call *call, const struct thread *thread);

/* Behind `column` columns of the statement's own. */
enum error_code pg_message_take(const PGresult *rows, int row, int column, bool content,
				struct arena *arena, struct message *out);
/* The answer of a statement that gives one message and its thread's user. ERROR_NOT_FOUND. */
enum error_code pg_message_answer(struct pg_call *call, const char *owner, struct arena *arena,
				  struct message *out);
/* owner NULL: anybody's. */
void pg_message_ask(struct pg_call *call, enum sql_id id, const char *owner, const char *thread_id,
		    const struct message *message);
/* Rows of messages behind `column` others. */
enum error_code pg_message_rows(const PGresult *rows, int column, bool content, size_t limit,
				struct arena *arena, struct message_list *out);

#define X(name, ...) enum error_code pg_##name(void *self, __VA_ARGS__);
STORE_OPS(X)
#undef X

#endif
