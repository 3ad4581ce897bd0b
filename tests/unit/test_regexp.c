/* test_regexp.c - which patterns are accepted, in which words others are refused, and what matches. What is expected here was
 * taken from Go's regexp package. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/utf8.h"
#include "regexp/regexp.h"

static struct regexp *compiled(struct str pattern)
{
	struct regexp *regexp;
	struct error err;
	if (regexp_compile(pattern, &regexp, &err) != STATUS_OK)
		fail_msg("%.*s: %s", STR_ARG(pattern), err.message);
	return regexp;
}

static bool matches_bytes(const char *pattern, struct str text)
{
	struct regexp *regexp = compiled(str_of(pattern));
	bool matched = regexp_search(regexp, text);
	assert_int_equal(regexp_search(regexp, text), matched);
	regexp_free(regexp);
	return matched;
}

static bool matches(const char *pattern, const char *text)
{
	return matches_bytes(pattern, str_of(text));
}

static void check_refused(struct str pattern, const char *message)
{
	struct regexp *regexp;
	struct error err;
	assert_int_equal(regexp_compile(pattern, &regexp, &err), STATUS_INVALID);
	char expected[ERROR_MESSAGE_SIZE];
	snprintf(expected, sizeof(expected), "error parsing regexp: %s", message);
	assert_string_equal(err.message, expected);
}

/* `count` times `head`, then as often `tail`; the caller frees it. */
static char *nested(const char *head, size_t count, const char *tail)
{
	size_t head_length = strlen(head), tail_length = strlen(tail);
	char *text = malloc(count * (head_length + tail_length) + 1), *end = text;
	assert_non_null(text);
	for (size_t i = 0; i < count; i++, end += head_length)
		memcpy(end, head, head_length);
	for (size_t i = 0; i < count; i++, end += tail_length)
		memcpy(end, tail, tail_length);
	*end = '\0';
	return text;
}

static void test_refused_patterns_get_the_words_of_go(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "*a", "missing argument to repetition operator: `*`" },
		{ "(?i)*", "missing argument to repetition operator: `*`" },
		{ "a|{2}?", "missing argument to repetition operator: `{2}?`" },
		{ "a**", "invalid nested repetition operator: `**`" },
		{ "a+?{2}?b", "invalid nested repetition operator: `+?{2}?`" },
		{ "[z-a]", "invalid character class range: `z-a`" },
		{ "[[:foo:]]", "invalid character class range: `[:foo:]`" },
		{ "\\p{Foo}", "invalid character class range: `\\p{Foo}`" },
		{ "\\p{Gr", "invalid character class range: `\\p{Gr`" },
		{ "\\p", "invalid character class range: `\\p`" },
		{ "x[a", "missing closing ]: `[a`" },
		{ "(a(b)", "missing closing ): `(a(b)`" },
		{ "a)b", "unexpected ): `a)b`" },
		{ "\\8", "invalid escape sequence: `\\8`" },
		{ "a\\x{110000}", "invalid escape sequence: `\\x{110000`" },
		{ "\\Cx", "invalid escape sequence: `\\C`" },
		{ "\\x4", "invalid escape sequence: `\\x4`" },
		{ "a\\", "trailing backslash at end of expression: ``" },
		{ "(?P<n", "invalid named capture: `(?P<n`" },
		{ "(?<\xC3\xA9>a)", "invalid named capture: `(?<\xC3\xA9>`" },
		{ "(?P<>a)", "invalid named capture: `(?P<>`" },
		{ "(?=a)", "invalid or unsupported Perl syntax: `(?=`" },
		{ "(?<", "invalid or unsupported Perl syntax: `(?<`" },
		{ "(?i-)", "invalid or unsupported Perl syntax: `(?i-)`" },
		{ "a(?i", "invalid or unsupported Perl syntax: `(?i`" },
		{ "a{1001}", "invalid repeat count: `{1001}`" },
		{ "a{3,2}?", "invalid repeat count: `{3,2}`" },
		{ "((a{100}){10}){11}", "invalid repeat count: `{11}`" },
		{ "a\xFF(", "invalid UTF-8: `\xFF(`" },
		{ "\\p{\xFF}", "invalid UTF-8: `\xFF`" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_refused(str_of(cases[i][0]), cases[i][1]);
}

