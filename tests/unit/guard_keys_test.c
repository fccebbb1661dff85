/* API keys and revoked users: how a key is written, what the two files may hold, who changes them
 * at once, and when a worker takes what has changed. */
#include "guard/keys.h"

#include "../../src/guard/key_ring.h"
#include "../../src/guard/key_text.h"
#include "../../src/guard/revocations.h"
#include "base/clock.h"
#include "model/caller.h"
#include "no_sync.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char folder[64]; /* the state folder of the test that runs */
static struct error err;

static int set_up(void **state)
{
	(void)state;
	err = (struct error){ 0 };
	strcpy(folder, "/tmp/c1d-keys-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* All of it, with a NUL behind; a static text. */
static const char *read_file(const char *name)
{
	static char text[1u << 16];
	FILE *file = fopen(path_of(name), "re");

	assert_non_null(file);
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	return text;
}

static const char *add(const char *name)
{
	static char text[KEY_TEXT_SIZE];

	if (!keys_add(folder, name, SCOPES_ORDINARY, 0, text, &err))
		fail_msg("%s: %s", name, err.detail);
	return text;
}

/* Until a worker has looked again: it does so once a second. */
#define AWAIT(condition)                                                                           \
	do {                                                                                       \
		const struct timespec pause = { .tv_nsec = 20 * 1000000 };                         \
		int64_t until_ms = clock_mono_ms() + 30000;                                        \
		while (!(condition) && clock_mono_ms() < until_ms)                                 \
			nanosleep(&pause, NULL);                                                   \
		assert_true(condition);                                                            \
	} while (0)

/* --- how a key is written --- */

static void a_key_is_long_plain_and_never_the_same(void **state)
{
	char one[KEY_TEXT_LEN + 1], other[KEY_TEXT_LEN + 1];

	(void)state;
	key_text_make(one);
	key_text_make(other);
	assert_int_equal(strlen(one), KEY_TEXT_LEN);
	assert_true(strncmp(one, "c1d_", 4) == 0);
	assert_string_not_equal(one, other);
	assert_true(strncmp(one + 4, other + 4, KEY_ID_LEN) != 0);
	assert_int_equal(
		strspn(one, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"),
		KEY_TEXT_LEN);
	assert_true(key_text_valid(slice_of(one)));
}

static void every_typing_error_is_seen(void **state)
{
	char text[KEY_TEXT_LEN + 1];

	(void)state;
	key_text_make(text);
	for (size_t i = 0; i < KEY_TEXT_LEN; i++) {
		char right = text[i];

		for (const char *wrong = "aZ09_-. \n"; *wrong; wrong++) {
			text[i] = *wrong;
			assert_true(*wrong == right || !key_text_valid(slice_of(text)));
		}
		text[i] = '\0';
		assert_false(key_text_valid((struct slice){ text, KEY_TEXT_LEN }));
		assert_false(key_text_valid(slice_of(text))); /* cut */
		text[i] = right;
	}
	assert_true(key_text_valid(slice_of(text)));
	assert_false(key_text_valid((struct slice){ text, KEY_TEXT_LEN + 1 }));
}

/* Known values, so that a scanner may be written by what key_text.h says. */
static void the_check_is_crc32_in_base62(void **state)
{
	(void)state;
	assert_true(
		key_text_valid(slice_of("c1d_00000000_0000000000000000000000000000000000000000000"
					"2C6JJZ")));
}

/* --- the file of keys --- */

static void a_key_is_kept_hashed_and_for_its_owner_only(void **state)
{
	struct key_list keys;
	struct stat about;
	const char *text, *file;

	(void)state;
	text = add("ci");
	file = read_file(KEYS_FILE);
	assert_null(strstr(file, text));
	assert_null(strstr(file, text + 4 + KEY_ID_LEN + 1));
	assert_int_equal(stat(path_of(KEYS_FILE), &about), 0);
	assert_int_equal(about.st_mode & 07777, 0600);
	assert_true(keys_read(folder, &keys, &err));
	assert_int_equal(keys.count, 1);
	assert_string_equal(keys.items[0].name, "ci");
	assert_memory_equal(keys.items[0].id, text + 4, KEY_ID_LEN);
	assert_int_equal(keys.items[0].scopes, SCOPES_ORDINARY);
	assert_int_equal(keys.items[0].expires_s, 0);
	keys_free(&keys);
}

static void keys_come_and_go_by_name(void **state)
{
	char text[KEY_TEXT_SIZE];
	struct key_list keys;

	(void)state;
	add("one");
	add("two");
	assert_false(keys_add(folder, "one", SCOPES_ORDINARY, 0, text, &err));
	assert_int_equal(err.code, ERROR_CONFLICT);
	assert_true(keys_revoke(folder, "one", &err));
	assert_false(keys_revoke(folder, "one", &err));
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	assert_true(keys_read(folder, &keys, &err));
	assert_int_equal(keys.count, 1);
	assert_string_equal(keys.items[0].name, "two");
	keys_free(&keys);
	add("one");
}

static void what_is_no_name_makes_no_key(void **state)
{
	static const char *const bad[] = {
		"",
		"-x",
		".",
		"a b",
		"a\nb",
		"a/b",
		"\xC3\xA4",
		"_",
		"12345678901234567890123456789012345678901234567890123456789012345"
	};
	char text[KEY_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(keys_add(folder, bad[i], SCOPES_ORDINARY, 0, text, &err));
		assert_int_equal(err.code, ERROR_VALIDATION);
	}
	assert_int_not_equal(access(path_of(KEYS_FILE), F_OK), 0);
	add("a-b_c.D9");
	add("1234567890123456789012345678901234567890123456789012345678901234");
}

static void there_is_a_most_of_keys(void **state)
{
	char text[KEY_TEXT_SIZE];
	FILE *file = fopen(path_of(KEYS_FILE), "we");

	(void)state;
	for (int i = 0; i < KEYS_MAX - 1; i++)
		fprintf(file, "k%d 12345678 %064d chat 1 0\n", i, i);
	fclose(file);
	add("last");
	assert_false(keys_add(folder, "more", SCOPES_ORDINARY, 0, text, &err));
	assert_int_equal(err.code, ERROR_OVERLOADED);
	assert_true(keys_revoke(folder, "k7", &err));
	add("more");
}

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void a_damaged_file_opens_for_nobody_and_is_left_as_it_is(void **state)
{
	static const char *const bad[] = {
		"x",
		"name 12345678 " HASH " chat 1",
		"name 12345678 " HASH " chat 1 0 more",
		"name  12345678 " HASH " chat 1 0",
		"na/me 12345678 " HASH " chat 1 0",
		"name 1234567 " HASH " chat 1 0",
		"name 12345678 0" HASH " chat 1 0",
		"name 12345678 G123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef "
		"chat 1 0",
		"name 12345678 " HASH " talk 1 0",
		"name 12345678 " HASH " chat, 1 0",
		"name 12345678 " HASH " chat -1 0",
		"name 12345678 " HASH " chat 1 9999999999999999",
		"other 12345678 " HASH " chat 1 0",
	};
	char text[KEY_TEXT_SIZE], file[512];
	struct key_list keys;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(file, sizeof file, "# a comment\n\nother 12345678 " HASH " chat 1 0\n%s\n",
			 bad[i]);
		write_file(KEYS_FILE, file);
		assert_false(keys_read(folder, &keys, &err));
		assert_int_equal(err.code, ERROR_CONFIG);
		assert_non_null(strstr(err.detail, "Line 4"));
		assert_false(keys_add(folder, "new", SCOPES_ORDINARY, 0, text, &err));
		assert_false(keys_revoke(folder, "other", &err));
		assert_string_equal(read_file(KEYS_FILE), file);
	}
}

static void a_file_that_others_may_write_or_that_is_none_is_refused(void **state)
{
	struct key_list keys;

	(void)state;
	add("ci");
	assert_int_equal(chmod(path_of(KEYS_FILE), 0620), 0);
	assert_false(keys_read(folder, &keys, &err));
	assert_int_equal(unlink(path_of(KEYS_FILE)), 0);
	assert_int_equal(symlink("/dev/zero", path_of(KEYS_FILE)), 0);
	assert_false(keys_read(folder, &keys, &err));
	assert_int_equal(unlink(path_of(KEYS_FILE)), 0);
	assert_int_equal(mkfifo(path_of(KEYS_FILE), 0600), 0);
	assert_false(keys_read(folder, &keys, &err));
}

static void *add_ten(void *arg)
{
	char name[32], text[KEY_TEXT_SIZE];
	struct error mine;

	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof name, "key-%d-%d", (int)(intptr_t)arg, i);
		if (!keys_add(folder, name, SCOPES_ORDINARY, 0, text, &mine))
			return arg ? arg : &folder;
	}
	return NULL;
}

