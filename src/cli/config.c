/* config.c - the table of report options. */
#include "cli/config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "cli/values.h"

static const struct config_choice sort_choices[] = {
	{ "cum", "Sort by cumulative value: the function and all it calls" },
	{ "flat", "Sort by own value: the function alone" },
	{ NULL, NULL },
};

static const struct config_choice granularity_choices[] = {
	{ "functions", "One entry a function (the default)" },
	{ "filefunctions", "One entry a function and file" },
	{ "files", "One entry a source file" },
	{ "lines", "One entry a source line" },
	{ "addresses", "One entry an instruction address" },
	{ NULL, NULL },
};

#define FIELD(name, kind, member, help) \
	{ \
		name, kind, offsetof(struct config, member), NULL, help \
	}
#define CHOICE_FIELD(name, choices, help) \
	{ \
#name, CONFIG_CHOICE, offsetof(struct config, name), choices, help \
	}
#define MATCHING "A frame matches by its function's name, its file or its binary."
#define TAG_SYNTAX \
	"KEY=EXPRESSION looks at one label only.\n" \
	"A number or range (1kb, 1kb:10kb, memory=32mb:) selects by numeric labels,\n" \
	"anything else is a regular expression on key:value (foo, foo.*bar, mytag=foo)."

const struct config_field config_fields[] = {
	FIELD("output", CONFIG_TEXT, output, "File to write the report to, instead of standard output"),
	FIELD("drop_negative", CONFIG_BOOL, drop_negative,
	      "Leave out entries with negative values\nWhat became less between two profiles is not shown."),
	FIELD("call_tree", CONFIG_BOOL, call_tree,
	      "Keep calls on different paths apart\nFor graph formats, which are not there yet: it has no effect on the "
	      "others."),
	FIELD("relative_percentages", CONFIG_BOOL, relative_percentages,
	      "Percentages of what the filters leave\nWithout it they are of the whole profile, so that they can be "
	      "compared."),
	FIELD("unit", CONFIG_TEXT, unit,
	      "Unit to show values in\nTime: ns, us, ms, s, hrs. Memory: B, kB, MB, GB.\n"
	      "minimum: one unit that fits the smallest value; auto: for each value the largest that fits."),
	FIELD("compact_labels", CONFIG_BOOL, compact_labels, "Leave out the header with file, type and time"),
	FIELD("source_path", CONFIG_TEXT, source_path,
	      "Where to look for source files\nDirectories separated by ':'; their parents are searched too."),
	FIELD("trim_path", CONFIG_TEXT, trim_path,
	      "Prefixes to cut from source paths before the search\nSeparated by ':'; the place where the program was "
	      "built."),
	FIELD("intel_syntax", CONFIG_BOOL, intel_syntax,
	      "Assembly in Intel syntax\nNo report shows assembly yet: it has no effect."),
	FIELD("mean", CONFIG_BOOL, mean,
	      "Show values divided by the first value (the count)\nMemory: bytes per allocation. Delays: time per event."),
	FIELD("sample_index", CONFIG_TEXT, sample_index,
	      "Which value of the samples to show\nA number from 0 or a name: inuse_space, alloc_objects, cpu, ..."),
	FIELD("divide_by", CONFIG_FLOAT, divide_by,
	      "Divide all values by this number\nFor instance by the number of processors or of jobs done."),
	FIELD("normalize", CONFIG_BOOL, normalize,
	      "Scale the profile to the base's total\nOnly with -base or -diff_base, when profiles are read."),
	CHOICE_FIELD(sort, sort_choices, "What entries are sorted by: cum or flat"),
	FIELD("tagroot", CONFIG_TEXT, tagroot,
	      "Label keys whose values become frames at the root\nSeparated by ','; the first is outermost."),
	FIELD("tagleaf", CONFIG_TEXT, tagleaf,
	      "Label keys whose values become frames at the leaf\nSeparated by ','; the last is innermost."),
	FIELD("nodecount", CONFIG_INT, node_count, "Most entries to show\n-1: as many as suits the report; 0: all."),
	FIELD("nodefraction", CONFIG_FLOAT, node_fraction, "Leave out entries below this share of the total"),
	FIELD("edgefraction", CONFIG_FLOAT, edge_fraction, "Leave out calls below this share of the total"),
	FIELD("trim", CONFIG_BOOL, trim,
	      "Leave out small entries\nfalse: nodecount, nodefraction and edgefraction count as 0."),
	FIELD("focus", CONFIG_TEXT, focus, "Only samples with a frame that matches\n" MATCHING),
	FIELD("ignore", CONFIG_TEXT, ignore, "No samples with a frame that matches\n" MATCHING),
	FIELD("prune_from", CONFIG_TEXT, prune_from, "Cut off what matching functions call"),
	FIELD("hide", CONFIG_TEXT, hide,
	      "Take matching frames out of the stacks\nThe rest of each stack stays.\n" MATCHING),
	FIELD("show", CONFIG_TEXT, show, "Keep only matching frames in the stacks\n" MATCHING),
	FIELD("show_from", CONFIG_TEXT, show_from, "Cut off the callers of the outermost matching frame\n" MATCHING),
	FIELD("tagfocus", CONFIG_TEXT, tagfocus, "Only samples with a matching label\n" TAG_SYNTAX),
	FIELD("tagignore", CONFIG_TEXT, tagignore, "No samples with a matching label\n" TAG_SYNTAX),
	FIELD("tagshow", CONFIG_TEXT, tagshow, "Keep only labels whose key matches"),
	FIELD("taghide", CONFIG_TEXT, taghide, "Take labels away whose key matches"),
	FIELD("noinlines", CONFIG_BOOL, no_inlines, "Count inlined functions as their caller"),
	FIELD("showcolumns", CONFIG_BOOL, show_columns, "Column numbers behind line numbers"),
	CHOICE_FIELD(granularity, granularity_choices, "What one entry stands for: functions, files, lines, ..."),
};
const size_t config_field_count = sizeof(config_fields) / sizeof(config_fields[0]);
_Static_assert(sizeof(config_fields) / sizeof(config_fields[0]) <= CONFIG_FIELDS_MAX, "CONFIG_FIELDS_MAX is too small");
_Static_assert(sizeof(granularity_choices) / sizeof(granularity_choices[0]) <= CONFIG_CHOICES_MAX,
               "CONFIG_CHOICES_MAX is too small");

