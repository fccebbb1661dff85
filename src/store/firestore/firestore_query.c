/*
 * firestore_query: every query of the store, in one table: what is compared, how it is ordered. A
 * test proves that each is served by an index that Firestore makes by itself or that
 * packaging/firestore/firestore.indexes.json names.
 */
#include "firestore_room.h"

#include <stdio.h>

#define ANSWER_OF_RUN                                                                              \
	"thread_id seq role status size run_id parent_id key question model finish_reason "        \
	"input_tokens output_tokens total_tokens unasked feedback metadata created_at updated_at"

/* clang-format off */
const struct firestore_query firestore_queries[FQ_QUERIES] = {
	[FQ_THREADS_OF_USER]  = { FS_THREADS, "user_id", "-updated_at", NULL },
	[FQ_ARCHIVED_OF_USER] = { FS_THREADS, "user_id archived", "-updated_at", NULL },
	[FQ_THREADS_OF_ALL]   = { FS_THREADS, NULL, "-updated_at", NULL },
	[FQ_ARCHIVED_OF_ALL]  = { FS_THREADS, "archived", "-updated_at", NULL },
	[FQ_THREADS_BY_NAME]  = { FS_THREADS, NULL, NULL, NULL },
	[FQ_THREADS_TO_TAKE]  = { FS_THREADS, "user_id", NULL, "user_id rev" },
	[FQ_CLAIM_OF_RUN]     = { FS_THREADS, "run.id", NULL, NULL },
	[FQ_CLAIMS_OF_NODE]   = { FS_THREADS, "run.node", NULL, "run" },
	[FQ_MARKS_OF_NODE]    = { FS_DELETED, "run.node", NULL, "run" },
	[FQ_STOPS_OF_NODE]    = { FS_STOPS, "run.node", NULL, NULL },

	[FQ_MESSAGES_ON]      = { FS_MESSAGES, "thread_id", "seq", NULL },
	[FQ_MESSAGES_BACK]    = { FS_MESSAGES, "thread_id", "-seq", NULL },
	[FQ_MESSAGE_LAST]     = { FS_MESSAGES, "thread_id", "-seq", "seq thread_id" },
	[FQ_MESSAGES_NUMBERED] = { FS_MESSAGES, "thread_id", "seq", "seq key parts parts_of" },
	[FQ_RUNS_OF]          = { FS_MESSAGES, "thread_id role", "-seq", ANSWER_OF_RUN },
	[FQ_ANSWERS_OF]       = { FS_MESSAGES, "thread_id parent_id role", "seq", NULL },
	[FQ_MESSAGE_BY_RUN]   = { FS_MESSAGES, "run_id", NULL, NULL },
	[FQ_MESSAGES_TO_PURGE] = { FS_MESSAGES, "thread_id", NULL, "key" },
	[FQ_MESSAGES_BY_TIME] = { FS_MESSAGES, "thread_id", "created_at", "seq created_at" },
	[FQ_MESSAGES_BY_TIME_BACK] = { FS_MESSAGES, "thread_id", "-created_at", "seq created_at" },
	[FQ_MESSAGES_OF_ALL]  = { FS_MESSAGES, NULL, NULL, "thread_id" },
	[FQ_PARTS_TO_PURGE]   = { FS_PARTS, "thread_id", NULL, "thread_id" },

	[FQ_MARKS_TO_PURGE]   = { FS_DELETED, "purge", NULL, "purge" },
	[FQ_MARKS_BY_AGE]     = { FS_DELETED, NULL, "deleted_at", "purge deleted_at" },
	[FQ_NODES_BY_AGE]     = { FS_NODES, NULL, "seen_at", NULL },
};
/* clang-format on */

/* --- writing one --- */

static void put_field(struct firestore_op *op, struct slice path)
{
	json_key(&op->w, "field");
	json_open(&op->w, '{');
	json_put_slice(&op->w, "fieldPath", path);
	json_close(&op->w, '}');
}

static void put_value(struct firestore_op *op, const struct firestore_value *value)
{
	char number[24];

	snprintf(number, sizeof number, "%lld", (long long)value->number);
	json_open(&op->w, '{');
	if (value->type == FV_TEXT)
		json_put_slice(&op->w, "stringValue", value->text);
	else if (value->type == FV_TIME)
		json_put_slice(&op->w, "timestampValue", value->text);
	else if (value->type == FV_BOOL)
		json_put_bool(&op->w, "booleanValue", value->number != 0);
	else
		json_put_text(&op->w, "integerValue", number);
	json_close(&op->w, '}');
}

static void put_equal(struct firestore_op *op, struct slice path,
		      const struct firestore_value *value)
{
	json_open(&op->w, '{');
	json_key(&op->w, "fieldFilter");
	json_open(&op->w, '{');
	put_field(op, path);
	json_put_text(&op->w, "op", "EQUAL");
	json_key(&op->w, "value");
	put_value(op, value);
	json_close(&op->w, '}');
	json_close(&op->w, '}');
}

static void put_where(struct firestore_op *op, const char *fields,
		      const struct firestore_value *values)
{
	if (!fields)
		return;
	json_key(&op->w, "where");
	json_open(&op->w, '{');
	json_key(&op->w, "compositeFilter");
	json_open(&op->w, '{');
	json_put_text(&op->w, "op", "AND");
	json_key(&op->w, "filters");
	json_open(&op->w, '[');
	for (size_t len; *fields; fields += len + strspn(fields + len, " ")) {
		len = strcspn(fields, " ");
		put_equal(op, (struct slice){ fields, len }, values++);
	}
	json_close(&op->w, ']');
	json_close(&op->w, '}');
	json_close(&op->w, '}');
}

