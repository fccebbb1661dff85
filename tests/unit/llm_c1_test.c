/*
 * c1: escaping, what is read and stored of C1 text, and an answer on its way: the samples pass
 * verbatim however they are cut, plain text and <custommarkdown> become cards.
 */
#include "llm/c1.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CARD(text)                                                                                 \
	"<content thesys=\"true\">{&quot;component&quot;:{&quot;component&quot;:&quot;Card&quot;," \
	"&quot;props&quot;:{&quot;children&quot;:[{&quot;component&quot;:&quot;TextContent&quot;," \
	"&quot;props&quot;:{&quot;textMarkdown&quot;:&quot;" text CARD_END
#define CARD_END "&quot;}}]}},&quot;error&quot;:null}</content>"

static struct slice stream(struct slice text, size_t first, size_t step, bool complete,
			   struct buffer *out)
{
	struct c1_stream c1;
	size_t at = 0, n = first;

	buffer_reset(out);
	c1_stream_init(&c1);
	while (at < text.len) {
		n = n > text.len - at ? text.len - at : n;
		assert_true(c1_stream_feed(&c1, (struct slice){ text.ptr + at, n }, out));
		at += n;
		n = step;
	}
	assert_true(c1_stream_end(&c1, complete, out));
	c1_stream_done(&c1);
	return buffer_slice(out);
}

/* Two pieces, cut at every byte, and then byte by byte. */
static void check(struct slice text, struct slice expected, bool complete)
{
	struct buffer out;

	buffer_init(&out, 1 << 20);
	for (size_t first = 0; first <= text.len; first++)
		assert_true(
			slice_equal(stream(text, first, text.len + 1, complete, &out), expected));
	assert_true(slice_equal(stream(text, 1, 1, complete, &out), expected));
	buffer_done(&out);
}

#define BECOMES(text, expected) check(SLICE(text), SLICE(expected), true)
#define CUT(text, expected)     check(SLICE(text), SLICE(expected), false)

static struct slice read_file(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "rb");
	size_t len;

	assert_non_null(file);
	len = fread(text, 1, size, file);
	fclose(file);
	return (struct slice){ text, len };
}

static void b14_every_sample_passes_verbatim_at_every_split(void **state)
{
	static char text[1 << 16];
	glob_t samples;

	(void)state;
	assert_int_equal(glob("tests/samples/[a-z]*.txt", 0, NULL, &samples), 0);
	assert_true(samples.gl_pathc >= 14);
	for (size_t i = 0; i < samples.gl_pathc; i++) {
		struct slice sample = read_file(samples.gl_pathv[i], text, sizeof text);

		if (strstr(samples.gl_pathv[i], "/BAD-"))
			continue;
		check(sample, sample, true);
		check(sample, sample, false);
	}
	globfree(&samples);
}

static void plain_text_becomes_a_card(void **state)
{
	(void)state;
	BECOMES("just plain text, no tags at all", CARD("just plain text, no tags at all"));
	BECOMES("a \"b\"\n\t<c> & 'd' \\ \x01 \xC3\xA4",
		CARD("a \\&quot;b\\&quot;\\n\\t&lt;c&gt; &amp; &#39;d&#39; \\\\ \\u0001 \xC3\xA4"));
	BECOMES("<b>bold</b>", CARD("&lt;b&gt;bold&lt;/b&gt;"));
	BECOMES("<contents", CARD("&lt;contents"));
	BECOMES("<con", CARD("&lt;con"));
	BECOMES("  \n", CARD("  \\n"));
	BECOMES("{\"answer\": 42}", CARD("{\\&quot;answer\\&quot;: 42}"));
	BECOMES("```json\n{}\n```", CARD("```json\\n{}\\n```"));
	BECOMES("plain <custommarkdown>x", CARD("plain &lt;custommarkdown&gt;x"));
	BECOMES("", "");
}

static void c1_text_of_any_kind_passes(void **state)
{
	(void)state;
	BECOMES("{ \"component\":{}}", "{ \"component\":{}}");
	BECOMES("\n <content>a</content>", "\n <content>a</content>");
	BECOMES("<artifact type=\"slides\">x</artifact>", "<artifact type=\"slides\">x</artifact>");
	BECOMES("<artifact_diff>[]</artifact_diff>", "<artifact_diff>[]</artifact_diff>");
	BECOMES("<!--k--><content>", "<!--k--><content>");
	BECOMES("<content>a<custommarkdownx>b<custommark",
		"<content>a<custommarkdownx>b<custommark");
}

