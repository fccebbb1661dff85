/*
 * sqlite_search: what somebody searches for, as the index of trigrams is asked; and the way of
 * messages into it, of new ones and of an older file's. The index tells where a text may be: all
 * its trigrams are there. Whether it is, the message itself tells, by the same fold(text) as
 * titles.
 */
#include "sqlite_room.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/utf8.h"
#include <stdio.h>

#define LETTERS_MAX   64   /* of what is searched for that the index is asked for */
#define ENDINGS_MAX   200  /* trigrams that begin with the same two letters */
#define RARE_MAX      2000 /* messages that are looked at one by one */
#define MATCH_MAX     8192
#define FILL_MESSAGES 32 /* taken into the index by a step of the sweep, ... */
#define FILL_MS       1  /* ... for so long, since others wait for their turn to write */
#define FILL_THREADS  500

/* --- what is asked of the index --- */

/* In quotes, since a trigram may be anything. */
static void put_phrase(struct buffer *match, struct slice text)
{
	buffer_append_char(match, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '"')
			buffer_append_char(match, '"');
		buffer_append_char(match, text.ptr[i]);
	}
	buffer_append_char(match, '"');
}

/* Where each letter begins, and where the last one ends. */
static size_t letters_of(const char *q, size_t at[LETTERS_MAX + 1])
{
	size_t count = 0, offset = 0, len = strlen(q), step;

	while (count < LETTERS_MAX && offset < len &&
	       (step = utf8_length((struct slice){ q + offset, len - offset })) > 0) {
		at[count++] = offset;
		offset += step;
	}
	at[count] = offset;
	return count;
}

static void put_trigrams(struct buffer *match, const char *q, const size_t *at, size_t letters)
{
	for (size_t i = 0; i + 3 <= letters; i++) {
		if (i > 0)
			buffer_append(match, SLICE(" AND "));
		put_phrase(match, (struct slice){ q + at[i], at[i + 3] - at[i] });
	}
}

/* *found: how many trigrams begin so. */
static enum error_code put_endings(struct sqlite_conn *conn, struct buffer *match, const char *q,
				   size_t *found)
{
	sqlite3_stmt *query;
	enum error_code code = sql_start(conn, SQL_SEARCH_WORDS,
					 SQL_VALUES(sql_text(q), sql_int(ENDINGS_MAX)), &query);

	for (*found = 0; code == ERROR_NONE && (code = sql_step(query)) == ERROR_NONE; (*found)++) {
		if (*found > 0)
			buffer_append(match, SLICE(" OR "));
		put_phrase(match, sql_column(query, 0));
	}
	sql_done(query);
	if (*found == 0) /* a phrase without a trigram: the index finds none */
		put_phrase(match, slice_of(q));
	return code == ERROR_NOT_FOUND ? ERROR_NONE : code;
}

static enum error_code is_rare(struct sqlite_conn *conn, const char *match, bool *out)
{
	sqlite3_stmt *query;
	enum error_code code = sql_start(conn, SQL_SEARCH_COUNT,
					 SQL_VALUES(sql_text(match), sql_int(RARE_MAX)), &query);

	if (code == ERROR_NONE && (code = sql_step(query)) == ERROR_NONE)
		*out = sqlite3_column_int(query, 0) < RARE_MAX;
	sql_done(query);
	return code;
}

/* One letter is in nearly everything, or is not worth the look: titles alone are searched. */
static enum error_code plan(struct sqlite_conn *conn, const char *q, struct buffer *match,
			    enum sqlite_search *how)
{
	size_t at[LETTERS_MAX + 1], letters = letters_of(q, at), endings = 0;
	enum error_code code = ERROR_NONE;
	bool rare = true;

	*how = SQLITE_SEARCH_TITLES;
	if (letters >= 3)
		put_trigrams(match, q, at, letters);
	else if (letters == 2)
		code = put_endings(conn, match, q, &endings);
	if (code != ERROR_NONE || match->len == 0)
		return code;
	if (match->failed)
		return ERROR_OVERLOADED;
	if (endings < ENDINGS_MAX)
		code = is_rare(conn, match->data, &rare);
	if (rare && endings < ENDINGS_MAX)
		*how = SQLITE_SEARCH_RARE;
	else
		*how = letters == 2 ? SQLITE_SEARCH_SHORT : SQLITE_SEARCH_COMMON;
	return code;
}

enum error_code sqlite_search_plan(struct sqlite_conn *conn, const char *q, struct arena *arena,
				   const char **match, enum sqlite_search *how)
{
	struct buffer text;
	enum error_code code;

	buffer_init(&text, MATCH_MAX);
	code = plan(conn, q, &text, how);
	*match = text.len > 0 ? arena_copy(arena, (struct slice){ text.data, text.len }) : NULL;
	buffer_done(&text);
	return code == ERROR_NONE ? store_fits(arena) : code;
}

/* --- taking in: an older file's messages, then those that came since --- */

struct filling {
	char id[ID_MAX + 1]; /* of a thread */
	int64_t from_seq;    /* -1: nothing of it is in */
	bool is_whole;       /* all of it is */
};

/* ERROR_NOT_FOUND: there is nothing to be filled, or (of the second) no thread behind that one. */
static enum error_code where(struct sqlite_conn *conn, char after[ID_MAX + 1])
{
	sqlite3_stmt *query;
	enum error_code code = sql_start(conn, SQL_FILL_AFTER, NULL, 0, &query);

