/* test_report.c - every report of one small profile, literally. The texts are the reference's for the same profile. */
#include "make_profile.h"

#include <time.h>

#include "base/out.h"
#include "profile/aggregate.h"
#include "profile/codec.h"
#include "report/report.h"
#include "wire/gzip.h"

/* A server of two requests: inlining, recursion, a frame without name, labels, a negative value. */
static void make_server(struct profile *profile)
{
	make_profile(profile, "samples/count cpu/nanoseconds");
	make_mapping(profile, 0x1000, 0x4000, "/bin/server", "abc123");
	SAMPLE(profile, "work:12@1100 in:30+serve:20@1200 main:5@1300", 10, 1000000000);
	make_text_label(profile, "path", "/a");
	make_number_label(profile, "bytes", 2048, "");
	SAMPLE(profile, "serve:21@1210 main:5@1300", 3, 300000000);
	make_text_label(profile, "path", "/b");
	make_text_label(profile, "path", "/c");
	SAMPLE(profile, "work:14@1110 main:5@1300", 1, 12345678);
	SAMPLE(profile, "work:12@1100 work:13@1108 in:30+serve:20@1200 main:5@1300", 2, 200000000);
	make_number_label(profile, "bytes", 512, "");
	make_number_label(profile, "wait", 3, "ms");
	SAMPLE(profile, "?@3000 main:5@1300", 1, 1000000);
	SAMPLE(profile, "idle:7@1400 main:5@1300", 1, -50000000);
	for (uint32_t i = 0; i < profile->function_count; i++)
		profile->functions[i].start_line = i == 0 ? 10 : 0;
	profile->functions[1].system_name = profile_intern_text(profile, "_in");
	profile->time_ns = 1500000000123456789;
	profile->duration_ns = 2002000000;
	profile->period_type = profile->sample_types[1];
	profile->period = 10000000;
	profile->doc_url = profile_intern_text(profile, "http://doc/");
	profile_add_comment(profile, STR_LITERAL("a comment"));
	profile_add_comment(profile, STR_LITERAL("#for machines"));
}

/* --- reports ---------------------------------------------------------------------------------------------------------- */

static const struct granularity by_function = { .inlines = true, .functions = true };
static const struct granularity by_line = {
	.inlines = true, .functions = true, .filenames = true, .line_numbers = true
};
static const struct granularity by_address = {
	.inlines = true, .functions = true, .filenames = true, .line_numbers = true, .addresses = true
};

/* A report about to be made, with the reference's defaults. */
struct setup {
	struct profile profile;
	struct number_units units;
	struct report_options options;
};

static void set_up(struct setup *setup, const struct granularity *keep)
{
	make_server(&setup->profile);
	number_units_init(&setup->units, &setup->profile);
	profile_aggregate(&setup->profile, keep);
	setup->options = (struct report_options){
		.value_ix = 1,
		.ratio = 1,
		.node_fraction = 0.005,
		.edge_fraction = 0.001,
		.output_unit = STR_LITERAL("minimum"),
		.trim_path = STR_LITERAL(""),
		.source_path = STR_LITERAL(""),
		.symbol_pattern = STR_LITERAL("none"),
	};
}

static void tear_down(struct setup *setup)
{
	number_units_release(&setup->units);
	profile_release(&setup->profile);
}

typedef enum status (*report_function)(struct report *report, struct out *out, struct error *err);

/* Makes the report into *text. */
static enum status make_report(struct setup *setup, report_function function, struct buffer *text, struct error *err)
{
	struct report report;
	struct out out;
	buffer_init(text, 1 << 20);
	setup->options.number_units = &setup->units;
	report_init(&report, &setup->profile, &setup->options);
	out_init_buffer(&out, text);
	enum status status = function(&report, &out, err);
	assert_int_equal(out_close(&out, NULL), STATUS_OK);
	return status;
}

/* The text of the report; takes the setup down. */
static void assert_report(struct setup *setup, report_function function, const char *expected)
{
	struct buffer text;
	assert_int_equal(make_report(setup, function, &text, NULL), STATUS_OK);
	assert_string_equal(buffer_text(&text), expected);
	buffer_release(&text);
	tear_down(setup);
}