static void custom_markdown_becomes_a_card(void **state)
{
	(void)state;
	BECOMES("<custommarkdown>hi</custommarkdown>", CARD("hi"));
	BECOMES("<custommarkdown a=\"b\">&lt;x&gt; &amp;amp; \"q\" &quot; &#39;\n&no; "
		"a<b</custommarkdown >",
		CARD("&lt;x&gt; &amp;amp; \\&quot;q\\&quot; \\&quot; &#39;\\n&amp;no; a&lt;b"));
	BECOMES("<thinkitem>t</thinkitem><custommarkdown>a</custommarkdown><context>[]</context>",
		"<thinkitem>t</thinkitem>" CARD("a") "<context>[]</context>");
	BECOMES("<custommarkdown/><context>[]</context>", CARD("") "<context>[]</context>");
	BECOMES("<custommarkdown>open", CARD("open"));
}

#define NOTE(text)                                                                                 \
	"<thinkitem><thinkitemtitle>Note</thinkitemtitle><thinkitemcontent>" text                  \
	"</thinkitemcontent></thinkitem>"

static void r33_markdown_beside_a_content_becomes_a_note(void **state)
{
	(void)state;
	BECOMES("<content>A</content><custommarkdown>B &lt;b&gt; \"</custommarkdown>",
		"<content>A</content>" NOTE("B &lt;b&gt; &quot;"));
	BECOMES("<custommarkdown>B &amp;</custommarkdown><content>A</content>",
		CARD("B &amp;") NOTE("B &amp;") "<content>A</content>");
	BECOMES("<custommarkdown>B</custommarkdown><custommarkdown>C</custommarkdown>",
		CARD("B") NOTE("C"));
	BECOMES("<custommarkdown>B</custommarkdown><custommarkdown>C</custommarkdown><content>A</"
		"content><content>D</content>",
		CARD("B") NOTE("C") NOTE("B") "<content>A</content><content>D</content>");
	BECOMES("{\"component\":{}}<custommarkdown>B", "{\"component\":{}}" NOTE("B"));
	BECOMES("<context>[]</context><custommarkdown>B</custommarkdown>",
		"<context>[]</context>" CARD("B"));
	CUT("<content>A</content><custommarkdown>B", "<content>A</content>" NOTE("B"));
}

/* What the client shows: the notes, and of the contents the last. */
static bool is_shown(struct slice answer, const char *word)
{
	const char *last = NULL, *at = answer.ptr, *found;

	while ((at = strstr(at, "<content")))
		last = at++;
	for (at = answer.ptr; (found = strstr(at, word)); at = found + 1) {
		const char *next = strchr(found, '<');

		if (found > last || (next && strncmp(next, "</thinkitemcontent>", 19) == 0))
			return true;
	}
	return false;
}

/* Elements in any order: all markdown is shown, and the upstream's last content; however it comes.
 */
static void r33_whatever_comes_in_whatever_order_is_seen(void **state)
{
	enum { CONTENT, MARKDOWN, OTHERS = 5 };
	static const char *const elements[][2] = {
		[CONTENT] = { "<content>", "</content>" },
		[MARKDOWN] = { "<custommarkdown>", "</custommarkdown>" },
		{ "<thinkitem ephemeral=\"true\"><thinkitemtitle>",
		  "</thinkitemtitle></thinkitem>" },
		{ "<context>[", "]</context>" },
		{ "<!--", "-->" },
	};
	struct buffer text, whole;

	(void)state;
	srandom(33);
	buffer_init(&text, 1 << 16);
	buffer_init(&whole, 1 << 20);
	for (int round = 0; round < 300; round++) {
		char words[8][24], *content = NULL;
		bool is_markdown[8] = { false };
		int count = 1 + (int)(random() % 6);

		buffer_reset(&text);
		for (int i = 0; i < count; i++) {
			int kind = (int)(random() % OTHERS);

			snprintf(words[i], sizeof words[i], "word%dend", i);
			is_markdown[i] = kind == MARKDOWN;
			content = kind == CONTENT ? words[i] : content;
			buffer_appendf(&text, "%s%s%s", elements[kind][0], words[i],
				       elements[kind][1]);
		}
		stream(buffer_slice(&text), text.len, 1, true, &whole);
		for (int i = 0; i < count; i++)
			assert_true(!is_markdown[i] || is_shown(buffer_slice(&whole), words[i]));
		assert_true(!content || is_shown(buffer_slice(&whole), content));
		check(buffer_slice(&text), buffer_slice(&whole), true);
	}
	buffer_done(&text);
	buffer_done(&whole);
}

