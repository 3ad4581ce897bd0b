/* labels.h - the labels of one sample, looked at by key.
 *
 * A sample may hold a key several times; the reference keeps a map from key to list. Here the labels of a sample are put in
 * an order by key (stable, so that the values of a key keep theirs), which makes each list a run.
 */
#ifndef CPPROF_PROFILE_LABELS_H
#define CPPROF_PROFILE_LABELS_H

#include "profile/profile.h"

static inline const struct label *sample_text_labels(const struct profile *profile, const struct sample *sample)
{
	return profile->labels + sample->label_start;
}

static inline const struct label *sample_number_labels(const struct profile *profile, const struct sample *sample)
{
	return profile->labels + sample->label_start + sample->text_count;
}

/* Puts `count` labels in bytewise order of their keys, keeping the order of equal keys. */
void labels_sort(const struct profile *profile, struct label *labels, uint32_t count);

/* The end of the run of labels with labels[start]'s key. */
static inline uint32_t label_run_end(const struct label *labels, uint32_t count, uint32_t start)
{
	uint32_t end = start + 1;
	while (end < count && labels[end].key == labels[start].key)
		end++;
	return end;
}

/* True if a label of the run has a unit: then all of the run are printed with one. */
bool label_run_has_unit(const struct label *labels, uint32_t start, uint32_t end);

/* True if the sample belongs to the base of a -diff_base comparison (label pprof::base=true). */
bool sample_is_diff_base(const struct profile *profile, const struct sample *sample, uint32_t key_ix, uint32_t true_ix);

/* The unit of each number label key of a profile: the first met, or what the key suggests. */
struct number_unit {
	uint32_t key;      /* string */
	uint32_t unit;     /* string, not empty */
	uint32_t *ignored; /* other units met, by name */
	uint32_t ignored_count;
};

struct number_units {
	struct number_unit *units;
	uint32_t count;
	uint32_t *by_key; /* string → index into units + 1 */
	uint32_t key_limit;
};

/* Collects the units; new strings may be interned. Release with number_units_release. */
void number_units_init(struct number_units *units, struct profile *profile);
void number_units_release(struct number_units *units);
/* The unit (string) for a key, or 0 if the profile has no number label of that key. */
uint32_t number_units_find(const struct number_units *units, uint32_t key);

#endif