static void test_what_looks_wrong_but_is_accepted(void **state)
{
	(void)state;
	static const char *const patterns[] = {
		"",    "()",           "(|)*",  "a{,2}",  "a{01}",     "{",           "]",
		"}",   "[]a]",         "[a-]",  "[[:a]",  "a*(?i)*",   "(?)",         "(?i)",
		"\\_", "(a{0}){1000}", "\\Qa(", "\\Q\\E", "\\p{ l-U}", "\\p{Letter}", "(?<n>)(?<n>)",
	};
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		regexp_free(compiled(str_of(patterns[i])));
}

static void test_nesting_and_size_are_limited(void **state)
{
	(void)state;
	char *deep = nested("(", 999, ")"), *too_deep = nested("(", 1000, ")"), *open = nested("(", 200000, "");
	regexp_free(compiled(str_of(deep)));
	struct regexp *regexp;
	struct error err;
	assert_int_equal(regexp_compile(str_of(too_deep), &regexp, &err), STATUS_INVALID);
	assert_non_null(strstr(err.message, "expression nests too deeply: `((("));
	assert_int_equal(regexp_compile(str_of(open), &regexp, &err), STATUS_INVALID);
	assert_non_null(strstr(err.message, "missing closing ): `((("));
	free(deep);
	free(too_deep);
	free(open);
	char *large = nested("\\w{1000}", 4000, "");
	assert_int_equal(regexp_compile(str_of(large), &regexp, &err), STATUS_INVALID);
	assert_non_null(strstr(err.message, "expression too large: `\\w{1000}"));
	free(large);
	/* The parser lets a long literal pass, whatever its count: the program has a limit of its own. */
	char *letters = nested("ab", 3000, ""), *repeated = malloc(strlen(letters) + 16);
	assert_non_null(repeated);
	snprintf(repeated, strlen(letters) + 16, "(?:%s|x){1000}", letters);
	assert_int_equal(regexp_compile(str_of(repeated), &regexp, &err), STATUS_INVALID);
	assert_non_null(strstr(err.message, "expression too large: `(?:abab"));
	free(letters);
	free(repeated);
}

static void test_literals_and_alternatives(void **state)
{
	(void)state;
	assert_true(matches("", ""));
	assert_true(matches("main", "runtime.main"));
	assert_false(matches("main", "runtime.Main"));
	assert_true(matches("(((main)))", "main.main"));
	assert_true(matches("foo|bar|baz", "xxbaz"));
	assert_false(matches("foo|bar|baz", "fobabaa"));
	assert_true(matches("a|", ""));
	assert_true(matches("aab", "aaab"));
	assert_true(matches("\\Qa.*b\\E", "xa.*b"));
	assert_false(matches("\\Qa.*b\\E", "a..b"));
	assert_true(matches("\\x{1F600}\\101\\n", "\xF0\x9F\x98\x80"
	                                          "A\n"));
}

static void test_repetition(void **state)
{
	(void)state;
	assert_true(matches("^a{2,3}$", "aaa"));
	assert_false(matches("^a{2,3}$", "a"));
	assert_false(matches("^a{2,3}$", "aaaa"));
	assert_true(matches("^a{2,}$", "aaaaaa"));
	assert_true(matches("^(ab){0}$", ""));
	assert_false(matches("^(ab){0}$", "ab"));
	assert_true(matches("^(?:a*b?)*?c+$", "aababbcc"));
	assert_true(matches("^a{,2}$", "a{,2}"));
	assert_false(matches("^.{1000}$", "\xC3\xA9"));
}