static void a_cut_answer_is_not_closed(void **state)
{
	static const char open[] = CARD("");
	struct buffer expected;

	(void)state;
	buffer_init(&expected, 4096);
	buffer_append(&expected, (struct slice){ open, sizeof open - sizeof CARD_END });
	buffer_append(&expected, SLICE("plain te"));
	check(SLICE("plain te"), buffer_slice(&expected), false);
	check(SLICE("<custommarkdown>plain te"), buffer_slice(&expected), false);
	buffer_done(&expected);
	CUT(" \n", "");
	CUT("<cont", "");
	CUT("<content>a", "<content>a");
}

static void what_is_no_utf8_becomes_replacements(void **state)
{
	(void)state;
	BECOMES("<content>a\xFFz\xC3(\x80", "<content>a\xEF\xBF\xBDz\xEF\xBF\xBD(\xEF\xBF\xBD");
	BECOMES("a\xFFz", CARD("a\xEF\xBF\xBDz"));
	BECOMES("<content>a\xF0\x9F\x9A", "<content>a");
	CUT("<content>a\xF0\x9F\x9A", "<content>a");
}

static void a_long_blank_beginning_is_text(void **state)
{
	char text[6000];
	struct buffer out, whole;

	(void)state;
	memset(text, ' ', sizeof text);
	text[5000] = '<';
	buffer_init(&out, 1 << 20);
	buffer_init(&whole, 1 << 20);
	stream((struct slice){ text, sizeof text }, sizeof text, 1, true, &whole);
	assert_true(slice_starts(buffer_slice(&whole), SLICE("<content thesys")));
	for (size_t step = 1; step < sizeof text; step = step * 3 + 1)
		assert_true(slice_equal(
			stream((struct slice){ text, sizeof text }, step, step, true, &out),
			buffer_slice(&whole)));
	buffer_done(&out);
	buffer_done(&whole);
}

static void expect(bool (*what)(struct buffer *, struct slice), const char *text,
		   const char *expected)
{
	struct buffer out;

	buffer_init(&out, 1 << 16);
	assert_true(what(&out, slice_of(text)));
	if (!slice_is(buffer_slice(&out), expected))
		print_message("got %s\n", out.data);
	assert_true(slice_is(buffer_slice(&out), expected));
	buffer_done(&out);
}

static void the_five_entities_go_both_ways(void **state)
{
	(void)state;
	expect(c1_escape, "a<b>&\"'\xC3\xA4", "a&lt;b&gt;&amp;&quot;&#39;\xC3\xA4");
	expect(c1_unescape, "a&lt;b&gt;&amp;&quot;&#39;\xC3\xA4", "a<b>&\"'\xC3\xA4");
	expect(c1_unescape, "&amp;lt; &nbsp; & &", "&lt; &nbsp; & &");
	expect(c1_escape, "", "");
}

static bool wrap(struct buffer *out, struct slice text)
{
	if (c1_is_content(text))
		return buffer_append(out, text);
	return buffer_append(out, SLICE(C1_USER_OPEN)) && c1_escape(out, text) &&
	       buffer_append(out, SLICE(C1_USER_CLOSE));
}

static void a_user_message_is_read_and_wrapped(void **state)
{
	static const char wrapped[] = "<content thesys=\"true\">Show &lt;Q4&gt;</content>"
				      "<context>[&quot;User clicked&quot;,{}]</context>";

	(void)state;
	expect(c1_plain_text, wrapped, "Show <Q4>");
	expect(c1_plain_text, "a<b && c>d", "a<b && c>d");
	expect(c1_plain_text, "<content thesys=\"true\">cut &amp;", "cut &");
	expect(c1_plain_text, "<content", "<content");
	expect(wrap, "a<b && c>d", "<content thesys=\"true\">a&lt;b &amp;&amp; c&gt;d</content>");
	expect(wrap, wrapped, wrapped);
	expect(wrap, "<contents>", "<content thesys=\"true\">&lt;contents&gt;</content>");
}