static void many_at_once_lose_none(void **state)
{
	pthread_t threads[8];
	struct key_list keys;
	void *failed;

	(void)state;
	for (intptr_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_ten, (void *)i), 0);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_true(keys_read(folder, &keys, &err));
	assert_int_equal(keys.count, 80);
	keys_free(&keys);
}

/* --- what a worker knows of it --- */

static void e14_a_worker_takes_what_changed_without_a_reload(void **state)
{
	struct key_ring *ring = key_ring_open(folder);
	char text[KEY_TEXT_SIZE];
	struct api_key key;

	(void)state;
	strcpy(text, add("ci"));
	assert_int_equal(key_ring_find(ring, slice_of(text), &key), KEY_GOOD);
	assert_string_equal(key.name, "ci");
	assert_true(keys_revoke(folder, "ci", &err));
	AWAIT(key_ring_find(ring, slice_of(text), &key) == KEY_UNKNOWN);
	strcpy(text, add("ci"));
	AWAIT(key_ring_find(ring, slice_of(text), &key) == KEY_GOOD);
	write_file(KEYS_FILE, "damaged\n");
	AWAIT(key_ring_find(ring, slice_of(text), &key) == KEY_UNKNOWN);
	key_ring_free(ring);
}

/* Nothing can be opened until it is said again. */
static void let_open(bool may)
{
	static rlim_t usual;
	struct rlimit is;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &is), 0);
	if (!may)
		usual = is.rlim_cur;
	is.rlim_cur = may ? usual : 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &is), 0);
}