/* "a|b": one of these texts. */
static bool any_of(const void *expression, struct str text)
{
	const char *at = expression;
	for (;;) {
		const char *end = strchrnul(at, '|');
		if (str_equal(text, (struct str){ at, (size_t)(end - at) }))
			return true;
		if (!*end)
			return false;
		at = end + 1;
	}
}

/* Forty lines of serve.c, the last as DOS writes them; no other file exists. */
static enum status read_fake(void *arg, struct str file, struct source_lines *ret_lines, struct error *err)
{
	(void)arg;
	static char texts[40][32];
	static struct str lines[40];
	if (!str_equal(file, STR_LITERAL("serve.c")))
		return error_set(err, STATUS_NOT_FOUND, "could not find file %.*s", STR_ARG(file));
	for (size_t i = 0; i < 40; i++) {
		snprintf(texts[i], sizeof(texts[i]), "serve line %zu%s", i + 1, i > 20 ? "\r" : "");
		lines[i] = str_of(texts[i]);
	}
	*ret_lines = (struct source_lines){ lines, 40 };
	return STATUS_OK;
}

static void text_is_sorted_by_flat(void **state)
{
	(void)state;
	struct setup setup;
	set_up(&setup, &by_function);
	assert_report(&setup, report_text,
	              "File: server\n"
	              "Build ID: abc123\n"
	              "a comment\n"
	              "Type: cpu\n"
	              "Doc: http://doc/\n"
	              "Time: 2017-07-14 02:40:00 UTC\n"
	              "Duration: 2s, Total samples = 1563.35ms (78.09%)\n"
	              "Showing nodes accounting for 1462.35ms, 93.54% of 1563.35ms total\n"
	              "Dropped 1 node (cum <= 7.82ms)\n"
	              "      flat  flat%   sum%        cum   cum%\n"
	              " 1212.35ms 77.55% 77.55%  1212.35ms 77.55%  work\n"
	              "     300ms 19.19% 96.74%     1500ms 95.95%  serve\n"
	              "     -50ms  3.20% 93.54%      -50ms  3.20%  idle\n"
	              "         0     0% 93.54%     1200ms 76.76%  in (inline)\n"
	              "         0     0% 93.54%  1463.35ms 93.60%  main\n");
}

static void text_can_be_sorted_by_cum_and_cut(void **state)
{
	(void)state;
	struct setup setup;
	set_up(&setup, &by_function);
	setup.options.compact_labels = true;
	setup.options.cum_sort = true;
	setup.options.node_count = 3;
	setup.options.output_unit = STR_LITERAL("ms");
	assert_report(&setup, report_text,
	              "Showing nodes accounting for 1512.35ms, 96.74% of 1563.35ms total\n"
	              "Dropped 1 node (cum <= 7.82ms)\n"
	              "Showing top 3 nodes out of 5\n"
	              "      flat  flat%   sum%        cum   cum%\n"
	              "     300ms 19.19% 19.19%     1500ms 95.95%  serve\n"
	              "         0     0% 19.19%  1463.35ms 93.60%  main\n"
	              " 1212.35ms 77.55% 96.74%  1212.35ms 77.55%  work\n");
}

static void text_can_leave_out_negative_nodes_and_the_header(void **state)
{
	(void)state;
	struct setup setup;
	set_up(&setup, &by_function);
	setup.options.drop_negative = true;
	setup.options.compact_labels = true;
	setup.options.node_fraction = 0.02;
	assert_report(&setup, report_text,
	              "Showing nodes accounting for 1512.35ms, 96.74% of 1563.35ms total\n"
	              "Dropped 1 node (cum <= 31.27ms)\n"
	              "      flat  flat%   sum%        cum   cum%\n"
	              " 1212.35ms 77.55% 77.55%  1212.35ms 77.55%  work\n"
	              "     300ms 19.19% 96.74%     1500ms 95.95%  serve\n"
	              "         0     0% 96.74%     1200ms 76.76%  in (inline)\n"
	              "         0     0% 96.74%  1463.35ms 93.60%  main\n");
}

static void text_shows_means(void **state)
{
	(void)state;
	struct setup setup;
	set_up(&setup, &by_function);
	setup.options.compact_labels = true;
	setup.options.mean = true;
	assert_report(&setup, report_text,
	              "Showing nodes accounting for 143.26ms, 164.94% of 86.85ms total\n"
	              "Dropped 1 node (cum <= 0.43ms)\n"
	              "      flat  flat%   sum%        cum   cum%\n"
	              "   93.26ms 107.37% 107.37%    93.26ms 107.37%  work\n"
	              "     100ms 115.14% 222.51%      100ms 115.14%  serve\n"
	              "     -50ms 57.57% 164.94%      -50ms 57.57%  idle\n"
	              "         0     0% 164.94%      100ms 115.14%  in (inline)\n"
	              "         0     0% 164.94%    81.30ms 93.60%  main\n");
}

