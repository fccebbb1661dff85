/*
 * The log waits for nobody: with a stderr that takes nothing, lines are kept, then dropped, counted
 * and told of. And no value can forge a line, reach a terminal as a control, or hold a secret.
 */
#include "base/log.h"

#include "base/metrics.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MANY      20000 /* lines: far more than pipe and ring hold */
#define TEXT_MAX  (8u << 20)
#define NOBODY    65534
#define PIPE_SIZE 4096

static int kept_stderr, reader;
static char *text; /* what came out, NUL-terminated */
static size_t text_len;

/* Stderr is `fd` from now on, and `from` is where it can be read. */
static void divert(int fd, int from, enum log_format format)
{
	kept_stderr = dup(STDERR_FILENO);
	reader = from;
	fcntl(from, F_SETFL, O_NONBLOCK);
	dup2(fd, STDERR_FILENO);
	close(fd);
	log_setup(LOG_INFO, format, false);
	text = text ? text : malloc(TEXT_MAX);
	assert_non_null(text);
	text_len = 0;
}

static void divert_to_pipe(enum log_format format)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE);
	divert(ends[1], ends[0], format);
}

/* What is there now; flushes as often as that brings more. */
static void read_all(void)
{
	ssize_t n;

	do {
		while ((n = read(reader, text + text_len, TEXT_MAX - 1 - text_len)) > 0)
			text_len += (size_t)n;
		log_flush();
		n = read(reader, text + text_len, TEXT_MAX - 1 - text_len);
		text_len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	text[text_len] = '\0';
}

static void restore(void)
{
	dup2(kept_stderr, STDERR_FILENO);
	close(kept_stderr);
	close(reader);
	log_setup(LOG_INFO, LOG_TEXT, false);
}

/* --- nobody reads --- */

static uint64_t dropped_by_metric(const struct shm *shm)
{
	static const char name[] = "\nc1d_log_lines_dropped_total ";
	struct buffer out;
	const char *at;
	uint64_t n;

	buffer_init(&out, 1 << 22);
	assert_true(metrics_render(shm, false, &out));
	at = strstr(out.data, name);
	assert_non_null(at);
	n = strtoull(at + sizeof name - 1, NULL, 10);
	buffer_done(&out);
	return n;
}

/* Every line that came is whole; those that did not are as many as the last one says. */
static void expect_gap_told(const struct shm *shm)
{
	unsigned long lines = 0, told = 0, number = 0, next = 0;

	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (strstr(line, "log lines dropped")) {
			assert_int_equal(sscanf(strstr(line, "lines="), "lines=%lu", &told), 1);
			continue;
		}
		assert_int_equal(sscanf(line, "%*s %*s line number=%lu", &number), 1);
		assert_true(number >= next);
		next = number + 1;
		lines++;
	}
	assert_true(lines > 100 && told > 0);
	assert_int_equal(lines + told, MANY + 1);
	assert_int_equal(told, dropped_by_metric(shm));
}

static void log_with_nobody_reading(void)
{
	struct shm *shm = shm_map(NULL, NULL);

	assert_non_null(shm);
	metrics_attach(&shm->supervisor);
	for (int i = 0; i < MANY; i++)
		log_info("line", LOG_I("number", i)); /* returns at all */
	read_all();
	log_info("line", LOG_I("number", MANY)); /* there is room again */
	read_all();
	metrics_attach(NULL);
	restore();
	expect_gap_told(shm);
	shm_unmap(shm);
}

static void r4_a_full_pipe_is_not_waited_for(void **state)
{
	(void)state;
	divert_to_pipe(LOG_TEXT);
	log_with_nobody_reading();
}

/* As in a container that was started by root: the pipe cannot be opened a second time. */
static void r4_a_full_pipe_of_another_user_is_not_waited_for(void **state)
{
	(void)state;
	divert_to_pipe(LOG_TEXT);
	fchmod(STDERR_FILENO, 0);
	if (geteuid() == 0 && seteuid(NOBODY) != 0)
		skip();
	assert_int_equal(open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK), -1);
	log_info("line", LOG_I("number", 0)); /* looks at what stderr is */
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	read_all();
	text_len = 0;
	log_with_nobody_reading();
}

static void r4_a_full_socket_is_not_waited_for(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	divert(ends[1], ends[0], LOG_TEXT);
	log_with_nobody_reading();
}

