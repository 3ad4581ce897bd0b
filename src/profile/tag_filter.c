/* tag_filter.c - tagfocus and tagignore: ranges of numbers and lists of expressions. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/xalloc.h"
#include "profile/edit.h"
#include "profile/filter.h"
#include "profile/units.h"

/* --- reading a range ---------------------------------------------------------------------------------------------- */

/* One end: [+-]digits and letters for a unit, from *at on. False if there is no number or it does not fit. */
static bool read_end(struct str text, size_t *at, int64_t *ret_value, struct str *ret_unit)
{
	size_t start = *at, i = start;
	if (i < text.length && (text.data[i] == '+' || text.data[i] == '-'))
		i++;
	size_t digits = i;
	while (i < text.length && isdigit((unsigned char)text.data[i]))
		i++;
	char number[32];
	if (i == digits || i - start >= sizeof(number))
		return false;
	memcpy(number, text.data + start, i - start);
	number[i - start] = '\0';
	errno = 0;
	*ret_value = strtoll(number, NULL, 10);
	if (errno)
		return false;
	size_t unit = i;
	while (i < text.length && isalpha((unsigned char)text.data[i]))
		i++;
	*ret_unit = (struct str){ text.data + unit, i - unit };
	*at = i;
	return true;
}

bool tag_range_parse(struct str text, struct tag_filter *filter)
{
	size_t at = 0;
	int64_t low = 0, high = 0;
	struct str low_unit = { "", 0 }, high_unit = { "", 0 };
	bool has_low = text.length > 0 && text.data[0] != ':';
	if (has_low && !read_end(text, &at, &low, &low_unit))
		return false;
	bool has_colon = at < text.length && text.data[at] == ':';
	at += has_colon;
	bool has_high = has_colon && at < text.length;
	if (has_high && !read_end(text, &at, &high, &high_unit))
		return false;
	if (at != text.length || (!has_low && !has_high))
		return false;
	/* The first number's unit rules: its canonical name is what a label's scaled value must end in. */
	struct str first_unit = has_low ? low_unit : high_unit, unit;
	double first = unit_scale(has_low ? low : high, first_unit, first_unit, &filter->range_unit);
	filter->low = filter->high = first;
	if (has_low && has_high) {
		filter->high = unit_scale(high, high_unit, filter->range_unit, &unit);
		if (!str_equal(unit, filter->range_unit))
			return false;
	}
	if (!has_colon)
		has_high = true; /* a single number is the range of itself */
	filter->is_range = true;
	filter->has_low = has_low;
	filter->has_high = has_high;
	return true;
}

/* --- matching ------------------------------------------------------------------------------------------------------ */

static bool in_range(const struct tag_filter *filter, int64_t value, struct str unit)
{
	struct str scaled_unit;
	double scaled = unit_scale(value, unit, filter->range_unit, &scaled_unit);
	if (!str_equal(scaled_unit, filter->range_unit))
		return false;
	return (!filter->has_low || scaled >= filter->low) && (!filter->has_high || scaled <= filter->high);
}

static bool range_matches(const struct profile *profile, const struct sample *sample, const struct tag_filter *filter,
                          const struct number_units *units)
{
	const struct label *labels = sample_number_labels(profile, sample);
	for (uint32_t i = 0; i < sample->number_count; i++) {
		if (filter->has_key && !str_equal(profile_str(profile, labels[i].key), filter->key))
			continue;
		if (in_range(filter, labels[i].number, profile_str(profile, number_units_find(units, labels[i].key))))
			return true;
	}
	return false;
}

/* Does the expression match "key:value" of any text label? */
static bool any_label_matches(const struct profile *profile, const struct sample *sample, const struct matcher *matcher,
                              struct buffer *scratch)
{
	const struct label *labels = sample_text_labels(profile, sample);
	for (uint32_t i = 0; i < sample->text_count; i++) {
		buffer_clear(scratch);
		buffer_append_str(scratch, profile_str(profile, labels[i].key));
		buffer_append_char(scratch, ':');
		buffer_append_str(scratch, profile_str(profile, labels[i].text_ix));
		if (matcher_matches(matcher, buffer_str(scratch)))
			return true;
	}
	return false;
}

static bool keyed_label_matches(const struct profile *profile, const struct sample *sample,
                                const struct tag_filter *filter)
{
	const struct label *labels = sample_text_labels(profile, sample);
	for (uint32_t i = 0; i < sample->text_count; i++) {
		if (!str_equal(profile_str(profile, labels[i].key), filter->key))
			continue;
		for (size_t k = 0; k < filter->matcher_count; k++) {
			if (matcher_matches(&filter->matchers[k], profile_str(profile, labels[i].text_ix)))
				return true;
		}
	}
	return false;
}

static bool tag_filter_matches(const struct profile *profile, const struct sample *sample,
                               const struct tag_filter *filter, const struct number_units *units,
                               struct buffer *scratch)
{
	if (filter->is_range)
		return range_matches(profile, sample, filter, units);
	if (filter->has_key)
		return keyed_label_matches(profile, sample, filter);
	for (size_t k = 0; k < filter->matcher_count; k++) {
		if (!any_label_matches(profile, sample, &filter->matchers[k], scratch))
			return false;
	}
	return true;
}

void profile_filter_samples_by_tag(struct profile *profile, const struct tag_filter *focus,
                                   const struct tag_filter *ignore, const struct number_units *units,
                                   bool *ret_focus_hit, bool *ret_ignore_hit)
{
	struct buffer scratch;
	buffer_init(&scratch, BUFFER_UNLIMITED);
	bool *keep = xcalloc(profile->sample_count, sizeof(*keep));
	*ret_focus_hit = *ret_ignore_hit = false;
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		const struct sample *sample = &profile->samples[i];
		bool focused = !focus->is_set || tag_filter_matches(profile, sample, focus, units, &scratch);
		bool ignored = ignore->is_set && tag_filter_matches(profile, sample, ignore, units, &scratch);
		*ret_focus_hit = *ret_focus_hit || focused;
		*ret_ignore_hit = *ret_ignore_hit || ignored;
		keep[i] = focused && !ignored;
	}
	profile_keep_samples(profile, keep);
	free(keep);
	buffer_release(&scratch);
}
