/* options.c - flags to struct options, with the checks among them. */
#include "cli/options.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/flags.h"
#include "symbolize/symbolize.h"

/* Old names of sample types, in the order in which the first given one wins. */
static const struct {
	const char *flag, *sample_type;
} selectors[] = {
	{ "total_delay", "delay" },           { "mean_delay", "delay" },
	{ "contentions", "contentions" },     { "inuse_space", "inuse_space" },
	{ "inuse_objects", "inuse_objects" }, { "alloc_space", "alloc_space" },
	{ "alloc_objects", "alloc_objects" },
};
#define SELECTOR_COUNT (sizeof(selectors) / sizeof(selectors[0]))
#define SELECTOR_MEAN_DELAY 1

/* What the flags are parsed into before they are checked. Every command has a slot, by its row in the table. */
struct raw_flags {
	const char *config_texts[CONFIG_FIELDS_MAX];         /* by row of config_fields */
	bool choices[CONFIG_FIELDS_MAX][CONFIG_CHOICES_MAX]; /* by row and choice */
	bool *command_given;
	const char **command_parameters;
	bool selector_given[SELECTOR_COUNT];
	bool *missing_given;             /* by row of missing_commands */
	const char **missing_parameters; /* the same, for those that take one */
	const char *base, *diff_base, *tools, *http;
	bool no_browser, version;
	int64_t seconds, timeout;
};

/* --- the flags ------------------------------------------------------------------------------------------------------- */

static void add_config_flags(struct flag_set *set, struct options *options, struct raw_flags *raw)
{
	for (size_t i = 0; i < config_field_count; i++) {
		const struct config_field *field = &config_fields[i];
		void *target = config_field_in(&options->config, field);
		switch (field->kind) {
		case CONFIG_BOOL:
			flag_set_add(set, field->name, FLAG_BOOL, target);
			break;
		case CONFIG_INT:
			flag_set_add(set, field->name, FLAG_INT, target);
			break;
		case CONFIG_FLOAT:
			flag_set_add(set, field->name, FLAG_FLOAT, target);
			break;
		case CONFIG_TEXT:
			flag_set_add(set, field->name, FLAG_TEXT, &raw->config_texts[i]);
			break;
		case CONFIG_CHOICE:
			for (size_t k = 0; field->choices[k].name; k++)
				flag_set_add(set, field->choices[k].name, FLAG_BOOL, &raw->choices[i][k]);
			break;
		}
	}
}

static void add_command_flags(struct flag_set *set, struct raw_flags *raw)
{
	raw->command_given = xcalloc(command_count, sizeof(*raw->command_given));
	raw->command_parameters = xcalloc(command_count, sizeof(*raw->command_parameters));
	for (size_t i = 0; i < command_count; i++) {
		if (command_table[i].has_parameter)
			flag_set_add(set, command_table[i].name, FLAG_TEXT, &raw->command_parameters[i]);
		else
			flag_set_add(set, command_table[i].name, FLAG_BOOL, &raw->command_given[i]);
	}
	raw->missing_given = xcalloc(missing_command_count, sizeof(*raw->missing_given));
	raw->missing_parameters = xcalloc(missing_command_count, sizeof(*raw->missing_parameters));
	for (size_t i = 0; i < missing_command_count; i++) {
		if (missing_commands[i].has_parameter)
			flag_set_add(set, missing_commands[i].name, FLAG_TEXT, &raw->missing_parameters[i]);
		else
			flag_set_add(set, missing_commands[i].name, FLAG_BOOL, &raw->missing_given[i]);
	}
}

static void add_source_flags(struct flag_set *set, struct options *options, struct raw_flags *raw)
{
	const struct {
		const char *name;
		const char **target;
	} texts[] = {
		{ "base", &raw->base },
		{ "diff_base", &raw->diff_base },
		{ "symbolize", &options->symbolize },
		{ "buildid", &options->build_id },
		{ "add_comment", &options->comment },
		{ "tools", &raw->tools },
		{ "http", &raw->http },
		{ "tls_cert", &options->fetch.tls_cert },
		{ "tls_key", &options->fetch.tls_key },
		{ "tls_ca", &options->fetch.tls_ca },
		{ "unix", &options->fetch.unix_socket },
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		*texts[i].target = "";
		flag_set_add(set, texts[i].name, FLAG_TEXT, texts[i].target);
	}
	raw->seconds = raw->timeout = -1;
	flag_set_add(set, "seconds", FLAG_INT, &raw->seconds);
	flag_set_add(set, "timeout", FLAG_INT, &raw->timeout);
	flag_set_add(set, "all_frames", FLAG_BOOL, &options->all_frames);
	flag_set_add(set, "no_browser", FLAG_BOOL, &raw->no_browser);
	flag_set_add(set, "version", FLAG_BOOL, &raw->version);
	for (size_t i = 0; i < SELECTOR_COUNT; i++)
		flag_set_add(set, selectors[i].flag, FLAG_BOOL, &raw->selector_given[i]);
}

/* --- checks ------------------------------------------------------------------------------------------------------------ */

