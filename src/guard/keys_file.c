/*
 * keys_file: the file of API keys, read and changed. See guard/keys.h. A line:
 *
 *   <name> <id> <SHA-256, hex> <scopes, comma between> <made> <expires, or 0>
 *
 * Times are seconds since 1970.
 *
 * A file with a line that is none of these is refused as a whole, by who reads and by who changes:
 * half of a list of who may come in is worse than none, and nothing is written over what somebody
 * may want to mend.
 */
#include "guard/keys.h"

#include "base/clock.h"
#include "base/digits.h"
#include "key_text.h"
#include "list_file.h"
#include "model/caller.h"
#include <stdio.h>
#include <stdlib.h>

#define HEADING "# API keys of c1d, hashed. Changed with: c1d keys add, c1d keys revoke\n"

_Static_assert(KEY_TEXT_SIZE == KEY_TEXT_LEN + 1, "a key and its NUL");
_Static_assert(sizeof((struct api_key *)0)->id == KEY_ID_LEN + 1, "an id and its NUL");

/* --- a line --- */

static bool is_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (i > 0 && c && strchr("-_.", c))))
			return false;
	}
	return name.len > 0 && name.len <= KEY_NAME_MAX;
}

static bool take_line(struct slice line, struct api_key *out)
{
	struct slice name = list_word(&line), id = list_word(&line);

	*out = (struct api_key){ 0 };
	if (!is_name(name) || id.len != KEY_ID_LEN)
		return false;
	memcpy(out->name, name.ptr, name.len);
	memcpy(out->id, id.ptr, id.len);
	return hex_read(list_word(&line), out->digest, KEY_DIGEST_SIZE) &&
	       caller_scopes_parse(list_word(&line), &out->scopes) &&
	       list_number(list_word(&line), &out->made_s) &&
	       list_number(list_word(&line), &out->expires_s) && line.len == 0;
}

static void put_line(struct buffer *text, const struct api_key *key)
{
	char scopes[CALLER_SCOPES_TEXT];

	buffer_appendf(text, "%s %s ", key->name, key->id);
	for (size_t i = 0; i < KEY_DIGEST_SIZE; i++)
		buffer_appendf(text, "%02x", key->digest[i]);
	buffer_appendf(text, " %s %lld %lld\n", caller_scopes_text(key->scopes, scopes),
		       (long long)key->made_s, (long long)key->expires_s);
}

/* --- the file --- */

static struct api_key *find(const struct key_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].name, name) == 0)
			return &list->items[i];
	return NULL;
}

static bool damaged(int number, struct error *err)
{
	return error_set(err, ERROR_CONFIG,
			 "Line %d of the file " KEYS_FILE
			 " in the state folder is no key, or its name "
			 "comes twice. Mend it or take it out; until then no key is accepted.",
			 number);
}

static bool take_all(struct slice text, struct key_list *out, struct error *err)
{
	struct key_list list = { .items = calloc(list_lines(text), sizeof *list.items) };
	struct slice line;
	int number = 0;

	if (!list.items)
		return error_set(err, ERROR_INTERNAL, "No memory for the API keys.");
	while (list_line(&text, &line, &number)) {
		struct api_key key;

		if (list.count == KEYS_MAX || !take_line(line, &key) || find(&list, key.name)) {
			keys_free(&list);
			return damaged(number, err);
		}
		list.items[list.count++] = key;
	}
	*out = list;
	return true;
}

bool keys_read(const char *state_dir, struct key_list *out, struct error *err)
{
	const struct list_place place = { state_dir, KEYS_FILE };
	struct buffer text;
	bool ok;

	buffer_init(&text, LIST_FILE_MAX);
	ok = list_file_read(&place, &text, err) && take_all(buffer_slice(&text), out, err);
	buffer_done(&text);
	return ok;
}

void keys_free(struct key_list *list)
{
	free(list->items);
	*list = (struct key_list){ 0 };
}

/* --- changes --- */

static void put_all(struct buffer *text, const struct key_list *list, const struct api_key *but)
{
	buffer_append(text, SLICE(HEADING));
	for (size_t i = 0; i < list->count; i++)
		if (&list->items[i] != but)
			put_line(text, &list->items[i]);
}

static bool add(void *ctx, struct slice old, struct buffer *text, struct error *err)
{
	const struct api_key *key = ctx;
	struct key_list list = { 0 };
	bool ok = false;

	if (!take_all(old, &list, err))
		return false;
	if (find(&list, key->name))
		error_set(err, ERROR_CONFLICT,
			  "There is a key of the name %s. Give another name, or revoke that one.",
			  key->name);
	else if (list.count == KEYS_MAX)
		error_set(err, ERROR_OVERLOADED, "There are %d keys already, and no more fit.",
			  KEYS_MAX);
	else
		ok = true;
	put_all(text, &list, NULL);
	put_line(text, key);
	keys_free(&list);
	return ok;
}

bool keys_add(const char *state_dir, const char *name, unsigned scopes, int64_t expires_s,
	      char text[KEY_TEXT_SIZE], struct error *err)
{
	const struct list_place place = { state_dir, KEYS_FILE };
	struct api_key key = { .scopes = scopes,
			       .made_s = clock_wall_ms() / 1000,
			       .expires_s = expires_s };
	struct slice made = { text, KEY_TEXT_LEN };

	if (!is_name(slice_of(name)))
		return error_set(
			err, ERROR_VALIDATION,
			"A key's name has 1 to %d letters, digits, '-', '_' or '.', and begins "
			"with a letter or digit.",
			KEY_NAME_MAX);
	snprintf(key.name, sizeof key.name, "%s", name);
	key_text_make(text);
	memcpy(key.id, key_text_id(made).ptr, KEY_ID_LEN);
	key_text_digest(made, key.digest);
	return list_file_change(&place, add, &key, err);
}

static bool revoke(void *ctx, struct slice old, struct buffer *text, struct error *err)
{
	const char *name = ctx;
	const struct api_key *key;
	struct key_list list = { 0 };

	if (!take_all(old, &list, err))
		return false;
	key = find(&list, name);
	put_all(text, &list, key);
	keys_free(&list);
	return key ||
	       error_set(err, ERROR_NOT_FOUND,
			 "There is no key of this name; c1d keys list names those there are.");
}

bool keys_revoke(const char *state_dir, const char *name, struct error *err)
{
	const struct list_place place = { state_dir, KEYS_FILE };
	char copy[KEY_NAME_MAX + 2];

	snprintf(copy, sizeof copy, "%s", name); /* a longer one is none of ours either */
	return list_file_change(&place, revoke, copy, err);
}