static void text_divides_values_and_marks_what_is_sometimes_inlined(void **state)
{
	(void)state;
	struct setup setup;
	set_up(&setup, &by_function);
	profile_release(&setup.profile);
	make_profile(&setup.profile, "n/count");
	SAMPLE(&setup.profile, "in+out main", 100);
	SAMPLE(&setup.profile, "in main", 50);
	profile_aggregate(&setup.profile, &by_function);
	setup.options.value_ix = 0;
	setup.options.ratio = 0.1;
	setup.options.compact_labels = true;
	assert_report(&setup, report_text,
	              "Showing nodes accounting for 15, 100% of 15 total\n"
	              "      flat  flat%   sum%        cum   cum%\n"
	              "        15   100%   100%         15   100%  in (partial-inline)\n"
	              "         0     0%   100%         15   100%  main\n"
	              "         0     0%   100%         10 66.67%  out\n");
}

static void text_lists_active_filters(void **state)
{
	(void)state;
	/* More than is shown of one. */
	const struct str long_filter[] = { STR_LITERAL(
			"tagfocus=path=/a|/bcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz") };
	struct setup setup;
	set_up(&setup, &by_function);
	setup.options.compact_labels = true;
	setup.profile.sample_count = 1; /* what the filter leaves */
	setup.options.active_filters = long_filter;
	setup.options.active_filter_count = 1;
	assert_report(&setup, report_text,
	              "Active filters:\n"
	              "   tagfocus=path=/a|/bcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk…\n"
	              "Showing nodes accounting for 1s, 100% of 1s total\n"
	              "      flat  flat%   sum%        cum   cum%\n"
	              "        1s   100%   100%         1s   100%  work\n"
	              "         0     0%   100%         1s   100%  in (inline)\n"
	              "         0     0%   100%         1s   100%  main\n"
	              "         0     0%   100%         1s   100%  serve\n");
}

static void text_at_address_granularity_shows_where(void **state)
{
	(void)state;
	struct setup setup;
	set_up(&setup, &by_address);
	setup.options.compact_labels = true;
	setup.options.node_fraction = 0;
	assert_report(&setup, report_text,
	              "Showing nodes accounting for 1463.35ms, 93.60% of 1563.35ms total\n"
	              "      flat  flat%   sum%        cum   cum%\n"
	              "    1200ms 76.76% 76.76%     1200ms 76.76%  0000000000001100 work work.c:12\n"
	              "     300ms 19.19% 95.95%      300ms 19.19%  0000000000001210 serve serve.c:21\n"
	              "     -50ms  3.20% 92.75%      -50ms  3.20%  0000000000001400 idle idle.c:7\n"
	              "   12.35ms  0.79% 93.54%    12.35ms  0.79%  0000000000001110 work work.c:14\n"
	              "       1ms 0.064% 93.60%        1ms 0.064%  0000000000003000 [server]\n"
	              "         0     0% 93.60%      200ms 12.79%  0000000000001108 work work.c:13\n"
	              "         0     0% 93.60%     1200ms 76.76%  0000000000001200 in in.c:30 (inline)\n"
	              "         0     0% 93.60%     1200ms 76.76%  0000000000001200 serve serve.c:20\n"
	              "         0     0% 93.60%  1463.35ms 93.60%  0000000000001300 main main.c:5\n");
}

