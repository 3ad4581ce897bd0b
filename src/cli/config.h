/* config.h - the options a report depends on: one table, from which flags, shell assignments, `o`, help texts, usage and
 * completion are made. A new option is one row in config.c.
 */
#ifndef CPPROF_CLI_CONFIG_H
#define CPPROF_CLI_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

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
	bool call_tree, relative_percentages, compact_labels, intel_syntax, mean, normalize, drop_negative, trim, no_inlines,
	        show_columns;
};

void config_init(struct config *config);
void config_release(struct config *config);
/* *config is overwritten (not released first). */
void config_copy(struct config *config, const struct config *from);

/* Sets a string field: frees the old text, keeps a copy of the new. */
void config_set_text(char **field, const char *text);

#endif
