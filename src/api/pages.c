/*
 * pages: messages on their way out. Each row is written as JSON while the store tells it. Pages
 * that go back in time are told from their end, so the rows are put in order as they go out, a
 * piece at a time. JSON may be six times as long as its text: what is long is kept as it is and
 * escaped on its way, so a page never takes much more than its content.
 */
#include "api_room.h"

#include "base/id.h"

#define PIECE      65536       /* what a piece has at least, unless it is the last */
#define LONG       4096        /* of a content that is kept as it is */
#define CONTENT    16384       /* of that, escaped at once */
#define OUT_MAX    (4u << 20)  /* a piece with the largest metadata beside it */
#define ROWS_FIRST LOAN_FREE   /* what most pages fit into, and none is refused */
#define ROWS_MAX   (48u << 20) /* the content of a page, and the largest metadata of each */

/* A message in page.rows:  begin .. JSON .. content .. as it is .. rest .. JSON .. end */
struct row {
	size_t begin, content, rest, end;
	bool is_escaped; /* content goes out as text of C1's form, too */
};

struct page {
	struct buffer rows;
	struct row *items;
	size_t limit, count;
	enum page_form form;
	bool is_list, is_turned;
	char last_id[ID_MAX + 1];
	size_t at, sent; /* rows that are out, and bytes of the next */
	void (*then)(void *ctx);
	void *then_ctx;
};

static void let_go(void *ctx)
{
	struct page *page = ctx;

	buffer_done(&page->rows);
	if (page->then)
		page->then(page->then_ctx);
}

struct page *page_open(struct call *call, size_t limit, enum page_form form)
{
	struct response *response = call->response;
	struct page *page = arena_alloc(call->arena, sizeof *page);
	size_t rows = limit > 0 ? limit : 1;
	struct row *items = arena_alloc(call->arena, rows * sizeof *items);

	if (!page || !items)
		return NULL;
	*page = (struct page){ .items = items,
			       .limit = rows,
			       .is_list = limit > 0,
			       .form = form,
			       .then = response->let_go,
			       .then_ctx = response->let_go_ctx };
	buffer_init(&page->rows, ROWS_MAX);
	page->rows.loan = loan_of(call->request->budget);
	response->let_go = let_go;
	response->let_go_ctx = page;
	if (page->is_list)
		buffer_reserve(&page->rows, ROWS_FIRST - 1);
	return page;
}

/* --- in --- */

/* The client cannot show anything else. */
static bool is_shown(const struct page *page, const struct message *message)
{
	return page->form == PAGE_STORED || message->role == ROLE_USER ||
	       message->role == ROLE_ASSISTANT;
}

static bool put_escaped(struct buffer *out, struct slice piece, bool is_escaped)
{
	struct buffer escaped;
	bool ok;

	if (!is_escaped)
		return json_escape(out, piece);
	buffer_init(&escaped, CONTENT * 6);
	ok = service_c1_escape(&escaped, piece) && json_escape(out, buffer_slice(&escaped));
	buffer_done(&escaped);
	out->failed = out->failed || !ok;
	return ok;
}

static void put_row(struct page *page, const struct message *message, struct slice content)
{
	struct buffer *rows = &page->rows;
	struct row *row = &page->items[page->count];
	bool is_bare = page->form == PAGE_BARE;
	struct c1_form form = { 0 };

	if (page->form == PAGE_C1 && message->role == ROLE_USER)
		form = service_c1_form(content);
	row->begin = rows->len;
	row->is_escaped = form.escaped;
	(is_bare ? render_bare_open : render_message_open)(rows, message);
	json_escape(rows, form.open);
	row->content = rows->len;
	if (content.len > LONG)
		buffer_append(rows, content);
	else
		put_escaped(rows, content, form.escaped);
	row->rest = content.len > LONG ? rows->len : row->content;
	json_escape(rows, form.close);
	if (is_bare)
		render_bare_close(rows);
	else
		render_message_close(rows, message);
	row->end = rows->len;
	page->count++;
}

/* What a person reads of a user's message, which buttons and forms of an answer write in C1's form.
 */
static void put_plain(struct page *page, const struct message *message)
{
	struct buffer plain;

	buffer_init(&plain, message->content.len + 1);
	if (service_plain_text(&plain, message->content))
		put_row(page, message, buffer_slice(&plain));
	else
		page->rows.failed = true;
	buffer_done(&plain);
}

bool page_take(void *self, const struct message *message)
{
	struct page *page = self;

	id_copy(page->last_id, message->id);
	if (!is_shown(page, message))
		return true;
	if (page->count == page->limit)
		return false;
	if (page->form == PAGE_BARE && message->role == ROLE_USER)
		put_plain(page, message);
	else
		put_row(page, message, message->content);
	return !page->rows.failed;
}

bool page_is_full(const struct page *page)
{
	return page->rows.failed;
}

const char *page_last_id(const struct page *page)
{
	return page->last_id[0] ? page->last_id : NULL;
}

/* --- out --- */

static struct slice part(const struct page *page, size_t begin, size_t end)
{
	return (struct slice){ page->rows.data + begin, end - begin };
}

static void put_some(struct page *page, struct buffer *out)
{
	const struct row *row =
		&page->items[page->is_turned ? page->count - 1 - page->at : page->at];
	struct slice rest = part(page, row->content + page->sent, row->rest);

	if (page->sent == 0)
		buffer_append(out, part(page, row->begin, row->content));
	if (rest.len > CONTENT)
		rest.len = CONTENT;
	put_escaped(out, rest, row->is_escaped);
	page->sent += rest.len;
	if (row->content + page->sent < row->rest)
		return;
	buffer_append(out, part(page, row->rest, row->end));
	page->sent = 0;
	page->at++;
	if (page->at < page->count)
		buffer_append_char(out, ',');
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

bool page_answer(struct call *call, struct page *page, int status, bool is_turned,
		 struct error *err)
{
	struct response *response = call->response;

	if (page->rows.failed)
		return budget_refused(err);
	page->is_turned = is_turned;
	response_json(response, status);
	response->body.max = OUT_MAX;
	if (page->is_list)
		buffer_append_char(&response->body, '[');
	response->more_ctx = page;
	response->more = more(page, &response->body) ? more : NULL;
	return answer_done(call, err);
}
