/* store_row: a row as it lies there. Others may write into a store, and disks err. */
#include "store_ops.h"

#include "base/log.h"
#include "base/utf8.h"

static struct slice take(struct store_row *row, struct slice text)
{
	row->is_bad = row->is_bad || !utf8_valid(text, NULL);
	if (!row->arena)
		return text;
	text.ptr = arena_copy(row->arena, text);
	if (!text.ptr)
		text.len = 0;
	return text;
}

const char *store_row_text(struct store_row *row, struct slice text, bool is_needed)
{
	if (!text.ptr) {
		row->is_bad = row->is_bad || is_needed;
		return NULL;
	}
	row->is_bad = row->is_bad || memchr(text.ptr, '\0', text.len);
	return take(row, text).ptr;
}

struct slice store_row_content(struct store_row *row, struct slice text)
{
	row->is_bad = row->is_bad || !text.ptr;
	return text.ptr ? take(row, text) : text;
}

enum message_role store_row_role(struct store_row *row, struct slice text)
{
	enum message_role role = ROLE_USER;

	row->is_bad = row->is_bad || !text.ptr || !message_role_parse(text, &role);
	return role;
}

enum message_status store_row_status(struct store_row *row, struct slice text)
{
	enum message_status status = STATUS_COMPLETE;

	row->is_bad = row->is_bad || !text.ptr || !message_status_parse(text, &status);
	return status;
}

enum error_code store_row_damaged(const char *thread_id, const char *message_id)
{
	log_warn("A row of the store is damaged", LOG_T("thread", thread_id),
		 LOG_T("message", message_id));
	return ERROR_CORRUPT;
}

enum error_code store_row_read(const struct store_row *row, const char *thread_id,
			       const char *message_id)
{
	if (row->is_bad)
		return store_row_damaged(thread_id, message_id);
	return row->arena ? store_fits(row->arena) : ERROR_NONE;
}
