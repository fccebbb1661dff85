/* What the site signs with: made once, changed without forgetting what it signed, never guessed at.
 */
#include "guard_site.h"
#include "no_sync.h"

#include "../../src/guard/secret_file.h"
#include "base/clock.h"
#include "guard/secret.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define DATA SLICE("what is signed")
#define DAY  86400

static struct secrets *open_secrets(void)
{
	struct secrets *secrets = secrets_open(&site_config, &err);

	if (!secrets)
		fail_msg("%s", err.detail);
	return secrets;
}

static const char *path_of(const char *name)
{
	return arena_printf(&arena, "%s/%s", site_folder, name);
}

static const char *read_file(void)
{
	static char text[8192];
	FILE *file = fopen(path_of("secret"), "re");
	size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;

	text[n] = '\0';
	if (file)
		fclose(file);
	return text;
}

/* By name, as a copy that is put back is. */
static void write_file(struct slice text, mode_t mode)
{
	int fd = open(path_of("copy"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(write(fd, text.ptr, text.len) == (ssize_t)text.len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	assert_int_equal(rename(path_of("copy"), path_of("secret")), 0);
}

/* A line of so many days ago; every key of it is that digit. */
static const char *line(char hex, int64_t days)
{
	char key[2 * SECRET_SIZE + 1] = "";

	memset(key, hex, 2 * SECRET_SIZE);
	return arena_printf(&arena, "%s %lld\n", key,
			    (long long)(clock_wall_ms() / 1000 - days * DAY));
}

static size_t lines(void)
{
	size_t count = 0;

	for (const char *at = read_file(); *at; at++)
		count += *at == '\n';
	return count;
}

static void sign(struct secrets *secrets, unsigned char mac[SECRET_MAC_SIZE])
{
	assert_true(secret_mac(secrets, "test", DATA, mac));
}

static bool knows(struct secrets *secrets, const unsigned char mac[SECRET_MAC_SIZE], bool *newest)
{
	return secret_is_mac(secrets, "test", DATA, mac, newest);
}

/* --- signatures --- */

static void what_was_signed_is_known_and_nothing_else(void **state)
{
	struct secrets *secrets = open_secrets();
	unsigned char mac[SECRET_MAC_SIZE], other[SECRET_MAC_SIZE];
	bool newest;

	(void)state;
	sign(secrets, mac);
	assert_true(knows(secrets, mac, &newest) && newest);
	assert_false(secret_is_mac(secrets, "tes", SLICE("twhat is signed"), mac, NULL));
	assert_false(secret_is_mac(secrets, "other", DATA, mac, NULL));
	assert_false(secret_is_mac(secrets, "test", SLICE("what is signed!"), mac, NULL));
	for (int bit = 0; bit < SECRET_MAC_SIZE * 8; bit++) {
		memcpy(other, mac, sizeof other);
		other[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_false(knows(secrets, other, NULL));
	}
	secrets_close(secrets);
}

static void the_file_is_the_owners_alone_and_stays_over_a_restart(void **state)
{
	struct secrets *secrets = open_secrets();
	unsigned char mac[SECRET_MAC_SIZE];
	struct stat is;

	(void)state;
	sign(secrets, mac);
	secrets_close(secrets);
	assert_int_equal(stat(path_of("secret"), &is), 0);
	assert_int_equal(is.st_mode & 07777, 0600);
	secrets = open_secrets();
	assert_true(knows(secrets, mac, NULL));
	secrets_close(secrets);
}

/* --- many at once --- */

#define MANY 20

static void *sign_in_thread(void *mac)
{
	struct secrets *secrets = secrets_open(&site_config, NULL);

	if (secrets)
		secret_mac(secrets, "test", DATA, mac);
	secrets_close(secrets);
	return NULL;
}

static void twenty_that_start_at_once_make_one(void **state)
{
	static unsigned char macs[MANY][SECRET_MAC_SIZE];
	pthread_t threads[MANY];

	(void)state;
	for (int i = 0; i < MANY; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sign_in_thread, macs[i]), 0);
	for (int i = 0; i < MANY; i++)
		pthread_join(threads[i], NULL);
	for (int i = 1; i < MANY; i++)
		assert_memory_equal(macs[i], macs[0], SECRET_MAC_SIZE);
	assert_int_equal(lines(), 1);
}

static void a_folder_that_is_missing_is_made(void **state)
{
	const char *folder = arena_printf(&arena, "%s/new", site_folder);
	struct secrets *secrets;

	(void)state;
	site_config.state_dir = arena_text(&arena, folder);
	secrets = open_secrets();
	secrets_close(secrets);
	assert_int_equal(unlink(path_of("new/secret")), 0);
	assert_int_equal(rmdir(folder), 0);
}

/* --- rotation --- */

static void a_rotation_forgets_nothing_and_is_noticed_at_once(void **state)
{
	struct secrets *before = open_secrets(), *after;
	unsigned char old[SECRET_MAC_SIZE], new[SECRET_MAC_SIZE];
	uint64_t tag = secret_tag(before, DATA);
	bool newest;

	(void)state;
	sign(before, old);
	assert_true(secret_rotate(&site_config, &err));
	assert_int_equal(lines(), 2);
	after = open_secrets();
	sign(after, new);
	assert_memory_not_equal(old, new, sizeof old);
	assert_true(knows(after, old, &newest));
	assert_false(newest);
	/* One that was at work before meets what a neighbour signed a moment ago. */
	assert_true(knows(before, new, &newest));
	assert_true(newest);
	assert_true(knows(before, old, &newest));
	assert_false(newest);
	/* Tags are the newest's, whenever that was taken. */
	assert_true(secret_tag(after, DATA) != tag);
	assert_true(secret_tag(before, DATA) == secret_tag(after, DATA));
	secrets_close(after);
	secrets_close(before);
}

struct meeting {
	struct secrets *secrets;
	pthread_barrier_t barrier;
	unsigned char mac[SECRET_MAC_SIZE];
	atomic_int strangers;
};

static void *meet(void *arg)
{
	struct meeting *meeting = arg;

	pthread_barrier_wait(&meeting->barrier);
	atomic_fetch_add(&meeting->strangers, !knows(meeting->secrets, meeting->mac, NULL));
	return NULL;
}

/* Many threads of one worker meet at once what a neighbour has signed with the newest. */
static void a_new_secret_is_noticed_by_all_threads_at_once(void **state)
{
	struct meeting meeting = { .secrets = open_secrets() };
	pthread_t threads[8];

	(void)state;
	pthread_barrier_init(&meeting.barrier, NULL, 8);
	for (int round = 0; round < 100; round++) {
		struct secrets *neighbour;

		write_file(slice_of(line("0123456789abcdef"[round % 16], 0)), 0600);
		neighbour = open_secrets();
		sign(neighbour, meeting.mac);
		secrets_close(neighbour);
		for (int i = 0; i < 8; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, meet, &meeting), 0);
		for (int i = 0; i < 8; i++)
			pthread_join(threads[i], NULL);
	}
	assert_int_equal(meeting.strangers, 0);
	pthread_barrier_destroy(&meeting.barrier);
	secrets_close(meeting.secrets);
}

static void *rotate_in_thread(void *ok)
{
	*(bool *)ok = secret_rotate(&site_config, NULL);
	return NULL;
}

/* Each of them may have signed already. */
static void of_rotations_at_once_none_is_lost(void **state)
{
	pthread_t threads[MANY];
	bool ok[MANY];

	(void)state;
	secrets_close(open_secrets());
	for (int i = 0; i < MANY; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, rotate_in_thread, &ok[i]), 0);
	for (int i = 0; i < MANY; i++) {
		pthread_join(threads[i], NULL);
		assert_true(ok[i]);
	}
	assert_int_equal(lines(), MANY + 1);
}

static void a_secret_of_ninety_days_is_followed_by_a_new_one(void **state)
{
	unsigned char mac[SECRET_MAC_SIZE];
	struct secrets *secrets;

	(void)state;
	write_file(slice_of(line('a', 89)), 0600);
	secrets = open_secrets();
	sign(secrets, mac);
	assert_int_equal(lines(), 1);
	secrets_close(secrets);

	write_file(slice_of(line('a', 91)), 0600);
	secrets = open_secrets();
	sign(secrets, mac);
	assert_int_equal(lines(), 2);
	secrets_close(secrets);
}

static void what_nothing_can_be_signed_with_any_more_goes(void **state)
{
	const char *text = arena_printf(&arena, "%s%s%s%s", line('a', 10), line('b', 399),
					line('c', 402), line('d', 500));

	(void)state;
	write_file(slice_of(text), 0600);
	assert_true(secret_rotate(&site_config, &err));
	assert_null(strstr(read_file(), "dddd")); /* its successor is 402 days old */
	assert_non_null(strstr(read_file(), "cccc"));
	assert_int_equal(lines(), 4);
}

static void more_rotations_than_can_be_kept_are_refused(void **state)
{
	struct secrets *secrets = open_secrets();
	unsigned char first[SECRET_MAC_SIZE];

	(void)state;
	sign(secrets, first);
	for (int i = 1; i < SECRETS_MAX; i++)
		assert_true(secret_rotate(&site_config, &err));
	assert_true(knows(secrets, first, NULL));
	assert_false(secret_rotate(&site_config, &err));
	assert_int_equal(err.code, ERROR_CONFLICT);
	assert_int_equal(lines(), SECRETS_MAX);
	secrets_close(secrets);
}

/* --- a file that is no good --- */

static void f19_a_file_that_is_no_good_is_refused_and_stays_as_it_is(void **state)
{
	const char *good = line('a', 1);
	const struct slice bad[] = {
		SLICE(""),
		SLICE("\n"),
		SLICE("abc 1\n"),
		{ good, strlen(good) - 1 }, /* cut */
		{ good, 40 },
		slice_of(arena_printf(&arena, "%sx", good)),
		slice_of(arena_printf(&arena, "%s\n", good)),
		slice_of(arena_printf(&arena, "A%s", good + 1)),
		slice_of(arena_printf(&arena, "%.64s 12x\n", good)),
		slice_of(arena_printf(&arena, "%.64s \n", good)),
		slice_of(arena_printf(&arena, "%.64s 1234567890123\n", good)),
		slice_of(arena_printf(&arena, "%.64s\t1\n", good)),
		{ "\0\0\0\0", 4 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		write_file(bad[i], 0600);
		assert_null(secrets_open(&site_config, &err));
		assert_int_equal(err.code, ERROR_CONFIG);
		assert_non_null(strstr(err.detail, "damaged"));
		assert_false(secret_rotate(&site_config, &err));
		assert_memory_equal(read_file(), bad[i].ptr, bad[i].len);
	}
}

static void f19_a_file_that_others_may_read_is_refused(void **state)
{
	const mode_t modes[] = { 0604, 0640, 0602, 0644, 0666 };

	(void)state;
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		write_file(slice_of(line('a', 1)), modes[i]);
		assert_null(secrets_open(&site_config, &err));
		assert_int_equal(err.code, ERROR_CONFIG);
		assert_non_null(strstr(err.detail, "chmod 0600"));
	}
	write_file(slice_of(line('a', 1)), 0400);
	secrets_close(open_secrets());
}

static void what_is_no_file_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path_of("secret"), 0700), 0);
	assert_null(secrets_open(&site_config, &err));
	assert_int_equal(err.code, ERROR_CONFIG);
	rmdir(path_of("secret"));
	assert_int_equal(mkfifo(path_of("secret"), 0600), 0);
	assert_null(secrets_open(&site_config, &err));
	assert_int_equal(err.code, ERROR_CONFIG);
	site_remove("secret");
	assert_int_equal(symlink("/etc/hostname", path_of("secret")), 0);
	assert_null(secrets_open(&site_config, &err));
	assert_int_equal(err.code, ERROR_CONFIG);
}

