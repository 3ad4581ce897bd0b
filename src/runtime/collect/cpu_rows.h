/* cpu_rows.h - stack → time, of one CPU session: a hash table in pages of its own that grows by doubling up to a ceiling.
 *
 * Filled on the service thread alone; read by anyone once nobody fills it. Whatever is mapped carries its size and is
 * forgotten before it is unmapped, so that a fork child can give back what its parent was filling.
 */
#ifndef CPPROF_RUNTIME_COLLECT_CPU_ROWS_H
#define CPPROF_RUNTIME_COLLECT_CPU_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#define CPU_ROWS_BYTES_MAX ((uint64_t)64 << 20)
#define CPU_NAME_SIZE 16

struct cpu_row {
	struct cpu_row *older; /* the row made before this one */
	uint64_t hash;
	uint64_t periods, ns;
	int tid; /* 0 = not told apart */
	uint32_t frame_count;
	uintptr_t frames[]; /* leaf first */
};

struct cpu_block;
struct cpu_row_index;
struct cpu_names;

/* All zero: empty. */
struct cpu_rows {
	struct cpu_row *newest; /* all of them, by ->older */
	uint32_t count;
	struct cpu_block *blocks;
	struct cpu_row_index *index;
	struct cpu_names *names;
	uint64_t bytes;                         /* mapped */
	uint64_t overflow_periods, overflow_ns; /* what found no room: "[overflow]" */
};

/* Adds to the row of this stack and thread. Own frames of the leaf's side but the outermost, and those further in, are left out. */
void cpu_rows_add(struct cpu_rows *rows, const uintptr_t *frames, uint32_t count, int tid, uint64_t periods,
                  uint64_t ns);

/* Frames in files that have been unloaded since unloaded_sequence() was `sequence` become [unloaded code]. */
void cpu_rows_unload(struct cpu_rows *rows, uint32_t sequence);

/* The name under which thread `tid` goes; "" = none yet. Takes the 16 bytes to write to: NULL = no room. */
char *cpu_rows_name_slot(struct cpu_rows *rows, int tid, bool *ret_new);
const char *cpu_rows_name(const struct cpu_rows *rows, int tid);
/* All threads that have a name, one after the other, from *at = 0 on; false: no more. */
bool cpu_rows_names_next(const struct cpu_rows *rows, uint32_t *at, int *ret_tid, char **ret_name);

/* All memory goes. */
void cpu_rows_release(struct cpu_rows *rows);

#endif
