/* test_cli.c - flags, options, values, shell words and completion: what the command line means before anything is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/completion.h"
#include "cli/options.h"
#include "cli/shell_command.h"
#include "cli/usage.h"
#include "cli/values.h"

/* --- values ------------------------------------------------------------------------------------------------------------ */

static void integers_have_go_prefixes_and_underscores(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum value_result result;
		int64_t value;
	} cases[] = {
		{ "0", VALUE_OK, 0 },
		{ "17", VALUE_OK, 17 },
		{ "-7", VALUE_OK, -7 },
		{ "+7", VALUE_OK, 7 },
		{ "0x1F", VALUE_OK, 31 },
		{ "0b101", VALUE_OK, 5 },
		{ "0o17", VALUE_OK, 15 },
		{ "017", VALUE_OK, 15 },
		{ "1_000", VALUE_OK, 1000 },
		{ "0x_f", VALUE_OK, 15 },
		{ "1__0", VALUE_SYNTAX, 0 },
		{ "1_", VALUE_SYNTAX, 0 },
		{ "_1", VALUE_SYNTAX, 0 },
		{ "08", VALUE_SYNTAX, 0 },
		{ "0x", VALUE_SYNTAX, 0 },
		{ "", VALUE_SYNTAX, 0 },
		{ "1 ", VALUE_SYNTAX, 0 },
		{ "abc", VALUE_SYNTAX, 0 },
		{ "--1", VALUE_SYNTAX, 0 },
		{ "0b2", VALUE_SYNTAX, 0 },
		{ "9223372036854775807", VALUE_OK, INT64_MAX },
		{ "9223372036854775808", VALUE_RANGE, 0 },
		{ "-0x8000000000000000", VALUE_OK, INT64_MIN },
		{ "99999999999999999999", VALUE_RANGE, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t value = 0;
		assert_int_equal(value_parse_int(cases[i].text, &value), cases[i].result);
		assert_int_equal(value, cases[i].value);
	}
}

static void floats_are_gos(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "x", "1e", " 1", "1 ", "0x1", "nan(1)", "1__0", "_1", "1_e3", "." };
	static const struct {
		const char *text;
		double value;
	} good[] = { { "1", 1 },        { ".5", 0.5 },    { "5.", 5 }, { "1e3", 1000 },     { "0x1p4", 16 },
		         { "1_0.5", 10.5 }, { "-2.5", -2.5 }, { "+1", 1 }, { "inf", INFINITY }, { "-Infinity", -INFINITY } };
	double value;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(value_parse_float(bad[i], &value), VALUE_SYNTAX);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(value_parse_float(good[i].text, &value), VALUE_OK);
		assert_true(value == good[i].value);
	}
	assert_int_equal(value_parse_float("1e400", &value), VALUE_RANGE);
}

static void floats_print_as_short_as_they_read_back(void **state)
{
	(void)state;
	static const struct {
		double value;
		const char *text;
	} cases[] = { { 1, "1" },
		          { 0.005, "0.005" },
		          { 1e6, "1e+06" },
		          { 123456, "123456" },
		          { 0.0001, "0.0001" },
		          { 0.00001, "1e-05" },
		          { 1234567.5, "1.2345675e+06" },
		          { -7.3, "-7.3" },
		          { 1e21, "1e+21" },
		          { INFINITY, "+Inf" },
		          { 0, "0" },
		          { 100000, "100000" } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buffer text;
		buffer_init(&text, BUFFER_UNLIMITED);
		value_append_float(&text, cases[i].value);
		assert_string_equal(buffer_text(&text), cases[i].text);
		buffer_release(&text);
	}
}

static void quoting_is_gos(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "abc", "\"abc\"" },
		{ "a\"b\\", "\"a\\\"b\\\\\"" },
		{ "\t\n\x01\x7f", "\"\\t\\n\\x01\\x7f\"" },
		{ "gr\xC3\xB6\xC3\x9F"
		  "e\xFF",
		  "\"gr\xC3\xB6\xC3\x9F"
		  "e\\xff\"" },
		{ "\xC2\x80\xEF\xBF\xBD", "\"\\u0080\xEF\xBF\xBD\"" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *quoted = value_quote(cases[i][0]);
		assert_string_equal(quoted, cases[i][1]);
		free(quoted);
	}
}

