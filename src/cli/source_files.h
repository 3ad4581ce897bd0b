/* source_files.h - finds and reads the source files that a profile names, each once. Fills struct source_reader. */
#ifndef CPPROF_CLI_SOURCE_FILES_H
#define CPPROF_CLI_SOURCE_FILES_H

#include "base/strtab.h"
#include "report/report.h"

struct source_files {
	char *search_path; /* ':'-separated directories; the current one if -source_path was not given */
	char *trim_path;
	struct strtab names; /* of `files`, by index + 1 */
	struct source_file *files;
	size_t count, capacity;
	size_t loaded_bytes;
	unsigned missing; /* files that were asked for and not found */
};

void source_files_init(struct source_files *files, const char *source_path, const char *trim_path);
void source_files_release(struct source_files *files);
/* The reader to give to a report; lives as long as `files`. */
struct source_reader source_files_reader(struct source_files *files);

#endif
