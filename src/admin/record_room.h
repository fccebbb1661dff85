/* record_room: what the files that write and read records share. Private to admin/. */
#ifndef ADMIN_RECORD_ROOM_H
#define ADMIN_RECORD_ROOM_H

#include "admin/record.h"
#include "base/json.h"

/* Metadata as it is taken from a store or a line: not only our own clients wrote it. */
extern const struct json_bounds record_metadata_bounds;

/* The value with its keys sorted and its numbers as doubles. */
bool record_canon(const struct json *value, struct buffer *out);

#endif