static void put_order(struct firestore_op *op, struct slice path, bool falls)
{
	json_open(&op->w, '{');
	put_field(op, path);
	json_put_text(&op->w, "direction", falls ? "DESCENDING" : "ASCENDING");
	json_close(&op->w, '}');
}

/* The name decides among those of one value: pages need an order in which no two are alike. */
static void put_orders(struct firestore_op *op, const char *order)
{
	bool falls = order && *order == '-';

	json_key(&op->w, "orderBy");
	json_open(&op->w, '[');
	if (order)
		put_order(op, slice_of(order + falls), falls);
	put_order(op, SLICE("__name__"), falls);
	json_close(&op->w, ']');
}

static void put_select(struct firestore_op *op, const char *fields)
{
	if (!fields)
		return;
	json_key(&op->w, "select");
	json_open(&op->w, '{');
	json_key(&op->w, "fields");
	json_open(&op->w, '[');
	for (size_t len; *fields; fields += len + strspn(fields + len, " ")) {
		len = strcspn(fields, " ");
		json_open(&op->w, '{');
		json_put_slice(&op->w, "fieldPath", (struct slice){ fields, len });
		json_close(&op->w, '}');
	}
	json_close(&op->w, ']');
	json_close(&op->w, '}');
}

/* `before: false`: the page begins behind the cursor. */
static void put_cursor(struct firestore_op *op, const struct firestore_query *query,
		       const struct firestore_find *find)
{
	if (!find->behind && !find->behind_id)
		return;
	json_key(&op->w, "startAt");
	json_open(&op->w, '{');
	json_put_bool(&op->w, "before", false);
	json_key(&op->w, "values");
	json_open(&op->w, '[');
	if (find->behind)
		put_value(op, find->behind);
	if (find->behind_id) {
		json_open(&op->w, '{');
		json_key(&op->w, "referenceValue");
		firestore_document_name(op, query->in, find->behind_id);
		json_close(&op->w, '}');
	}
	json_close(&op->w, ']');
	json_close(&op->w, '}');
}

static void put_query(struct firestore_op *op, const struct firestore_find *find)
{
	const struct firestore_query *query = &firestore_queries[find->id];

	json_key(&op->w, "structuredQuery");
	json_open(&op->w, '{');
	put_select(op, query->select);
	json_key(&op->w, "from");
	json_open(&op->w, '[');
	json_open(&op->w, '{');
	json_put_text(&op->w, "collectionId", firestore_collections[query->in]);
	json_close(&op->w, '}');
	json_close(&op->w, ']');
	put_where(op, query->equal, find->equal);
	put_orders(op, query->order);
	put_cursor(op, query, find);
	if (find->limit > 0)
		json_put_int(&op->w, "limit", (int64_t)find->limit);
	json_close(&op->w, '}');
}

/* --- asking it --- */

static bool take_found(struct firestore_op *op, const struct firestore_json *document,
		       struct firestore_found *found)
{
	struct slice name = firestore_member_text(document, "name");
	const char *slash = name.ptr ? memrchr(name.ptr, '/', name.len) : NULL;

	if (!slash)
		return true;
	found->items = store_grow(&op->arena, found->items, found->count, sizeof *found->items);
	if (!found->items)
		return false;
	found->items[found->count++] = (struct firestore_document){
		.id = slice_skip(name, (size_t)(slash + 1 - name.ptr)),
		.fields = firestore_member(document, "fields"),
		.update_time = firestore_member_text(document, "updateTime"),
		.create_time = firestore_member_text(document, "createTime"),
	};
	return true;
}

enum error_code firestore_find(struct firestore_op *op, const struct firestore_find *find,
			       struct firestore_found *out)
{
	const struct firestore_json *reply = NULL;
	struct slice time;
	enum error_code code;

	firestore_body(op);
	json_open(&op->w, '{');
	put_query(op, find);
	json_close(&op->w, '}');
	*out = (struct firestore_found){ 0 };
	code = firestore_ask(op, ":runQuery", &reply);
	if (code != ERROR_NONE)
		return code;
	for (const struct firestore_json *item = reply->first; item; item = item->next) {
		if (!take_found(op, firestore_member(item, "document"), out))
			return ERROR_OVERLOADED;
		time = firestore_member_text(item, "readTime");
		if (time.ptr)
			out->read_time = time;
	}
	return ERROR_NONE;
}

enum error_code firestore_count(struct firestore_op *op, const struct firestore_find *find,
				int64_t *out)
{
	const struct firestore_json *reply = NULL, *fields;
	enum error_code code;

	firestore_body(op);
	json_open(&op->w, '{');
	json_key(&op->w, "structuredAggregationQuery");
	json_open(&op->w, '{');
	put_query(op, find);
	json_key(&op->w, "aggregations");
	json_raw(&op->w, SLICE("[{\"alias\":\"n\",\"count\":{}}]"));
	json_close(&op->w, '}');
	json_close(&op->w, '}');
	code = firestore_ask(op, ":runAggregationQuery", &reply);
	if (code != ERROR_NONE)
		return code;
	fields = firestore_member(firestore_member(reply->first, "result"), "aggregateFields");
	*out = firestore_int(fields, "n");
	return ERROR_NONE;
}
