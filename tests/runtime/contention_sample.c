/* Writes what render_contention makes of a few stacks of its own, for readers to be compared on (contention_reference.py):
 *
 *     contention_sample block|mutex|wait [empty]
 */
#include <string.h>
#include <unistd.h>

#include "collect_fakes.h"
#include "runtime/collect/render.h"
#include "runtime/shared/region.h"
#include "runtime/shared/settings.h"

static uintptr_t holds[2], wants[2];

static inline __attribute__((always_inline)) uintptr_t here(void)
{
	uintptr_t pc;
	__asm__ volatile("1: leaq 1b(%%rip), %0" : "=r"(pc));
	return pc;
}

static __attribute__((noinline)) void has_waited(void)
{
	__asm__ volatile("nop");
	holds[0] = here();
}

static __attribute__((noinline)) void still_waits(void)
{
	__asm__ volatile("nop");
	wants[0] = here();
}

struct job {
	const char *name;
	bool empty, done;
};

static void work(void *arg)
{
	struct job *job = arg;
	struct table_label labels[] = { { "call", "pthread_mutex_lock", 0, NULL },
		                            { "lock", "0x55d0", 0, NULL },
		                            { "lock_name", "123 4 @ 0x5", 0, NULL },
		                            { "age", NULL, 12430000000, "nanoseconds" } };
	struct table_row sums[] = {
		{ .frames = holds, .frame_count = 2, .values = { 40, 3000000000 }, .label_count = 3 },
		{ .frames = holds + 1, .frame_count = 1, .values = { 2, 1000000000 }, .label_count = 2 }
	};
	struct table_row waiting[] = {
		{ .frames = wants, .frame_count = 2, .values = { 3, 9000000000 }, .label_count = 4 }
	};
	for (int i = 0; i < 2; i++)
		memcpy(sums[i].labels, labels, sizeof(labels));
	memcpy(waiting[0].labels, labels, sizeof(labels));
	struct table table = {
		.name = job->name,
		.value_types = { "contentions", "delay" },
		.value_units = { "count", "nanoseconds" },
		.value_count = 2,
		.period_type = "contentions",
		.period_unit = "count",
		.period = 1,
		.rows = sums,
		.row_count = job->empty ? 0 : 2,
		.comments = { "rate = 1", "--- 7 8 @ 0x9" },
		.comment_count = 2,
	};
	struct table in_progress = table;
	in_progress.rows = waiting;
	in_progress.row_count = 1;
	struct buffer bytes;
	buffer_init(&bytes, 1 << 24);
	render_contention(&table, strcmp(job->name, "mutex") == 0 ? NULL : &in_progress, &bytes);
	job->done = write(STDOUT_FILENO, bytes.data, bytes.length) == (ssize_t)bytes.length;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	struct job job = { argv[1], argc > 2, false };
	settings.helper_off = true;
	has_waited();
	holds[1] = here();
	still_waits();
	wants[1] = here();
	return work_run(work, &job) && job.done ? 0 : 1;
}
