/* pg_value: values that go in, and columns that come out: numbers and times are big-endian, a time
 * is microseconds since 2000. */
#include "pg_room.h"

#include <stdlib.h>

#define EPOCH_MS    946684800000LL /* 2000-01-01 since 1970 */
#define REPLACEMENT "\xEF\xBF\xBD"
#define NUL_ESCAPE  "\\u0000"

/* --- U+0000 --- */

bool pg_content_of(struct slice content, struct pg_content *out)
{
	size_t len = 0;

	*out = (struct pg_content){ .text = sql_slice(content) };
	if (content.len == 0 || !memchr(content.ptr, '\0', content.len))
		return true;
	if (!(out->made = malloc(content.len * 3)))
		return false;
	for (size_t i = 0; i < content.len; i++) {
		if (content.ptr[i]) {
			out->made[len++] = content.ptr[i];
			continue;
		}
		memcpy(out->made + len, REPLACEMENT, 3);
		len += 3;
	}
	out->text = sql_slice((struct slice){ out->made, len });
	out->bytes = (struct sql_value){ .kind = SQL_BYTES, .text = content };
	return true;
}

void pg_content_done(struct pg_content *content)
{
	free(content->made);
}

/* A number with such an exponent is 0, or as good as that, and jsonb refuses it for its digits. */
static void shorten_exponent(char *digits)
{
	size_t len = strspn(digits, "0123456789");

	if (len <= 3 || strtol(digits, NULL, 10) <= 999)
		return;
	memset(digits, '0', len);
	memset(digits + len - 3, '9', 3);
}

/* In JSON it stands as an escape, behind an even number of backslashes. */
struct sql_value pg_json_of(const char *text, char **made)
{
	struct sql_value value = { .kind = text ? SQL_WORD : SQL_NULL, .text = slice_of(text) };
	bool is_string = false;

	*made = text ? strdup(text) : NULL;
	for (char *at = *made; at && *at; at += *at == '\\' && at[1] ? 2 : 1) {
		is_string ^= *at == '"';
		if (strncmp(at, NUL_ESCAPE, strlen(NUL_ESCAPE)) == 0)
			memcpy(at + 2, "fffd", 4);
		else if (!is_string && (*at == 'e' || *at == 'E'))
			shorten_exponent(at + 1 + (at[1] == '-' || at[1] == '+'));
	}
	if (*made)
		value.text = slice_of(*made);
	return value;
}

/* --- columns --- */

const char *pg_column_text(const PGresult *rows, int row, int column, struct arena *arena)
{
	if (PQgetisnull(rows, row, column))
		return NULL;
	return arena_copy(arena, (struct slice){ PQgetvalue(rows, row, column),
						 (size_t)PQgetlength(rows, row, column) });
}

int64_t pg_column_int(const PGresult *rows, int row, int column)
{
	const unsigned char *bytes = (const unsigned char *)PQgetvalue(rows, row, column);
	int len = PQgetlength(rows, row, column);
	uint64_t number = len > 0 && (bytes[0] & 0x80) ? UINT64_MAX : 0;

	for (int i = 0; i < len && i < 8; i++)
		number = number << 8 | bytes[i];
	return (int64_t)number;
}

int64_t pg_column_count(const PGresult *rows, int row, int column)
{
	return PQgetisnull(rows, row, column) ? -1 : pg_column_int(rows, row, column);
}

int64_t pg_column_time(const PGresult *rows, int row, int column)
{
	return pg_column_int(rows, row, column) / 1000 + EPOCH_MS;
}