static bool holds_text(const struct config_field *field)
{
	return field->kind == CONFIG_TEXT || field->kind == CONFIG_CHOICE;
}

static char **text_in(struct config *config, const struct config_field *field)
{
	return config_field_in(config, field);
}

void config_init(struct config *config)
{
	*config = (struct config){
		.divide_by = 1, .node_count = -1, .node_fraction = 0.005, .edge_fraction = 0.001, .trim = true
	};
	for (size_t i = 0; i < config_field_count; i++) {
		if (holds_text(&config_fields[i]))
			*text_in(config, &config_fields[i]) = xstrdup("");
	}
	config_set_text(&config->unit, "minimum");
	config_set_text(&config->sort, "flat");
}

void config_release(struct config *config)
{
	for (size_t i = 0; i < config_field_count; i++) {
		if (holds_text(&config_fields[i]))
			free(*text_in(config, &config_fields[i]));
	}
}

void config_copy(struct config *config, const struct config *from)
{
	*config = *from;
	for (size_t i = 0; i < config_field_count; i++) {
		if (holds_text(&config_fields[i]))
			*text_in(config, &config_fields[i]) = xstrdup(*text_in(config, &config_fields[i]));
	}
}

void config_set_text(char **field, const char *text)
{
	char *copy = xstrdup(text);
	free(*field);
	*field = copy;
}

