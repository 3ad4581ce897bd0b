/* label_lines.c - sorted texts of labels. */
#include "report/label_lines.h"

#include <stdlib.h>

#include "base/xalloc.h"

void label_lines_init(struct label_lines *lines)
{
	*lines = (struct label_lines){ 0 };
	buffer_init(&lines->bytes, BUFFER_UNLIMITED);
}

void label_lines_release(struct label_lines *lines)
{
	buffer_release(&lines->bytes);
	free(lines->texts);
	free(lines->sorted);
}

struct str label_lines_get(const struct label_lines *lines, size_t i)
{
	size_t start = lines->texts[i].start;
	return (struct str){ lines->bytes.data + start, lines->texts[i].end - start };
}

static void sort_texts(struct label_lines *lines)
{
	/* Insertion: as many texts as a sample has keys. */
	for (size_t i = 1; i < lines->count; i++) {
		for (size_t k = i; k > 0 && str_compare(label_lines_get(lines, k - 1), label_lines_get(lines, k)) > 0; k--) {
			size_t start = lines->texts[k].start, end = lines->texts[k].end;
			lines->texts[k] = lines->texts[k - 1];
			lines->texts[k - 1].start = start;
			lines->texts[k - 1].end = end;
		}
	}
}

void label_lines_make(struct label_lines *lines, const struct profile *profile, const struct label *labels,
                      uint32_t count, label_run_writer writer, const void *context)
{
	buffer_clear(&lines->bytes);
	lines->count = 0;
	if (count == 0)
		return;
	lines->sorted = xgrow(lines->sorted, count, &lines->sorted_capacity, sizeof(*lines->sorted));
	memcpy(lines->sorted, labels, count * sizeof(*labels));
	labels_sort(profile, lines->sorted, count);
	for (uint32_t start = 0, end; start < count; start = end) {
		end = label_run_end(lines->sorted, count, start);
		lines->texts = xgrow(lines->texts, lines->count, &lines->capacity, sizeof(*lines->texts));
		lines->texts[lines->count].start = lines->bytes.length;
		writer(context, lines->sorted, start, end, &lines->bytes);
		lines->texts[lines->count++].end = lines->bytes.length;
	}
	sort_texts(lines);
}
