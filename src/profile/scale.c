/* scale.c - arithmetic on whole profiles: scaling, common sample types and units, normalizing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/xalloc.h"
#include "profile/edit.h"
#include "profile/merge.h"
#include "profile/units.h"

void profile_keep_samples(struct profile *profile, const bool *keep)
{
	uint32_t kept = 0;
	size_t row = profile->sample_type_count;
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		if (!keep[i])
			continue;
		if (kept != i) {
			profile->samples[kept] = profile->samples[i];
			memcpy(profile->values + kept * row, profile->values + i * row, row * sizeof(int64_t));
		}
		kept++;
	}
	profile->sample_count = kept;
}

/* Multiplies each column by its ratio. Only columns with a ratio other than 1 are touched, and only they decide whether
 * a sample is dropped as all zero. */
static void scale_columns(struct profile *profile, const double *ratios)
{
	bool any = false;
	for (uint32_t k = 0; k < profile->sample_type_count; k++)
		any = any || ratios[k] != 1;
	if (!any)
		return;
	bool *keep = xcalloc(profile->sample_count, sizeof(*keep));
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		int64_t *values = profile_values(profile, i);
		for (uint32_t k = 0; k < profile->sample_type_count; k++) {
			if (ratios[k] == 1)
				continue;
			values[k] = int64_from_double(round((double)values[k] * ratios[k]));
			keep[i] = keep[i] || values[k] != 0;
		}
	}
	profile_keep_samples(profile, keep);
	free(keep);
}

void profile_scale(struct profile *profile, double ratio)
{
	double *ratios = xreallocarray(NULL, profile->sample_type_count, sizeof(*ratios));
	for (uint32_t k = 0; k < profile->sample_type_count; k++)
		ratios[k] = ratio;
	scale_columns(profile, ratios);
	free(ratios);
}

enum status profile_normalize(struct profile *profile, const struct profile *base, struct error *err)
{
	struct profile *const both[] = { profile, (struct profile *)(uintptr_t)base };
	enum status status = profile_check_mergeable(both, 2, err);
	if (status != STATUS_OK)
		return status;
	uint32_t columns = profile->sample_type_count;
	double *ratios = xreallocarray(NULL, columns, sizeof(*ratios));
	for (uint32_t k = 0; k < columns; k++) {
		uint64_t sum = 0, base_sum = 0; /* wraps as Go's int64 does */
		for (uint32_t i = 0; i < profile->sample_count; i++)
			sum += (uint64_t)profile_values(profile, i)[k];
		for (uint32_t i = 0; i < base->sample_count; i++)
			base_sum += (uint64_t)profile_values(base, i)[k];
		ratios[k] = sum ? (double)(int64_t)base_sum / (double)(int64_t)sum : 0;
	}
	scale_columns(profile, ratios);
	free(ratios);
	return STATUS_OK;
}

/* --- common sample types --------------------------------------------------------------------------------------- */

static uint32_t find_type(const struct profile *profile, struct str name)
{
	for (uint32_t k = 0; k < profile->sample_type_count; k++) {
		if (str_equal(profile_str(profile, profile->sample_types[k].type), name))
			return k;
	}
	return PROFILE_NONE;
}

static size_t count_type(struct profile *const profiles[], size_t count, struct str name)
{
	size_t found = 0;
	for (size_t i = 0; i < count; i++) {
		for (uint32_t k = 0; k < profiles[i]->sample_type_count; k++)
			found += str_equal(profile_str(profiles[i], profiles[i]->sample_types[k].type), name);
	}
	return found;
}

/* Keeps the named columns only, in their order. */
static void keep_columns(struct profile *profile, const struct str *names, uint32_t name_count)
{
	uint32_t old_count = profile->sample_type_count;
	uint32_t *from = xreallocarray(NULL, name_count, sizeof(*from));
	bool same = name_count == old_count;
	struct str default_type = names[0];
	struct str wanted_default = profile_str(profile, profile->default_sample_type);
	for (uint32_t k = 0; k < name_count; k++) {
		from[k] = find_type(profile, names[k]);
		same = same && from[k] == k;
		if (str_equal(names[k], wanted_default))
			default_type = wanted_default;
	}
	if (!same) {
		struct value_type *types = xreallocarray(NULL, name_count, sizeof(*types));
		int64_t *values = xreallocarray(NULL, (size_t)profile->sample_count * name_count, sizeof(*values));
		for (uint32_t k = 0; k < name_count; k++) {
			types[k] = profile->sample_types[from[k]];
			for (uint32_t i = 0; i < profile->sample_count; i++)
				values[(size_t)i * name_count + k] = profile_values(profile, i)[from[k]];
		}
		free(profile->sample_types);
		free(profile->values);
		profile->sample_types = types;
		profile->values = values;
		profile->sample_type_count = name_count;
		profile->sample_capacity = profile->sample_count;
		profile->default_sample_type = profile_intern(profile, default_type);
	}
	free(from);
}

