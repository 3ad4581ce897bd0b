/* filter.c - focus, ignore, hide, show, show_from, and label filters. */
#include "profile/filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "profile/edit.h"
#include "profile/string_matches.h"
#include "profile/units.h"

/* --- frames ---------------------------------------------------------------------------------------------------- */

/* What the filters say of one location. */
enum verdict {
	VERDICT_NEUTRAL = 0,
	VERDICT_FOCUSED = 1,
	VERDICT_IGNORED = 2,
	VERDICT_HIDDEN = 4, /* may come with either of the others */
};

struct frame_filter_state {
	struct string_matches focus, ignore, hide, show;
	struct frame_filter_hits hits;
};

static bool location_matches(struct string_matches *matches, const struct location *location)
{
	const struct line *lines = profile_lines(matches->profile, location);
	for (uint32_t i = 0; i < location->line_count; i++) {
		if (line_matches(matches, &lines[i]))
			return true;
	}
	return mapping_matches(matches, location);
}

/* Removes the lines that match. A matching mapping hides them all. */
static void hide_lines(struct profile *profile, struct location *location, struct string_matches *hide)
{
	struct line *lines = profile_lines(profile, location);
	uint32_t kept = 0;
	if (!mapping_matches(hide, location)) {
		for (uint32_t i = 0; i < location->line_count; i++) {
			if (!line_matches(hide, &lines[i]))
				lines[kept++] = lines[i];
		}
	}
	location->line_count = kept;
}

/* Keeps the lines that match. A matching mapping shows them all; a line without function is kept. */
static void show_lines(struct profile *profile, struct location *location, struct string_matches *show)
{
	if (mapping_matches(show, location))
		return;
	struct line *lines = profile_lines(profile, location);
	uint32_t kept = 0;
	for (uint32_t i = 0; i < location->line_count; i++) {
		if (lines[i].function_ix == PROFILE_NONE || line_matches(show, &lines[i]))
			lines[kept++] = lines[i];
	}
	location->line_count = kept;
}

static uint8_t judge_location(struct profile *profile, struct location *location, struct frame_filter_state *state)
{
	uint8_t verdict = VERDICT_NEUTRAL;
	if (string_matches_set(&state->ignore) && location_matches(&state->ignore, location)) {
		state->hits.ignore = true;
		verdict = VERDICT_IGNORED;
	} else if (!string_matches_set(&state->focus) || location_matches(&state->focus, location)) {
		state->hits.focus = true;
		verdict = VERDICT_FOCUSED;
	}
	if (string_matches_set(&state->hide) && location_matches(&state->hide, location)) {
		state->hits.hide = true;
		hide_lines(profile, location, &state->hide);
		if (location->line_count == 0)
			verdict |= VERDICT_HIDDEN;
	}
	if (string_matches_set(&state->show)) {
		show_lines(profile, location, &state->show);
		if (location->line_count == 0)
			verdict |= VERDICT_HIDDEN;
		else
			state->hits.show = true;
	}
	return verdict;
}

/* Applies the verdicts to one stack: true if the sample stays. */
static bool filter_stack(struct profile *profile, struct sample *sample, const uint8_t *verdicts, bool any_hidden)
{
	uint32_t *stack = profile_stack(profile, sample);
	bool focused = false;
	for (uint32_t i = 0; i < sample->location_count; i++) {
		uint8_t verdict = verdicts[stack[i]];
		if (verdict & VERDICT_IGNORED)
			return false;
		focused = focused || verdict & VERDICT_FOCUSED;
	}
	if (!focused || !any_hidden)
		return focused;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < sample->location_count; i++) {
		if (!(verdicts[stack[i]] & VERDICT_HIDDEN))
			stack[kept++] = stack[i];
	}
	sample->location_count = kept;
	return kept > 0;
}

