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
		cmocka_unit_test(test_freeing_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
