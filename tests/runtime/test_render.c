/* What is served, byte by byte where it does not depend on where we are loaded. Names come from this program's symbols; no
 * helper is started. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "collect_fakes.h"
#include "runtime/collect/render.h"
#include "runtime/collect/text.h"
#include "runtime/shared/region.h"
#include "runtime/shared/settings.h"

static __attribute__((noinline)) int stuck_here(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x + 1;
}

static __attribute__((noinline)) int starts_it(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x - 1;
}

static uintptr_t stack[4];

static void make_stack(void)
{
	stack[0] = (uintptr_t)&setlogmask + 7;
	stack[1] = (uintptr_t)&stuck_here + 2;
	stack[2] = PSEUDO_TRUNCATED;
	stack[3] = (uintptr_t)&starts_it + 1;
}

static struct table goroutines(struct table_row *rows, uint32_t count)
{
	return (struct table){
		.name = "goroutine",
		.value_types = { "goroutine" },
		.value_units = { "count" },
		.value_count = 1,
		.period_type = "goroutine",
		.period_unit = "count",
		.period = 1,
		.rows = rows,
		.row_count = count,
		.comments = { "one comment" },
		.comment_count = 1,
	};
}

static void run(void (*work)(void *arg))
{
	make_stack();
	settings.helper_off = true;
	assert_true(fake_run(work));
}

/* The text at `at` begins with the wanted one, and what follows it. */
static const char *expect(const char *at, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *expect(const char *at, const char *format, ...)
{
	char wanted[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(wanted, sizeof(wanted), format, args);
	va_end(args);
	if (strncmp(at, wanted, strlen(wanted)) != 0)
		fail_msg("wanted\n%s\ngot\n%.500s", wanted, at);
	return at + strlen(wanted);
}

/* --- texts ---------------------------------------------------------------------------------------------------------- */

static void count_work(void *arg)
{
	(void)arg;
	struct table_row rows[] = {
		{ .frames = stack + 1, .frame_count = 1, .values = { 1 } },
		{ .frames = stack,
		  .frame_count = 4,
		  .values = { 2 },
		  .label_count = 2,
		  .labels = { { "route", "/a\"\\\n\xC3", 0, NULL }, { "nice", NULL, -5, NULL } } },
		{ .frames = stack + 2, .frame_count = 1, .values = { 1 } },
		{ .frames = stack + 1, .frame_count = 1, .values = { 2 } },
	};
	struct table table = goroutines(rows, 4);
	struct buffer text;
	buffer_init(&text, 1 << 20);
	render_text(&table, &text);
	const char *at = expect(buffer_text(&text), "goroutine profile: total 6\n3 @ 0x%lx\n", stack[1] + 1);
	at = expect(at, "#\t0x%lx\tstuck_here+0x2\n\n", stack[1]);
	at = expect(at, "2 @ 0x%lx 0x%lx 0x%lx\n", stack[0] + 1, stack[1] + 1, stack[3] + 1);
	at = expect(at, "# labels: {\"nice\":\"-5\", \"route\":\"/a\\\"\\\\\\n\xEF\xBF\xBD\"}\n");
	at = expect(at, "#\t0x%lx\tsetlogmask+0x7\n#\t0x%lx\tstuck_here+0x2\n#\t0x0\t\t[truncated]\n", stack[0], stack[1]);
	at = expect(at, "#\t0x%lx\tstarts_it+0x1\n\n1 @ 0x1\n#\t0x0\t[truncated]\n\n# one comment\n", stack[3]);
	at = expect(at, "--- Memory map: ---\n");
	assert_non_null(strstr(at, "/rt_test_render\n"));
	assert_non_null(strstr(at, " r-xp "));
}

static void counts_are_as_go_writes_them(void **state)
{
	(void)state;
	run(count_work);
}

static void heap_work(void *arg)
{
	(void)arg;
	struct table_row rows[] = {
		{ .frames = stack + 1, .frame_count = 1, .values = { 8, 800, 4, 400 }, .raw = { 2, 200, 1, 100 } },
		{ .frames = stack + 3, .frame_count = 1, .values = { 3, 30, 3, 1000 }, .raw = { 3, 30, 3, 1000 } },
	};
	struct table table = goroutines(rows, 2);
	table.name = "allocs";
	table.value_count = 4;
	table.period = 524288;
	struct buffer text;
	buffer_init(&text, 1 << 20);
	render_text(&table, &text);
	const char *at = expect(buffer_text(&text), "heap profile: 4: 1100 [5: 230] @ heap/1048576\n");
	at = expect(at, "3: 1000 [3: 30] @ 0x%lx\n#\t0x%lx\tstarts_it+0x1\n\n", stack[3] + 1, stack[3]);
	at = expect(at, "1: 100 [2: 200] @ 0x%lx\n#\t0x%lx\tstuck_here+0x2\n", stack[1] + 1, stack[1]);
	/* (1 - 1/4) / 1, its root */
	at = expect(at, "# sampled 1 of about 4 blocks in use, standard error 86%%\n\n");
	const char *map = strstr(at, "\nMAPPED_LIBRARIES:\n");
	assert_non_null(map);
	assert_non_null(strstr(at, "# MaxRSS = "));
	assert_non_null(strstr(map, "/rt_test_render\n"));
}

static void heap_text_is_unscaled(void **state)
{
	(void)state;
	run(heap_work);
}

/* Widths as Go's text/tabwriter has them with (1, 8, 1, '\t', 0). */
static void columns_work(void *arg)
{
	(void)arg;
	static const struct text_line lines[] = {
		{ { "0x1234567", "f+0x1", "a.c:1" } },
		{ { "0x12345678901234", "longer_name+0x22", "b.c:2" } },
		{ { "0x1" } },
		{ { "0x1234567", "g" } },
		{ { "0x12345678", "\xC3\xA4", "x" } },
	};
	struct buffer text;
	buffer_init(&text, 1 << 20);
	text_append_columns(&text, lines, 5);
	assert_string_equal(buffer_text(&text), "#\t0x1234567\t\tf+0x1\t\t\ta.c:1\n"
	                                        "#\t0x12345678901234\tlonger_name+0x22\tb.c:2\n"
	                                        "#\t0x1\n"
	                                        "#\t0x1234567\tg\n"
	                                        "#\t0x12345678\t\xC3\xA4\tx\n");
}

static void columns_end_at_tab_stops(void **state)
{
	(void)state;
	run(columns_work);
}

static void utf8_work(void *arg)
{
	(void)arg;
	static const char good[] = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80";
	assert_ptr_equal(text_valid(good), good);
	assert_string_equal(text_valid(NULL), "");
	assert_string_equal(text_valid("\xC0\x80x\xED\xA0\x80\xF4\x90\x80\x80\xE2\x82"),
	                    "\xEF\xBF\xBD\xEF\xBF\xBDx\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
	                    "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

static void what_is_no_utf8_is_replaced(void **state)
{
	(void)state;
	run(utf8_work);
}

/* --- threads -------------------------------------------------------------------------------------------------------- */

static void threads_work(void *arg)
{
	(void)arg;
	struct thread_view *threads = work_alloc_array(2, sizeof(*threads));
	threads[0] = (struct thread_view){ .tid = 7,
		                               .name = "a]\"b",
		                               .state = 'S',
		                               .call = WAIT_pthread_cond_wait,
		                               .syscall_number = 202,
		                               .waiting_ns = 185000000000,
		                               .creator_tid = 5 };
	threads[0].creation_stack = 1;
	threads[0].frames.count = 4;
	memcpy(threads[0].frames.at, stack, sizeof(stack));
	threads[1] = (struct thread_view){ .tid = 8, .state = 'R', .syscall_number = -1, .waiting_ns = -1 };
	threads[1].frames.count = 120;
	for (int i = 0; i < 120; i++)
		threads[1].frames.at[i] = stack[1];
	fake_stack[0] = stack[3];
	fake_stack_count = 1;
	struct thread_dump dump = { threads, 2, 0 };
	struct buffer text;
	buffer_init(&text, 1 << 20);
	render_threads(&dump, &text);
	const char *at = expect(buffer_text(&text), "goroutine 7 [pthread_cond_wait, 3 minutes, \"a \\\"b\"]:\n");
	at = expect(at, "setlogmask(...)\n\t");
	assert_non_null(strstr(at, "libc.so.6:0 +0x7\nstuck_here(...)\n\t"));
	at = strstr(at, "[truncated](...)\n");
	assert_non_null(at);
	at = expect(at, "[truncated](...)\n\t?:0 +0x0\nstarts_it(...)\n\t/");
	at = strstr(at, "created by ");
	assert_non_null(at);
	at = expect(at, "created by starts_it in goroutine 5\n\t/");
	at = strstr(at, "\n\n");
	at = expect(at, "\n\ngoroutine 8 [running]:\nstuck_here(...)\n\t/");
	unsigned before = 0, after = 0;
	const char *elided = strstr(at, "...20 frames elided...\n");
	assert_non_null(elided);
	for (const char *found = at; (found = strstr(found, "stuck_here(...)")); found++)
		*(found < elided ? &before : &after) += 1;
	assert_int_equal(before, 49);
	assert_int_equal(after, 50);
}

static void threads_look_like_gos_panics(void **state)
{
	(void)state;
	run(threads_work);
}

/* --- the profile ---------------------------------------------------------------------------------------------------- */

static struct buffer unpacked;

static bool profile_has(const char *text)
{
	return memmem(unpacked.data, unpacked.length, text, strlen(text)) != NULL;
}

static void unpack(const struct buffer *gzip)
{
	struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
	buffer_init(&unpacked, 1 << 20);
	size_t length;
	assert_int_equal(libdeflate_gzip_decompress(decompressor, gzip->data, gzip->length,
	                                            buffer_reserve(&unpacked, 1 << 19), 1 << 19, &length),
	                 LIBDEFLATE_SUCCESS);
	buffer_claim(&unpacked, length);
	libdeflate_free_decompressor(decompressor);
}

static void profile_work(void *arg)
{
	(void)arg;
	struct table_row rows[] = {
		{ .frames = stack,
		  .frame_count = 4,
		  .values = { 3 },
		  .label_count = 2,
		  .labels = { { "bytes", NULL, 48, "octets" }, { "bad\xFF", "text\xFE", 0, NULL } } },
	};
	struct table table = goroutines(rows, 1);
	table.drop_frames = "dropped_.*";
	table.default_type = "goroutine";
	struct buffer bytes;
	buffer_init(&bytes, 1 << 20);
	assert_true(render_profile(&table, &bytes));
	unpack(&bytes);
	static const char *const texts[] = { "stuck_here",      "starts_it",        "[truncated]",
		                                 "setlogmask",      "/rt_test_render",  "[vdso]",
		                                 "one comment",     "dropped_.*",       "octets",
		                                 "bad\xEF\xBF\xBD", "text\xEF\xBF\xBD", "no lines: CPPROF_DISABLE has helper" };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!profile_has(texts[i]))
			fail_msg("%s is not in the profile", texts[i]);
	}
	assert_false(profile_has("text\xFE"));
}

static void profile_has_all_strings(void **state)
{
	(void)state;
	run(profile_work);
}

/* Frames of ours: the wrapper stays at the leaf under the name of the function it stands for, the others go. */
static void own_work(void *arg)
{
	(void)arg;
	uintptr_t inner = (uintptr_t)&starts_it + 3, wrapper = (uintptr_t)&starts_it + 1;
	uintptr_t frames[] = { inner, wrapper, stack[1], inner };
	fake_own_low = (uintptr_t)&starts_it;
	fake_own_high = fake_own_low + 8;
	struct table_row rows[] = { { .frames = frames, .frame_count = 4, .values = { 1 } } };
	struct table table = goroutines(rows, 1);
	struct buffer text;
	buffer_init(&text, 1 << 20);
	render_text(&table, &text);
	const char *at =
			expect(buffer_text(&text), "goroutine profile: total 1\n1 @ 0x%lx 0x%lx\n", wrapper + 1, stack[1] + 1);
	expect(at, "#\t0x%lx\tstarts_it+0x1\n#\t0x%lx\tstuck_here+0x2\n\n", wrapper, stack[1]);
	fake_own_low = fake_own_high = 0;
}

static void own_frames_are_hidden(void **state)
{
	(void)state;
	run(own_work);
}

int main(void)
{
	assert_int_equal(stuck_here(1) + starts_it(1), 2);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_as_go_writes_them), cmocka_unit_test(heap_text_is_unscaled),
		cmocka_unit_test(columns_end_at_tab_stops),     cmocka_unit_test(what_is_no_utf8_is_replaced),
		cmocka_unit_test(threads_look_like_gos_panics), cmocka_unit_test(profile_has_all_strings),
		cmocka_unit_test(own_frames_are_hidden),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