/* Then it is looked at again, though it has not changed since. */
static void a_file_that_cannot_be_read_for_now_takes_no_key_away(void **state)
{
	struct key_ring *ring = key_ring_open(folder);
	char old[KEY_TEXT_SIZE], new[KEY_TEXT_SIZE];
	enum key_found found_old, found_new;
	struct api_key key;

	(void)state;
	strcpy(old, add("old"));
	assert_int_equal(key_ring_find(ring, slice_of(old), &key), KEY_GOOD);
	strcpy(new, add("new"));
	let_open(false);
	found_new = key_ring_find(ring, slice_of(new), &key);
	found_old = key_ring_find(ring, slice_of(old), &key);
	let_open(true);
	assert_int_equal(found_new, KEY_UNKNOWN);
	assert_int_equal(found_old, KEY_GOOD);
	AWAIT(key_ring_find(ring, slice_of(new), &key) == KEY_GOOD);
	key_ring_free(ring);
}

static void a_key_ends_at_its_second(void **state)
{
	struct key_ring *ring = key_ring_open(folder);
	int64_t now_s = clock_wall_ms() / 1000;
	char past[KEY_TEXT_SIZE], future[KEY_TEXT_SIZE];
	struct api_key key;

	(void)state;
	assert_true(keys_add(folder, "past", SCOPES_ORDINARY, now_s, past, &err));
	assert_true(keys_add(folder, "future", SCOPES_ORDINARY, now_s + 1000, future, &err));
	assert_int_equal(key_ring_find(ring, slice_of(past), &key), KEY_EXPIRED);
	assert_int_equal(key_ring_find(ring, slice_of(future), &key), KEY_GOOD);
	assert_int_equal(key.expires_s, now_s + 1000);
	key_ring_free(ring);
}