/* --- the command line -------------------------------------------------------------------------------------------------- */

#define ARGUMENTS_MAX 16
static char last_notice[256];

static void keep_notice(void *unused, const char *line)
{
	(void)unused;
	snprintf(last_notice, sizeof(last_notice), "%s", line);
}

/* Parses the words of `line` (blanks separate). Options point into a static copy. */
static enum options_result parse(struct options *options, const char *line, struct error *err)
{
	static char text[512], program_name[] = "cpprof";
	char *argv[ARGUMENTS_MAX] = { program_name };
	int argc = 1;
	snprintf(text, sizeof(text), "%s", line);
	*last_notice = '\0';
	*err = (struct error){ 0 };
	for (char *word = strtok(text, " "); word && argc < ARGUMENTS_MAX; word = strtok(NULL, " "))
		argv[argc++] = word;
	static char *kept[ARGUMENTS_MAX];
	memcpy(kept, argv, sizeof(kept));
	return options_parse(options, argc, kept, keep_notice, err);
}

static void expect_failure(const char *line, enum options_result result, const char *message)
{
	struct options options;
	struct error err;
	assert_int_equal(parse(&options, line, &err), result);
	assert_string_equal(err.message, message);
	options_release(&options);
}

static void flags_follow_go(void **state)
{
	(void)state;
	struct options options;
	struct error err;
	assert_int_equal(parse(&options, "-top --cum -nodecount=0x10 -focus main -trim=F a.pb b.pb -lines", &err),
	                 OPTIONS_RUN);
	assert_string_equal(options.command->name, "top");
	assert_string_equal(options.config.sort, "cum");
	assert_string_equal(options.config.focus, "main");
	assert_int_equal(options.config.node_count, 16);
	assert_false(options.config.trim);
	/* A flag behind the first source is a source. */
	assert_int_equal(options.source_count, 3);
	assert_string_equal(options.sources[2], "-lines");
	options_release(&options);

	assert_int_equal(parse(&options, "-peek a|b -base=x -- -y", &err), OPTIONS_RUN);
	assert_string_equal(options.parameter, "a|b");
	assert_string_equal(options.base, "x");
	assert_string_equal(options.sources[0], "-y");
	options_release(&options);
}

static void mistakes_are_told_in_gos_words(void **state)
{
	(void)state;
	expect_failure("-bogus p", OPTIONS_USAGE, "flag provided but not defined: -bogus");
	expect_failure("-top=yes p", OPTIONS_USAGE, "invalid boolean value \"yes\" for -top: parse error");
	expect_failure("-nodecount=abc p", OPTIONS_USAGE, "invalid value \"abc\" for flag -nodecount: parse error");
	expect_failure("-nodecount=99999999999999999999 p", OPTIONS_USAGE,
	               "invalid value \"99999999999999999999\" for flag -nodecount: value out of range");
	expect_failure("-focus", OPTIONS_USAGE, "flag needs an argument: -focus");
	expect_failure("---top p", OPTIONS_USAGE, "bad flag syntax: ---top");
	expect_failure("-=3 p", OPTIONS_USAGE, "bad flag syntax: -=3");
	expect_failure("-top", OPTIONS_USAGE, "no profile source specified");
}

static void contradictions_are_refused(void **state)
{
	(void)state;
	expect_failure("-top -raw p", OPTIONS_ERROR, "must set at most one output format");
	expect_failure("-top -svg p", OPTIONS_ERROR, "must set at most one output format");
	expect_failure("-disasm=main p", OPTIONS_ERROR, "there is no -disasm yet; `cpprof -help` lists the reports");
	expect_failure("-svg p", OPTIONS_ERROR, "there is no -svg yet; `cpprof -help` lists the reports");
	expect_failure("-lines -files -top p", OPTIONS_ERROR, "conflicting options set: [files lines]");
	expect_failure("-base=a -diff_base=b p", OPTIONS_ERROR, "-base and -diff_base flags cannot both be specified");
	expect_failure("-normalize p", OPTIONS_ERROR, "must have base profile to normalize by");
	expect_failure("-no_browser p", OPTIONS_ERROR, "-no_browser only makes sense with -http");
	expect_failure("-http=:1 -top p", OPTIONS_ERROR,
	               "-http is not compatible with an output format on the command line");
}

