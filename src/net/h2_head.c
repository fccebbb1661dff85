/* h2_head: see h2_head.h. */
#include "h2_head.h"

#include "net_retry_after.h"

#define FIELD_SIZE 32 /* what each counts besides its letters (RFC 9113, 6.5.2) */

void h2_head_begin(struct h2_head *head)
{
	*head = (struct h2_head){ .retry_after_s = -1 };
}

/* Three digits: nghttp2 lets nothing else pass. */
static int read_status(struct slice value)
{
	int status = 0;

	for (size_t i = 0; i < value.len; i++)
		status = status * 10 + (value.ptr[i] - '0');
	return status;
}

void h2_head_field(struct h2_head *head, struct slice name, struct slice value)
{
	head->size += name.len + value.len + FIELD_SIZE;
	if (head->size > H2_HEAD_MAX)
		return;
	if (slice_is(name, ":status") && value.len == 3) {
		head->status = read_status(value);
	} else if (slice_is(name, "content-type") && value.len <= H2_TYPE_MAX) {
		memcpy(head->type, value.ptr, value.len);
		head->type_len = value.len;
	} else if (slice_is(name, "retry-after")) {
		net_retry_after_value(value, &head->retry_after_s);
	}
}

struct net_response h2_head_response(const struct h2_head *head)
{
	return (struct net_response){ .status = head->status,
				      .content_type = { head->type, head->type_len },
				      .retry_after_s = head->retry_after_s };
}