static void test_assertions(void **state)
{
	(void)state;
	assert_false(matches("a$", "a\n"));
	assert_true(matches("(?m)a$", "a\nb"));
	assert_true(matches("(?m)^b", "a\nb"));
	assert_false(matches("^b", "a\nb"));
	assert_false(matches("(?m)\\Ab", "a\nb"));
	assert_true(matches("(?m)^$\\z", "a\n"));
	assert_true(matches("\\bfoo\\b", "a foo.b"));
	assert_false(matches("\\bfoo\\b", "foo_"));
	/* Only ASCII letters make words. */
	assert_true(matches("\\bfoo\\b", "\xC3\xA9"
	                                 "foo\xC3\xA9"));
	assert_true(matches("\\B", ""));
	assert_false(matches("\\b", ""));
	assert_true(matches("(?:\\b|x)*y", "xy"));
	assert_true(matches("^|b", "a"));
	assert_false(matches("a^", "a"));
}

static void test_classes(void **state)
{
	(void)state;
	assert_false(matches("\\d", "\xD9\xA3")); /* U+0663, an Arabic digit */
	assert_true(matches("\\pN", "\xD9\xA3"));
	assert_false(matches(".", "\n"));
	assert_true(matches("(?s).", "\n"));
	assert_true(matches("[^a]", "\n"));
	assert_true(matches("^[]a-c[:digit:]\\-]+$", "]b7-"));
	assert_false(matches("[[:^alpha:]]", "abc"));
	assert_false(matches("\\s", "\v"));
	assert_true(matches("[[:space:]]", "\v"));
	assert_true(matches("^\\p{Greek}\\P{Greek}\\p{^Lu}\\p{uppercase letter}$", "\xCE\xB1"
	                                                                           "abC"));
	assert_false(matches("[^\\x00-\\x{10FFFF}]", "a"));
}

static void test_case_folding(void **state)
{
	(void)state;
	assert_true(matches("(?i)k", "\xE2\x84\xAA")); /* KELVIN SIGN */
	assert_true(matches("(?i)\xE2\x84\xAA", "K"));
	assert_true(matches("(?i)[r-t]", "\xC5\xBF")); /* LONG S */
	assert_false(matches("(?i)\\W", "\xC5\xBF"));
	assert_true(matches("(?i)\xC3\x89T\xC3\xA9", "\xC3\xA9t\xC3\x89"));
	assert_false(matches("(?i)a(?-i)b", "AB"));
	assert_true(matches("(?i)a(?-i)b", "Ab"));
	assert_true(matches("(?i:a)b", "Ab"));
	assert_false(matches("(?i:a)b", "aB"));
	assert_false(matches("(?i)\xC3\x9F", "ss"));
	assert_true(matches("(?i)\\p{Lu}", "a"));
	/* The cycles of more than two: sigma, iota with U+0345, dz with its title case, and sharp s, which maps to itself. */
	assert_true(matches("^(?i)\\x{3A3}\\x{3A3}\\x{3A3}$", "\xCE\xA3\xCF\x82\xCF\x83"));
	assert_true(matches("^(?i)\\x{345}[\\x{3B9}][\\x{390}-\\x{3B8}\\x{1FBE}]$", "\xCE\xB9\xCD\x85\xCE\x99"));
	assert_true(matches("^(?i)\\x{1C4}\\x{1C6}$", "\xC7\x85\xC7\x84"));
	assert_true(matches("^(?i)\xC3\x9F\\x{1E9E}$", "\xE1\xBA\x9E\xC3\x9F"));
	assert_true(matches("(?i)\\x{1E943}", "\xF0\x9E\xA4\xA1"));
	/* Dotted I and dotless i are equal to nothing else. */
	assert_false(matches("(?i)\\x{130}|\\x{131}", "Ii"));
	assert_false(matches("(?i)[Ii]", "\xC4\xB0\xC4\xB1"));
	assert_true(matches("(?i)A\xC2\xB7\xE6\x97\xA5", "a\xC2\xB7\xE6\x97\xA5"));
}