static void who_runs_goes_on_with_what_he_knows(void **state)
{
	struct secrets *secrets = open_secrets();
	unsigned char mac[SECRET_MAC_SIZE], unknown[SECRET_MAC_SIZE] = { 0 };
	const char *good = arena_text(&arena, read_file());

	(void)state;
	sign(secrets, mac);
	write_file(SLICE("damaged\n"), 0600);
	assert_false(knows(secrets, unknown, NULL)); /* which makes it look */
	assert_true(knows(secrets, mac, NULL));
	site_remove("secret");
	assert_false(knows(secrets, unknown, NULL));
	assert_true(knows(secrets, mac, NULL));
	write_file(slice_of(good), 0600);
	assert_true(knows(secrets, mac, NULL));
	secrets_close(secrets);
}

static void what_lies_in_the_way_is_no_obstacle(void **state)
{
	int fd = open(path_of("secret.new"), O_WRONLY | O_CREAT | O_CLOEXEC, 0400);

	(void)state;
	assert_int_equal(write(fd, "half", 4), 4);
	close(fd);
	secrets_close(open_secrets());
	assert_int_equal(lines(), 1);
	/* Nor what was planted for whoever writes next. */
	assert_int_equal(symlink(path_of("victim"), path_of("secret.new")), 0);
	assert_true(secret_rotate(&site_config, &err));
	assert_int_equal(access(path_of("victim"), F_OK), -1);
	assert_int_equal(mkfifo(path_of("secret.new"), 0600), 0);
	assert_true(secret_rotate(&site_config, &err));
	assert_int_equal(lines(), 3);
}