static void e12_what_is_no_key_of_ours_is_unknown(void **state)
{
	struct key_ring *ring = key_ring_open(folder);
	char text[KEY_TEXT_LEN + 1];
	struct api_key key;

	(void)state;
	assert_int_equal(key_ring_find(ring, SLICE(""), &key), KEY_UNKNOWN);
	key_text_make(text); /* well-formed, and nobody's */
	assert_int_equal(key_ring_find(ring, slice_of(text), &key), KEY_UNKNOWN);
	add("ci");
	assert_int_equal(key_ring_find(ring, slice_of(text), &key), KEY_UNKNOWN);
	key_ring_free(ring);
}

/* --- revoked users --- */

static void e14_what_a_revoked_user_had_is_void_and_what_he_gets_is_not(void **state)
{
	struct revocations *known = revocations_open(folder);
	const char *ada = "ada \xE2\x82\xAC lovelace";
	int64_t now_s;

	(void)state;
	assert_false(revocations_has(known, ada, 0));
	assert_true(revoked_add(folder, "bob", &err));
	assert_true(revoked_add(folder, ada, &err));
	now_s = clock_wall_ms() / 1000;
	AWAIT(revocations_has(known, ada, now_s - 10));
	assert_true(revocations_has(known, ada, 0));
	assert_false(revocations_has(known, ada, now_s + 1));
	assert_false(revocations_has(known, "ada", now_s - 10));
	assert_true(revoked_remove(folder, ada, &err));
	AWAIT(!revocations_has(known, ada, now_s - 10));
	assert_true(revocations_has(known, "bob", now_s - 10));
	assert_false(revoked_remove(folder, ada, &err));
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	revocations_free(known);
}

static void a_damaged_file_lets_nobody_in_again(void **state)
{
	struct revocations *known = revocations_open(folder);
	struct revoked_list users;

	(void)state;
	assert_true(revoked_add(folder, "bob", &err));
	AWAIT(revocations_has(known, "bob", 0));
	write_file(REVOKED_FILE, "bob\n");
	assert_false(revoked_read(folder, &users, &err));
	assert_non_null(strstr(err.detail, "Line 1"));
	assert_false(revoked_add(folder, "eve", &err));
	for (int64_t until_ms = clock_mono_ms() + 1200; clock_mono_ms() < until_ms;)
		assert_true(revocations_has(known, "bob", 0));
	assert_false(revocations_has(known, "eve", 0));
	revocations_free(known);
}

/* As a worker is that starts while it is damaged. */
static void a_damaged_file_that_was_never_read_lets_nobody_in(void **state)
{
	struct revocations *known = revocations_open(folder);

	(void)state;
	write_file(REVOKED_FILE, "bob\n");
	assert_true(revocations_has(known, "bob", 1));
	assert_true(revocations_has(known, "eve", 1));
	write_file(REVOKED_FILE, "7 bob\n");
	AWAIT(!revocations_has(known, "eve", 1));
	assert_true(revocations_has(known, "bob", 1));
	revocations_free(known);
}

/* Nor one that cannot be read for now. Then it is looked at again, though it has not changed since.
 */
static void a_file_that_cannot_be_read_for_now_lets_nobody_in(void **state)
{
	struct revocations *known = revocations_open(folder);
	bool is_void;

	(void)state;
	assert_true(revoked_add(folder, "bob", &err));
	let_open(false);
	is_void = revocations_has(known, "eve", INT64_MAX);
	let_open(true);
	assert_true(is_void);
	AWAIT(!revocations_has(known, "eve", 0));
	assert_true(revocations_has(known, "bob", 0));
	revocations_free(known);
}

static void there_is_a_most_of_revoked_users(void **state)
{
	FILE *file = fopen(path_of(REVOKED_FILE), "we");
	struct revoked_list users;

	(void)state;
	for (int i = 0; i < REVOKED_MAX; i++)
		fprintf(file, "7 user-%d\n", i);
	fclose(file);
	assert_false(revoked_add(folder, "eve", &err));
	assert_int_equal(err.code, ERROR_OVERLOADED);
	assert_true(revoked_add(folder, "user-9", &err)); /* again, and from now on */
	assert_true(revoked_remove(folder, "user-8", &err));
	assert_true(revoked_add(folder, "eve", &err));
	assert_true(revoked_read(folder, &users, &err));
	assert_int_equal(users.count, REVOKED_MAX);
	assert_true(revoked_find(&users, "user-9")->at_s > 7);
	assert_non_null(revoked_find(&users, "eve"));
	revoked_free(&users);
}

