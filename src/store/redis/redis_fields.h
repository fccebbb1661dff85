/*
 * redis_fields: the fields of what lies in Redis, in the order in which they are read. C and the
 * scripts are made from the same lists.
 *
 * A field that is not there is NULL or unknown. Numbers are decimal digits; the time of a thread's
 * last change has always sixteen of them, so that members of lists sort by it.
 */
#ifndef REDIS_FIELDS_H
#define REDIS_FIELDS_H

/* `deleted` stands in a mark of a deleted thread alone. */
#define REDIS_THREAD_FIELDS(X)                                                                     \
	X(user)                                                                                    \
	X(title)                                                                                   \
	X(created)                                                                                 \
	X(updated)                                                                                 \
	X(rev)                                                                                     \
	X(archived)                                                                                \
	X(run)                                                                                     \
	X(run_message)                                                                             \
	X(run_node)                                                                                \
	X(metadata)                                                                                \
	X(deleted)

/* Without the content, which is read when it is wanted. */
#define REDIS_MESSAGE_FIELDS(X)                                                                    \
	X(seq)                                                                                     \
	X(role)                                                                                    \
	X(status)                                                                                  \
	X(run)                                                                                     \
	X(parent)                                                                                  \
	X(key)                                                                                     \
	X(question)                                                                                \
	X(model)                                                                                   \
	X(finish)                                                                                  \
	X(input)                                                                                   \
	X(output)                                                                                  \
	X(total)                                                                                   \
	X(unasked)                                                                                 \
	X(feedback)                                                                                \
	X(metadata)                                                                                \
	X(created)                                                                                 \
	X(updated)

enum redis_thread_field {
#define X(name) THREAD_##name,
	REDIS_THREAD_FIELDS(X)
#undef X
		THREAD_FIELDS
};

enum redis_message_field {
#define X(name) MESSAGE_##name,
	REDIS_MESSAGE_FIELDS(X)
#undef X
		MESSAGE_FIELDS,
	MESSAGE_content = MESSAGE_FIELDS /* or its length */
};

#endif