/* Whoever shares stderr with us finds it as it was. */
static void r4_the_flags_of_stderr_stay(void **state)
{
	int flags;

	(void)state;
	divert_to_pipe(LOG_TEXT);
	log_info("line");
	flags = fcntl(STDERR_FILENO, F_GETFL);
	restore();
	assert_int_equal(flags & O_NONBLOCK, 0);
}

static void r4_a_child_begins_with_an_empty_ring(void **state)
{
	int found = 0;
	pid_t child;

	(void)state;
	divert_to_pipe(LOG_TEXT);
	for (int i = 0; i < MANY / 100; i++)
		log_info("of the parent", LOG_I("number", i));
	child = fork();
	if (child == 0) {
		read_all(); /* room for the child's line */
		log_info("of the child");
		log_flush();
		_exit(0);
	}
	waitpid(child, NULL, 0);
	text_len = 0; /* what was in the pipe went to the child */
	read_all();
	restore();
	for (const char *at = text; (at = strstr(at, "number=199\n")); at++)
		found++;
	assert_int_equal(found, 1);
	found = 0;
	for (const char *at = text; (at = strstr(at, "of the child")); at++)
		found++;
	assert_int_equal(found, 1);
}

#define THREADS 8
#define EACH    300 /* so many that all would fit into the ring */

static void *log_many(void *arg)
{
	for (int i = 0; i < EACH; i++)
		log_info("line", LOG_I("thread", *(int *)arg), LOG_I("number", i));
	return NULL;
}

/* Each comes whole, once, and behind the earlier ones of its thread. */
static void r4_lines_of_many_threads_come_whole(void **state)
{
	int numbers[THREADS], next[THREADS] = { 0 }, lines = 0, thread, number;
	pthread_t threads[THREADS];

	(void)state;
	divert_to_pipe(LOG_TEXT);
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, log_many, &numbers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		read_all(); /* meanwhile */
		pthread_join(threads[i], NULL);
	}
	read_all();
	restore();
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, lines++) {
		*end = '\0';
		assert_int_equal(
			sscanf(line, "%*s info line thread=%d number=%d", &thread, &number), 2);
		assert_in_range(thread, 0, THREADS - 1);
		assert_int_equal(number, next[thread]++);
	}
	assert_int_equal(lines, THREADS * EACH);
}

static void lines_without_a_reader_at_all_are_dropped(void **state)
{
	(void)state;
	divert_to_pipe(LOG_TEXT);
	close(reader);
	reader = open("/dev/null", O_RDONLY);
	for (int i = 0; i < MANY; i++)
		log_info("line", LOG_I("number", i));
	restore();
}

/* --- what is in a line --- */

static const char *logged(enum log_format format, struct slice value)
{
	divert_to_pipe(format);
	log_warn("event", LOG_S("value", value));
	read_all();
	restore();
	return text;
}

static void expect_line(struct slice value, const char *json, const char *words)
{
	char wanted[2048];

	snprintf(wanted, sizeof wanted, ",\"value\":\"%s\"}\n", json);
	assert_non_null(strstr(logged(LOG_JSON, value), wanted));
	snprintf(wanted, sizeof wanted, "event value=%s\n", words);
	assert_non_null(strstr(logged(LOG_TEXT, value), wanted));
	assert_non_null(strstr(logged(LOG_JOURNAL, value), wanted));
}

static void r35_controls_and_what_is_no_text_are_escaped_in_every_form(void **state)
{
	(void)state;
	expect_line(SLICE("plain"), "plain", "plain");
	expect_line(SLICE("two words"), "two words", "\"two words\"");
	expect_line(SLICE("gr\xC3\xBC\xC3\x9F"), "gr\xC3\xBC\xC3\x9F", "gr\xC3\xBC\xC3\x9F");
	expect_line(SLICE("a\n\"b\"\\\x7F"), "a\\u000a\\\"b\\\"\\\\\\u007f",
		    "\"a\\u000a\\\"b\\\"\\\\\\u007f\"");
	expect_line(SLICE("c1\xC2\x9B"
			  "31m\xC2\x85"),
		    "c1\\u009b31m\\u0085", "\"c1\\u009b31m\\u0085\"");
	expect_line(SLICE("\xC2\xA0"), "\xC2\xA0", "\xC2\xA0"); /* the first that is none */
	expect_line(SLICE("bad\xFF\xC3(\x9B"), "bad\\ufffd\\ufffd(\\ufffd",
		    "\"bad\\ufffd\\ufffd(\\ufffd\"");
	expect_line(SLICE("cut\xE2\x82"), "cut\\ufffd\\ufffd", "\"cut\\ufffd\\ufffd\"");
}