static void a_folder_that_is_none_is_told(void **state)
{
	struct secret_state is;

	(void)state;
	site_config.state_dir = arena_printf(&arena, "%s/not/there", site_folder);
	assert_null(secrets_open(&site_config, &err));
	assert_int_equal(err.code, ERROR_CONFIG);
	assert_false(secret_rotate(&site_config, &err));
	assert_int_equal(err.code, ERROR_CONFIG);
	assert_false(secret_state(&site_config, &is, &err));
	site_config.state_dir = site_folder;
	assert_false(secret_state(&site_config, &is, &err));
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	secrets_close(open_secrets());
	assert_true(secret_state(&site_config, &is, &err));
	assert_true(is.count == 1 && clock_wall_ms() - is.newest_ms < 100000);
	site_config.state_dir = arena_printf(&arena, "%s/secret", site_folder);
	assert_null(secrets_open(&site_config, &err));
	assert_int_equal(err.code, ERROR_CONFIG);
	assert_non_null(strstr(err.detail, "C1D_STATE_DIR"));
}

/* A disk that is full, or what else keeps a file from being written. */
static void what_cannot_be_written_keeps_nobody_from_signing(void **state)
{
	unsigned char mac[SECRET_MAC_SIZE];
	struct secrets *secrets;

	(void)state;
	assert_int_equal(mkdir(path_of("secret.new"), 0700), 0);
	assert_null(secrets_open(&site_config, &err));
	assert_int_equal(err.code, ERROR_INTERNAL);
	write_file(slice_of(line('a', 91)), 0600);
	secrets = open_secrets();
	sign(secrets, mac);
	assert_true(knows(secrets, mac, NULL));
	assert_int_equal(lines(), 1);
	secrets_close(secrets);
	assert_int_equal(rmdir(path_of("secret.new")), 0);
}

