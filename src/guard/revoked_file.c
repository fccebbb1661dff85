/*
 * revoked_file: the file of users who were shown the door, read and changed. See guard/revoked.h. A
 * line:
 *
 *   <seconds since 1970> <user id, to the end of the line>
 */
#include "guard/revoked.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "list_file.h"
#include <stdio.h>
#include <stdlib.h>

#define HEADING                                                                                    \
	"# Users whose tokens from before a moment are void. Changed with: c1d users revoke, c1d " \
	"users restore\n"

/* --- lines --- */

static bool is_user_id(struct slice id)
{
	for (size_t i = 0; i < id.len; i++)
		if ((unsigned char)id.ptr[i] < 0x20 || id.ptr[i] == 0x7F)
			return false;
	return id.len > 0 && utf8_valid(id, NULL) && utf8_prefix(id, USER_ID_MAX).len == id.len;
}

static bool take_line(struct slice line, struct revoked_user *out)
{
	*out = (struct revoked_user){ 0 };
	if (!list_number(list_word(&line), &out->at_s) || !is_user_id(line))
		return false;
	memcpy(out->user_id, line.ptr, line.len);
	return true;
}

static void put_all(struct buffer *text, const struct revoked_list *list,
		    const struct revoked_user *but)
{
	buffer_append(text, SLICE(HEADING));
	for (size_t i = 0; i < list->count; i++)
		if (&list->items[i] != but)
			buffer_appendf(text, "%lld %s\n", (long long)list->items[i].at_s,
				       list->items[i].user_id);
}

/* --- the file --- */

static bool damaged(int number, struct error *err)
{
	return error_set(err, ERROR_CONFIG,
			 "Line %d of the file " REVOKED_FILE
			 " in the state folder names no user and "
			 "moment. Mend it or take it out.",
			 number);
}

/* And by moment. */
static int by_user(const void *a, const void *b)
{
	const struct revoked_user *one = a, *other = b;
	int order = strcmp(one->user_id, other->user_id);

	return order ? order : (one->at_s > other->at_s) - (one->at_s < other->at_s);
}

/* Of one who stands there twice, by hand, the last moment counts. */
static void keep_last(struct revoked_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++)
		if (i + 1 == list->count ||
		    strcmp(list->items[i].user_id, list->items[i + 1].user_id) != 0)
			list->items[kept++] = list->items[i];
	list->count = kept;
}

/* With room for one more. */
static bool take_all(struct slice text, struct revoked_list *out, struct error *err)
{
	struct revoked_list list = { .items = calloc(list_lines(text) + 1, sizeof *list.items) };
	struct slice line;
	int number = 0;

	if (!list.items)
		return error_set(err, ERROR_INTERNAL, "No memory for the revoked users.");
	while (list_line(&text, &line, &number))
		if (list.count == REVOKED_MAX || !take_line(line, &list.items[list.count++])) {
			revoked_free(&list);
			return damaged(number, err);
		}
	qsort(list.items, list.count, sizeof *list.items, by_user);
	keep_last(&list);
	*out = list;
	return true;
}

bool revoked_read(const char *state_dir, struct revoked_list *out, struct error *err)
{
	const struct list_place place = { state_dir, REVOKED_FILE };
	struct buffer text;
	bool ok;

	buffer_init(&text, LIST_FILE_MAX);
	ok = list_file_read(&place, &text, err) && take_all(buffer_slice(&text), out, err);
	buffer_done(&text);
	return ok;
}

void revoked_free(struct revoked_list *list)
{
	free(list->items);
	*list = (struct revoked_list){ 0 };
}

struct revoked_user *revoked_find(const struct revoked_list *list, const char *user_id)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(list->items[middle].user_id, user_id);

		if (order == 0)
			return &list->items[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* --- changes --- */

static bool add(void *ctx, struct slice old, struct buffer *text, struct error *err)
{
	const char *user_id = ctx;
	struct revoked_list list = { 0 };
	struct revoked_user *user;
	bool ok = true;

	if (!take_all(old, &list, err))
		return false;
	user = revoked_find(&list, user_id);
	if (!user && list.count == REVOKED_MAX)
		ok = error_set(err, ERROR_OVERLOADED,
			       "There are %d revoked users already, and no more fit.", REVOKED_MAX);
	if (!user && ok) {
		user = &list.items[list.count++];
		snprintf(user->user_id, sizeof user->user_id, "%s", user_id);
	}
	if (user)
		user->at_s = clock_wall_ms() / 1000;
	put_all(text, &list, NULL);
	revoked_free(&list);
	return ok;
}

bool revoked_add(const char *state_dir, const char *user_id, struct error *err)
{
	const struct list_place place = { state_dir, REVOKED_FILE };
	char copy[sizeof((struct revoked_user *)0)->user_id];

	if (!is_user_id(slice_of(user_id)))
		return error_set(err, ERROR_VALIDATION,
				 "A user's id has 1 to %d characters of UTF-8, none a control.",
				 USER_ID_MAX);
	snprintf(copy, sizeof copy, "%s", user_id);
	return list_file_change(&place, add, copy, err);
}

static bool take_out(void *ctx, struct slice old, struct buffer *text, struct error *err)
{
	const char *user_id = ctx;
	const struct revoked_user *user;
	struct revoked_list list = { 0 };

	if (!take_all(old, &list, err))
		return false;
	user = revoked_find(&list, user_id);
	put_all(text, &list, user);
	revoked_free(&list);
	return user || error_set(err, ERROR_NOT_FOUND,
				 "This user is not revoked; c1d users list names those who are.");
}

bool revoked_remove(const char *state_dir, const char *user_id, struct error *err)
{
	const struct list_place place = { state_dir, REVOKED_FILE };
	char copy[sizeof((struct revoked_user *)0)->user_id + 1];

	snprintf(copy, sizeof copy, "%s", user_id); /* a longer one is nobody's id either */
	return list_file_change(&place, take_out, copy, err);
}
