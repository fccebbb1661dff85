/*
 * c1: the C1 text format (a flat row of elements, text entity-escaped). Pure functions; contract:
 * the web client's parser.
 */
#ifndef LLM_C1_H
#define LLM_C1_H

#include "base/buffer.h"
#include "base/slice.h"

/* The five entities of lodash escape: & < > " ' */
bool c1_escape(struct buffer *out, struct slice text);
bool c1_unescape(struct buffer *out, struct slice text);

/* What a person reads of a user's message: the unescaped text of its first <content>, else the text
 * itself. */
bool c1_plain_text(struct buffer *out, struct slice text);

/* Is it in C1 form already? User text that is not is loaded by the client as these two around its
 * escaped text. */
bool c1_is_content(struct slice text);
#define C1_USER_OPEN  "<content thesys=\"true\">"
#define C1_USER_CLOSE "</content>"

/* What is stored: without <thinkitem ephemeral="true">…</thinkitem> elements and without <!--k-->
 * comments. */
bool c1_stored(struct buffer *out, struct slice text);

/* An answer as a client sends it that has drawn it: its text, and from "<context>" on what was
 * typed into its forms (empty: nothing). Cut text ends within an element: there was more to come.
 */
struct c1_drawn {
	struct slice text, typed;
	bool is_cut;
};

struct c1_drawn c1_drawn(struct slice answer);

/* A card that tells of an error, for errors=card: replaces whatever was shown before. */
bool c1_error_card(struct buffer *out, const char *title, const char *detail);

/* --- an answer as it streams: verbatim, wrapped or rewritten --- */
struct c1_stream {
	int state;
	bool has_content;   /* a card is there: another one would replace it */
	bool is_note;       /* the markdown that is being rewritten */
	struct buffer card; /* the text of markdown that became the card */
	struct buffer held; /* bytes that cannot be decided on yet: a tag's beginning, a character's
			       first bytes */
};

void c1_stream_init(struct c1_stream *stream);
void c1_stream_done(struct c1_stream *stream);
bool c1_stream_feed(struct c1_stream *stream, struct slice delta, struct buffer *out);
/* Closes what we opened, a card only when complete. */
bool c1_stream_end(struct c1_stream *stream, bool complete, struct buffer *out);

#endif
