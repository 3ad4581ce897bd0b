/* shell_command.c - words of a shell line to a command and its options. */
#include "cli/shell_command.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/values.h"

void words_split(struct words *words, const char *line)
{
	*words = (struct words){ .text = xstrdup(line) };
	size_t capacity = 0;
	char *state;
	for (char *word = strtok_r(words->text, " \t\r\n\v\f", &state); word;
	     word = strtok_r(NULL, " \t\r\n\v\f", &state)) {
		words->items = xgrow(words->items, words->count, &capacity, sizeof(*words->items));
		words->items[words->count++] = word;
	}
}

void words_release(struct words *words)
{
	free(words->text);
	free(words->items);
}

/* Where the digits at the end begin ("top10" → "10"); NULL if there are none, or nothing else. */
static char *tail_digits(char *name)
{
	char *end = name + strlen(name), *at = end;
	while (at > name && isdigit((unsigned char)at[-1]))
		at--;
	return at > name && at < end ? at : NULL;
}

static enum status unknown_command(const char *name, const char *argument, struct error *err)
{
	const struct config_choice *choice;
	const struct config_field *field = config_field_find(name, &choice);
	if (field && (choice || field->kind != CONFIG_CHOICE))
		return error_set(err, STATUS_INVALID, "did you mean: %s=%s", name, argument ? argument : "<val>");
	if (command_is_missing(name))
		return error_set(err, STATUS_UNSUPPORTED, "there is no %s yet; `proto > file` writes a file that pprof reads",
		                 name);
	char *quoted = value_quote(name);
	enum status status = error_set(err, STATUS_INVALID, "unrecognized command: %s", quoted);
	free(quoted);
	return status;
}

/* Several expressions are alternatives. */
static void add_alternative(struct buffer *expression, const char *text)
{
	if (expression->length && *text)
		buffer_append_char(expression, '|');
	buffer_append_text(expression, text);
}

static bool is_node_count(const char *word, int64_t *ret_count)
{
	int64_t count;
	if (value_parse_decimal(word, &count) != VALUE_OK || count < INT32_MIN || count > INT32_MAX)
		return false;
	*ret_count = count;
	return true;
}

struct arguments {
	struct buffer focus, ignore;
};

static enum status read_arguments(char **items, size_t count, struct config *config, struct arguments *arguments,
                                  struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		const char *word = items[i];
		if (is_node_count(word, &config->node_count))
			continue;
		if (*word == '>') {
			const char *path = word[1] ? word + 1 : i + 1 < count ? items[++i] : NULL;
			if (!path)
				return error_set(err, STATUS_INVALID, "unexpected end of line after >");
			config_set_text(&config->output, path);
		} else if (strcmp(word, "-cum") == 0 || strcmp(word, "--cum") == 0) {
			config_set_text(&config->sort, "cum");
		} else if (*word == '-') {
			add_alternative(&arguments->ignore, word + 1);
		} else {
			add_alternative(&arguments->focus, word);
		}
	}
	return STATUS_OK;
}

static void apply_arguments(const struct command *command, struct config *config, const struct arguments *arguments)
{
	bool tags = command->id == COMMAND_TAGS;
	if (arguments->focus.length)
		config_set_text(tags ? &config->tagfocus : &config->focus, buffer_text(&arguments->focus));
	if (arguments->ignore.length)
		config_set_text(tags ? &config->tagignore : &config->ignore, buffer_text(&arguments->ignore));
}

enum status shell_command_parse(struct words *words, struct config *config, const struct command **ret_command,
                                const char **ret_parameter, struct error *err)
{
	char *name = words->items[0];
	size_t at = 1;
	const struct command *command = command_find(name);
	char *digits = command ? NULL : tail_digits(name);
	int64_t attached_count = 0;
	if (digits) {
		/* "top10": the number is the first argument, or for list and peek the expression. */
		char *short_name = xstrndup(name, (size_t)(digits - name));
		command = command_find(short_name);
		enum status status = command ? STATUS_OK : unknown_command(short_name, digits, err);
		free(short_name);
		if (status != STATUS_OK)
			return status;
	}
	if (!command)
		return unknown_command(name, words->count > 1 ? words->items[1] : NULL, err);
	*ret_parameter = NULL;
	if (command->has_parameter) {
		if (digits)
			*ret_parameter = digits;
		else if (at < words->count)
			*ret_parameter = words->items[at++];
		else
			return error_set(err, STATUS_INVALID, "command %s requires an argument", command->name);
	} else if (digits && is_node_count(digits, &attached_count)) {
		config->node_count = attached_count;
	}
	struct arguments arguments;
	buffer_init(&arguments.focus, BUFFER_UNLIMITED);
	buffer_init(&arguments.ignore, BUFFER_UNLIMITED);
	if (digits && !command->has_parameter && !is_node_count(digits, &attached_count))
		add_alternative(&arguments.focus, digits); /* too large for a number: an expression like any other word */
	enum status status = read_arguments(words->items + at, words->count - at, config, &arguments, err);
	if (status == STATUS_OK) {
		apply_arguments(command, config, &arguments);
		*ret_command = command;
	}
	buffer_release(&arguments.focus);
	buffer_release(&arguments.ignore);
	return status;
}