static void test_names_of_classes(void **state)
{
	(void)state;
	static const char *const digits[] = {
		"Nd", "decimal number", "Decimal_Number", "digit", "D-IGIT", "N", "Assigned"
	};
	for (size_t i = 0; i < sizeof(digits) / sizeof(digits[0]); i++) {
		char pattern[64];
		snprintf(pattern, sizeof(pattern), "^\\p{%s}$", digits[i]);
		assert_true(matches(pattern, "\xD9\xA1")); /* ARABIC-INDIC DIGIT ONE */
		assert_true(matches(pattern, "7"));
		assert_int_equal(matches(pattern, "a"), i == 6);
	}
	assert_true(matches("^\\p{Cn}\\p{Unassigned}\\pC\\PL$", "\xCD\xB8\xCD\xB8\xCD\xB8\xCD\xB8")); /* U+0378 */
	assert_true(matches("^\\p{LC}\\p{Cased_Letter}\\P{LC}$", "aB\xE6\x97\xA5"));
	assert_true(matches("^\\p{Han}\\p{hiragana}\\p{Common}\\p{Inherited}$", "\xE6\x97\xA5\xE3\x81\x82"
	                                                                        "1\xCC\x80"));
	assert_true(matches("^\\p{punct}\\p{cntrl}\\p{Combining_Mark}\\p{Any}$", "!\x01\xCC\x80\xFF"));
	assert_false(matches("\\p{ASCII}", "\xC2\x80"));
	check_refused(STR_LITERAL("\\p{Old_Italic}"), "invalid character class range: `\\p{Old_Italic}`");
	check_refused(STR_LITERAL("\\p{}"), "invalid character class range: `\\p{}`");
}

static void test_bytes_that_are_not_utf8(void **state)
{
	(void)state;
	assert_true(matches("^.$", "\xFF"));
	assert_true(matches("^..$", "\xE2\x82"));
	assert_true(matches("^...$", "\xED\xA0\x80"));
	assert_true(matches("\\x{FFFD}", "\xFF"));
	assert_true(matches("\xEF\xBF\xBD", "\xC0"));
	assert_true(matches("a.b", "a\x80"
	                           "b"));
	assert_true(matches("\xC3\xA9", "\xE2\x82\xC3\xA9"));
	assert_false(matches("\\x{D800}", "\xED\xA0\x80"));
	assert_true(matches_bytes("^a\\x00b$", (struct str){ "a\0b", 3 }));
	assert_true(matches_bytes("b$", (struct str){ "a\0b", 3 }));
}

/* A backtracking engine needs 2^3000 steps for some of these. */
static void test_no_pattern_takes_exponential_time(void **state)
{
	(void)state;
	char *text = nested("a", 3000, "");
	assert_true(matches("^(a|a?)+$", text));
	assert_false(matches("^(a|a?)+b$", text));
	assert_false(matches("^(a*)*(a*)*(a*)*b$", text));
	assert_false(matches("(x+x+)+y", text));
	assert_true(matches("^(?:a?){500}a{500}", text));
	free(text);
}

/* So many states that they are forgotten on the way: the answers must not change. */
static void test_states_may_be_forgotten(void **state)
{
	(void)state;
	struct regexp *regexp = compiled(STR_LITERAL("(?:[ab]c?)*a[abc]{60}d"));
	char text[4096];
	uint32_t random = 1;
	for (int round = 0; round < 40; round++) {
		for (size_t i = 0; i < sizeof(text); i++) {
			random = random * 1103515245 + 12345;
			text[i] = "abc"[(random >> 16) % 3];
		}
		assert_false(regexp_search(regexp, (struct str){ text, sizeof(text) }));
		size_t at = 100 + (random >> 16) % 3000;
		text[at - 61] = 'a';
		text[at] = 'd';
		assert_true(regexp_search(regexp, (struct str){ text, sizeof(text) }));
		text[at - 61] = 'c';
		assert_false(regexp_search(regexp, (struct str){ text, sizeof(text) }));
	}
	regexp_free(regexp);
}

