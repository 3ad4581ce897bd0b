/* render_text.c - the debug=1 texts: heap and allocs as Go's (and the old C++ tool's) heap format, all else as Go's counts.
 *
 * Rows hold return addresses (frame + 1), as the readers of these formats expect; the "#" lines below a row say what they
 * are for people. The addresses of the loaded code follow at the end, so that a reader can name them by itself.
 */
#include <string.h>

#include "runtime/collect/frame_set.h"
#include "runtime/collect/render.h"
#include "runtime/collect/text.h"
#include "runtime/shared/frames.h"
#include "runtime/shared/own_libc.h"
#include "runtime/shared/region.h"
#include "runtime/shared/sys.h"

#define STATUS_SIZE 4096

enum raw { ALLOC_OBJECTS, ALLOC_BYTES, INUSE_OBJECTS, INUSE_BYTES };

/* A row's stack, as far as readers shall see it. */
struct stack {
	uintptr_t *frames;
	uint32_t *indices; /* into the set */
	uint32_t count;
};

static void collect_stacks(const struct table *table, struct frame_set *set, struct stack *stacks)
{
	for (uint32_t i = 0; i < table->row_count; i++) {
		const struct table_row *row = &table->rows[i];
		stacks[i].frames = work_alloc_array(row->frame_count, sizeof(*stacks[i].frames));
		stacks[i].indices = work_alloc_array(row->frame_count, sizeof(*stacks[i].indices));
		stacks[i].count = frames_visible(row->frames, row->frame_count, stacks[i].frames);
		for (uint32_t k = 0; k < stacks[i].count; k++)
			stacks[i].indices[k] = frame_set_add(set, stacks[i].frames[k]);
	}
}

/* Pseudo frames have no address; a row without any would not be read. */
static void append_addresses(struct buffer *to, const struct stack *stack)
{
	bool any = false;
	for (uint32_t i = 0; i < stack->count; i++) {
		if (stack->frames[i] >= PSEUDO_LIMIT) {
			buffer_printf(to, " 0x%lx", stack->frames[i] + 1);
			any = true;
		}
	}
	buffer_append_text(to, any ? "\n" : " 0x1\n");
}

/* --- the lines that say what the addresses are ----------------------------------------------------------------------- */

static char *format_cell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *format_cell(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	size_t size = (size_t)own_vsnprintf(NULL, 0, format, args) + 1;
	va_end(args);
	char *cell = work_alloc(size);
	va_start(args, format);
	own_vsnprintf(cell, size, format, args);
	va_end(args);
	return cell;
}

static const char *function_cell(const struct name_line *line, uintptr_t address)
{
	const char *function = text_valid(line->function);
	if (!line->function_start || address < line->function_start)
		return function;
	return format_cell("%s+0x%lx", function, address - line->function_start);
}

static uint32_t fill_lines(const struct frame_set *set, uint32_t index, struct text_line *lines)
{
	uintptr_t frame = set->frames[index];
	const struct name *name = &set->names[index];
	bool wrapper = frame_is_wrapper(frame);
	const char *pseudo = frame < PSEUDO_LIMIT ? pseudo_frame_name(frame) : NULL;
	const char *address = frame < PSEUDO_LIMIT ? "0x0" : format_cell("0x%lx", frame);
	if (pseudo || !name->line_count) {
		lines[0] = (struct text_line){ { address, pseudo } };
		return 1;
	}
	uint32_t first = wrapper ? name->line_count - 1 : 0;
	for (uint32_t i = first; i < name->line_count; i++) {
		const struct name_line *line = &name->lines[i];
		const char *source = line->file && !wrapper ? format_cell("%s:%u", text_valid(line->file), line->line) : NULL;
		lines[i - first] = (struct text_line){ { address, function_cell(line, frame), source } };
	}
	return name->line_count - first;
}

