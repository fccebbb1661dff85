/* record_write: records as lines, and their checksum. */
#include "record_room.h"

#include <openssl/sha.h>
#include <stdio.h>

/* How JSON that somebody else wrote stands in a record. */
enum form {
	AS_IT_IS,  /* in a line: compact */
	CANONICAL, /* what is hashed */
};

static bool holds_values(const struct json *value)
{
	return value && (json_type(value) == JSON_OBJECT || json_type(value) == JSON_ARRAY);
}

/* A string stands for a text of any kind, also for one that is no JSON. */
static void put_value(struct json_writer *w, const char *key, const char *text, enum form form)
{
	struct json *value =
		text ? json_parse_within(slice_of(text), &record_metadata_bounds, NULL) : NULL;

	if (holds_values(value)) {
		json_key(w, key);
		if (form == AS_IT_IS)
			json_print(value, w->out);
		else
			record_canon(value, w->out);
		w->need_comma = true;
	} else {
		json_put_text(w, key, text);
	}
	json_free(value);
}

static void put_count(struct json_writer *w, const char *key, int64_t count)
{
	json_key(w, key);
	if (count < 0)
		json_null(w);
	else
		json_int(w, count);
}

static bool put_thread(struct buffer *out, const struct thread *thread, enum form form)
{
	struct json_writer w;

	json_writer_init(&w, out);
	json_open(&w, '{');
	json_put_text(&w, "type", "thread");
	json_put_text(&w, "id", thread->id);
	json_put_text(&w, "user_id", thread->user_id);
	json_put_text(&w, "title", thread->title);
	json_put_int(&w, "created_ms", thread->created_ms);
	json_put_int(&w, "updated_ms", thread->updated_ms);
	json_put_int(&w, "rev", thread->rev);
	json_put_bool(&w, "archived", thread->archived);
	put_value(&w, "metadata", thread->metadata, form);
	json_close(&w, '}');
	return !out->failed;
}

static bool put_message(struct buffer *out, const struct message *message, enum form form)
{
	enum message_status status =
		message->status == STATUS_STREAMING ? STATUS_INTERRUPTED : message->status;
	struct json_writer w;

	json_writer_init(&w, out);
	json_open(&w, '{');
	json_put_text(&w, "type", "message");
	json_put_text(&w, "thread_id", message->thread_id);
	json_put_text(&w, "id", message->id);
	json_put_int(&w, "seq", message->seq);
	json_put_text(&w, "role", message_role_text(message->role));
	json_put_text(&w, "status", message_status_text(status));
	json_put_int(&w, "created_ms", message->created_ms);
	json_put_int(&w, "updated_ms", message->updated_ms);
	json_put_text(&w, "run_id", message->run_id);
	json_put_text(&w, "parent_id", message->parent_id);
	json_put_text(&w, "key", message->key);
	json_put_text(&w, "question", message->question);
	json_put_text(&w, "model", message->model);
	json_put_text(&w, "finish_reason", message->finish_reason);
	put_count(&w, "input_tokens", message->usage.input);
	put_count(&w, "output_tokens", message->usage.output);
	put_count(&w, "total_tokens", message->usage.total);
	json_put_bool(&w, "unasked", message->unasked);
	put_value(&w, "feedback", message->feedback, form);
	put_value(&w, "metadata", message->metadata, form);
	json_put_slice(&w, "content", message->content);
	json_close(&w, '}');
	return !out->failed;
}

/* --- lines --- */

bool record_put_thread(struct buffer *out, const struct thread *thread)
{
	return put_thread(out, thread, AS_IT_IS);
}

bool record_put_message(struct buffer *out, const struct message *message)
{
	return put_message(out, message, AS_IT_IS);
}

bool record_write_thread(struct buffer *out, const struct thread *thread)
{
	return put_thread(out, thread, AS_IT_IS) && buffer_append_char(out, '\n');
}

bool record_write_message(struct buffer *out, const struct message *message)
{
	return put_message(out, message, AS_IT_IS) && buffer_append_char(out, '\n');
}

bool record_write_header(struct buffer *out, const struct record_header *header)
{
	struct json_writer w;

	json_writer_init(&w, out);
	json_open(&w, '{');
	json_put_text(&w, "type", "c1d-export");
	json_put_int(&w, "version", header->version);
	put_count(&w, "made_ms", header->made_ms);
	json_put_text(&w, "by", header->by);
	json_put_text(&w, "user", header->user);
	json_close(&w, '}');
	return buffer_append_char(out, '\n');
}

bool record_write_end(struct buffer *out, const struct record_sum *sum)
{
	char text[RECORD_SUM_TEXT];
	struct json_writer w;

	json_writer_init(&w, out);
	json_open(&w, '{');
	json_put_text(&w, "type", "end");
	json_put_int(&w, "threads", sum->threads);
	json_put_int(&w, "messages", sum->messages);
	json_put_text(&w, "checksum", record_sum_text(sum, text));
	json_close(&w, '}');
	return buffer_append_char(out, '\n');
}

/* --- the checksum --- */

static void add_digest(struct record_sum *sum, struct slice text)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)text.ptr, text.len, digest);
	for (size_t i = 0; i < 4; i++) {
		uint64_t word = 0;

		for (size_t k = 0; k < 8; k++)
			word = word << 8 | digest[8 * i + k];
		sum->words[i] += word;
	}
}

bool record_sum_thread(struct record_sum *sum, const struct thread *thread)
{
	struct buffer text;
	bool ok;

	buffer_init(&text, RECORD_MAX);
	ok = put_thread(&text, thread, CANONICAL);
	if (ok) {
		add_digest(sum, buffer_slice(&text));
		sum->threads++;
	}
	buffer_done(&text);
	return ok;
}

bool record_sum_message(struct record_sum *sum, const struct message *message)
{
	struct buffer text;
	bool ok;

	buffer_init(&text, RECORD_MAX);
	ok = put_message(&text, message, CANONICAL);
	if (ok) {
		add_digest(sum, buffer_slice(&text));
		sum->messages++;
	}
	buffer_done(&text);
	return ok;
}

void record_sum_add(struct record_sum *sum, const struct record_sum *more)
{
	for (size_t i = 0; i < 4; i++)
		sum->words[i] += more->words[i];
	sum->threads += more->threads;
	sum->messages += more->messages;
}

bool record_sum_equal(const struct record_sum *a, const struct record_sum *b)
{
	return memcmp(a->words, b->words, sizeof a->words) == 0 && a->threads == b->threads &&
	       a->messages == b->messages;
}

const char *record_sum_text(const struct record_sum *sum, char out[RECORD_SUM_TEXT])
{
	for (size_t i = 0; i < 4; i++)
		snprintf(out + 16 * i, 17, "%016llx", (unsigned long long)sum->words[i]);
	return out;
}