static void f10_what_turns_the_writing_or_ends_a_line_is_escaped(void **state)
{
	(void)state;
	expect_line(SLICE("user\u202Enimda"), "user\\u202enimda", "\"user\\u202enimda\"");
	expect_line(SLICE("\u2066a\u2069"), "\\u2066a\\u2069", "\"\\u2066a\\u2069\"");
	expect_line(SLICE("a\u2028b\u2029c"), "a\\u2028b\\u2029c", "\"a\\u2028b\\u2029c\"");
	expect_line(SLICE("no\u200Broom\uFEFF"), "no\\u200broom\\ufeff",
		    "\"no\\u200broom\\ufeff\"");
	expect_line(SLICE("\x1b[2J\x1b]0;t\x07"), "\\u001b[2J\\u001b]0;t\\u0007",
		    "\"\\u001b[2J\\u001b]0;t\\u0007\"");
	expect_line(SLICE("a\r\nb"), "a\\u000d\\u000ab", "\"a\\u000d\\u000ab\"");
	expect_line(SLICE("\u05D0\u0627\U0001F600"), "\u05D0\u0627\U0001F600",
		    "\u05D0\u0627\U0001F600"); /* letters that are written from the right stand */
}

static void a_long_value_is_cut_between_characters(void **state)
{
	char value[600], expected[600];

	(void)state;
	memset(value, 'x', sizeof value);
	memcpy(value + 511, "\xE2\x82\xAC", 3);
	memset(expected, 'x', sizeof expected);
	strcpy(expected + 511, "\xE2\x82\xAC...");
	expect_line((struct slice){ value, sizeof value }, expected, expected);
}

static void r35_secrets_and_passwords_of_uris_never_leave(void **state)
{
	static const char uri[] = "mongodb://user:p%40ss%22word@db.example:27017/c1d?tls=true";

	(void)state;
	log_redact("sk-th-0123456789");
	log_redact(uri);
	log_redact("short");
	expect_line(SLICE("key sk-th-0123456789, short"), "key ***, short", "\"key ***, short\"");
	expect_line(slice_of(uri), "***", "\"***\"");
	expect_line(SLICE("auth(p%40ss%22word)"), "auth(***)", "auth(***)");
	expect_line(SLICE("auth(p@ss\"word)"), "auth(***)", "\"auth(***)\"");
}

static void r35_a_secret_across_the_cut_does_not_leave_in_part(void **state)
{
	char value[600], expected[600];

	(void)state;
	memset(value, 'x', sizeof value);
	memcpy(value + 505, "sk-th-0123456789", 16);
	memset(expected, 'x', sizeof expected);
	strcpy(expected + 505, "***...");
	expect_line((struct slice){ value, sizeof value }, expected, expected);
}

static void t12_text_lines_carry_date_and_zone(void **state)
{
	int year, month, day, hour, minute, second, ms, n = 0;

	(void)state;
	sscanf(logged(LOG_TEXT, SLICE("x")), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ warn%n", &year, &month,
	       &day, &hour, &minute, &second, &ms, &n);
	assert_true(n > 0);
	assert_true(year >= 2024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r4_a_full_pipe_is_not_waited_for),
		cmocka_unit_test(r4_a_full_pipe_of_another_user_is_not_waited_for),
		cmocka_unit_test(r4_a_full_socket_is_not_waited_for),
		cmocka_unit_test(r4_the_flags_of_stderr_stay),
		cmocka_unit_test(r4_a_child_begins_with_an_empty_ring),
		cmocka_unit_test(r4_lines_of_many_threads_come_whole),
		cmocka_unit_test(lines_without_a_reader_at_all_are_dropped),
		cmocka_unit_test(r35_controls_and_what_is_no_text_are_escaped_in_every_form),
		cmocka_unit_test(f10_what_turns_the_writing_or_ends_a_line_is_escaped),
		cmocka_unit_test(a_long_value_is_cut_between_characters),
		cmocka_unit_test(r35_secrets_and_passwords_of_uris_never_leave),
		cmocka_unit_test(r35_a_secret_across_the_cut_does_not_leave_in_part),
		cmocka_unit_test(t12_text_lines_carry_date_and_zone),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