static void tree_shows_callers_and_callees(void **state)
{
	(void)state;
	struct setup setup;
	set_up(&setup, &by_function);
	setup.options.compact_labels = true;
	setup.options.node_count = 80;
	assert_report(&setup, report_tree,
	              "Showing nodes accounting for 1462.35ms, 93.54% of 1563.35ms total\n"
	              "Dropped 1 node (cum <= 7.82ms)\n"
	              "----------------------------------------------------------+-------------\n"
	              "      flat  flat%   sum%        cum   cum%   calls calls% + context \t \t \n"
	              "----------------------------------------------------------+-------------\n"
	              "                                            1200ms 98.98% |   in\n"
	              "                                           12.35ms  1.02% |   main\n"
	              " 1212.35ms 77.55% 77.55%  1212.35ms 77.55%                | work\n"
	              "----------------------------------------------------------+-------------\n"
	              "                                            1500ms   100% |   main\n"
	              "     300ms 19.19% 96.74%     1500ms 95.95%                | serve\n"
	              "                                            1200ms 80.00% |   in (inline)\n"
	              "----------------------------------------------------------+-------------\n"
	              "                                             -50ms   100% |   main\n"
	              "     -50ms  3.20% 93.54%      -50ms  3.20%                | idle\n"
	              "----------------------------------------------------------+-------------\n"
	              "                                            1200ms   100% |   serve (inline)\n"
	              "         0     0% 93.54%     1200ms 76.76%                | in\n"
	              "                                            1200ms   100% |   work\n"
	              "----------------------------------------------------------+-------------\n"
	              "         0     0% 93.54%  1463.35ms 93.60%                | main\n"
	              "                                            1500ms 102.50% |   serve\n"
	              "                                             -50ms  3.42% |   idle\n"
	              "                                           12.35ms  0.84% |   work\n"
	              "----------------------------------------------------------+-------------\n");
}

static void tree_passes_over_trimmed_nodes(void **state)
{
	(void)state;
	struct setup setup;
	set_up(&setup, &by_function);
	setup.options.node_count = 3;
	setup.options.compact_labels = true;
	assert_report(&setup, report_tree,
	              "Showing nodes accounting for 1462.35ms, 93.54% of 1563.35ms total\n"
	              "Dropped 1 node (cum <= 7.82ms)\n"
	              "Showing top 3 nodes out of 5\n"
	              "----------------------------------------------------------+-------------\n"
	              "      flat  flat%   sum%        cum   cum%   calls calls% + context \t \t \n"
	              "----------------------------------------------------------+-------------\n"
	              "                                            1200ms 98.98% |   serve\n"
	              " 1212.35ms 77.55% 77.55%  1212.35ms 77.55%                | work\n"
	              "----------------------------------------------------------+-------------\n"
	              "     300ms 19.19% 96.74%     1500ms 95.95%                | serve\n"
	              "                                            1200ms 80.00% |   work\n"
	              "----------------------------------------------------------+-------------\n"
	              "     -50ms  3.20% 93.54%      -50ms  3.20%                | idle\n"
	              "----------------------------------------------------------+-------------\n");
}

static void peek_shows_matching_nodes(void **state)
{
	(void)state;
	struct setup setup;
	set_up(&setup, &by_function);
	setup.options.compact_labels = true;
	setup.options.node_fraction = 0;
	setup.options.edge_fraction = 0;
	setup.options.symbol = containing("serve");
	assert_report(&setup, report_tree,
	              "Showing nodes accounting for 1463.35ms, 93.60% of 1563.35ms total\n"
	              "----------------------------------------------------------+-------------\n"
	              "      flat  flat%   sum%        cum   cum%   calls calls% + context \t \t \n"
	              "----------------------------------------------------------+-------------\n"
	              "                                            1500ms   100% |   main\n"
	              "     300ms 19.19% 19.19%     1500ms 95.95%                | serve\n"
	              "                                            1200ms 80.00% |   in (inline)\n"
	              "----------------------------------------------------------+-------------\n"
	              "                                               1ms   100% |   main\n"
	              "       1ms 0.064% 19.25%        1ms 0.064%                | [server]\n"
	              "----------------------------------------------------------+-------------\n");
}

