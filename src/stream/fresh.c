/* fresh: see fresh.h. */
#include "fresh.h"

#include "base/crashpoint.h"
#include "base/utf8.h"

#define KEPT_SIZE 2048 /* bytes of memory that are not given back */

void fresh_init(struct fresh *fresh)
{
	buffer_init(&fresh->text, FRESH_MAX);
	fresh->at = -1;
}

void fresh_done(struct fresh *fresh)
{
	buffer_done(&fresh->text);
}

bool fresh_add(struct fresh *fresh, struct slice text)
{
	return buffer_append(&fresh->text, text);
}

size_t fresh_unkept(const struct fresh *fresh)
{
	return fresh->at < 0 ? fresh->text.len : 0;
}

bool fresh_keep(struct fresh *fresh, struct spool *spool, struct error *err)
{
	if (fresh_unkept(fresh) == 0)
		return true;
	CRASHPOINT("run_before_append");
	if (!spool_append(spool, buffer_slice(&fresh->text), err)) {
		buffer_reset(&fresh->text);
		return false;
	}
	fresh->at = spool_record(spool)->length - (int64_t)fresh->text.len;
	return true;
}

bool fresh_has(const struct fresh *fresh, int64_t offset)
{
	return fresh->at >= 0 && offset >= fresh->at;
}

struct slice fresh_piece(const struct fresh *fresh, int64_t offset, size_t max)
{
	struct slice piece = slice_skip(buffer_slice(&fresh->text), (size_t)(offset - fresh->at));

	piece.len = utf8_cut(piece, max);
	return piece;
}

void fresh_drop(struct fresh *fresh)
{
	if (fresh->text.size > KEPT_SIZE) {
		buffer_done(&fresh->text);
		buffer_init(&fresh->text, FRESH_MAX);
	}
	buffer_reset(&fresh->text);
	fresh->at = -1;
}