	if (code == ERROR_NONE && (code = sql_step(query)) == ERROR_NONE)
		snprintf(after, ID_MAX + 1, "%s", (const char *)sqlite3_column_text(query, 0));
	sql_done(query);
	return code;
}

static enum error_code next_thread(struct sqlite_conn *conn, const char *after, struct filling *out)
{
	sqlite3_stmt *query;
	enum error_code code =
		sql_start(conn, SQL_FILL_THREAD, SQL_VALUES(sql_text(after)), &query);

	if (code == ERROR_NONE && (code = sql_step(query)) == ERROR_NONE) {
		snprintf(out->id, sizeof out->id, "%s",
			 (const char *)sqlite3_column_text(query, 0));
		out->is_whole = sqlite3_column_type(query, 1) == SQLITE_NULL;
		out->from_seq = sqlite3_column_int64(query, 1);
	}
	sql_done(query);
	return code;
}

/* A thread's messages behind from_seq up to to_seq. */
static enum error_code put_in(struct sqlite_conn *conn, const char *thread_id, int64_t from_seq,
			      int64_t to_seq)
{
	const struct sql_value id = sql_text(thread_id), from = sql_int(from_seq);
	const struct sql_value to = sql_int(to_seq);
	enum error_code code = sql_run(conn, SQL_FILL_TAKE_IN, SQL_VALUES(id, from, to), NULL);

	return code == ERROR_NONE ? sql_run(conn, SQL_FILL_DONE, SQL_VALUES(id, from, to), NULL)
				  : code;
}

/* Up to *left messages of the thread. */
static enum error_code take_in(struct sqlite_conn *conn, struct filling *thread, size_t *left)
{
	const struct sql_value id = sql_text(thread->id), from = sql_int(thread->from_seq);
	int64_t to_seq = -1;
	size_t count = 0;
	sqlite3_stmt *query;
	enum error_code code =
		sql_start(conn, SQL_FILL_TO, SQL_VALUES(id, from, sql_int((int64_t)*left)), &query);

	if (code == ERROR_NONE && (code = sql_step(query)) == ERROR_NONE) {
		to_seq = sqlite3_column_int64(query, 0);
		count = (size_t)sqlite3_column_int64(query, 1);
	}
	sql_done(query);
	thread->is_whole = count < *left;
	*left -= count;
	if (code == ERROR_NONE)
		code = sql_run(conn, SQL_FILL_MARK,
			       SQL_VALUES(id, thread->is_whole ? sql_text(NULL) : sql_int(to_seq)),
			       NULL);
	return code == ERROR_NONE && count > 0 ? put_in(conn, thread->id, thread->from_seq, to_seq)
					       : code;
}

static enum error_code fill(struct sqlite_conn *conn, struct filling *thread, bool *more)
{
	size_t left = FILL_MESSAGES;
	enum error_code code = ERROR_NONE;

	for (int i = 0; code == ERROR_NONE && left > 0 && i < FILL_THREADS; i++) {
		char after[ID_MAX + 1];

		memcpy(after, thread->id, sizeof after);
		code = next_thread(conn, after, thread);
		if (code == ERROR_NONE && !thread->is_whole)
			code = take_in(conn, thread, &left);
		if (code == ERROR_NONE && !thread->is_whole) /* it is the next one again */
			memcpy(thread->id, after, sizeof after);
	}
	*more = true; /* behind the last thread those that came since */
	if (code == ERROR_NOT_FOUND)
		return sql_run(conn, SQL_FILL_END, NULL, 0, NULL);
	return code == ERROR_NONE
		       ? sql_run(conn, SQL_FILL_GO_ON, SQL_VALUES(sql_text(thread->id)), NULL)
		       : code;
}

/* ERROR_NOT_FOUND: none is pending. */
static enum error_code take_in_pending(struct sqlite_conn *conn)
{
	char id[ID_MAX + 1] = "";
	int64_t seq = 0;
	sqlite3_stmt *query;
	enum error_code code = sql_start(conn, SQL_PENDING_FIRST, NULL, 0, &query);

	if (code == ERROR_NONE && (code = sql_step(query)) == ERROR_NONE) {
		snprintf(id, sizeof id, "%s", (const char *)sqlite3_column_text(query, 0));
		seq = sqlite3_column_int64(query, 1);
	}
	sql_done(query);
	if (code == ERROR_NONE)
		code = sql_run(conn, SQL_PENDING_THREAD, SQL_VALUES(sql_text(id)), NULL);
	return code == ERROR_NONE ? put_in(conn, id, seq - 1, seq) : code;
}

static enum error_code take_in_some(struct sqlite_conn *conn, bool *more)
{
	int64_t until_ms = clock_mono_ms() + FILL_MS;
	enum error_code code = ERROR_NONE;

	*more = true;
	for (int i = 0; code == ERROR_NONE && i < FILL_MESSAGES && clock_mono_ms() < until_ms; i++)
		code = take_in_pending(conn);
	if (code == ERROR_NOT_FOUND) {
		*more = false;
		code = ERROR_NONE;
	}
	return code;
}

enum error_code sqlite_search_fill(struct sqlite_conn *conn, bool *more)
{
	struct filling thread;
	enum error_code code = where(conn, thread.id);

	*more = false;
	if (code == ERROR_NOT_FOUND)
		return take_in_some(conn, more);
	return code == ERROR_NONE ? fill(conn, &thread, more) : code;
}
