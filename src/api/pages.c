/*
 * pages: messages on their way out. A page may hold some MiB, and JSON up to six times as many, so
 * it is rendered while it is written, a piece at a time, also inside of one message.
 */
#include "api_room.h"

#define PIECE   65536      /* what a piece has at least, unless it is the last */
#define CONTENT 16384      /* of a content that is rendered at once */
#define OUT_MAX (4u << 20) /* a piece with the largest metadata beside it */

struct page {
	const struct message *items;
	size_t count, at; /* at: the one that is on its way */
	bool is_list, as_c1;
	bool is_open; /* its beginning was written */
	size_t sent;  /* of its content */
	struct c1_form form;
};

/* The client cannot show anything else. */
static bool is_shown(const struct page *page, const struct message *message)
{
	return !page->as_c1 || message->role == ROLE_USER || message->role == ROLE_ASSISTANT;
}

static void skip_hidden(struct page *page)
{
	while (page->at < page->count && !is_shown(page, &page->items[page->at]))
		page->at++;
}

static void open_message(struct page *page, struct json_writer *w)
{
	const struct message *message = &page->items[page->at];

	page->form = (struct c1_form){ 0 };
	if (page->as_c1 && message->role == ROLE_USER)
		page->form = service_c1_form(message->content);
	render_message_open(w, message);
	json_escape(w->out, page->form.open);
	page->is_open = true;
	page->sent = 0;
}

static void put_content(struct page *page, struct slice piece, struct buffer *out)
{
	struct buffer escaped;

	if (!page->form.escaped) {
		json_escape(out, piece);
		return;
	}
	buffer_init(&escaped, CONTENT * 6);
	if (service_c1_escape(&escaped, piece))
		json_escape(out, buffer_slice(&escaped));
	else
		out->failed = true;
	buffer_done(&escaped);
}

static void close_message(struct page *page, struct json_writer *w)
{
	json_escape(w->out, page->form.close);
	render_message_close(w, &page->items[page->at]);
	page->is_open = false;
	page->at++;
	skip_hidden(page);
	if (page->is_list && page->at < page->count)
		buffer_append_char(w->out, ',');
}

static void put_some(struct page *page, struct buffer *out)
{
	const struct message *message = &page->items[page->at];
	struct json_writer w;
	struct slice rest;

	json_writer_init(&w, out);
	if (!page->is_open)
		open_message(page, &w);
	rest = slice_skip(message->content, page->sent);
	if (rest.len > CONTENT)
		rest.len = CONTENT;
	put_content(page, rest, out);
	page->sent += rest.len;
	w.need_comma = true;
	if (page->sent == message->content.len)
		close_message(page, &w);
}

static bool more(void *ctx, struct buffer *out)
{
	struct page *page = ctx;

	while (page->at < page->count && out->len < PIECE && !out->failed)
		put_some(page, out);
	if (page->at < page->count)
		return true;
	if (page->is_list)
		buffer_append_char(out, ']');
	return false;
}

bool answer_messages(struct call *call, int status, const struct message_list *list, bool is_list,
		     bool as_c1, struct error *err)
{
	struct response *response = call->response;
	struct page *page = arena_alloc(call->arena, sizeof *page);

	if (!page)
		return budget_refused(err);
	*page = (struct page){
		.items = list->items, .count = list->count, .is_list = is_list, .as_c1 = as_c1
	};
	skip_hidden(page);
	response_json(response, status);
	response->body.max = OUT_MAX;
	if (is_list)
		buffer_append_char(&response->body, '[');
	response->more_ctx = page;
	response->more = more(page, &response->body) ? more : NULL;
	return answer_done(call, err);
}
