/* functions.h - adding functions to a profile, each once. Functions that were there before are not looked at. */
#ifndef CPPROF_SYMBOLIZE_FUNCTIONS_H
#define CPPROF_SYMBOLIZE_FUNCTIONS_H

#include "profile/profile.h"

struct function_table {
	struct profile *profile;
	uint32_t *slots; /* function index + 1; 0 = empty */
	uint32_t mask;
	uint32_t count;
};

void function_table_init(struct function_table *table, struct profile *profile);
void function_table_release(struct function_table *table);
/* The index of the function with this name (for people and for the linker), file and first line, added if it is new. */
uint32_t function_table_add(struct function_table *table, uint32_t name, uint32_t filename, int64_t start_line);

#endif