static const struct config_choice *choice_find(const struct config_field *field, const char *name)
{
	for (const struct config_choice *choice = field->choices; choice && choice->name; choice++) {
		if (strcmp(choice->name, name) == 0)
			return choice;
	}
	return NULL;
}

const struct config_field *config_field_find(const char *name, const struct config_choice **ret_choice)
{
	*ret_choice = NULL;
	for (size_t i = 0; i < config_field_count; i++) {
		if (strcmp(config_fields[i].name, name) == 0)
			return &config_fields[i];
		*ret_choice = choice_find(&config_fields[i], name);
		if (*ret_choice)
			return &config_fields[i];
	}
	return NULL;
}

void config_append_value(struct buffer *to, const struct config *config, const struct config_field *field)
{
	const void *value = (const char *)config + field->offset;
	switch (field->kind) {
	case CONFIG_BOOL:
		buffer_append_text(to, *(const bool *)value ? "true" : "false");
		break;
	case CONFIG_INT:
		buffer_printf(to, "%lld", (long long)*(const int64_t *)value);
		break;
	case CONFIG_FLOAT:
		value_append_float(to, *(const double *)value);
		break;
	case CONFIG_TEXT:
	case CONFIG_CHOICE:
		buffer_append_text(to, *(char *const *)value);
		break;
	}
}

/* --- assignments in the shell ----------------------------------------------------------------------------------------- */

static enum status bad_bool(const char *value, struct error *err)
{
	char *quoted = value_quote(value);
	enum status status = error_set(err, STATUS_INVALID, "illegal value %s for bool variable", quoted);
	free(quoted);
	return status;
}

static enum status bad_choice(const struct config_field *field, const char *value, struct error *err)
{
	char *quoted = value_quote(value);
	enum status status = error_set(err, STATUS_INVALID, "invalid \"%s\" value %s", field->name, quoted);
	free(quoted);
	return status;
}

static enum status assign_bool(bool *field, const char *value, struct error *err)
{
	static const char *const yes[] = { "", "true", "t", "yes", "y", "1" }, *const no[] = { "false", "f", "no", "n",
		                                                                                   "0" };
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcasecmp(value, yes[i]) == 0) {
			*field = true;
			return STATUS_OK;
		}
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		if (strcasecmp(value, no[i]) == 0) {
			*field = false;
			return STATUS_OK;
		}
	}
	return bad_bool(value, err);
}

/* Go's words, which people search for. */
static enum status number_status(enum value_result result, const char *function, const char *value, struct error *err)
{
	if (result == VALUE_OK)
		return STATUS_OK;
	char *quoted = value_quote(value);
	enum status status = error_set(err, STATUS_INVALID, "strconv.%s: parsing %s: %s", function, quoted,
	                               result == VALUE_RANGE ? "value out of range" : "invalid syntax");
	free(quoted);
	return status;
}

static enum status assign_field(struct config *config, const struct config_field *field, const char *value,
                                struct error *err)
{
	void *target = config_field_in(config, field);
	switch (field->kind) {
	case CONFIG_BOOL:
		return assign_bool(target, value, err);
	case CONFIG_INT:
		return number_status(value_parse_decimal(value, target), "Atoi", value, err);
	case CONFIG_FLOAT:
		return number_status(value_parse_float(value, target), "ParseFloat", value, err);
	case CONFIG_CHOICE:
		if (!choice_find(field, value))
			return bad_choice(field, value, err);
		break;
	case CONFIG_TEXT:
		break;
	}
	config_set_text(target, value);
	return STATUS_OK;
}

enum status config_assign(struct config *config, const char *name, const char *value, struct error *err)
{
	const struct config_choice *choice;
	const struct config_field *field = config_field_find(name, &choice);
	if (field && !choice)
		return assign_field(config, field, value, err);
	bool chosen;
	if (!field || !value_parse_bool(value, &chosen) || !chosen)
		return error_set(err, STATUS_INVALID, "unknown config field \"%s\"", name);
	return assign_field(config, field, choice->name, err);
}
