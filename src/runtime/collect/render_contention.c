/* render_contention.c - the debug=1 text of block, mutex and wait: Go's "--- contention:", and the waits in progress as comments.
 *
 * Rows hold return addresses, delays are nanoseconds. What a parser reads are the rows and the addresses of the loaded code at
 * the end; the waits in progress stand on "#" lines, since they are in no sum yet.
 */
#include <string.h>

#include "runtime/collect/render.h"
#include "runtime/collect/text.h"
#include "runtime/collect/text_frames.h"
#include "runtime/shared/own_libc.h"

enum value { COUNT, DELAY };

static void append_sums(struct buffer *to, const struct table *table, const struct frame_set *set,
                        const struct text_stack *stacks)
{
	for (uint32_t i = 0; i < table->row_count; i++) {
		const struct table_row *row = &table->rows[i];
		buffer_printf(to, "%ld %ld @", row->values[DELAY], row->values[COUNT]);
		text_append_addresses(to, &stacks[i]);
		text_append_labels(to, row);
		text_append_frames(to, set, &stacks[i]);
		buffer_append_char(to, '\n');
	}
}

/* --- waits in progress ---------------------------------------------------------------------------------------------- */

static const struct table_label *find_label(const struct table_row *row, const char *key)
{
	for (uint32_t i = 0; i < row->label_count; i++) {
		if (strcmp(row->labels[i].key, key) == 0)
			return &row->labels[i];
	}
	return NULL;
}

/* For people, two places that matter: "12.4s", "3m20s". */
static void append_duration(struct buffer *to, int64_t ns)
{
	if (ns < 1000)
		buffer_printf(to, "%ldns", ns);
	else if (ns < 1000000)
		buffer_printf(to, "%ld.%ldus", ns / 1000, ns / 100 % 10);
	else if (ns < 1000000000)
		buffer_printf(to, "%ld.%ldms", ns / 1000000, ns / 100000 % 10);
	else if (ns < 60 * (int64_t)1000000000)
		buffer_printf(to, "%ld.%lds", ns / 1000000000, ns / 100000000 % 10);
	else if (ns < 3600 * (int64_t)1000000000)
		buffer_printf(to, "%ldm%lds", ns / 1000000000 / 60, ns / 1000000000 % 60);
	else
		buffer_printf(to, "%ldh%ldm", ns / 1000000000 / 3600, ns / 1000000000 / 60 % 60);
}

/* "# 3 threads waiting, longest 12.4s, pthread_mutex_lock, lock 0x55d0 (\"queue\")" */
static void append_wait(struct buffer *to, const struct table_row *row)
{
	const struct table_label *age = find_label(row, "age"), *call = find_label(row, "call");
	const struct table_label *name = find_label(row, "lock_name");
	bool one = row->values[COUNT] == 1;
	buffer_printf(to, "# %ld thread%s waiting, ", row->values[COUNT], one ? "" : "s");
	if (age) {
		buffer_append_text(to, one ? "for " : "longest ");
		append_duration(to, age->number);
	} else {
		buffer_append_text(to, "since when is not known");
	}
	if (call)
		buffer_printf(to, ", %s", text_valid(call->text));
	for (uint32_t i = 0; i < row->label_count; i++) {
		const struct table_label *label = &row->labels[i];
		if (label->text && label != call && label != name)
			buffer_printf(to, ", %s %s", label->key, text_valid(label->text));
	}
	if (name) {
		buffer_append_text(to, " (");
		text_append_quoted(to, name->text);
		buffer_append_char(to, ')');
	}
	buffer_append_char(to, '\n');
}

static void append_waiting(struct buffer *to, const struct table *table, const struct frame_set *set,
                           const struct text_stack *stacks)
{
	int64_t threads = 0;
	for (uint32_t i = 0; i < table->row_count; i++)
		threads += table->rows[i].values[COUNT];
	buffer_printf(to, "# waits in progress, in no sum above: %ld\n\n", threads);
	for (uint32_t i = 0; i < table->row_count; i++) {
		append_wait(to, &table->rows[i]);
		text_append_frames(to, set, &stacks[i]);
		buffer_append_char(to, '\n');
	}
}

void render_contention(const struct table *sums, const struct table *waiting, struct buffer *to)
{
	struct table merged = *sums, merged_waiting = { 0 };
	const struct text_stack *waiting_stacks = NULL;
	struct frame_set set;
	bool mutex = strcmp(sums->name, "mutex") == 0;
	frame_set_init(&set);
	table_settle_unloaded(&merged);
	table_merge_rows(&merged);
	const struct text_stack *stacks = text_stacks_add(&merged, &set);
	if (waiting) {
		merged_waiting = *waiting;
		table_merge_rows(&merged_waiting);
		waiting_stacks = text_stacks_add(&merged_waiting, &set);
	}
	frame_set_name(&set);
	buffer_printf(to, "--- %s:\ncycles/second=1000000000\n", mutex ? "mutex" : "contention");
	if (mutex)
		buffer_append_text(to, "sampling period=1\n"); /* the rows are scaled already */
	append_sums(to, &merged, &set, stacks);
	if (waiting)
		append_waiting(to, &merged_waiting, &set, waiting_stacks);
	text_append_comments(to, &merged);
	/* The section that readers of this format accept. */
	buffer_append_text(to, "--- Memory map: ---\n");
	text_append_modules(to, &set.modules);
}
