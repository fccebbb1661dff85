/* firestore_json: a reader by descent; each value is one node of the arena. */
#include "firestore_json.h"

#define DEPTH_MAX 100 /* documents nest 20 deep, and each level is three of JSON's */

struct reader {
	char *at, *end;
	struct arena *arena;
	int depth;
};

static void skip_space(struct reader *r)
{
	while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at)
		r->at++;
}

/* Steps over this character, and over space before it. */
static bool take(struct reader *r, char c)
{
	skip_space(r);
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

/* --- strings --- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind \u; -1: they are none. */
static long read_unit(struct reader *r)
{
	long unit = 0;

	if (r->end - r->at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(*r->at++);

		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

/* A code point behind \u, of two units where the first is half of a pair. */
static long read_point(struct reader *r)
{
	long high = read_unit(r), low;

	if (high < 0xD800 || high > 0xDFFF)
		return high;
	if (high > 0xDBFF || r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u')
		return -1;
	r->at += 2;
	low = read_unit(r);
	if (low < 0xDC00 || low > 0xDFFF)
		return -1;
	return 0x10000 + (high - 0xD800) * 0x400 + (low - 0xDC00);
}

static char *put_point(char *out, long point)
{
	if (point < 0x80) {
		*out++ = (char)point;
	} else if (point < 0x800) {
		*out++ = (char)(0xC0 | point >> 6);
		*out++ = (char)(0x80 | (point & 0x3F));
	} else if (point < 0x10000) {
		*out++ = (char)(0xE0 | point >> 12);
		*out++ = (char)(0x80 | (point >> 6 & 0x3F));
		*out++ = (char)(0x80 | (point & 0x3F));
	} else {
		*out++ = (char)(0xF0 | point >> 18);
		*out++ = (char)(0x80 | (point >> 12 & 0x3F));
		*out++ = (char)(0x80 | (point >> 6 & 0x3F));
		*out++ = (char)(0x80 | (point & 0x3F));
	}
	return out;
}

/* Behind a backslash. No escape is shorter than what it stands for. NULL: there is no such. */
static char *read_escape(struct reader *r, char *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;
	long point;
	char c;

	if (r->at == r->end)
		return NULL;
	c = *r->at++;
	if (c == 'u') {
		point = read_point(r);
		return point < 0 ? NULL : put_point(out, point);
	}
	found = c ? strchr(from, c) : NULL;
	if (!found)
		return NULL;
	*out = to[found - from];
	return out + 1;
}

/* Behind its quote. */
static bool read_string(struct reader *r, struct slice *text)
{
	char *begin = r->at, *out;

	while (r->at < r->end && *r->at != '"' && *r->at != '\\' && (unsigned char)*r->at >= 0x20)
		r->at++;
	for (out = r->at; r->at < r->end && (unsigned char)*r->at >= 0x20;) {
		char c = *r->at++;

		if (c == '"') {
			*text = (struct slice){ begin, (size_t)(out - begin) };
			return true;
		}
		if (c != '\\')
			*out++ = c;
		else if (!(out = read_escape(r, out)))
			return false;
	}
	return false;
}

/* --- values --- */

static struct firestore_json *read_value(struct reader *r);

static struct firestore_json *make(struct reader *r, enum firestore_json_type type)
{
	struct firestore_json *node = arena_alloc(r->arena, sizeof *node);

	if (node)
		node->type = type;
	return node;
}

/* Members or items, behind the bracket. */
static struct firestore_json *read_many(struct reader *r, enum firestore_json_type type)
{
	struct firestore_json *many = make(r, type), *item;
	const struct firestore_json **tail = many ? &many->first : NULL;
	char close = type == FJ_OBJECT ? '}' : ']';
	struct slice name = { 0 };

	if (!many || ++r->depth > DEPTH_MAX)
		return NULL;
	if (take(r, close)) {
		r->depth--;
		return many;
	}
	do {
		if (type == FJ_OBJECT && !(take(r, '"') && read_string(r, &name) && take(r, ':')))
			return NULL;
		item = read_value(r);
		if (!item)
			return NULL;
		item->name = name;
		*tail = item;
		tail = &item->next;
	} while (take(r, ','));
	r->depth--;
	return take(r, close) ? many : NULL;
}

static const char *skip_digits(const char *at, const char *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

/* RFC 8259, 6. Texts of other programs are sent on as they are, so nothing else will do. */
static bool is_number(struct slice word)
{
	const char *at = word.ptr, *end = at + word.len, *digits;

	at += at < end && *at == '-';
	digits = at;
	at = skip_digits(at, end);
	if (at == digits || (*digits == '0' && at > digits + 1))
		return false;
	if (at < end && *at == '.') {
		digits = ++at;
		if ((at = skip_digits(at, end)) == digits)
			return false;
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		at++;
		digits = at += at < end && (*at == '+' || *at == '-');
		if ((at = skip_digits(at, end)) == digits)
			return false;
	}
	return at == end;
}

/* A number, true, false or null. */
static struct firestore_json *read_word(struct reader *r)
{
	struct slice word = { r->at, 0 };
	enum firestore_json_type type = FJ_NUMBER;
	struct firestore_json *node;

	while (r->at < r->end && *r->at &&
	       strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", *r->at))
		r->at++;
	word.len = (size_t)(r->at - word.ptr);
	if (slice_is(word, "true") || slice_is(word, "false"))
		type = FJ_BOOL;
	else if (slice_is(word, "null"))
		type = FJ_NULL;
	else if (!is_number(word))
		return NULL;
	node = make(r, type);
	if (node)
		node->text = word;
	return node;
}

static struct firestore_json *read_value(struct reader *r)
{
	struct firestore_json *node;

	if (take(r, '{'))
		return read_many(r, FJ_OBJECT);
	if (take(r, '['))
		return read_many(r, FJ_ARRAY);
	if (!take(r, '"'))
		return read_word(r);
	node = make(r, FJ_STRING);
	return node && read_string(r, &node->text) ? node : NULL;
}

const struct firestore_json *firestore_json(char *text, size_t len, struct arena *arena)
{
	struct reader r = { .at = text, .end = text ? text + len : NULL, .arena = arena };
	const struct firestore_json *root;

	if (!text)
		return NULL;
	root = read_value(&r);
	skip_space(&r);
	return root && r.at == r.end ? root : NULL;
}

const struct firestore_json *firestore_member(const struct firestore_json *object, const char *name)
{
	const struct firestore_json *member =
		object && object->type == FJ_OBJECT ? object->first : NULL;

	while (member && !slice_is(member->name, name))
		member = member->next;
	return member;
}

struct slice firestore_member_text(const struct firestore_json *object, const char *name)
{
	const struct firestore_json *member = firestore_member(object, name);

	return member && member->type == FJ_STRING ? member->text : (struct slice){ NULL, 0 };
}