static void traces_show_every_sample(void **state)
{
	(void)state;
	struct setup setup;
	set_up(&setup, &by_function);
	assert_report(&setup, report_traces,
	              "File: server\n"
	              "Build ID: abc123\n"
	              "a comment\n"
	              "Type: cpu\n"
	              "Doc: http://doc/\n"
	              "Time: 2017-07-14 02:40:00 UTC\n"
	              "Duration: 2s, Total samples = 1.56s (78.09%)\n"
	              "-----------+-------------------------------------------------------\n"
	              "      path:  /a\n"
	              "     bytes:  2kB\n"
	              "        1s   work\n"
	              "             in (inline)\n"
	              "             serve\n"
	              "             main\n"
	              "-----------+-------------------------------------------------------\n"
	              "      path:  /b /c\n"
	              "     300ms   serve\n"
	              "             main\n"
	              "-----------+-------------------------------------------------------\n"
	              "   12.35ms   work\n"
	              "             main\n"
	              "-----------+-------------------------------------------------------\n"
	              "      wait:  3ms\n"
	              "     bytes:  512B\n"
	              "     200ms   work\n"
	              "             work\n"
	              "             in (inline)\n"
	              "             serve\n"
	              "             main\n"
	              "-----------+-------------------------------------------------------\n"
	              "       1ms   [server]\n"
	              "             main\n"
	              "-----------+-------------------------------------------------------\n"
	              "     -50ms   idle\n"
	              "             main\n"
	              "-----------+-------------------------------------------------------\n");
}

static void tags_add_up_labels(void **state)
{
	(void)state;
	struct setup setup;
	set_up(&setup, &by_function);
	assert_report(&setup, report_tags,
	              " bytes: Total 1.20s of 1.56s (76.76%)\n"
	              "           1s (63.97%): 2kB\n"
	              "        200ms (12.79%): 512B\n"
	              "\n"
	              " path: Total 1.60s of 1.56s (102.34%)\n"
	              "          1s (63.97%): /a\n"
	              "       300ms (19.19%): /b\n"
	              "       300ms (19.19%): /c\n"
	              "\n"
	              " wait: Total 200ms of 1.56s (12.79%)\n"
	              "       200ms (12.79%): 3ms\n"
	              "\n");
}

static void tags_use_the_unit(void **state)
{
	(void)state;
	struct setup setup;
	set_up(&setup, &by_function);
	setup.options.value_ix = 0;
	setup.options.output_unit = STR_LITERAL("b");
	assert_report(&setup, report_tags,
	              " bytes: Total 12b of 18b (66.67%)\n"
	              "        10b (55.56%): 2048B\n"
	              "         2b (11.11%): 512B\n"
	              "\n"
	              " path: Total 16b of 18b (88.89%)\n"
	              "       10b (55.56%): /a\n"
	              "        3b (16.67%): /b\n"
	              "        3b (16.67%): /c\n"
	              "\n"
	              " wait: Total 2b of 18b (11.11%)\n"
	              "       2b (11.11%): 0\n"
	              "\n");
}

static void list_shows_source_lines(void **state)
{
	(void)state;
	struct setup setup;
	set_up(&setup, &by_line);
	setup.options.symbol = (struct matcher){ any_of, "serve|work|idle" };
	setup.options.sources = (struct source_reader){ read_fake, NULL };
	assert_report(&setup, report_list,
	              "Total: 1.56s\n"
	              "ROUTINE ======================== idle in idle.c\n"
	              "     -50ms      -50ms (flat, cum)  3.20% of Total\n"
	              " Error: could not find file idle.c\n"
	              "ROUTINE ======================== serve in serve.c\n"
	              "     300ms      1.50s (flat, cum) 95.95% of Total\n"
	              "         .          .     15:serve line 15\n"
	              "         .          .     16:serve line 16\n"
	              "         .          .     17:serve line 17\n"
	              "         .          .     18:serve line 18\n"
	              "         .          .     19:serve line 19\n"
	              "         .      1.20s     20:serve line 20\n"
	              "     300ms      300ms     21:serve line 21\n"
	              "         .          .     22:serve line 22\n"
	              "         .          .     23:serve line 23\n"
	              "         .          .     24:serve line 24\n"
	              "         .          .     25:serve line 25\n"
	              "         .          .     26:serve line 26\n"
	              "ROUTINE ======================== work in work.c\n"
	              "     1.21s      1.41s (flat, cum) 90.34% of Total\n"
	              " Error: could not find file work.c\n");
}

