/*
 * sse: an incremental parser of server-sent events. A line that lies whole in the bytes fed is
 * never copied, and the usual event (one data line, its blank line in the same bytes) neither.
 */
#include "sse.h"

#define BOM      "\xEF\xBB\xBF"
#define BOM_OVER 3

void sse_init(struct sse *sse)
{
	*sse = (struct sse){ 0 };
	buffer_init(&sse->line, SSE_LINE_MAX);
	buffer_init(&sse->data, SSE_LINE_MAX);
}

void sse_done(struct sse *sse)
{
	buffer_done(&sse->line);
	buffer_done(&sse->data);
}

/* A buffer has failed under what was added to it: it is full, or there is no memory. */
static enum sse_result why_not(const struct buffer *buffer, size_t added)
{
	return added > buffer->max - buffer->len ? SSE_TOO_LONG : SSE_NO_MEMORY;
}

static enum sse_result add(struct buffer *buffer, struct slice bytes)
{
	return buffer_append(buffer, bytes) ? SSE_OK : why_not(buffer, bytes.len);
}

/* The data line that was left where it came moves into the buffer. */
static enum sse_result keep_fed(struct sse *sse)
{
	struct slice fed = sse->fed;

	sse->fed = (struct slice){ NULL, 0 };
	return fed.ptr ? add(&sse->data, fed) : SSE_OK;
}

static enum sse_result take_data(struct sse *sse, struct slice value)
{
	enum sse_result result;

	if (!sse->has_data) {
		sse->has_data = true;
		sse->fed = value;
		return SSE_OK;
	}
	if ((result = keep_fed(sse)) != SSE_OK || (result = add(&sse->data, SLICE("\n"))) != SSE_OK)
		return result;
	return add(&sse->data, value);
}

static enum sse_result end_event(struct sse *sse, sse_event event, void *ctx)
{
	struct slice data = sse->fed.ptr ? sse->fed : buffer_slice(&sse->data);
	bool go_on = !sse->has_data || event(ctx, data);

	if (!go_on)
		return SSE_STOPPED; /* the parser may be gone */
	sse->has_data = false;
	sse->fed = (struct slice){ NULL, 0 };
	buffer_shrink(&sse->data, 0);
	return SSE_OK;
}

static enum sse_result take_line(struct sse *sse, struct slice line, sse_event event, void *ctx)
{
	struct slice value;

	if (line.len == 0)
		return end_event(sse, event, ctx);
	if (!slice_starts(line, SLICE("data")))
		return SSE_OK;
	value = slice_skip(line, 4);
	if (value.len && *value.ptr != ':')
		return SSE_OK; /* another field, whose name only begins so */
	if (value.len)
		value = slice_skip(value, 1);
	if (value.len && *value.ptr == ' ')
		value = slice_skip(value, 1);
	return take_data(sse, value);
}

/* A line's end is here: what was kept of it goes before `rest`. */
static enum sse_result end_line(struct sse *sse, struct slice rest, sse_event event, void *ctx)
{
	enum sse_result result;

	if (sse->line.len == 0)
		return rest.len > SSE_LINE_MAX ? SSE_TOO_LONG : take_line(sse, rest, event, ctx);
	if ((result = add(&sse->line, rest)) != SSE_OK ||
	    (result = take_line(sse, buffer_slice(&sse->line), event, ctx)) != SSE_OK ||
	    (result = keep_fed(sse)) != SSE_OK)
		return result;
	buffer_shrink(&sse->line, 0);
	return SSE_OK;
}

/* The rest of the stream's byte order mark, if it has one. Returns what stands behind. */
static struct slice skip_bom(struct sse *sse, struct slice bytes)
{
	while (sse->bom_seen < BOM_OVER && bytes.len) {
		if (*bytes.ptr != BOM[sse->bom_seen]) {
			/* no mark: its first bytes are a line's beginning */
			buffer_append(&sse->line, (struct slice){ BOM, sse->bom_seen });
			sse->bom_seen = BOM_OVER;
			break;
		}
		sse->bom_seen++;
		bytes = slice_skip(bytes, 1);
	}
	return bytes;
}

static size_t to_line_end(struct slice bytes)
{
	const char *lf = memchr(bytes.ptr, '\n', bytes.len);
	size_t len = lf ? (size_t)(lf - bytes.ptr) : bytes.len;
	const char *cr = memchr(bytes.ptr, '\r', len);

	return cr ? (size_t)(cr - bytes.ptr) : len;
}

enum sse_result sse_feed(struct sse *sse, struct slice bytes, sse_event event, void *ctx)
{
	enum sse_result result;

	bytes = skip_bom(sse, bytes);
	while (bytes.len) {
		size_t len;
		bool is_cr;

		if (sse->after_cr && *bytes.ptr == '\n')
			bytes = slice_skip(bytes, 1);
		sse->after_cr = false;
		if (bytes.len == 0)
			break;
		len = to_line_end(bytes);
		if (len == bytes.len)
			break;
		is_cr = bytes.ptr[len] == '\r';
		result = end_line(sse, (struct slice){ bytes.ptr, len }, event, ctx);
		if (result != SSE_OK)
			return result;
		sse->after_cr = is_cr;
		bytes = slice_skip(bytes, len + 1);
	}
	result = keep_fed(sse);
	return result == SSE_OK && bytes.len > 0 ? add(&sse->line, bytes) : result;
}
