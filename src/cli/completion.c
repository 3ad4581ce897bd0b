/* completion.c - candidates for Tab. */
#include "cli/completion.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "cli/command.h"
#include "cli/config.h"

static void add_candidate(struct completion *completion, char *owned)
{
	completion->candidates =
			xgrow(completion->candidates, completion->count, &completion->capacity, sizeof(*completion->candidates));
	completion->candidates[completion->count++] = owned;
}

static void add_if_prefix(struct completion *completion, const char *name, const char *word)
{
	if (strncasecmp(name, word, strlen(word)) == 0)
		add_candidate(completion, xstrdup(name));
}

static void add_names(struct completion *completion, const char *word)
{
	for (size_t i = 0; i < command_count; i++)
		add_if_prefix(completion, command_table[i].name, word);
	for (size_t i = 0; i < config_field_count; i++) {
		add_if_prefix(completion, config_fields[i].name, word);
		for (const struct config_choice *choice = config_fields[i].choices; choice && choice->name; choice++)
			add_if_prefix(completion, choice->name, word);
	}
	static const char *const others[] = { "help", "options", "quit", "exit" };
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		add_if_prefix(completion, others[i], word);
}

static void add_functions(struct completion *completion, const char *word, const struct profile *profile)
{
	const char *dash = *word == '-' ? "-" : "";
	size_t length = strlen(word + strlen(dash));
	for (uint32_t i = 0; i < profile->function_count; i++) {
		struct str name = profile_str(profile, profile->functions[i].name);
		bool has_blank = memchr(name.data, ' ', name.length) != NULL; /* would be several words */
		if (name.length && !has_blank && memmem(name.data, name.length, word + strlen(dash), length))
			add_candidate(completion, xasprintf("%s%.*s", dash, STR_ARG(name)));
	}
}

/* NAME=VALUE: what the option may be. */
static void add_values(struct completion *completion, const char *word, const struct profile *profile)
{
	size_t length = strcspn(word, "=");
	char *name = xstrndup(word, length);
	const char *value = word + length + 1;
	const struct config_choice *choice;
	const struct config_field *field = config_field_find(name, &choice);
	for (const struct config_choice *each = field && !choice ? field->choices : NULL; each && each->name; each++) {
		if (strncmp(each->name, value, strlen(value)) == 0)
			add_candidate(completion, xasprintf("%s=%s", name, each->name));
	}
	for (uint32_t k = 0; k < profile->sample_type_count && strcmp(name, "sample_index") == 0; k++) {
		struct str type = profile_str(profile, profile->sample_types[k].type);
		if (str_starts_with(type, str_of(value)))
			add_candidate(completion, xasprintf("%s=%.*s", name, STR_ARG(type)));
	}
	free(name);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_distinct(struct completion *completion)
{
	if (completion->count == 0)
		return;
	qsort(completion->candidates, completion->count, sizeof(*completion->candidates), compare_texts);
	size_t kept = 1;
	for (size_t i = 1; i < completion->count; i++) {
		if (strcmp(completion->candidates[i], completion->candidates[kept - 1]) == 0)
			free(completion->candidates[i]);
		else
			completion->candidates[kept++] = completion->candidates[i];
	}
	completion->count = kept;
}

void completion_find(struct completion *completion, const char *line, const struct profile *profile)
{
	*completion = (struct completion){ 0 };
	size_t start = strlen(line);
	while (start > 0 && !isspace((unsigned char)line[start - 1]))
		start--;
	completion->word_start = start;
	const char *word = line + start, *first = line + strspn(line, " \t");
	size_t first_length = strcspn(first, " \t");
	if (first == word && strchr(word, '=')) {
		add_values(completion, word, profile);
	} else if (first == word || (first_length == 4 && strncmp(first, "help", 4) == 0)) {
		add_names(completion, word);
	} else {
		char *name = xstrndup(first, first_length);
		name[strcspn(name, "0123456789")] = '\0'; /* top10 */
		const struct command *command = command_find(name);
		if (command && command->id != COMMAND_TAGS && *word && strcmp(word, "-") != 0)
			add_functions(completion, word, profile);
		free(name);
	}
	sort_distinct(completion);
}

void completion_release(struct completion *completion)
{
	for (size_t i = 0; i < completion->count; i++)
		free(completion->candidates[i]);
	free(completion->candidates);
}

size_t completion_common_length(const struct completion *completion)
{
	if (completion->count == 0)
		return 0;
	size_t common = strlen(completion->candidates[0]);
	for (size_t i = 1; i < completion->count; i++) {
		size_t same = 0;
		while (same < common && completion->candidates[i][same] == completion->candidates[0][same])
			same++;
		common = same;
	}
	return common;
}