/* Neighbouring alternatives of one character become one class while they come; groups within have their own. */
static void test_alternatives_of_one_character(void **state)
{
	(void)state;
	assert_true(matches("^(?:a|b|(?:c|[d-f]|\\d)|g|xy|h|i)+$", "abcdef7gxyhi"));
	assert_false(matches("^(?:a|b|(?:c|[d-f]|\\d)|g|xy|h|i)+$", "x"));
	assert_true(matches("^(?:a|(?i)b|c)+$", "abBcC"));
	assert_false(matches("^(?:a|(?i)b|c)+$", "A"));
	assert_true(matches("^(?:a|b|.|\n)$", "\n"));
	assert_true(matches("^(?:a|\n|c|.)$", "\n"));
	assert_true(matches("^(?:a|b|[^\n]|c|\n|d)$", "\n"));
	assert_false(matches("^(?:a|b|[^\n]|c)$", "\n"));
	assert_true(matches("^(?:\\pL|\\pN|\\pL|_)+$", "a\xC3\xA9_7"));
	assert_false(matches("^(?:\\pL|\\pN|\\pL|_)+$", "-"));
	assert_true(matches("^(?:a|b|)c$", "c"));
	check_refused(STR_LITERAL("a|b|(?:c|d|(?:e|f|"), "missing closing ): `a|b|(?:c|d|(?:e|f|`");
}

static void test_literals_in_nested_groups(void **state)
{
	(void)state;
	assert_true(matches("^(?:a(?:b(?:c(?:d(?:e(?:f(?:gh)))))))(?:ij)k$", "abcdefghijk"));
	assert_true(matches("^(?:(?:(?:(?:(?:ab)c)d)e)f)g$", "abcdefg"));
	assert_true(matches("^(?:a(?:b(?:(?:(?:cd)e)f(?:g(?:h(?:ijkl))))))$", "abcdefghijkl"));
	assert_true(matches("a(?:b(?:c(?:d)))e", "xabcdex"));
	assert_false(matches("a(?:b(?:c(?:d)))e", "xabdcex"));
}

/* --- patterns that take long where work is done again for each part of them ---------------------------------------- */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED
#endif

#define PEAK_KIB_MAX 100000

struct pattern {
	char *text;
	size_t length;
};

/* Appends the text, which is formatted with characters beyond U+10000: each second one, so that no two touch. */
static void append(struct pattern *pattern, const char *before, int index, const char *after)
{
	memcpy(pattern->text + pattern->length, before, strlen(before));
	pattern->length += strlen(before);
	if (index >= 0)
		pattern->length += utf8_encode(0x10000 + 2 * (uint32_t)index, pattern->text + pattern->length);
	memcpy(pattern->text + pattern->length, after, strlen(after));
	pattern->length += strlen(after);
}

#define PATTERN_SIZE ((size_t)4 << 20)

static struct pattern pattern_new(const char *start)
{
	struct pattern pattern = { malloc(PATTERN_SIZE), 0 };
	assert_non_null(pattern.text);
	append(&pattern, start, -1, "");
	return pattern;
}

/* Compiles it in a process of its own, whose memory is looked at. Steps cannot be counted: but if they were quadratic, as
 * they once were, these patterns would take minutes to hours, and the test would not end within its time. Frees the pattern. */
static void check_cheap(struct pattern pattern, enum status expected)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct regexp *regexp = NULL;
		enum status status = regexp_compile((struct str){ pattern.text, pattern.length }, &regexp, NULL);
		if (status == STATUS_OK)
			regexp_search(regexp, STR_LITERAL("runtime.mallocgc"));
		_exit(status == expected ? 0 : 1);
	}
	int status;
	struct rusage usage;
	assert_int_equal(wait4(child, &status, 0, &usage), child);
	assert_int_equal(status, 0);