static enum status keep_common_types(struct profile *const profiles[], size_t count, struct error *err)
{
	const struct profile *first = profiles[0];
	struct str *names = xreallocarray(NULL, first->sample_type_count, sizeof(*names));
	uint32_t name_count = 0;
	for (uint32_t k = 0; k < first->sample_type_count; k++) {
		struct str name = profile_str(first, first->sample_types[k].type);
		if (count_type(profiles, count, name) == count)
			names[name_count++] = name;
	}
	for (size_t i = 0; i < count; i++) {
		/* A name that stands twice in one profile and not at all in another was counted as common. */
		for (uint32_t k = 0; k < name_count; k++) {
			if (find_type(profiles[i], names[k]) == PROFILE_NONE) {
				enum status status = error_set(err, STATUS_INVALID, "\"%.*s\" sample type is not found in profile",
				                               STR_ARG(names[k]));
				free(names);
				return status;
			}
		}
	}
	for (size_t i = 0; i < count && name_count; i++)
		keep_columns(profiles[i], names, name_count);
	free(names);
	if (name_count == 0)
		return error_set(err, STATUS_INVALID, "profiles have empty common sample type list");
	return STATUS_OK;
}

/* --- common units ------------------------------------------------------------------------------------------------- */

/* Column `k` of a profile, or its period type for PERIOD. */
#define PERIOD UINT32_MAX
static struct value_type *type_at(struct profile *profile, uint32_t k)
{
	return k == PERIOD ? &profile->period_type : &profile->sample_types[k];
}

static struct str without_plural(struct str text)
{
	if (text.length && text.data[text.length - 1] == 's')
		text.length--;
	return text;
}

/* The profile whose unit is the finest; *ret_finest is its index. */
static enum status finest_unit(struct profile *const profiles[], size_t count, uint32_t k, size_t *ret_finest,
                               struct error *err)
{
	size_t finest = 0;
	for (size_t i = 1; i < count; i++) {
		const struct value_type *a = type_at(profiles[finest], k), *b = type_at(profiles[i], k);
		struct str type_a = profile_str(profiles[finest], a->type), unit_a = profile_str(profiles[finest], a->unit);
		struct str type_b = profile_str(profiles[i], b->type), unit_b = profile_str(profiles[i], b->unit);
		bool compatible = str_equal(without_plural(type_a), without_plural(type_b)) &&
		                  (str_equal(unit_a, unit_b) || units_related(unit_a, unit_b));
		if (!compatible)
			return error_set(err, STATUS_INVALID, "%s: incompatible types: {%.*s %.*s} {%.*s %.*s}",
			                 k == PERIOD ? "period type" : "sample types", STR_ARG(type_a), STR_ARG(unit_a),
			                 STR_ARG(type_b), STR_ARG(unit_b));
		struct str unused;
		if (unit_scale(1, unit_b, unit_a, &unused) < 1)
			finest = i;
	}
	*ret_finest = finest;
	return STATUS_OK;
}

static enum status unify_period(struct profile *const profiles[], size_t count, struct error *err)
{
	size_t finest;
	enum status status = finest_unit(profiles, count, PERIOD, &finest, err);
	if (status != STATUS_OK)
		return status;
	struct str unit = profile_str(profiles[finest], profiles[finest]->period_type.unit);
	for (size_t i = 0; i < count; i++) {
		struct profile *profile = profiles[i];
		struct str unused, from = profile_str(profile, profile->period_type.unit);
		profile->period = int64_from_double(unit_scale(profile->period, from, unit, &unused));
		profile->period_type.unit = profile_intern(profile, unit);
	}
	return STATUS_OK;
}

static enum status unify_columns(struct profile *const profiles[], size_t count, struct error *err)
{
	uint32_t columns = profiles[0]->sample_type_count;
	struct str *units = xreallocarray(NULL, columns, sizeof(*units));
	for (uint32_t k = 0; k < columns; k++) {
		size_t finest;
		enum status status = finest_unit(profiles, count, k, &finest, err);
		if (status != STATUS_OK) {
			free(units);
			return status;
		}
		units[k] = profile_str(profiles[finest], profiles[finest]->sample_types[k].unit);
	}
	double *ratios = xreallocarray(NULL, columns, sizeof(*ratios));
	for (size_t i = 0; i < count; i++) {
		struct profile *profile = profiles[i];
		for (uint32_t k = 0; k < columns; k++) {
			struct str unused, from = profile_str(profile, profile->sample_types[k].unit);
			ratios[k] = unit_scale(1, from, units[k], &unused);
			profile->sample_types[k].unit = profile_intern(profile, units[k]);
		}
		scale_columns(profile, ratios);
	}
	free(ratios);
	free(units);
	return STATUS_OK;
}

enum status profile_make_compatible(struct profile *const profiles[], size_t count, struct error *err)
{
	enum status status = keep_common_types(profiles, count, err);
	if (status != STATUS_OK || count == 1)
		return status;
	status = unify_period(profiles, count, err);
	return status == STATUS_OK ? unify_columns(profiles, count, err) : status;
}
