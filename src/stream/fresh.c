/* fresh: see fresh.h. */
#include "fresh.h"

#include "base/crashpoint.h"
#include "base/utf8.h"

#define SPARE_MAX 4096 /* bytes of one that is lent again */

void fresh_init(struct fresh *fresh)
{
	buffer_init(&fresh->text, FRESH_MAX);
	fresh->at = -1;
}

void fresh_done(struct fresh *fresh)
{
	buffer_done(&fresh->text);
}

void fresh_pool_done(struct fresh_pool *pool)
{
	while (pool->count > 0)
		buffer_done(&pool->spares[--pool->count]);
}

struct buffer *fresh_room(struct fresh *fresh, struct fresh_pool *pool)
{
	if (!fresh->text.data && pool->count > 0)
		fresh->text = pool->spares[--pool->count];
	return &fresh->text;
}

bool fresh_keep(struct fresh *fresh, struct spool *spool, struct error *err)
{
	if (fresh->at >= 0 || fresh->text.len == 0)
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

void fresh_drop(struct fresh *fresh, struct fresh_pool *pool)
{
	struct buffer *text = &fresh->text;

	fresh->at = -1;
	if (text->data && text->size <= SPARE_MAX && pool->count < FRESH_SPARES) {
		buffer_reset(text);
		pool->spares[pool->count++] = *text;
		buffer_init(text, FRESH_MAX);
	} else {
		buffer_shrink(text, 0);
	}
}