static void of_a_user_who_stands_there_twice_the_last_moment_counts(void **state)
{
	struct revocations *known = revocations_open(folder);

	(void)state;
	write_file(REVOKED_FILE, "9 bob\n5 ada\n3 bob\n8 ada\n1 eve\n");
	assert_true(revocations_has(known, "bob", 9));
	assert_false(revocations_has(known, "bob", 10));
	assert_true(revocations_has(known, "ada", 8));
	assert_false(revocations_has(known, "ada", 9));
	assert_true(revocations_has(known, "eve", 1));
	revocations_free(known);
}

static void what_is_no_user_is_not_revoked(void **state)
{
	char long_id[USER_ID_MAX + 2];

	(void)state;
	memset(long_id, 'x', sizeof long_id - 1);
	long_id[sizeof long_id - 1] = '\0';
	assert_false(revoked_add(folder, long_id, &err));
	assert_int_equal(err.code, ERROR_VALIDATION);
	assert_false(revoked_remove(folder, long_id, &err));
	assert_false(revoked_add(folder, "", &err));
	assert_false(revoked_add(folder, "a\nb", &err));
	assert_false(revoked_add(folder, "\xFF", &err));
	long_id[USER_ID_MAX] = '\0';
	assert_true(revoked_add(folder, long_id, &err));
	assert_true(revoked_remove(folder, long_id, &err));
}

/* --- scopes --- */

static void scopes_are_words(void **state)
{
	char text[CALLER_SCOPES_TEXT];
	unsigned scopes;

	(void)state;
	assert_true(caller_scopes_parse(SLICE("admin,chat,read,write,act"), &scopes));
	assert_int_equal(scopes, 31);
	assert_string_equal(caller_scopes_text(scopes, text), "read,write,chat,act,admin");
	assert_true(caller_scopes_parse(SLICE("chat"), &scopes));
	assert_int_equal(scopes, SCOPE_CHAT);
	assert_false(caller_scopes_parse(SLICE(""), &scopes));
	assert_false(caller_scopes_parse(SLICE("chat,"), &scopes));
	assert_false(caller_scopes_parse(SLICE("chat read"), &scopes));
	assert_false(caller_scopes_parse(SLICE("Chat"), &scopes));
	assert_int_equal(scopes, SCOPE_CHAT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_key_is_long_plain_and_never_the_same),
		TEST(every_typing_error_is_seen),
		TEST(the_check_is_crc32_in_base62),
		TEST(a_key_is_kept_hashed_and_for_its_owner_only),
		TEST(keys_come_and_go_by_name),
		TEST(what_is_no_name_makes_no_key),
		TEST(there_is_a_most_of_keys),
		TEST(a_damaged_file_opens_for_nobody_and_is_left_as_it_is),
		TEST(a_file_that_others_may_write_or_that_is_none_is_refused),
		TEST(many_at_once_lose_none),
		TEST(e14_a_worker_takes_what_changed_without_a_reload),
		TEST(a_file_that_cannot_be_read_for_now_takes_no_key_away),
		TEST(a_key_ends_at_its_second),
		TEST(e12_what_is_no_key_of_ours_is_unknown),
		TEST(e14_what_a_revoked_user_had_is_void_and_what_he_gets_is_not),
		TEST(a_damaged_file_lets_nobody_in_again),
		TEST(a_damaged_file_that_was_never_read_lets_nobody_in),
		TEST(a_file_that_cannot_be_read_for_now_lets_nobody_in),
		TEST(there_is_a_most_of_revoked_users),
		TEST(of_a_user_who_stands_there_twice_the_last_moment_counts),
		TEST(what_is_no_user_is_not_revoked),
		TEST(scopes_are_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
