/* render_text.c - the debug=1 texts: heap and allocs as Go's (and the old C++ tool's) heap format, all else as Go's counts.
 *
 * Rows hold return addresses (frame + 1), as the readers of these formats expect; the "#" lines below a row say what they
 * are for people. The addresses of the loaded code follow at the end, so that a reader can name them by itself.
 */
#include <string.h>

#include "runtime/collect/frame_set.h"
#include "runtime/collect/render.h"
#include "runtime/collect/text_frames.h"
#include "runtime/shared/frames.h"
#include "runtime/shared/own_libc.h"
#include "runtime/shared/region.h"
#include "runtime/shared/sys.h"

#define STATUS_SIZE 4096

enum raw { ALLOC_OBJECTS, ALLOC_BYTES, INUSE_OBJECTS, INUSE_BYTES };

/* --- heap ----------------------------------------------------------------------------------------------------------- */

/* "VmRSS:     1234 kB" as "# RSS = 1263616" */
static void append_memory_line(struct buffer *to, const char *status, const char *field, const char *name)
{
	const char *at = strstr(status, field);
	if (!at)
		return;
	uint64_t kilobytes = 0;
	for (at += strlen(field); *at == ' ' || *at == '\t';)
		at++;
	for (; *at >= '0' && *at <= '9'; at++)
		kilobytes = kilobytes * 10 + (uint64_t)(*at - '0');
	buffer_printf(to, "# %s = %lu\n", name, kilobytes * 1024);
}

/* Of the process as the kernel sees it; the allocator is not asked, since that takes its locks. */
static void append_memory(struct buffer *to)
{
	char *status = work_alloc(STATUS_SIZE);
	if (sys_read_file("/proc/thread-self/status", status, STATUS_SIZE) <= 0)
		return;
	buffer_append_text(to, "\n# process memory, bytes\n");
	append_memory_line(to, status, "\nVmRSS:", "RSS");
	append_memory_line(to, status, "\nVmHWM:", "MaxRSS");
	append_memory_line(to, status, "\nRssAnon:", "Anonymous");
	append_memory_line(to, status, "\nVmData:", "Data");
	append_memory_line(to, status, "\nVmSwap:", "Swap");
}

static void append_four(struct buffer *to, const int64_t raw[TABLE_VALUES_MAX])
{
	buffer_printf(to, "%ld: %ld [%ld: %ld] @", raw[INUSE_OBJECTS], raw[INUSE_BYTES], raw[ALLOC_OBJECTS],
	              raw[ALLOC_BYTES]);
}

static uint64_t square_root(uint64_t square)
{
	uint64_t root = 0;
	for (uint64_t bit = (uint64_t)1 << 31; bit; bit >>= 1) {
		if ((root | bit) * (root | bit) <= square)
			root |= bit;
	}
	return root;
}

/* Each of n samples stands for W/n blocks, and was taken with probability n/W: the variance of their sum is that of n(1 - n/W)
 * events of weight W/n, the relative error of W the root of (1 - n/W)/n. */
static void append_error(struct buffer *to, const struct table_row *row)
{
	bool live = row->raw[INUSE_OBJECTS] > 0;
	int64_t samples = row->raw[live ? INUSE_OBJECTS : ALLOC_OBJECTS];
	int64_t blocks = row->values[live ? INUSE_OBJECTS : ALLOC_OBJECTS];
	if (samples <= 0 || blocks <= samples)
		return; /* exact */
	uint64_t n = (uint64_t)samples, all = (uint64_t)blocks;
	int shift = all >> 40 ? 24 : 0; /* the product must fit */
	uint64_t missing_per_million = ((all - n) >> shift) * 1000000 / (all >> shift);
	buffer_printf(to, "# sampled %lu of about %lu blocks%s, standard error %lu%%\n", n, all, live ? " in use" : "",
	              square_root(missing_per_million / 100 / n));
}

static void append_heap(struct buffer *to, const struct table *table, const struct frame_set *set,
                        const struct text_stack *stacks)
{
	int64_t sums[TABLE_VALUES_MAX] = { 0 };
	for (uint32_t i = 0; i < table->row_count; i++) {
		for (uint32_t k = 0; k < TABLE_VALUES_MAX; k++)
			sums[k] += table->rows[i].raw[k];
	}
	buffer_append_text(to, "heap profile: ");
	append_four(to, sums);
	buffer_printf(to, " heap/%ld\n", 2 * table->period);
	for (uint32_t i = 0; i < table->row_count; i++) {
		append_four(to, table->rows[i].raw);
		text_append_addresses(to, &stacks[i]);
		text_append_frames(to, set, &stacks[i]);
		append_error(to, &table->rows[i]);
		buffer_append_char(to, '\n');
	}
	append_memory(to);
	text_append_comments(to, table);
	buffer_append_text(to, "\nMAPPED_LIBRARIES:\n");
	text_append_modules(to, &set->modules);
}

/* --- counts --------------------------------------------------------------------------------------------------------- */

static void append_counts(struct buffer *to, const struct table *table, const struct frame_set *set,
                          const struct text_stack *stacks)
{
	uint32_t last = table->value_count ? table->value_count - 1 : 0;
	int64_t total = 0;
	for (uint32_t i = 0; i < table->row_count; i++)
		total += table->rows[i].values[last];
	buffer_printf(to, "%s profile: total %ld\n", table->name, total);
	for (uint32_t i = 0; i < table->row_count; i++) {
		buffer_printf(to, "%ld @", table->rows[i].values[last]);
		text_append_addresses(to, &stacks[i]);
		text_append_labels(to, &table->rows[i]);
		text_append_frames(to, set, &stacks[i]);
		buffer_append_char(to, '\n');
	}
	text_append_comments(to, table);
	/* The only section that readers accept behind counts. */
	buffer_append_text(to, "--- Memory map: ---\n");
	text_append_modules(to, &set->modules);
}

void render_text(const struct table *table, struct buffer *to)
{
	struct table merged = *table;
	struct frame_set set;
	table_settle_unloaded(&merged);
	table_merge_rows(&merged);
	frame_set_init(&set);
	const struct text_stack *stacks = text_stacks_add(&merged, &set);
	frame_set_name(&set);
	if (strcmp(table->name, "heap") == 0 || strcmp(table->name, "allocs") == 0)
		append_heap(to, &merged, &set, stacks);
	else
		append_counts(to, &merged, &set, stacks);
}
