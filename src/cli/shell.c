/* shell.c - the loop of the interactive shell. */
#include "cli/shell.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "cli/line_input.h"
#include "cli/messages.h"
#include "cli/pipeline.h"
#include "cli/shell_command.h"
#include "cli/usage.h"
#include "profile/merge.h"

#define VALUE_COMMENT "//:" /* what follows it in an assignment is not part of the value */

struct shell {
	struct profile *profile;
	struct config config;
	struct report_context context;
	bool on_terminal;
	bool quit;
};

/* --- greeting, options, help ------------------------------------------------------------------------------------------ */

static void greet(struct shell *shell)
{
	struct buffer text;
	int64_t total;
	buffer_init(&text, BUFFER_UNLIMITED);
	if (profile_header(shell->profile, &shell->config, &shell->context, &text, &total)) {
		if (text.length == 0)
			buffer_append_char(&text, '\n');
		if (total == 0 && shell->profile->sample_type_count > 1)
			buffer_append_text(&text, "No samples were found with the default sample value type.\n"
			                          "Try \"sample_index\" command to analyze different sample values.\n");
	}
	buffer_append_text(&text, "Entering interactive mode (type \"help\" for commands, \"o\" for options)");
	message_line(NULL, buffer_text(&text));
	buffer_release(&text);
}

/* "[cum | flat]" */
static void append_choices(struct buffer *to, const struct config_choice *choices)
{
	const char *names[CONFIG_CHOICES_MAX];
	size_t count = 0;
	for (; choices[count].name; count++) {
		size_t at = count;
		for (; at > 0 && strcmp(names[at - 1], choices[count].name) > 0; at--)
			names[at] = names[at - 1];
		names[at] = choices[count].name;
	}
	for (size_t i = 0; i < count; i++)
		buffer_printf(to, "%s%s", i ? " | " : VALUE_COMMENT " [", names[i]);
	buffer_append_char(to, ']');
}

static void append_sample_types(struct buffer *to, const struct profile *profile)
{
	for (uint32_t k = 0; k < profile->sample_type_count; k++)
		buffer_printf(to, "%s%.*s", k ? " | " : VALUE_COMMENT " [",
		              STR_ARG(profile_str(profile, profile->sample_types[k].type)));
	buffer_append_text(to, profile->sample_type_count ? "]" : VALUE_COMMENT " []");
}

