/* flags.c - Go's flag syntax. */
#include "cli/flags.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/values.h"

void flag_set_init(struct flag_set *set)
{
	*set = (struct flag_set){ 0 };
}

void flag_set_release(struct flag_set *set)
{
	free(set->flags);
	flag_set_init(set);
}

void flag_set_add(struct flag_set *set, const char *name, enum flag_kind kind, void *target)
{
	set->flags = xgrow(set->flags, set->count, &set->capacity, sizeof(*set->flags));
	set->flags[set->count++] = (struct flag){ name, kind, target };
}

static const struct flag *flag_find(const struct flag_set *set, const char *name, size_t length)
{
	for (size_t i = 0; i < set->count; i++) {
		if (strncmp(set->flags[i].name, name, length) == 0 && !set->flags[i].name[length])
			return &set->flags[i];
	}
	return NULL;
}

static enum status bad_value(const char *kind, const char *noun, const struct flag *flag, const char *value,
                             enum value_result result, struct error *err)
{
	char *quoted = value_quote(value);
	enum status status = error_set(err, STATUS_INVALID, "invalid %svalue %s for %s-%s: %s", kind, quoted, noun,
	                               flag->name, result == VALUE_RANGE ? "value out of range" : "parse error");
	free(quoted);
	return status;
}

static enum status set_value(const struct flag *flag, const char *value, struct error *err)
{
	enum value_result result = VALUE_OK;
	switch (flag->kind) {
	case FLAG_BOOL:
		if (value_parse_bool(value, flag->target))
			return STATUS_OK;
		return bad_value("boolean ", "", flag, value, VALUE_SYNTAX, err);
	case FLAG_INT:
		result = value_parse_int(value, flag->target);
		break;
	case FLAG_FLOAT:
		result = value_parse_float(value, flag->target);
		break;
	case FLAG_TEXT:
		*(const char **)flag->target = value;
		break;
	}
	if (result == VALUE_OK)
		return STATUS_OK;
	return bad_value("", "flag ", flag, value, result, err);
}

/* One argument that begins with '-'; `next` (or NULL) may be its value. */
static enum status parse_flag(const struct flag_set *set, const char *argument, const char *next, bool *ret_used_next,
                              struct error *err)
{
	const char *name = argument + (argument[1] == '-' ? 2 : 1);
	const char *equals = strchr(name, '=');
	if (!*name || *name == '-' || *name == '=')
		return error_set(err, STATUS_INVALID, "bad flag syntax: %s", argument);
	size_t length = equals ? (size_t)(equals - name) : strlen(name);
	const struct flag *flag = flag_find(set, name, length);

	if (!flag) {
		if (strncmp(name, "help", length) == 0 && (length == 1 || length == 4))
			return error_set(err, STATUS_NOT_FOUND, "help requested");
		return error_set(err, STATUS_INVALID, "flag provided but not defined: -%.*s", (int)length, name);
	}
	if (equals)
		return set_value(flag, equals + 1, err);
	if (flag->kind == FLAG_BOOL)
		return set_value(flag, "true", err);
	if (!next)
		return error_set(err, STATUS_INVALID, "flag needs an argument: -%s", flag->name);
	*ret_used_next = true;
	return set_value(flag, next, err);
}

enum status flag_set_parse(const struct flag_set *set, int argc, char **argv, int *ret_first, struct error *err)
{
	int at = 1;
	while (at < argc && argv[at][0] == '-' && argv[at][1]) {
		if (strcmp(argv[at], "--") == 0) {
			at++;
			break;
		}
		bool used_next = false;
		enum status status = parse_flag(set, argv[at], at + 1 < argc ? argv[at + 1] : NULL, &used_next, err);
		if (status != STATUS_OK)
			return status;
		at += 1 + used_next;
	}
	*ret_first = at;
	return STATUS_OK;
}