static void raw_shows_the_whole_model(void **state)
{
	(void)state;
	struct setup setup;
	set_up(&setup, &by_address);
	assert_report(&setup, report_raw,
	              "Comment: a comment\n"
	              "Comment: #for machines\n"
	              "Doc: http://doc/\n"
	              "PeriodType: cpu nanoseconds\n"
	              "Period: 10000000\n"
	              "Time: 2017-07-14 02:40:00.123456789 +0000 UTC\n"
	              "Duration: 2.00\n"
	              "Samples:\n"
	              "samples/count cpu/nanoseconds\n"
	              "         10 1000000000: 1 2 3 \n"
	              "                path:[/a]\n"
	              "                bytes:[2048]\n"
	              "          3  300000000: 4 3 \n"
	              "                path:[/b /c]\n"
	              "          1   12345678: 5 3 \n"
	              "          2  200000000: 1 6 2 3 \n"
	              "                bytes:[512] wait:[3 ms]\n"
	              "          1    1000000: 7 3 \n"
	              "          1  -50000000: 8 3 \n"
	              "Locations\n"
	              "     1: 0x1100 M=1 work work.c:12:0 s=10\n"
	              "     2: 0x1200 M=1 in in.c:30:0 s=0(_in)\n"
	              "             serve serve.c:20:0 s=0\n"
	              "     3: 0x1300 M=1 main main.c:5:0 s=0\n"
	              "     4: 0x1210 M=1 serve serve.c:21:0 s=0\n"
	              "     5: 0x1110 M=1 work work.c:14:0 s=10\n"
	              "     6: 0x1108 M=1 work work.c:13:0 s=10\n"
	              "     7: 0x3000 M=1 \n"
	              "     8: 0x1400 M=1 idle idle.c:7:0 s=0\n"
	              "Mappings\n"
	              "1: 0x1000/0x4000/0x0 /bin/server abc123 \n");
}

static void comments_are_all_shown(void **state)
{
	(void)state;
	struct setup setup;
	set_up(&setup, &by_function);
	assert_report(&setup, report_comments,
	              "a comment\n"
	              "#for machines\n");
}

static void an_expression_without_match_is_an_error(void **state)
{
	(void)state;
	static const report_function functions[] = { report_tree, report_list };
	for (size_t i = 0; i < 2; i++) {
		struct setup setup;
		struct buffer text;
		struct error err;
		set_up(&setup, &by_line);
		setup.options.symbol = exactly("none");
		assert_int_equal(make_report(&setup, functions[i], &text, &err), STATUS_NOT_FOUND);
		assert_string_equal(err.message, "no matches found for regexp: none");
		assert_int_equal(text.length, 0);
		buffer_release(&text);
		tear_down(&setup);
	}
}

static void list_without_file_says_so(void **state)
{
	(void)state;
	struct setup setup;
	set_up(&setup, &by_line);
	for (uint32_t i = 0; i < setup.profile.function_count; i++)
		setup.profile.functions[i].filename = 0;
	setup.options.symbol = exactly("serve");
	assert_report(&setup, report_list, "Total: 1.56s\nNo source information for serve\n");
}

static void an_empty_profile_has_reports_too(void **state)
{
	(void)state;
	struct setup setup;
	set_up(&setup, &by_function);
	setup.profile.sample_count = 0;
	setup.options.compact_labels = true;
	assert_report(&setup, report_text,
	              "Showing nodes accounting for 0, 0% of 0 total\n"
	              "      flat  flat%   sum%        cum   cum%\n");
	set_up(&setup, &by_function);
	setup.profile.sample_count = 0;
	setup.profile.mapping_count = setup.profile.comment_count = setup.profile.doc_url = 0;
	setup.profile.time_ns = setup.profile.duration_ns = 0;
	assert_report(&setup, report_traces,
	              "Type: cpu\n-----------+-------------------------------------------------------\n");
	set_up(&setup, &by_function);
	setup.profile.sample_count = 0;
	assert_report(&setup, report_tags, "");
}

static void totals_are_sums_of_magnitudes(void **state)
{
	(void)state;
	struct setup setup;
	struct report report;
	set_up(&setup, &by_function);
	report_init(&report, &setup.profile, &setup.options);
	assert_true(report.total == 1563345678);
	setup.options.mean = true;
	report_init(&report, &setup.profile, &setup.options);
	assert_true(report.total == 1563345678 / 18);
	assert_str(report.sample_type, "mean_cpu");
	tear_down(&setup);
}

static void a_comparison_is_measured_against_its_base(void **state)
{
	(void)state;
	struct profile profile;
	struct report report;
	const struct report_options options = { .ratio = 1 };
	make_profile(&profile, "n/count");
	SAMPLE(&profile, "f", 5);
	SAMPLE(&profile, "f", -3);
	make_text_label(&profile, "other", "true");
	make_text_label(&profile, "pprof::base", "true");
	SAMPLE(&profile, "f", -9);
	make_text_label(&profile, "pprof::base", "false");
	report_init(&report, &profile, &options);
	assert_int_equal(report.total, 3);
	profile_values(&profile, 1)[0] = 0; /* a base of nothing is no measure */
	report_init(&report, &profile, &options);
	assert_int_equal(report.total, 14);
	profile_release(&profile);
}