static void a_disk_without_room_leaves_the_old_secret(void **state)
{
	struct secrets *secrets = open_secrets();
	const char *before = arena_text(&arena, read_file());
	unsigned char mac[SECRET_MAC_SIZE];
	struct rlimit is, none;
	bool ok;

	(void)state;
	sign(secrets, mac);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &is), 0);
	none = is;
	none.rlim_cur = 10; /* some bytes are written, and then no more */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	ok = secret_rotate(&site_config, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &is), 0);
	assert_false(ok);
	assert_int_equal(err.code, ERROR_INTERNAL);
	assert_string_equal(read_file(), before);
	assert_true(knows(secrets, mac, NULL));
	assert_true(secret_rotate(&site_config, &err));
	assert_int_equal(lines(), 2);
	assert_true(knows(secrets, mac, NULL));
	secrets_close(secrets);
}

static void who_stands_still_with_the_lock_keeps_nobody_for_ever(void **state)
{
	int folder = open(site_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(flock(folder, LOCK_EX), 0);
	assert_null(secrets_open(&site_config, &err));
	assert_int_equal(err.code, ERROR_INTERNAL);
	write_file(slice_of(line('a', 1)), 0600);
	secrets_close(open_secrets()); /* whoever only reads needs none */
	close(folder);
	assert_true(secret_rotate(&site_config, &err));
}

/* --- the setting --- */

static void nodes_with_one_setting_know_each_other(void **state)
{
	char one[] = "the first secret of all the nodes",
	     two[] = "the second one, which comes later";
	struct secrets *here, *there;
	unsigned char old[SECRET_MAC_SIZE], new[SECRET_MAC_SIZE];
	bool newest;

	(void)state;
	site_config.visitor_secrets[0] = one;
	site_config.visitor_secret_count = 1;
	here = open_secrets();
	sign(here, old);
	site_config.visitor_secrets[0] = two;
	site_config.visitor_secrets[1] = one;
	site_config.visitor_secret_count = 2;
	there = open_secrets();
	sign(there, new);
	assert_true(knows(there, old, &newest) && !newest);
	assert_true(knows(there, new, &newest) && newest);
	assert_false(knows(here, new, NULL));
	assert_int_equal(access(path_of("secret"), F_OK), -1);
	assert_false(secret_rotate(&site_config, &err));
	assert_int_equal(err.code, ERROR_CONFIG);
	secrets_close(there);
	secrets_close(here);
}

static void who_moves_from_the_file_to_the_setting_signs_nobody_out(void **state)
{
	char fresh[] = "a secret that all of the nodes get", old[2 * SECRET_SIZE + 1] = "";
	struct secrets *of_file = open_secrets(), *of_setting;
	unsigned char mac[SECRET_MAC_SIZE];
	bool newest;

	(void)state;
	sign(of_file, mac);
	memcpy(old, read_file(), sizeof old - 1);
	site_config.visitor_secrets[0] = fresh;
	site_config.visitor_secrets[1] = old;
	site_config.visitor_secret_count = 2;
	of_setting = open_secrets();
	assert_true(knows(of_setting, mac, &newest) && !newest);
	secrets_close(of_setting);
	secrets_close(of_file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SITE_TEST(what_was_signed_is_known_and_nothing_else),
		SITE_TEST(the_file_is_the_owners_alone_and_stays_over_a_restart),
		SITE_TEST(twenty_that_start_at_once_make_one),
		SITE_TEST(a_folder_that_is_missing_is_made),
		SITE_TEST(a_rotation_forgets_nothing_and_is_noticed_at_once),
		SITE_TEST(a_new_secret_is_noticed_by_all_threads_at_once),
		SITE_TEST(of_rotations_at_once_none_is_lost),
		SITE_TEST(a_secret_of_ninety_days_is_followed_by_a_new_one),
		SITE_TEST(what_nothing_can_be_signed_with_any_more_goes),
		SITE_TEST(more_rotations_than_can_be_kept_are_refused),
		SITE_TEST(f19_a_file_that_is_no_good_is_refused_and_stays_as_it_is),
		SITE_TEST(f19_a_file_that_others_may_read_is_refused),
		SITE_TEST(what_is_no_file_is_refused),
		SITE_TEST(who_runs_goes_on_with_what_he_knows),
		SITE_TEST(a_folder_that_is_none_is_told),
		SITE_TEST(what_cannot_be_written_keeps_nobody_from_signing),
		SITE_TEST(a_disk_without_room_leaves_the_old_secret),
		SITE_TEST(who_stands_still_with_the_lock_keeps_nobody_for_ever),
		SITE_TEST(what_lies_in_the_way_is_no_obstacle),
		SITE_TEST(who_moves_from_the_file_to_the_setting_signs_nobody_out),
		SITE_TEST(nodes_with_one_setting_know_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
