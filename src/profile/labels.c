/* labels.c - order, units and editing of labels. */
#include "profile/labels.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "profile/merge.h"

void labels_sort(const struct profile *profile, struct label *labels, uint32_t count)
{
	/* Insertion: a handful of labels, mostly in order already. */
	for (uint32_t i = 1; i < count; i++) {
		struct label moving = labels[i];
		struct str key = profile_str(profile, moving.key);
		uint32_t at = i;
		while (at > 0 && labels[at - 1].key != moving.key &&
		       str_compare(profile_str(profile, labels[at - 1].key), key) > 0) {
			labels[at] = labels[at - 1];
			at--;
		}
		labels[at] = moving;
	}
}

bool label_run_has_unit(const struct label *labels, uint32_t start, uint32_t end)
{
	for (uint32_t i = start; i < end; i++) {
		if (labels[i].text_ix)
			return true;
	}
	return false;
}

bool sample_is_diff_base(const struct profile *profile, const struct sample *sample, uint32_t key_ix, uint32_t true_ix)
{
	const struct label *labels = sample_text_labels(profile, sample);
	for (uint32_t i = 0; i < sample->text_count; i++) {
		if (labels[i].key == key_ix && labels[i].text_ix == true_ix)
			return true;
	}
	return false;
}

/* --- units ------------------------------------------------------------------------------------------------------ */

static struct number_unit *unit_entry(struct number_units *units, uint32_t key)
{
	if (units->by_key[key])
		return &units->units[units->by_key[key] - 1];
	units->units = xreallocarray(units->units, units->count + 1, sizeof(*units->units));
	units->units[units->count] = (struct number_unit){ .key = key };
	units->by_key[key] = units->count + 1;
	return &units->units[units->count++];
}

static void ignore_unit(struct number_unit *entry, uint32_t unit)
{
	for (uint32_t i = 0; i < entry->ignored_count; i++) {
		if (entry->ignored[i] == unit)
			return;
	}
	entry->ignored = xreallocarray(entry->ignored, entry->ignored_count + 1, sizeof(*entry->ignored));
	entry->ignored[entry->ignored_count++] = unit;
}

static int compare_strings(const void *a, const void *b, void *profile)
{
	return str_compare(profile_str(profile, *(const uint32_t *)a), profile_str(profile, *(const uint32_t *)b));
}

/* Without any unit: bytes where the key is known to count them, else the key itself. */
static uint32_t inferred_unit(struct profile *profile, uint32_t key)
{
	struct str name = profile_str(profile, key);
	if (str_equal(name, STR_LITERAL("alignment")) || str_equal(name, STR_LITERAL("request")))
		return profile_intern_text(profile, "bytes");
	return key;
}

void number_units_init(struct number_units *units, struct profile *profile)
{
	*units = (struct number_units){ .key_limit = profile->strings.count };
	units->by_key = xcalloc(units->key_limit, sizeof(*units->by_key));
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		const struct sample *sample = &profile->samples[i];
		const struct label *labels = sample_number_labels(profile, sample);
		for (uint32_t k = 0; k < sample->number_count; k++) {
			struct number_unit *entry = unit_entry(units, labels[k].key);
			uint32_t unit = labels[k].text_ix;
			if (unit && !entry->unit)
				entry->unit = unit;
			else if (unit && entry->unit != unit)
				ignore_unit(entry, unit);
		}
	}
	for (uint32_t i = 0; i < units->count; i++) {
		struct number_unit *entry = &units->units[i];
		if (!entry->unit)
			entry->unit = inferred_unit(profile, entry->key);
		if (entry->ignored_count > 1)
			qsort_r(entry->ignored, entry->ignored_count, sizeof(*entry->ignored), compare_strings, profile);
	}
}

void number_units_release(struct number_units *units)
{
	for (uint32_t i = 0; i < units->count; i++)
		free(units->units[i].ignored);
	free(units->units);
	free(units->by_key);
	*units = (struct number_units){ 0 };
}

uint32_t number_units_find(const struct number_units *units, uint32_t key)
{
	if (key >= units->key_limit || !units->by_key[key])
		return 0;
	return units->units[units->by_key[key] - 1].unit;
}

/* --- editing ------------------------------------------------------------------------------------------------------ */

/* Copies the labels of a sample that do not have the key to the end of `to`. */
static void keep_other_labels(const struct profile *profile, struct sample *sample, uint32_t key, bool numbers_too,
                              struct label *to, uint32_t *used)
{
	const struct label *labels = profile->labels + sample->label_start;
	uint32_t text_count = 0, number_count = 0, start = *used;
	for (uint32_t i = 0; i < sample->text_count + sample->number_count; i++) {
		bool is_number = i >= sample->text_count;
		if (labels[i].key == key && (!is_number || numbers_too))
			continue;
		to[(*used)++] = labels[i];
		*(is_number ? &number_count : &text_count) += 1;
	}
	sample->label_start = start;
	sample->text_count = text_count;
	sample->number_count = number_count;
}

void profile_set_text_label(struct profile *profile, const char *key, const char *value)
{
	uint32_t key_ix = profile_intern_text(profile, key), value_ix = profile_intern_text(profile, value);
	size_t most = (size_t)profile->label_count + profile->sample_count;
	struct label *labels = xreallocarray(NULL, most, sizeof(*labels));
	uint32_t used = 0;
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		struct sample *sample = &profile->samples[i];
		uint32_t start = used;
		labels[used++] = (struct label){ key_ix, value_ix, 0 };
		keep_other_labels(profile, sample, key_ix, false, labels, &used);
		sample->label_start = start;
		sample->text_count++;
	}
	free(profile->labels);
	profile->labels = labels;
	profile->label_count = used;
	profile->label_capacity = (uint32_t)most;
}

void profile_remove_text_label(struct profile *profile, const char *key)
{
	uint32_t key_ix = strtab_find(&profile->strings, str_of(key));
	if (key_ix == UINT32_MAX)
		return;
	uint32_t used = 0;
	/* In place: runs only shrink. Samples may share no labels and may lie in any order, so each is packed where it is. */
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		struct sample *sample = &profile->samples[i];
		used = sample->label_start;
		keep_other_labels(profile, sample, key_ix, false, profile->labels, &used);
	}
}

void profile_remove_unwritable_labels(struct profile *profile)
{
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		struct sample *sample = &profile->samples[i];
		struct label *labels = profile->labels + sample->label_start + sample->text_count;
		uint32_t kept = 0;
		for (uint32_t k = 0; k < sample->number_count; k++) {
			if (labels[k].number || labels[k].text_ix)
				labels[kept++] = labels[k];
		}
		sample->number_count = kept;
	}
}
