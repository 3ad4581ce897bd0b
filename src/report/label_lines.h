/* label_lines.h - a sample's labels as texts, one per key, in the order of the finished texts. Internal to this layer. */
#ifndef CPPROF_REPORT_LABEL_LINES_H
#define CPPROF_REPORT_LABEL_LINES_H

#include "base/buffer.h"
#include "profile/labels.h"

/* Collects texts of varying length and hands them out sorted bytewise. Reused from sample to sample. */
struct label_lines {
	struct buffer bytes;
	struct {
		size_t start, end;
	} * texts;
	size_t count, capacity;
	struct label *sorted; /* scratch: labels of one sample by key */
	size_t sorted_capacity;
};

void label_lines_init(struct label_lines *lines);
void label_lines_release(struct label_lines *lines);

/* Writes the values of one key (labels[start..end)) behind what is in the buffer. */
typedef void (*label_run_writer)(const void *context, const struct label *labels, uint32_t start, uint32_t end,
                                 struct buffer *to);

/* Makes one text for each key among the labels. */
void label_lines_make(struct label_lines *lines, const struct profile *profile, const struct label *labels,
                      uint32_t count, label_run_writer writer, const void *context);
/* The i-th text in bytewise order. */
struct str label_lines_get(const struct label_lines *lines, size_t i);

#endif
