/* h2: HTTP/2 by nghttp2. As many streams a connection as large sites allow. */
#include "mock.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS_MAX 100

/* While a request comes in, it hangs on its stream. */
struct asked {
	struct stream stream; /* first */
	struct request request;
	bool is_due, is_answered;
};

static struct asked *asked_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct link *link = arg;
	struct asked *asked = calloc(1, sizeof *asked);
	struct stream *stream = &asked->stream;

	if (!asked)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	stream->link = link;
	stream->id = frame->hd.stream_id;
	stream->sibling = link->streams;
	stream->among = &link->streams;
	if (stream->sibling)
		stream->sibling->among = &stream->sibling;
	link->streams = stream;
	nghttp2_session_set_stream_user_data(session, stream->id, asked);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
		   size_t len, void *arg)
{
	struct asked *asked = asked_of(session, id);

	(void)flags;
	(void)arg;
	if (asked)
		request_add(&asked->request, (const char *)bytes, len);
	return 0;
}

/* What is due goes out; what comes in between waits for its moment. The frame may be smaller than
 * an event where the client's window is: then it waits for a larger one. */
static ssize_t give(nghttp2_session *session, int32_t id, uint8_t *out, size_t size,
		    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct asked *asked = source->ptr;

	(void)session;
	(void)id;
	(void)arg;
	if (!asked->is_due)
		return NGHTTP2_ERR_DEFERRED;
	if (size < EVENT_MAX) {
		asked->stream.due_ns = now_ns();
		asked->is_due = false;
		wheel_put(&asked->stream);
		return NGHTTP2_ERR_DEFERRED;
	}
	asked->is_due = false;
	size = answer_next(&asked->stream, (char *)out);
	if (asked->stream.chunks_left > 0)
		wheel_put(&asked->stream);
	else
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)size;
}

static nghttp2_nv header(const char *name, const char *value)
{
	return (nghttp2_nv){ (uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
			     NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE };
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	const nghttp2_nv head[] = { header(":status", "200"),
				    header("content-type", "text/event-stream") };
	struct asked *asked = asked_of(session, frame->hd.stream_id);
	nghttp2_data_provider provider = { .source.ptr = asked, .read_callback = give };

	link_touch(arg);
	if (!asked || asked->is_answered || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	asked->is_answered = true;
	answer_begin(&asked->stream, shape_of(asked->request.data, asked->request.len), now_ns());
	request_done(&asked->request);
	wheel_put(&asked->stream);
	return nghttp2_submit_response(session, frame->hd.stream_id, head, 2, &provider);
}

static void forget(struct asked *asked)
{
	struct stream *stream = &asked->stream;

	wheel_take_out(stream);
	*stream->among = stream->sibling;
	if (stream->sibling)
		stream->sibling->among = stream->among;
	request_done(&asked->request);
	free(asked);
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *arg)
{
	struct asked *asked = asked_of(session, id);

	(void)error;
	(void)arg;
	if (asked)
		forget(asked);
	return 0;
}

/* --- the protocol --- */

static const nghttp2_session_callbacks *callbacks(void)
{
	static nghttp2_session_callbacks *made;

	if (made || nghttp2_session_callbacks_new(&made) != 0)
		return made;
	nghttp2_session_callbacks_set_on_begin_headers_callback(made, on_begin);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(made, on_close);
	return made;
}

static bool h2_open(struct link *link)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX },
	};
	nghttp2_session *session;

	if (!callbacks() || nghttp2_session_server_new(&session, callbacks(), link) != 0)
		return false;
	link->session = session;
	link_touch(link);
	return nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, 1) == 0;
}

static bool h2_take(struct link *link, const char *bytes, size_t len)
{
	link_touch(link);
	return nghttp2_session_mem_recv(link->session, (const uint8_t *)bytes, len) == (ssize_t)len;
}

static bool h2_say_due(struct link *link, struct stream *stream)
{
	((struct asked *)stream)->is_due = true;
	nghttp2_session_resume_data(link->session,
				    stream->id); /* refused before the response: as well */
	link_touch(link);
	return true;
}

/* All that the session has to say, in writes of FRAMES_MAX at most. */
static bool h2_flush(struct link *link)
{
	static char frames[FRAMES_MAX];
	const uint8_t *frame;
	size_t filled = 0;
	ssize_t len;

	while (link->left_len == 0 && (len = nghttp2_session_mem_send(link->session, &frame)) > 0) {
		if (filled + (size_t)len > sizeof frames) {
			if (!link_put(link, frames, filled))
				return false;
			filled = 0;
		}
		if ((size_t)len > sizeof frames) {
			if (!link_put(link, (const char *)frame, (size_t)len))
				return false;
			continue;
		}
		memcpy(frames + filled, frame, (size_t)len);
		filled += (size_t)len;
	}
	return link_put(link, frames, filled) && (nghttp2_session_want_read(link->session) ||
						  nghttp2_session_want_write(link->session));
}

static void h2_close(struct link *link)
{
	nghttp2_session_del(link->session);
	while (link->streams)
		forget((struct asked *)link->streams);
}

const struct protocol h2_protocol = { h2_open, h2_take, h2_say_due, h2_flush, h2_close };
