/* The debug=1 text of block, mutex and wait, line by line. Names come from this program's symbols; no helper is started. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "collect_fakes.h"
#include "runtime/collect/render.h"
#include "runtime/shared/region.h"
#include "runtime/shared/settings.h"

static __attribute__((noinline)) int takes_it(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x + 1;
}

static __attribute__((noinline)) int wants_it(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x - 1;
}

static uintptr_t stack[3];

static void run(void (*work)(void *arg))
{
	stack[0] = (uintptr_t)&takes_it + 2;
	stack[1] = (uintptr_t)&wants_it + 1;
	stack[2] = PSEUDO_OVERFLOW;
	settings.helper_off = true;
	assert_true(fake_run(work));
}

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

static struct table table_of(const char *name, struct table_row *rows, uint32_t count)
{
	return (struct table){
		.name = name,
		.value_types = { "contentions", "delay" },
		.value_units = { "count", "nanoseconds" },
		.value_count = 2,
		.period_type = "contentions",
		.period_unit = "count",
		.period = 1,
		.rows = rows,
		.row_count = count,
		.comments = { "one sample for each 1000000 ns of waiting, on average (CPPROF_BLOCK_RATE)" },
		.comment_count = 1,
	};
}

#define CALL(name) \
	{ \
		"call", name, 0, NULL \
	}
#define LOCK(address) \
	{ \
		"lock", address, 0, NULL \
	}

static void block_work(void *arg)
{
	(void)arg;
	struct table_row sums[] = {
		{ .frames = stack, .frame_count = 2, .values = { 3, 500 }, .label_count = 1, .labels = { CALL("sem_wait") } },
		{ .frames = stack + 1,
		  .frame_count = 1,
		  .values = { 2, 7000000000 },
		  .label_count = 3,
		  .labels = { CALL("pthread_mutex_lock"), LOCK("0x10"), { "lock_name", "a \"b\"", 0, NULL } } },
		{ .frames = stack + 2, .frame_count = 1, .values = { 1, 9 } },
		{ .frames = stack, .frame_count = 2, .values = { 1, 100 }, .label_count = 1, .labels = { CALL("sem_wait") } },
	};
	struct table_row waiting[] = {
		{ .frames = stack,
		  .frame_count = 1,
		  .values = { 1, 0 },
		  .label_count = 2,
		  .labels = { CALL("pthread_join"), { "thread", "0x77", 0, NULL } } },
		{ .frames = stack + 1,
		  .frame_count = 1,
		  .values = { 3, 14000000000 },
		  .label_count = 4,
		  .labels = { CALL("pthread_mutex_lock"),
		              LOCK("0x10"),
		              { "lock_name", "a \"b\"", 0, NULL },
		              { "age", NULL, 12430000000, "nanoseconds" } } },
	};
	struct table table = table_of("block", sums, 4), in_progress = table_of("block", waiting, 2);
	struct buffer text;
	buffer_init(&text, 1 << 20);
	render_contention(&table, &in_progress, &text);
	const char *at = expect(buffer_text(&text), "--- contention:\ncycles/second=1000000000\n");
	at = expect(at, "7000000000 2 @ 0x%lx\n", stack[1] + 1);
	at = expect(at, "# labels: {\"call\":\"pthread_mutex_lock\", \"lock\":\"0x10\", \"lock_name\":\"a \\\"b\\\"\"}\n");
	at = expect(at, "#\t0x%lx\twants_it+0x1\n\n600 4 @ 0x%lx 0x%lx\n", stack[1], stack[0] + 1, stack[1] + 1);
	at = expect(at, "# labels: {\"call\":\"sem_wait\"}\n#\t0x%lx\ttakes_it+0x2\n", stack[0]);
	at = expect(at, "#\t0x%lx\twants_it+0x1\n\n9 1 @ 0x1\n#\t0x0\t[overflow]\n\n", stack[1]);
	at = expect(at, "# waits in progress, in no sum above: 4\n\n");
	at = expect(at, "# 3 threads waiting, longest 12.4s, pthread_mutex_lock, lock 0x10 (\"a \\\"b\\\"\")\n");
	at = expect(at, "#\t0x%lx\twants_it+0x1\n\n", stack[1]);
	at = expect(at, "# 1 thread waiting, since when is not known, pthread_join, thread 0x77\n");
	at = expect(at, "#\t0x%lx\ttakes_it+0x2\n\n", stack[0]);
	at = expect(at,
	            "# one sample for each 1000000 ns of waiting, on average (CPPROF_BLOCK_RATE)\n--- Memory map: ---\n");
	assert_non_null(strstr(at, "/rt_test_render_contention\n"));
	assert_non_null(strstr(at, " r-xp "));
}

static void block_has_sums_and_waits_in_progress(void **state)
{
	(void)state;
	run(block_work);
}

static void mutex_work(void *arg)
{
	(void)arg;
	struct table_row rows[] = { { .frames = stack, .frame_count = 1, .values = { 1, 9 } } };
	struct table table = table_of("mutex", rows, 1);
	struct buffer text;
	buffer_init(&text, 1 << 20);
	render_contention(&table, NULL, &text);
	const char *at = expect(buffer_text(&text), "--- mutex:\ncycles/second=1000000000\nsampling period=1\n");
	at = expect(at, "9 1 @ 0x%lx\n#\t0x%lx\ttakes_it+0x2\n\n# one sample", stack[0] + 1, stack[0]);
	assert_null(strstr(at, "in progress"));
}

static void mutex_is_scaled_already(void **state)
{
	(void)state;
	run(mutex_work);
}

/* The line of a wait of this age. */
static const char *age_line(int64_t age)
{
	struct table_row row = { .frames = stack,
		                     .frame_count = 1,
		                     .values = { 1, age },
		                     .label_count = 1,
		                     .labels = { { "age", NULL, age, "nanoseconds" } } };
	struct table none = table_of("wait", NULL, 0), table = table_of("wait", &row, 1);
	struct buffer text;
	buffer_init(&text, 1 << 20);
	render_contention(&none, &table, &text);
	return expect(buffer_text(&text), "--- contention:\ncycles/second=1000000000\n# waits in progress, in no sum "
	                                  "above: 1\n\n# 1 thread waiting, ");
}

static void age_work(void *arg)
{
	(void)arg;
	expect(age_line(0), "for 0ns\n");
	expect(age_line(999), "for 999ns\n");
	expect(age_line(1050), "for 1.0us\n");
	expect(age_line(999999), "for 999.9us\n");
	expect(age_line(12345678), "for 12.3ms\n");
	expect(age_line(59999999999), "for 59.9s\n");
	expect(age_line(200 * 1000000000l), "for 3m20s\n");
	expect(age_line((3600 * 50 + 60 * 7 + 5) * 1000000000l), "for 50h7m\n");
}

static void ages_are_for_people(void **state)
{
	(void)state;
	run(age_work);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(block_has_sums_and_waits_in_progress),
		cmocka_unit_test(mutex_is_scaled_already),
		cmocka_unit_test(ages_are_for_people),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