static void old_selectors_choose_a_sample_type(void **state)
{
	(void)state;
	struct options options;
	struct error err;
	assert_int_equal(parse(&options, "-mean_delay -alloc_space p", &err), OPTIONS_RUN);
	assert_string_equal(options.config.sample_index, "delay");
	assert_true(options.config.mean);
	assert_string_equal(last_notice, "Multiple value selections, ignoring -alloc_space");
	options_release(&options);
}

/* --- the shell ---------------------------------------------------------------------------------------------------------- */

static void assignments_check_their_values(void **state)
{
	(void)state;
	struct config config;
	struct error err;
	config_init(&config);
	assert_int_equal(config_assign(&config, "nodecount", "12", &err), STATUS_OK);
	assert_int_equal(config.node_count, 12);
	assert_int_equal(config_assign(&config, "mean", "YES", &err), STATUS_OK);
	assert_true(config.mean);
	assert_int_equal(config_assign(&config, "lines", "1", &err), STATUS_OK);
	assert_string_equal(config.granularity, "lines");
	static const struct {
		const char *name, *value, *message;
	} bad[] = {
		{ "nodecount", "abc", "strconv.Atoi: parsing \"abc\": invalid syntax" },
		{ "nodefraction", "x", "strconv.ParseFloat: parsing \"x\": invalid syntax" },
		{ "mean", "maybe", "illegal value \"maybe\" for bool variable" },
		{ "sort", "foo", "invalid \"sort\" value \"foo\"" },
		{ "granularity", "", "invalid \"granularity\" value \"\"" },
		{ "lines", "", "unknown config field \"lines\"" },
		{ "flat", "false", "unknown config field \"flat\"" },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(config_assign(&config, bad[i].name, bad[i].value, &err), STATUS_INVALID);
		assert_string_equal(err.message, bad[i].message);
	}
	assert_int_equal(config.node_count, 12);
	config_release(&config);
}

struct parsed {
	enum status status;
	const struct command *command;
	char parameter[64];
	struct config config;
	struct error err;
};

static void parse_words(struct parsed *parsed, const char *line)
{
	struct words words;
	const char *parameter = NULL;
	*parsed = (struct parsed){ 0 };
	config_init(&parsed->config);
	words_split(&words, line);
	parsed->status = shell_command_parse(&words, &parsed->config, &parsed->command, &parameter, &parsed->err);
	snprintf(parsed->parameter, sizeof(parsed->parameter), "%s", parameter ? parameter : "");
	words_release(&words);
}

static void report_commands_take_arguments(void **state)
{
	(void)state;
	struct parsed parsed;
	parse_words(&parsed, "  top10  -cum main -runtime foo -bar >out");
	assert_int_equal(parsed.status, STATUS_OK);
	assert_string_equal(parsed.command->name, "top");
	assert_int_equal(parsed.config.node_count, 10);
	assert_string_equal(parsed.config.sort, "cum");
	assert_string_equal(parsed.config.focus, "main|foo");
	assert_string_equal(parsed.config.ignore, "runtime|bar");
	assert_string_equal(parsed.config.output, "out");
	config_release(&parsed.config);

	parse_words(&parsed, "list alloc2 > a.txt");
	assert_string_equal(parsed.parameter, "alloc2");
	assert_string_equal(parsed.config.output, "a.txt");
	config_release(&parsed.config);

	parse_words(&parsed, "peek3 x");
	assert_string_equal(parsed.parameter, "3");
	assert_string_equal(parsed.config.focus, "x");
	config_release(&parsed.config);

	parse_words(&parsed, "tags key -other");
	assert_string_equal(parsed.config.tagfocus, "key");
	assert_string_equal(parsed.config.tagignore, "other");
	assert_string_equal(parsed.config.focus, "");
	config_release(&parsed.config);
}

static void report_commands_complain(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "bogus", "unrecognized command: \"bogus\"" },   { "foo10", "unrecognized command: \"foo\"" },
		{ "10", "unrecognized command: \"10\"" },         { "focus 3", "did you mean: focus=3" },
		{ "nodecount", "did you mean: nodecount=<val>" }, { "sort 3", "unrecognized command: \"sort\"" },
		{ "peek", "command peek requires an argument" },  { "top >", "unexpected end of line after >" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct parsed parsed;
		parse_words(&parsed, cases[i][0]);
		assert_int_equal(parsed.status, STATUS_INVALID);
		assert_string_equal(parsed.err.message, cases[i][1]);
		config_release(&parsed.config);
	}
}

