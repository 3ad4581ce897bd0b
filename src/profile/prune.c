/* prune.c - frame pruning. */
#include "profile/prune.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "profile/string_matches.h"

struct str simplify_function_name(struct str name)
{
	const struct str reserved[] = { STR_LITERAL("(anonymous namespace)"), STR_LITERAL("operator()") };
	if (name.length && name.data[0] == '.')
		name = str_from(name, 1);
	for (size_t i = 0; i < name.length;) {
		size_t skip = 0;
		for (size_t k = 0; k < 2 && !skip; k++) {
			if (str_starts_with(str_from(name, i), reserved[k]))
				skip = reserved[k].length;
		}
		if (!skip && name.data[i] == '(') {
			name.length = i;
			break;
		}
		i += skip ? skip : 1;
	}
	return name;
}

/* Answers by function name, through the simplified name. */
struct prune_rule {
	const struct profile *profile;
	const struct matcher *drop, *keep;
	uint8_t *answers; /* by string: 0 = not asked yet, 1 = no, 2 = yes */
};

static bool rule_matches(struct prune_rule *rule, const struct line *line)
{
	uint32_t name = line->function_ix == PROFILE_NONE ? 0 : rule->profile->functions[line->function_ix].name;
	if (name == 0)
		return false;
	uint8_t *answer = &rule->answers[name];
	if (!*answer) {
		struct str simple = simplify_function_name(profile_str(rule->profile, name));
		bool keep = rule->keep && matcher_is_set(rule->keep) && matcher_matches(rule->keep, simple);
		*answer = matcher_matches(rule->drop, simple) && !keep ? 2 : 1;
	}
	return *answer == 2;
}

enum cut {
	CUT_NOTHING = 0,
	CUT_LOCATION, /* the location and all it called */
	CUT_BENEATH,  /* what it called */
};

/* The outermost matching line and those inside it go. */
static uint8_t prune_location(struct profile *profile, struct location *location, struct prune_rule *rule)
{
	struct line *lines = profile_lines(profile, location);
	for (uint32_t i = location->line_count; i > 0; i--) {
		if (!rule_matches(rule, &lines[i - 1]))
			continue;
		if (i == location->line_count)
			return CUT_LOCATION;
		location->line_start += i;
		location->line_count -= i;
		return CUT_BENEATH;
	}
	return CUT_NOTHING;
}

static void prune_stack(struct profile *profile, struct sample *sample, const uint8_t *cuts)
{
	const uint32_t *stack = profile_stack(profile, sample);
	bool found_user = false;
	for (uint32_t i = sample->location_count; i > 0; i--) {
		uint8_t cut = cuts[stack[i - 1]];
		if (cut == CUT_NOTHING) {
			found_user = true; /* frames before the first user frame stay, or nothing might be left */
		} else if (found_user) {
			uint32_t removed = cut == CUT_LOCATION ? i : i - 1;
			sample->location_start += removed;
			sample->location_count -= removed;
			return;
		}
	}
}

void profile_prune_frames(struct profile *profile, const struct matcher *drop, const struct matcher *keep)
{
	struct prune_rule rule = { profile, drop, keep, xcalloc(profile->strings.count, 1) };
	uint8_t *cuts = xcalloc(profile->location_count, 1);
	bool any = false;
	for (uint32_t i = 0; i < profile->location_count; i++) {
		cuts[i] = prune_location(profile, &profile->locations[i], &rule);
		any = any || cuts[i];
	}
	for (uint32_t i = 0; any && i < profile->sample_count; i++)
		prune_stack(profile, &profile->samples[i], cuts);
	free(cuts);
	free(rule.answers);
}

void profile_prune_from(struct profile *profile, const struct matcher *from)
{
	struct prune_rule rule = { profile, from, NULL, xcalloc(profile->strings.count, 1) };
	bool *matched = xcalloc(profile->location_count, sizeof(*matched));
	for (uint32_t i = 0; i < profile->location_count; i++) {
		struct location *location = &profile->locations[i];
		const struct line *lines = profile_lines(profile, location);
		for (uint32_t k = 0; k < location->line_count && !matched[i]; k++) {
			if (rule_matches(&rule, &lines[k])) {
				matched[i] = true;
				location->line_start += k;
				location->line_count -= k;
			}
		}
	}
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		struct sample *sample = &profile->samples[i];
		const uint32_t *stack = profile_stack(profile, sample);
		uint32_t removed = 0;
		while (removed < sample->location_count && !matched[stack[removed]])
			removed++;
		if (removed == sample->location_count)
			continue;
		sample->location_start += removed;
		sample->location_count -= removed;
	}
	free(matched);
	free(rule.answers);
}
