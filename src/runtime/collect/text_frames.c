/* text_frames.c - addresses, frames, labels, comments and modules as lines of a text. */
#include "runtime/collect/text_frames.h"

#include <string.h>

#include "runtime/collect/text.h"
#include "runtime/shared/frames.h"
#include "runtime/shared/own_libc.h"
#include "runtime/shared/region.h"

struct text_stack *text_stacks_add(const struct table *table, struct frame_set *set)
{
	struct text_stack *stacks = work_alloc_array(table->row_count, sizeof(*stacks));
	for (uint32_t i = 0; i < table->row_count; i++) {
		const struct table_row *row = &table->rows[i];
		stacks[i].frames = work_alloc_array(row->frame_count, sizeof(*stacks[i].frames));
		stacks[i].indices = work_alloc_array(row->frame_count, sizeof(*stacks[i].indices));
		stacks[i].count = frames_visible(row->frames, row->frame_count, stacks[i].frames);
		for (uint32_t k = 0; k < stacks[i].count; k++)
			stacks[i].indices[k] = frame_set_add(set, stacks[i].frames[k]);
	}
	return stacks;
}

void text_append_addresses(struct buffer *to, const struct text_stack *stack)
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

void text_append_frames(struct buffer *to, const struct frame_set *set, const struct text_stack *stack)
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

void text_append_comments(struct buffer *to, const struct table *table)
{
	for (uint32_t i = 0; i < table->comment_count; i++)
		buffer_printf(to, "# %s\n", text_valid(table->comments[i]));
}

void text_append_modules(struct buffer *to, const struct module_list *list)
{
	for (uint32_t i = 0; i < list->count; i++) {
		const struct module *module = &list->modules[i];
		buffer_printf(to, "%08lx-%08lx r-xp %08lx 00:00 0 ", module->start, module->limit, module->offset);
		for (const char *at = text_valid(module->path); *at; at++)
			buffer_append_text(to, *at == '\n' ? "\\012" : (char[]){ *at, '\0' });
		buffer_append_char(to, '\n');
	}
}

static void append_label(struct buffer *to, const struct table_label *label)
{
	text_append_quoted(to, label->key);
	buffer_append_char(to, ':');
	if (label->text)
		text_append_quoted(to, label->text);
	else
		buffer_printf(to, "\"%ld\"", label->number);
}

void text_append_labels(struct buffer *to, const struct table_row *row)
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