void profile_filter_frames(struct profile *profile, const struct frame_filters *filters,
                           struct frame_filter_hits *ret_hits)
{
	*ret_hits = (struct frame_filter_hits){ .focus = true };
	if (!matcher_is_set(&filters->focus) && !matcher_is_set(&filters->ignore) && !matcher_is_set(&filters->hide) &&
	    !matcher_is_set(&filters->show))
		return;
	struct frame_filter_state state = { 0 };
	string_matches_init(&state.focus, profile, &filters->focus);
	string_matches_init(&state.ignore, profile, &filters->ignore);
	string_matches_init(&state.hide, profile, &filters->hide);
	string_matches_init(&state.show, profile, &filters->show);

	uint8_t *verdicts = xmalloc(profile->location_count);
	bool any_hidden = false;
	for (uint32_t i = 0; i < profile->location_count; i++) {
		verdicts[i] = judge_location(profile, &profile->locations[i], &state);
		any_hidden = any_hidden || verdicts[i] & VERDICT_HIDDEN;
	}
	bool *keep = xcalloc(profile->sample_count, sizeof(*keep));
	for (uint32_t i = 0; i < profile->sample_count; i++)
		keep[i] = filter_stack(profile, &profile->samples[i], verdicts, any_hidden);
	profile_keep_samples(profile, keep);
	free(keep);
	free(verdicts);
	string_matches_release(&state.focus);
	string_matches_release(&state.ignore);
	string_matches_release(&state.hide);
	string_matches_release(&state.show);
	*ret_hits = state.hits;
}

/* In the location, lines from the leaf up to the outermost match stay. */
static bool show_from_location(struct profile *profile, struct location *location, struct string_matches *matches)
{
	if (mapping_matches(matches, location))
		return true;
	const struct line *lines = profile_lines(profile, location);
	for (uint32_t i = location->line_count; i > 0; i--) {
		if (line_matches(matches, &lines[i - 1])) {
			location->line_count = i;
			return true;
		}
	}
	return false;
}

bool profile_show_from(struct profile *profile, const struct matcher *show_from)
{
	if (!matcher_is_set(show_from))
		return false;
	struct string_matches matches;
	string_matches_init(&matches, profile, show_from);
	bool *matched = xcalloc(profile->location_count, sizeof(*matched)), any = false;
	for (uint32_t i = 0; i < profile->location_count; i++) {
		matched[i] = show_from_location(profile, &profile->locations[i], &matches);
		any = any || matched[i];
	}
	bool *keep = xcalloc(profile->sample_count, sizeof(*keep));
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		struct sample *sample = &profile->samples[i];
		const uint32_t *stack = profile_stack(profile, sample);
		uint32_t count = sample->location_count;
		while (count > 0 && !matched[stack[count - 1]])
			count--;
		sample->location_count = count;
		keep[i] = count > 0;
	}
	profile_keep_samples(profile, keep);
	free(keep);
	free(matched);
	string_matches_release(&matches);
	return any;
}

/* --- labels --------------------------------------------------------------------------------------------------------- */

struct label_filter_state {
	struct string_matches show, hide;
	bool show_hit, hide_hit;
};

static bool label_stays(struct label_filter_state *state, uint32_t key)
{
	bool shown = !string_matches_set(&state->show) || string_matches(&state->show, key);
	bool hidden = string_matches_set(&state->hide) && string_matches(&state->hide, key);
	state->show_hit = state->show_hit || shown;
	state->hide_hit = state->hide_hit || hidden;
	return shown && !hidden;
}

void profile_filter_labels(struct profile *profile, const struct matcher *show, const struct matcher *hide,
                           bool *ret_show_hit, bool *ret_hide_hit)
{
	struct label_filter_state state = { 0 };
	string_matches_init(&state.show, profile, show);
	string_matches_init(&state.hide, profile, hide);
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		struct sample *sample = &profile->samples[i];
		struct label *labels = profile->labels + sample->label_start;
		uint32_t text_count = 0, kept = 0, count = sample->text_count + sample->number_count;
		for (uint32_t k = 0; k < count; k++) {
			if (!label_stays(&state, labels[k].key))
				continue;
			text_count += k < sample->text_count;
			labels[kept++] = labels[k];
		}
		sample->text_count = text_count;
		sample->number_count = kept - text_count;
	}
	string_matches_release(&state.show);
	string_matches_release(&state.hide);
	*ret_show_hit = state.show_hit;
	*ret_hide_hit = state.hide_hit;
}
