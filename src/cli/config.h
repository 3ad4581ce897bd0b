/* config.h - the options a report depends on: one table, from which flags, shell assignments, `o`, help texts, usage and
 * completion are made. A new option is one row in config.c.
 */
#ifndef CPPROF_CLI_CONFIG_H
#define CPPROF_CLI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

/* Strings are owned by the config and never NULL. Defaults: config_init. */
struct config {
	char *output;
	char *unit; /* "minimum", "auto" or a unit */
	char *source_path, *trim_path;
	char *sample_index; /* "" = the profile's default */
	char *sort;         /* "flat" or "cum" */
	char *granularity;  /* "" (= functions), functions filefunctions files lines addresses */
	char *tagroot, *tagleaf;
	char *focus, *ignore, *prune_from, *hide, *show, *show_from;
	char *tagfocus, *tagignore, *tagshow, *taghide;
	double divide_by, node_fraction, edge_fraction;
	int64_t node_count; /* -1 = the command's own */
	bool call_tree, relative_percentages, compact_labels, intel_syntax, mean, normalize, drop_negative, trim,
			no_inlines, show_columns;
};

void config_init(struct config *config);
void config_release(struct config *config);
/* *config is overwritten (not released first). */
void config_copy(struct config *config, const struct config *from);

/* Sets a string field: frees the old text, keeps a copy of the new. */
void config_set_text(char **field, const char *text);

/* --- the table ------------------------------------------------------------------------------------------------------- */

enum config_kind {
	CONFIG_BOOL,
	CONFIG_INT,
	CONFIG_FLOAT,
	CONFIG_TEXT,
	CONFIG_CHOICE, /* a text out of `choices`; each of them is a name of its own, as a flag and in the shell */
};

struct config_choice {
	const char *name;
	const char *help;
};

struct config_field {
	const char *name;
	enum config_kind kind;
	size_t offset;                       /* of the field in struct config */
	const struct config_choice *choices; /* of CONFIG_CHOICE, ended by a NULL name */
	const char *help;                    /* lines; the first stands alone in lists */
};

/* More fields than there are. */
#define CONFIG_FIELDS_MAX 64
#define CONFIG_CHOICES_MAX 8
extern const struct config_field config_fields[];
extern const size_t config_field_count;

/* The field of that name or, if it is the name of a choice, the field it belongs to and *ret_choice (else NULL). */
const struct config_field *config_field_find(const char *name, const struct config_choice **ret_choice);

/* Where the field lies in this config: a bool, int64_t, double or char *. */
static inline void *config_field_in(struct config *config, const struct config_field *field)
{
	return (char *)config + field->offset;
}

/* The field's value as `o` shows it. */
void config_append_value(struct buffer *to, const struct config *config, const struct config_field *field);

/* Shell assignment NAME=VALUE, of a field or a choice. STATUS_INVALID says what the value should be. */
enum status config_assign(struct config *config, const char *name, const char *value,
                          struct error *err) CPPROF_MUST_USE;

#endif