/* --- profiles again --------------------------------------------------------------------------------------------------- */

/* Reads the report back. */
static void read_back(struct setup *setup, report_function function, struct profile *ret_profile)
{
	struct buffer text;
	assert_int_equal(make_report(setup, function, &text, NULL), STATUS_OK);
	assert_true(gzip_detect(buffer_str(&text)));
	assert_int_equal(profile_parse(&text, ret_profile, NULL), STATUS_OK);
	tear_down(setup);
}

static void proto_keeps_the_profile_and_divides_its_values(void **state)
{
	(void)state;
	struct setup setup;
	struct profile profile;
	set_up(&setup, &by_address);
	setup.options.ratio = 1.0 / 1000;
	read_back(&setup, report_proto, &profile);
	assert_samples(&profile, "work:12@1100 in:30+serve:20@1200 main:5@1300: 0 1000000 path=/a bytes=2048\n"
	                         "serve:21@1210 main:5@1300: 0 300000 path=/b path=/c\n"
	                         "work:14@1110 main:5@1300: 0 12345\n"
	                         "work:12@1100 work:13@1108 in:30+serve:20@1200 main:5@1300: 0 200000 bytes=512 wait=3ms\n"
	                         "?@3000 main:5@1300: 0 1000\n"
	                         "idle:7@1400 main:5@1300: 0 -50000\n");
	assert_int_equal(profile.comment_count, 2);
	assert_str(profile_str(&profile, profile.mappings[0].build_id), "abc123");
	profile_release(&profile);
}

static void topproto_holds_the_shown_nodes(void **state)
{
	(void)state;
	struct setup setup;
	struct profile profile;
	set_up(&setup, &by_function);
	setup.options.node_count = 3;
	read_back(&setup, report_topproto, &profile);
	assert_samples(&profile, "work: 1212 1212\nserve: 1500 300\nidle: -50 -50\n");
	assert_str(profile_str(&profile, profile.sample_types[0].type), "cum");
	assert_str(profile_str(&profile, profile.sample_types[1].unit), "ms");
	assert_int_equal(profile.mapping_count, 0);
	assert_true(profile.time_ns == 1500000000123456789);
	assert_true(profile.duration_ns == 2002000000);
	assert_int_equal(profile.period, 10000000);
	assert_str(profile_str(&profile, profile.period_type.type), "cpu");
	profile_release(&profile);
}

static int use_utc(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_sorted_by_flat),
		cmocka_unit_test(text_can_be_sorted_by_cum_and_cut),
		cmocka_unit_test(text_can_leave_out_negative_nodes_and_the_header),
		cmocka_unit_test(text_shows_means),
		cmocka_unit_test(text_divides_values_and_marks_what_is_sometimes_inlined),
		cmocka_unit_test(text_lists_active_filters),
		cmocka_unit_test(text_at_address_granularity_shows_where),
		cmocka_unit_test(tree_shows_callers_and_callees),
		cmocka_unit_test(tree_passes_over_trimmed_nodes),
		cmocka_unit_test(peek_shows_matching_nodes),
		cmocka_unit_test(traces_show_every_sample),
		cmocka_unit_test(tags_add_up_labels),
		cmocka_unit_test(tags_use_the_unit),
		cmocka_unit_test(list_shows_source_lines),
		cmocka_unit_test(raw_shows_the_whole_model),
		cmocka_unit_test(comments_are_all_shown),
		cmocka_unit_test(an_expression_without_match_is_an_error),
		cmocka_unit_test(list_without_file_says_so),
		cmocka_unit_test(an_empty_profile_has_reports_too),
		cmocka_unit_test(totals_are_sums_of_magnitudes),
		cmocka_unit_test(a_comparison_is_measured_against_its_base),
		cmocka_unit_test(proto_keeps_the_profile_and_divides_its_values),
		cmocka_unit_test(topproto_holds_the_shown_nodes),
	};
	return cmocka_run_group_tests(tests, use_utc, NULL);
}