/* The candidates joined by blanks. */
static void expect_completion(const struct profile *profile, const char *line, const char *expected)
{
	struct completion completion;
	struct buffer text;
	buffer_init(&text, BUFFER_UNLIMITED);
	completion_find(&completion, line, profile);
	for (size_t i = 0; i < completion.count; i++)
		buffer_printf(&text, "%s%s", i ? " " : "", completion.candidates[i]);
	assert_string_equal(buffer_text(&text), expected);
	buffer_release(&text);
	completion_release(&completion);
}

static void tab_completes(void **state)
{
	(void)state;
	struct profile profile;
	profile_init(&profile);
	static const char *const names[] = { "mangledNEW", "mangledMALLOC", "std::pair<int, int>", "mangledMALLOC" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		profile_add_function(&profile)->name = profile_intern_text(&profile, names[i]);
	expect_completion(&profile, "tra", "traces");
	expect_completion(&profile, "top", "top topproto");
	expect_completion(&profile, "EdGeF", "edgefraction");
	expect_completion(&profile, "lin", "lines");
	expect_completion(&profile, "help tra", "traces");
	expect_completion(&profile, "top mangledM", "mangledMALLOC");
	expect_completion(&profile, "top10 edMA", "mangledMALLOC");
	expect_completion(&profile, "top -mangledM", "-mangledMALLOC");
	expect_completion(&profile, "peek mangled", "mangledMALLOC mangledNEW");
	expect_completion(&profile, "list pair", "");
	expect_completion(&profile, "tags mangledM", "");
	expect_completion(&profile, "cmd mangledM", "");
	expect_completion(&profile, "top ", "");
	expect_completion(&profile, "granularity=file", "granularity=filefunctions granularity=files");
	expect_completion(&profile, "sort=", "sort=cum sort=flat");
	expect_completion(&profile, "focus=m", "");
	struct completion completion;
	completion_find(&completion, "peek mangled", &profile);
	assert_int_equal(completion.word_start, 5);
	assert_int_equal(completion_common_length(&completion), strlen("mangled"));
	completion_release(&completion);
	profile_release(&profile);
}

static void every_option_and_command_has_help(void **state)
{
	(void)state;
	struct buffer all;
	buffer_init(&all, BUFFER_UNLIMITED);
	usage_append_command_line(&all);
	struct profile profile;
	profile_init(&profile);
	for (size_t i = 0; i < command_count; i++) {
		struct buffer topic;
		buffer_init(&topic, BUFFER_UNLIMITED);
		assert_true(usage_append_topic(&topic, command_table[i].name, &profile));
		assert_non_null(strstr(buffer_text(&topic), command_table[i].name));
		buffer_release(&topic);
		char flag[64];
		snprintf(flag, sizeof(flag), "\n    -%s ", command_table[i].name);
		assert_non_null(strstr(buffer_text(&all), flag));
		/* Lists are printed in the table's order. */
		assert_true(i == 0 || strcmp(command_table[i - 1].name, command_table[i].name) < 0);
	}
	struct buffer none;
	buffer_init(&none, BUFFER_UNLIMITED);
	assert_false(usage_append_topic(&none, "nosuch", &profile));
	buffer_release(&none);
	buffer_release(&all);
	profile_release(&profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_have_go_prefixes_and_underscores),
		cmocka_unit_test(floats_are_gos),
		cmocka_unit_test(floats_print_as_short_as_they_read_back),
		cmocka_unit_test(quoting_is_gos),
		cmocka_unit_test(flags_follow_go),
		cmocka_unit_test(mistakes_are_told_in_gos_words),
		cmocka_unit_test(contradictions_are_refused),
		cmocka_unit_test(old_selectors_choose_a_sample_type),
		cmocka_unit_test(assignments_check_their_values),
		cmocka_unit_test(report_commands_take_arguments),
		cmocka_unit_test(report_commands_complain),
		cmocka_unit_test(tab_completes),
		cmocka_unit_test(every_option_and_command_has_help),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
