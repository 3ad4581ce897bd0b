/* filters.c - filter options. */
#include "cli/filters.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "profile/filter.h"
#include "profile/prune.h"

static bool search(const void *expression, struct str text)
{
	return regexp_search(expression, text);
}

struct matcher regexp_matcher(const struct regexp *regexp)
{
	return (struct matcher){ regexp ? search : NULL, regexp };
}

/* All expressions of the filter options, compiled. */
struct filters {
	struct regexp *focus, *ignore, *hide, *show, *show_from, *tagshow, *taghide, *prune_from;
	struct tag_filter tagfocus, tagignore;
	struct regexp *tag_regexps[2 * TAG_MATCHERS_MAX];
	struct matcher tag_matchers[2 * TAG_MATCHERS_MAX];
	size_t tag_count;
};

static void filters_release(struct filters *filters)
{
	struct regexp *single[] = { filters->focus,     filters->ignore,  filters->hide,    filters->show,
		                        filters->show_from, filters->tagshow, filters->taghide, filters->prune_from };
	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
		regexp_free(single[i]);
	for (size_t i = 0; i < filters->tag_count; i++)
		regexp_free(filters->tag_regexps[i]);
}

static enum status compile(const char *option, struct str pattern, struct regexp **ret_regexp, struct error *err)
{
	enum status status = regexp_compile(pattern, ret_regexp, err);
	if (status != STATUS_OK)
		error_prefix(err, "parsing %s regexp: ", option);
	return status;
}

/* "[key=]range" or "[key=]regexp[,regexp]...". */
static enum status compile_tag_filter(struct filters *filters, const char *option, const char *value,
                                      const struct report_context *context, struct tag_filter *filter,
                                      struct error *err)
{
	if (!*value)
		return STATUS_OK;
	struct str text = str_of(value);
	const char *equals = strchr(value, '=');
	if (equals) {
		filter->key = (struct str){ value, (size_t)(equals - value) };
		filter->has_key = filter->key.length > 0;
		text = str_of(equals + 1);
	}
	filter->is_set = true;
	if (tag_range_parse(text, filter)) {
		context_notice(context, "%s:Interpreted '%.*s' as range, not regexp", option, STR_ARG(text));
		return STATUS_OK;
	}
	size_t first = filters->tag_count;
	for (bool more = true; more;) {
		const char *comma = memchr(text.data, ',', text.length);
		struct str part = { text.data, comma ? (size_t)(comma - text.data) : text.length };
		if (filters->tag_count - first == TAG_MATCHERS_MAX)
			return error_set(err, STATUS_LIMIT, "%s has more than %d expressions", option, TAG_MATCHERS_MAX);
		struct regexp **regexp = &filters->tag_regexps[filters->tag_count];
		enum status status = compile(option, part, regexp, err);
		if (status != STATUS_OK)
			return status;
		filters->tag_matchers[filters->tag_count++] = regexp_matcher(*regexp);
		more = comma != NULL;
		if (more)
			text = str_from(text, part.length + 1);
	}
	filter->matchers = filters->tag_matchers + first;
	filter->matcher_count = filters->tag_count - first;
	return STATUS_OK;
}

static enum status filters_compile(struct filters *filters, const struct config *config,
                                   const struct report_context *context, struct error *err)
{
	const struct {
		const char *option, *pattern;
		struct regexp **regexp;
	} before[] = {
		{ "focus", config->focus, &filters->focus },
		{ "ignore", config->ignore, &filters->ignore },
		{ "hide", config->hide, &filters->hide },
		{ "show", config->show, &filters->show },
		{ "show_from", config->show_from, &filters->show_from },
		{ "tagshow", config->tagshow, &filters->tagshow },
		{ "taghide", config->taghide, &filters->taghide },
		{ "prune_from", config->prune_from, &filters->prune_from },
	};
	enum status status = STATUS_OK;
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]) && status == STATUS_OK; i++) {
		if (*before[i].pattern)
			status = compile(before[i].option, str_of(before[i].pattern), before[i].regexp, err);
	}
	if (status == STATUS_OK)
		status = compile_tag_filter(filters, "tagfocus", config->tagfocus, context, &filters->tagfocus, err);
	if (status == STATUS_OK)
		status = compile_tag_filter(filters, "tagignore", config->tagignore, context, &filters->tagignore, err);
	return status;
}

static void warn_unmatched(const struct report_context *context, bool is_set, bool hit, const char *option)
{
	if (is_set && !hit)
		context_notice(context, "%s expression matched no samples", option);
}

static void apply_frame_filters(const struct filters *filters, struct profile *profile,
                                const struct report_context *context)
{
	struct frame_filters frames = {
		.focus = regexp_matcher(filters->focus),
		.ignore = regexp_matcher(filters->ignore),
		.hide = regexp_matcher(filters->hide),
		.show = regexp_matcher(filters->show),
	};
	struct frame_filter_hits hits;
	profile_filter_frames(profile, &frames, &hits);
	warn_unmatched(context, filters->focus, hits.focus, "Focus");
	warn_unmatched(context, filters->ignore, hits.ignore, "Ignore");
	warn_unmatched(context, filters->hide, hits.hide, "Hide");
	warn_unmatched(context, filters->show, hits.show, "Show");
	if (filters->show_from) {
		struct matcher show_from = regexp_matcher(filters->show_from);
		warn_unmatched(context, true, profile_show_from(profile, &show_from), "ShowFrom");
	}
}

static void apply_tag_filters(const struct filters *filters, struct profile *profile, const struct number_units *units,
                              const struct report_context *context)
{
	bool first_hit, second_hit;
	if (filters->tagfocus.is_set || filters->tagignore.is_set) {
		profile_filter_samples_by_tag(profile, &filters->tagfocus, &filters->tagignore, units, &first_hit, &second_hit);
		warn_unmatched(context, filters->tagfocus.is_set, first_hit, "TagFocus");
		warn_unmatched(context, filters->tagignore.is_set, second_hit, "TagIgnore");
	}
	if (filters->tagshow || filters->taghide) {
		struct matcher show = regexp_matcher(filters->tagshow), hide = regexp_matcher(filters->taghide);
		profile_filter_labels(profile, &show, &hide, &first_hit, &second_hit);
		warn_unmatched(context, filters->tagshow, first_hit, "TagShow");
		warn_unmatched(context, filters->taghide, second_hit, "TagHide");
	}
}

enum status filters_apply(const struct config *config, struct profile *profile, const struct number_units *units,
                          const struct report_context *context, struct error *err)
{
	struct filters filters = { 0 };
	enum status status = filters_compile(&filters, config, context, err);
	if (status == STATUS_OK) {
		apply_frame_filters(&filters, profile, context);
		apply_tag_filters(&filters, profile, units, context);
		if (filters.prune_from) {
			struct matcher from = regexp_matcher(filters.prune_from);
			profile_prune_from(profile, &from);
		}
	}
	filters_release(&filters);
	return status;
}