#ifndef IS_SANITIZED
	assert_in_range(usage.ru_maxrss, 0, PEAK_KIB_MAX);
#endif
	free(pattern.text);
}

static void test_many_alternatives_cost_their_length(void **state)
{
	(void)state;
	struct pattern characters = pattern_new("x"), classes = pattern_new("x");
	for (int i = 0; i < 300000; i++)
		append(&characters, "|", i, "");
	check_cheap(characters, STATUS_OK);
	for (int i = 0; i < 10000; i++)
		append(&classes, "|\\pL|\\pN", -1, "");
	check_cheap(classes, STATUS_OK);
}

static void test_long_bracket_classes_cost_their_length(void **state)
{
	(void)state;
	struct pattern open = pattern_new("["), named = pattern_new("["), folded = pattern_new("(?i)["),
				   words = pattern_new("[^");
	for (int i = 0; i < 1000000; i++)
		append(&open, "[:", -1, "");
	check_cheap(open, STATUS_INVALID);
	for (int i = 0; i < 300000; i++) {
		append(&named, "\\pL\\PN", -1, "");
		append(&folded, "\xC3\x80-", 300000, "");
		append(&words, "\\W\\s[:alpha:]", -1, "");
	}
	append(&named, "]", -1, "");
	append(&folded, "]", -1, "");
	append(&words, "]", -1, "");
	check_cheap(named, STATUS_OK);
	check_cheap(folded, STATUS_OK);
	check_cheap(words, STATUS_OK);
}

static void test_many_classes_cost_their_length(void **state)
{
	(void)state;
	struct pattern same = pattern_new("(?i)"), different = pattern_new("");
	for (int i = 0; i < 10000; i++)
		append(&same, "\\pL[^\\pL]", -1, "");
	check_cheap(same, STATUS_OK);
	for (int i = 0; i < 100000; i++)
		append(&different, "[^", i, "]");
	check_cheap(different, STATUS_OK);
}

/* Groups that dissolve in the one around them: of a concatenation, of alternatives, and of just one operand. */
static void test_nested_groups_cost_their_length(void **state)
{
	(void)state;
	enum { DEPTH = 100000 };
	static const char *const middles[] = { "a.", "ab", "" }, *const ends[] = { ")b.", "|cd)", ")" };
	for (int kind = 0; kind < 3; kind++) {
		struct pattern pattern = pattern_new("");
		for (int i = 0; i < DEPTH; i++)
			append(&pattern, "(?:", -1, "");
		append(&pattern, middles[kind], -1, "");
		for (int i = 0; i < DEPTH && kind == 2; i++)
			append(&pattern, "a.", -1, "");
		for (int i = 0; i < DEPTH; i++)
			append(&pattern, ends[kind], -1, "");
		check_cheap(pattern, STATUS_OK);
	}
}

static void test_freeing_nothing(void **state)
{
	(void)state;
	regexp_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_patterns_get_the_words_of_go),
		cmocka_unit_test(test_what_looks_wrong_but_is_accepted),
		cmocka_unit_test(test_nesting_and_size_are_limited),
		cmocka_unit_test(test_literals_and_alternatives),
		cmocka_unit_test(test_repetition),
		cmocka_unit_test(test_assertions),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_case_folding),
		cmocka_unit_test(test_names_of_classes),
		cmocka_unit_test(test_bytes_that_are_not_utf8),
		cmocka_unit_test(test_no_pattern_takes_exponential_time),
		cmocka_unit_test(test_states_may_be_forgotten),
		cmocka_unit_test(test_alternatives_of_one_character),
		cmocka_unit_test(test_literals_in_nested_groups),
		cmocka_unit_test(test_many_alternatives_cost_their_length),
		cmocka_unit_test(test_long_bracket_classes_cost_their_length),
		cmocka_unit_test(test_many_classes_cost_their_length),
		cmocka_unit_test(test_nested_groups_cost_their_length),
		cmocka_unit_test(test_freeing_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