static enum status apply_choices(struct options *options, const struct raw_flags *raw, struct error *err)
{
	for (size_t i = 0; i < config_field_count; i++) {
		const struct config_field *field = &config_fields[i];
		char **text = config_field_in(&options->config, field);
		if (field->kind == CONFIG_TEXT && raw->config_texts[i])
			config_set_text(text, raw->config_texts[i]);
		const char *chosen = NULL;
		for (size_t k = 0; field->kind == CONFIG_CHOICE && field->choices[k].name; k++) {
			if (!raw->choices[i][k])
				continue;
			if (chosen)
				return error_set(err, STATUS_INVALID, "conflicting options set: [%s %s]", chosen,
				                 field->choices[k].name);
			chosen = field->choices[k].name;
		}
		if (chosen)
			config_set_text(text, chosen);
	}
	return STATUS_OK;
}

static enum status choose_command(struct options *options, const struct raw_flags *raw, struct error *err)
{
	size_t count = 0;
	for (size_t i = 0; i < command_count; i++) {
		const char *parameter = raw->command_parameters[i];
		if (!raw->command_given[i] && !(parameter && *parameter))
			continue;
		options->command = &command_table[i];
		options->parameter = parameter;
		count++;
	}
	const char *missing = NULL;
	for (size_t i = 0; i < missing_command_count; i++) {
		if (raw->missing_given[i] || (raw->missing_parameters[i] && *raw->missing_parameters[i])) {
			missing = missing_commands[i].name;
			count++;
		}
	}
	if (count > 1)
		return error_set(err, STATUS_INVALID, "must set at most one output format");
	if (missing)
		return error_set(err, STATUS_UNSUPPORTED, "there is no -%s yet; `cpprof -help` lists the reports", missing);
	return STATUS_OK;
}

static void select_sample_type(struct options *options, const struct raw_flags *raw,
                               void (*notice)(void *, const char *))
{
	for (size_t i = 0; i < SELECTOR_COUNT; i++) {
		if (!raw->selector_given[i])
			continue;
		if (!*options->config.sample_index) {
			config_set_text(&options->config.sample_index, selectors[i].sample_type);
			continue;
		}
		char *line = xasprintf("Multiple value selections, ignoring -%s", selectors[i].flag);
		notice(NULL, line);
		free(line);
	}
	if (raw->selector_given[SELECTOR_MEAN_DELAY])
		options->config.mean = true;
}

static int to_int(int64_t value)
{
	return value > INT_MAX ? INT_MAX : value < -1 ? -1 : (int)value;
}

static enum status check_flags(struct options *options, const struct raw_flags *raw,
                               void (*notice)(void *, const char *), struct error *err)
{
	enum status status = apply_choices(options, raw, err);
	if (status == STATUS_OK)
		status = choose_command(options, raw, err);
	if (status != STATUS_OK)
		return status;
	if (*raw->http && options->command)
		return error_set(err, STATUS_INVALID, "-http is not compatible with an output format on the command line");
	if (*raw->http)
		return error_set(err, STATUS_UNSUPPORTED,
		                 "there is no web UI yet; without -http an interactive shell is opened");
	if (raw->no_browser)
		return error_set(err, STATUS_INVALID, "-no_browser only makes sense with -http");
	select_sample_type(options, raw, notice);
	if (*raw->base && *raw->diff_base)
		return error_set(err, STATUS_INVALID, "-base and -diff_base flags cannot both be specified");
	options->is_diff_base = *raw->diff_base;
	options->base = *raw->base ? raw->base : *raw->diff_base ? raw->diff_base : NULL;
	if (options->config.normalize && !options->base)
		return error_set(err, STATUS_INVALID, "must have base profile to normalize by");
	options->fetch.seconds = to_int(raw->seconds);
	options->fetch.timeout_seconds = to_int(raw->timeout);
	return STATUS_OK;
}

static enum options_result parse(struct options *options, struct raw_flags *raw, const struct flag_set *set, int argc,
                                 char **argv, void (*notice)(void *, const char *), struct error *err)
{
	int first;
	enum status status = flag_set_parse(set, argc, argv, &first, err);
	if (status != STATUS_OK)
		return status == STATUS_NOT_FOUND ? OPTIONS_HELP : OPTIONS_USAGE;
	if (raw->version)
		return OPTIONS_VERSION;
	options->sources = argv + first;
	options->source_count = (size_t)(argc - first);
	if (options->source_count == 0) {
		error_set(err, STATUS_INVALID, "no profile source specified");
		return OPTIONS_USAGE;
	}
	if (options->source_count > 1 && symbolize_is_object_file(options->sources[0])) {
		options->binary = options->sources[0];
		options->sources++;
		options->source_count--;
	}
	return check_flags(options, raw, notice, err) == STATUS_OK ? OPTIONS_RUN : OPTIONS_ERROR;
}

enum options_result options_parse(struct options *options, int argc, char **argv, void (*notice)(void *, const char *),
                                  struct error *err)
{
	*options = (struct options){ 0 };
	config_init(&options->config);
	struct raw_flags raw = { 0 };
	struct flag_set set;
	flag_set_init(&set);
	add_command_flags(&set, &raw);
	add_config_flags(&set, options, &raw);
	add_source_flags(&set, options, &raw);
	enum options_result result = parse(options, &raw, &set, argc, argv, notice, err);
	flag_set_release(&set);
	free(raw.command_given);
	free(raw.command_parameters);
	free(raw.missing_given);
	free(raw.missing_parameters);
	return result;
}

void options_release(struct options *options)
{
	config_release(&options->config);
}