static void what_is_stored_has_no_passing_thoughts(void **state)
{
	(void)state;
	expect(c1_stored,
	       "<!--k--><thinkitem "
	       "ephemeral=\"true\"><thinkitemtitle>T</thinkitemtitle></thinkitem>"
	       "<thinkitem><thinkitemtitle>K</thinkitemtitle></"
	       "thinkitem><!--k--><content>a<!--k-->b</content>",
	       "<thinkitem><thinkitemtitle>K</thinkitemtitle></thinkitem><content>ab</content>");
	expect(c1_stored, "<thinkitem ephemeral=\"false\">x</thinkitem><!-- k -->",
	       "<thinkitem ephemeral=\"false\">x</thinkitem><!-- k -->");
	expect(c1_stored, "<content>a</content><thinkitem ephemeral=\"true\">cut",
	       "<content>a</content>");
	expect(c1_stored, "", "");
}

static void what_was_drawn_in_part_is_known_by_its_last_tag(void **state)
{
	static const struct {
		const char *text;
		bool is_cut;
	} rows[] = {
		{ "", false },
		{ "plain a < b", false },
		{ "<b>no element of C1", false },
		{ "<content thesys=\"true\">a</content>\n", false },
		{ "<thinkitem>t</thinkitem><content>a", true },
		{ "<content>a</content><artifact id=\"1\"", true },
		{ "<content>a</cont", true },
		{ "<content", false }, /* nothing to be seen of it yet */
		{ "<content>a</content><custommarkdown/>", false },
	};
	static const char typed[] = "<context>[&quot;x&quot;]</context>";

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char answer[128];
		struct c1_drawn drawn = c1_drawn(slice_of(rows[i].text));

		assert_true(drawn.is_cut == rows[i].is_cut && drawn.typed.len == 0);
		snprintf(answer, sizeof answer, "%s%s", rows[i].text, typed);
		drawn = c1_drawn(slice_of(answer));
		assert_true(drawn.is_cut == rows[i].is_cut);
		assert_true(slice_is(drawn.text, rows[i].text) && slice_is(drawn.typed, typed));
	}
}

static void an_error_card_is_the_sample(void **state)
{
	static char text[4096];
	struct slice sample = read_file("tests/samples/errcallout.txt", text, sizeof text);
	struct buffer out;

	(void)state;
	buffer_init(&out, 4096);
	assert_true(c1_error_card(&out, "Something went wrong",
				  "The model did not answer. Please try again."));
	while (sample.len && sample.ptr[sample.len - 1] == '\n')
		sample.len--;
	assert_true(slice_equal(buffer_slice(&out), sample));
	buffer_reset(&out);
	assert_true(c1_error_card(&out, "a\"<", "b"));
	assert_non_null(strstr(out.data, "&quot;title&quot;:&quot;a\\&quot;&lt;&quot;"));
	buffer_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(b14_every_sample_passes_verbatim_at_every_split),
		cmocka_unit_test(plain_text_becomes_a_card),
		cmocka_unit_test(c1_text_of_any_kind_passes),
		cmocka_unit_test(custom_markdown_becomes_a_card),
		cmocka_unit_test(r33_markdown_beside_a_content_becomes_a_note),
		cmocka_unit_test(r33_whatever_comes_in_whatever_order_is_seen),
		cmocka_unit_test(a_cut_answer_is_not_closed),
		cmocka_unit_test(what_is_no_utf8_becomes_replacements),
		cmocka_unit_test(a_long_blank_beginning_is_text),
		cmocka_unit_test(the_five_entities_go_both_ways),
		cmocka_unit_test(a_user_message_is_read_and_wrapped),
		cmocka_unit_test(what_is_stored_has_no_passing_thoughts),
		cmocka_unit_test(what_was_drawn_in_part_is_known_by_its_last_tag),
		cmocka_unit_test(an_error_card_is_the_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
