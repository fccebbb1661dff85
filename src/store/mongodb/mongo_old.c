/* mongo_old: calls that go with their last caller. */
#include "mongo_room.h"

enum error_code mongo_claim(void *self, const struct claim *claim, struct arena *arena,
			    struct claim_result *out)
{
	struct claim_result result = { 0 };
	struct mongo_call call;
	struct thread thread;
	bson_t *filter, reply, document;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	filter = mongo_thread_alive(claim->user_id, claim->thread_id);
	BSON_APPEND_NULL(filter, "run");
	code = mongo_modify(&call, THREADS, filter,
			    BCON_NEW("$set", "{", "run", "{", "id", BCON_UTF8(claim->run.id),
				     "message_id", BCON_UTF8(claim->run.message_id), "node",
				     BCON_UTF8(claim->run.node), "}", "updated_at",
				     BCON_DATE_TIME(claim->now_ms), "}", "$inc", "{", "seq",
				     BCON_INT64(2), "rev", BCON_INT64(1), "}"),
			    MONGO_NEW, &reply, &document);
	result.won = code == ERROR_NONE;
	if (result.won && (code = mongo_take_thread(&document, arena, &thread)) == ERROR_NONE)
		result.first_seq = thread.seq - 1;
	bson_destroy(&reply);
	if (code == ERROR_NOT_FOUND) {
		code = mongo_thread_read(&call, NULL, claim->thread_id, arena, &result.thread);
		result.found = code == ERROR_NONE;
		if (code == ERROR_NOT_FOUND)
			code = ERROR_NONE;
	}
	mongo_end(&call);
	if (code == ERROR_NONE)
		*out = result;
	return code;
}

enum error_code mongo_claim_release(void *self, const char *thread_id, const char *run_id)
{
	struct mongo_call call;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = mongo_claim_clear(&call, thread_id, run_id);
	mongo_end(&call);
	return code;
}

enum error_code mongo_next_seq(void *self, const char *thread_id, int64_t now_ms, int64_t *out)
{
	struct mongo_call call;
	bson_t reply, document;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = mongo_modify(&call, THREADS, mongo_thread_alive(NULL, thread_id),
			    BCON_NEW("$set", "{", "updated_at", BCON_DATE_TIME(now_ms), "}", "$inc",
				     "{", "seq", BCON_INT64(1), "rev", BCON_INT64(1), "}"),
			    MONGO_NEW, &reply, &document);
	if (code == ERROR_NONE)
		*out = mongo_int(&document, "seq");
	bson_destroy(&reply);
	mongo_end(&call);
	return code;
}

enum error_code mongo_message_insert(void *self, const struct message *messages, size_t count)
{
	bson_t documents[2] = { BSON_INITIALIZER, BSON_INITIALIZER };
	const bson_t *list[2] = { &documents[0], &documents[1] };
	struct mongo_call call;
	size_t done;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	for (size_t i = 0; i < count && i < 2; i++)
		mongo_put_message(&documents[i], &messages[i]);
	code = mongo_thread_check(&call, NULL, messages[0].thread_id);
	if (code == ERROR_NONE)
		code = mongo_insert(&call, MESSAGES, list, count, &done);
	mongo_end(&call);
	bson_destroy(&documents[0]);
	bson_destroy(&documents[1]);
	return code;
}

enum error_code mongo_message_by_key(void *self, const char *thread_id, const char *key,
				     struct arena *arena, struct message *out)
{
	(void)thread_id;
	return mongo_turn_find(self, NULL, NULL, NULL, key, arena, out);
}