static void append_frames(struct buffer *to, const struct frame_set *set, const struct stack *stack)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < stack->count; i++)
		count += set->names[stack->indices[i]].line_count + 1;
	struct text_line *lines = work_alloc_array(count, sizeof(*lines));
	count = 0;
	for (uint32_t i = 0; i < stack->count; i++)
		count += fill_lines(set, stack->indices[i], lines + count);
	text_append_columns(to, lines, count);
}

/* --- what follows the rows ------------------------------------------------------------------------------------------ */

static void append_comments(struct buffer *to, const struct table *table)
{
	for (uint32_t i = 0; i < table->comment_count; i++)
		buffer_printf(to, "# %s\n", text_valid(table->comments[i]));
}

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

/* The loaded code as lines of /proc/self/maps. */
static void append_modules(struct buffer *to, const struct module_list *list)
{
	for (uint32_t i = 0; i < list->count; i++) {
		const struct module *module = &list->modules[i];
		buffer_printf(to, "%08lx-%08lx r-xp %08lx 00:00 0 ", module->start, module->limit, module->offset);
		for (const char *at = text_valid(module->path); *at; at++)
			buffer_append_text(to, *at == '\n' ? "\\012" : (char[]){ *at, '\0' });
		buffer_append_char(to, '\n');
	}
}

/* --- heap ----------------------------------------------------------------------------------------------------------- */

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
                        const struct stack *stacks)
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
		append_addresses(to, &stacks[i]);
		append_frames(to, set, &stacks[i]);
		append_error(to, &table->rows[i]);
		buffer_append_char(to, '\n');
	}
	append_memory(to);
	append_comments(to, table);
	buffer_append_text(to, "\nMAPPED_LIBRARIES:\n");
	append_modules(to, &set->modules);
}

/* --- counts --------------------------------------------------------------------------------------------------------- */

static void append_label(struct buffer *to, const struct table_label *label)
{
	text_append_quoted(to, label->key);
	buffer_append_char(to, ':');
	if (label->text)
		text_append_quoted(to, label->text);
	else
		buffer_printf(to, "\"%ld\"", label->number);
}

/* Sorted by key. */
static void append_labels(struct buffer *to, const struct table_row *row)
{
	uint32_t order[TABLE_LABELS_MAX];
	for (uint32_t i = 0; i < row->label_count; i++) {
		uint32_t at = i;
		for (; at && strcmp(row->labels[order[at - 1]].key, row->labels[i].key) > 0; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	for (uint32_t i = 0; i < row->label_count; i++) {
		buffer_append_text(to, i ? ", " : "# labels: {");
		append_label(to, &row->labels[order[i]]);
	}
	if (row->label_count)
		buffer_append_text(to, "}\n");
}

static void append_counts(struct buffer *to, const struct table *table, const struct frame_set *set,
                          const struct stack *stacks)
{
	uint32_t last = table->value_count ? table->value_count - 1 : 0;
	int64_t total = 0;
	for (uint32_t i = 0; i < table->row_count; i++)
		total += table->rows[i].values[last];
	buffer_printf(to, "%s profile: total %ld\n", table->name, total);
	for (uint32_t i = 0; i < table->row_count; i++) {
		buffer_printf(to, "%ld @", table->rows[i].values[last]);
		append_addresses(to, &stacks[i]);
		append_labels(to, &table->rows[i]);
		append_frames(to, set, &stacks[i]);
		buffer_append_char(to, '\n');
	}
	append_comments(to, table);
	/* The only section that readers accept behind counts. */
	buffer_append_text(to, "--- Memory map: ---\n");
	append_modules(to, &set->modules);
}

void render_text(const struct table *table, struct buffer *to)
{
	struct table merged = *table;
	struct frame_set set;
	table_merge_rows(&merged);
	frame_set_init(&set);
	struct stack *stacks = work_alloc_array(merged.row_count, sizeof(*stacks));
	collect_stacks(&merged, &set, stacks);
	frame_set_name(&set);
	if (strcmp(table->name, "heap") == 0 || strcmp(table->name, "allocs") == 0)
		append_heap(to, &merged, &set, stacks);
	else
		append_counts(to, &merged, &set, stacks);
}
