/* cfi_program.h - the programs inside .eh_frame: run up to an address they leave its row. For cfi.c alone.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_CFI_PROGRAM_H
#define CPPROF_RUNTIME_SIGNAL_CFI_PROGRAM_H

#include "runtime/signal/cfi.h"
#include "runtime/signal/cfi_reader.h"

/* What the entries of a group have in common. */
struct cfi_cie {
	struct cfi_reader program; /* run before theirs */
	uint64_t code_alignment;
	int64_t data_alignment;
	uint8_t pointer_encoding;
	bool augmented; /* entries carry augmentation data */
	bool signal_frame;
};

/* A pointer as `encoding` (DW_EH_PE_*) says. */
uintptr_t cfi_encoded(struct cfi_reader *reader, uint8_t encoding, uintptr_t data_base);

/* Fills ret_row, which is zero but for what does not depend on the address, with what holds at `address`; the entry's
 * code begins at `start`. False: something in the programs that we do not know, or that is damaged. */
bool cfi_run(const struct cfi_cie *cie, const struct cfi_reader *program, uintptr_t start, uintptr_t address,
             struct cfi_row *ret_row);

#endif
