/* cpu_profile.c - an ended session as a table: rows, and comments that say what it is worth. */
#include <stdarg.h>
#include <string.h>

#include "runtime/collect/cpu.h"
#include "runtime/collect/cpu_session.h"
#include "runtime/collect/cpu_timer.h"
#include "runtime/shared/frames.h"
#include "runtime/shared/losses.h"
#include "runtime/shared/own_libc.h"
#include "runtime/shared/region.h"

#define NS_PER_S UINT64_C(1000000000)
#define COMMENT_BYTES 224u

/* --- rows ----------------------------------------------------------------------------------------------------------- */

static void label_thread(const struct cpu_session *session, int tid, struct table_row *row)
{
	const char *name = cpu_rows_name(&session->rows, tid);
	if (*name) {
		char *kept = work_alloc(CPU_NAME_SIZE);
		memcpy(kept, name, CPU_NAME_SIZE);
		row->labels[row->label_count++] = (struct table_label){ .key = "thread", .text = kept };
	}
	row->labels[row->label_count++] = (struct table_label){ .key = "tid", .number = tid };
}

static void add_row(struct table *table, const uintptr_t *frames, uint32_t count, uint64_t periods, uint64_t ns)
{
	struct table_row *row = &table->rows[table->row_count++];
	row->frames = frames;
	row->frame_count = count;
	row->values[0] = (int64_t)periods;
	row->values[1] = (int64_t)ns;
}

static void add_rows(const struct cpu_session *session, struct table *table)
{
	static const uintptr_t overflow[] = { PSEUDO_OVERFLOW };
	const struct cpu_rows *rows = &session->rows;
	table->rows = work_alloc_array((size_t)rows->count + 1, sizeof(*table->rows));
	for (const struct cpu_row *row = rows->newest; row; row = row->older) {
		add_row(table, row->frames, row->frame_count, row->periods, row->ns);
		if (row->tid)
			label_thread(session, row->tid, &table->rows[table->row_count - 1]);
	}
	if (rows->overflow_periods)
		add_row(table, overflow, 1, rows->overflow_periods, rows->overflow_ns);
}

/* --- comments ------------------------------------------------------------------------------------------------------- */

static __attribute__((format(printf, 2, 3))) void comment(struct table *table, const char *format, ...)
{
	if (table->comment_count == sizeof(table->comments) / sizeof(table->comments[0]))
		return;
	char *text = work_alloc(COMMENT_BYTES);
	va_list args;
	va_start(args, format);
	own_vsnprintf(text, COMMENT_BYTES, format, args);
	va_end(args);
	table->comments[table->comment_count++] = text;
}

struct seconds {
	unsigned long long whole;
	unsigned hundredths;
};

static struct seconds seconds_of(uint64_t ns)
{
	uint64_t hundredths = (ns + NS_PER_S / 200) / (NS_PER_S / 100);
	return (struct seconds){ hundredths / 100, (unsigned)(hundredths % 100) };
}

static void say_source(const struct cpu_session *session, struct table *table)
{
	uint64_t tick_ns = cpu_timer_tick_ns(), tick_hz = NS_PER_S / tick_ns;
	int hz = session->wish.hz;
	if (!session->no_perf)
		comment(table, "source: perf_event cpu-clock, %d Hz", hz);
	else if ((uint64_t)hz > tick_hz)
		comment(table,
		        "source: thread timers, %d Hz asked; the kernel's tick of %llu ms allows %llu samples a second for "
		        "each thread",
		        hz, (unsigned long long)(tick_ns / 1000000), (unsigned long long)tick_hz);
	else
		comment(table, "source: thread timers, %d Hz", hz);
	if (session->no_perf)
		comment(table, "no perf_event: %s", session->no_perf);
	else if (session->without_perf)
		comment(table, "threads sampled by timers for lack of descriptors, at most %llu times a second: %u",
		        (unsigned long long)tick_hz, session->without_perf);
	if (session->in_kernel)
		comment(table,
		        "threads sampled by timers because they are in the kernel for much of their time, at most %llu times a "
		        "second: %u",
		        (unsigned long long)tick_hz, session->in_kernel);
	if (session->fastest_hz > hz)
		comment(table,
		        "another profile sampled at %d Hz meanwhile: samples are closer than the period, their time is exact",
		        session->fastest_hz);
}

static void say_totals(const struct cpu_session *session, struct table *table)
{
	struct seconds all = seconds_of(session->process_ns), seen = seconds_of(session->sampled_ns);
	uint64_t permille =
			session->process_ns ? (session->sampled_ns * 1000 + session->process_ns / 2) / session->process_ns : 0;
	if (!session->process_ns)
		return;
	comment(table, "CPU time of the process: %llu.%02u s, of it sampled %llu.%02u s (%llu.%llu %%)", all.whole,
	        all.hundredths, seen.whole, seen.hundredths, (unsigned long long)(permille / 10),
	        (unsigned long long)(permille % 10));
}

static void say_unseen(struct table *table, enum pseudo_frame frame, uint64_t ns, const char *what)
{
	struct seconds seconds = seconds_of(ns);
	if (ns)
		comment(table, "%s: %llu.%02u s %s", pseudo_frame_name(frame), seconds.whole, seconds.hundredths, what);
}

static void say_count(struct table *table, const char *what, uint64_t count)
{
	if (count)
		comment(table, "%s: %llu", what, (unsigned long long)count);
}

static void add_comments(const struct cpu_session *session, struct table *table)
{
	say_source(session, table);
	say_totals(session, table);
	say_unseen(table, PSEUDO_KERNEL, session->kernel_ns,
	           "in the kernel, which is not sampled here: the rest of each thread's CPU clock");
	say_unseen(table, PSEUDO_BLOCKED, session->blocked_ns, "of threads that blocked our signal");
	say_unseen(table, PSEUDO_LOST, session->lost_ns, "whose samples found no room in the ring");
	say_unseen(table, PSEUDO_UNKNOWN, session->unknown_ns,
	           "of threads that samples did not hit as often as they should, such as those that end before a tick");
	if (session->rows.overflow_periods)
		say_unseen(table, PSEUDO_OVERFLOW, session->rows.overflow_ns, "whose stacks found no room in the table");
	say_count(table, loss_text(LOSS_CPU_THREADS_FULL), session->unarmed);
	say_count(table, loss_text(LOSS_STACK_CUT), session->cut);
	say_count(table, loss_text(LOSS_UNWIND_FAILED), session->failed);
	if (session->ended_why)
		comment(table, "%s", session->ended_why);
}

void collect_cpu(const struct cpu_session *session, struct table *ret_table)
{
	*ret_table = (struct table){
		.name = "profile",
		.value_types = { "samples", "cpu" },
		.value_units = { "count", "nanoseconds" },
		.value_count = 2,
		.period_type = "cpu",
		.period_unit = "nanoseconds",
		.period = (int64_t)session->period_ns,
		.time_ns = session->time_ns,
	};
	if (atomic_load(&session->state) != CPU_SESSION_ENDED) {
		comment(ret_table, "no samples: the service thread is too busy to hand them over");
		return;
	}
	ret_table->duration_ns = (int64_t)session->duration_ns;
	add_rows(session, ret_table);
	add_comments(session, ret_table);
}