/* "  name   = value   //: comment" */
static char *option_line(const struct shell *shell, const struct config_field *field)
{
	const struct profile *profile = shell->profile;
	struct buffer value, comment;
	buffer_init(&value, BUFFER_UNLIMITED);
	buffer_init(&comment, BUFFER_UNLIMITED);
	config_append_value(&value, &shell->config, field);
	if (field->kind == CONFIG_CHOICE) {
		append_choices(&comment, field->choices);
		if (value.length == 0)
			buffer_append_text(&value, "(default)");
	} else if (strcmp(field->name, "sample_index") == 0) {
		append_sample_types(&comment, profile);
		uint32_t last = profile->sample_type_count;
		if (value.length == 0 && last > 0)
			buffer_append_str(&value, profile_str(profile, profile->sample_types[last - 1].type));
	} else if (strcmp(field->name, "nodecount") == 0 && shell->config.node_count == -1) {
		buffer_append_text(&comment, VALUE_COMMENT " default");
	} else if (value.length == 0) {
		buffer_append_text(&value, "\"\"");
	}
	/* Padded by characters, not bytes. */
	size_t width = utf8_count(buffer_str(&value));
	char *line = xasprintf("  %-25s = %s%*s %s\n", field->name, buffer_text(&value), width < 20 ? (int)(20 - width) : 0,
	                       "", buffer_text(&comment));
	buffer_release(&value);
	buffer_release(&comment);
	return line;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_options(const struct shell *shell)
{
	char **lines = xcalloc(config_field_count, sizeof(*lines));
	size_t count = 0;
	for (size_t i = 0; i < config_field_count; i++) {
		if (strcmp(config_fields[i].name, "source_path") != 0 || *shell->config.source_path)
			lines[count++] = option_line(shell, &config_fields[i]);
	}
	qsort(lines, count, sizeof(*lines), compare_lines);
	struct buffer text;
	buffer_init(&text, BUFFER_UNLIMITED);
	for (size_t i = 0; i < count; i++) {
		buffer_append_text(&text, lines[i]);
		free(lines[i]);
	}
	message_line(NULL, buffer_text(&text));
	buffer_release(&text);
	free(lines);
}

static void print_help(const struct shell *shell, const struct words *words)
{
	struct buffer text;
	buffer_init(&text, BUFFER_UNLIMITED);
	if (words->count == 1)
		usage_append_shell(&text);
	else if (command_is_missing(words->items[1]))
		buffer_printf(&text, "There is no %s yet; `proto > file` writes a file that pprof reads\n", words->items[1]);
	else if (!usage_append_topic(&text, words->items[1], shell->profile))
		buffer_printf(&text, "Unknown command: %s\n", words->items[1]);
	message_line(NULL, buffer_text(&text));
	buffer_release(&text);
}

/* --- assignments ------------------------------------------------------------------------------------------------------- */

/* A copy without the blanks around. */
static char *trimmed(const char *text, size_t length)
{
	static const char blanks[] = " \t\r\n\v\f";
	while (length > 0 && strchr(blanks, text[length - 1]))
		length--;
	size_t start = 0;
	while (start < length && strchr(blanks, text[start]))
		start++;
	return xstrndup(text + start, length - start);
}

static const char *last_comment(const char *value)
{
	const char *found = NULL;
	for (const char *at = strstr(value, VALUE_COMMENT); at; at = strstr(at + 1, VALUE_COMMENT))
		found = at;
	return found;
}

static enum status assign(struct shell *shell, const char *name, const char *value, struct error *err)
{
	if (strcmp(name, "sample_index") != 0)
		return config_assign(&shell->config, name, value, err);
	uint32_t index;
	enum status status = sample_index_find(shell->profile, value, &index, err);
	if (status != STATUS_OK)
		return status;
	/* By its name, so that the choice holds for other profiles too. */
	struct str type = profile_str(shell->profile, shell->profile->sample_types[index].type);
	char *type_name = xstrndup(type.data, type.length);
	status = config_assign(&shell->config, name, type_name, err);
	free(type_name);
	return status;
}

/* NAME, NAME=VALUE; false if the line is no assignment. */
static bool run_assignment(struct shell *shell, const char *line)
{
	const char *equals = strchr(line, '=');
	char *name = trimmed(line, equals ? (size_t)(equals - line) : strlen(line));
	const struct config_choice *choice;
	const struct config_field *field = config_field_find(name, &choice);
	if (field) {
		const char *given = equals ? equals + 1 : "", *comment = last_comment(given);
		char *value = trimmed(given, comment ? (size_t)(comment - given) : strlen(given));
		struct error err;
		if (!equals && !choice && field->kind != CONFIG_BOOL)
			message_warningf("please specify a value, e.g. %s=<val>", name);
		else if (assign(shell, name, value, &err) != STATUS_OK)
			message_warning(NULL, err.message);
		free(value);
	}
	free(name);
	return field != NULL;
}

/* --- lines ------------------------------------------------------------------------------------------------------------ */

static volatile sig_atomic_t interrupted;

static void note_interrupt(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

static void run_report(struct shell *shell, struct words *words)
{
	const struct command *command;
	const char *parameter;
	struct error err;
	struct config config;
	config_copy(&config, &shell->config);
	enum status status = shell_command_parse(words, &config, &command, &parameter, &err);
	if (status == STATUS_OK) {
		struct profile copy;
		profile_copy(&copy, shell->profile);
		status = command_run(command, parameter, &config, &copy, &shell->context, &err);
		profile_release(&copy);
	}
	if (status != STATUS_OK)
		message_warning(NULL, err.message);
	config_release(&config);
}

/* ^C gives up the report, and the shell with all that was set in it stays; a second one ends the shell, should the first
 * take too long to be seen. Without a terminal nobody is there to go on. */
static void run_interruptible(struct shell *shell, struct words *words)
{
	struct sigaction noting = { .sa_handler = note_interrupt, .sa_flags = (int)SA_RESETHAND }, before;
	interrupted = 0;
	if (shell->on_terminal)
		sigaction(SIGINT, &noting, &before);
	run_report(shell, words);
	if (shell->on_terminal)
		sigaction(SIGINT, &before, NULL);
}

static void run_line(struct shell *shell, const char *line)
{
	if (run_assignment(shell, line))
		return;
	struct words words;
	words_split(&words, line);
	const char *first = words.count ? words.items[0] : "";
	if (strcmp(first, "o") == 0 || strcmp(first, "options") == 0)
		print_options(shell);
	else if (strcmp(first, "q") == 0 || strcmp(first, "quit") == 0 || strcmp(first, "exit") == 0)
		shell->quit = true;
	else if (strcmp(first, "help") == 0)
		print_help(shell, &words);
	else if (words.count > 0)
		run_interruptible(shell, &words);
	words_release(&words);
}

/* "T", "total_T" and "mean_T" choose the sample type T; of several with one name the last counts. */
static bool run_type_shortcut(struct shell *shell, struct str line)
{
	static const struct {
		struct str prefix;
		const char *mean; /* NULL: stays as it is */
	} forms[] = { { { "mean_", 5 }, "1" }, { { "total_", 6 }, "0" }, { { "", 0 }, NULL } };
	const struct profile *profile = shell->profile;
	for (uint32_t k = profile->sample_type_count; k > 0; k--) {
		struct str type = profile_str(profile, profile->sample_types[k - 1].type);
		for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
			if (!str_starts_with(line, forms[i].prefix) || !str_equal(str_from(line, forms[i].prefix.length), type))
				continue;
			char *assignment = xasprintf("sample_index=%.*s", STR_ARG(type)),
				 *mean = xasprintf("mean=%s", forms[i].mean ? forms[i].mean : "");
			if (forms[i].mean)
				run_line(shell, mean);
			run_line(shell, assignment);
			free(assignment);
			free(mean);
			return true;
		}
	}
	return false;
}

static void run_input(struct shell *shell, const char *input)
{
	static const char *const cleared[] = { "focus=", "ignore=", "hide=", "tagfocus=", "tagignore=" };
	char *line = trimmed(input, strlen(input));
	if (!run_type_shortcut(shell, str_of(line))) {
		if (strcmp(line, ":") == 0) {
			for (size_t i = 0; i < sizeof(cleared) / sizeof(cleared[0]); i++)
				run_line(shell, cleared[i]);
		} else {
			run_line(shell, line);
		}
	}
	free(line);
}

void shell_run(struct profile *profile, const struct config *config)
{
	struct shell shell = {
		.profile = profile,
		.context = { .interactive = true, .notice = message_warning, .stop = &interrupted },
		.on_terminal = isatty(STDIN_FILENO),
	};
	config_copy(&shell.config, config);
	shell.config.compact_labels = true;
	greet(&shell);
	/* The reference hands written copies to its reports. */
	profile_remove_unwritable_labels(profile);
	struct line_input *input = line_input_new(profile);
	const char *line;
	while (!shell.quit && (line = line_input_read(input)) != NULL)
		run_input(&shell, line);
	line_input_free(input);
	config_release(&shell.config);
}
