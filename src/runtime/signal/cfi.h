/* cfi.h - call frame information: from an address to the rule by which its frame is left, read from .eh_frame in place.
 *
 * No allocation, no lock, no system call. Everything is bounded: a table that is damaged gives "no rule", never a read
 * outside the bounds that the caller states. Format: Linux Standard Base 5.0, "Exception Frames"; DWARF 5, section 6.4.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_CFI_H
#define CPPROF_RUNTIME_SIGNAL_CFI_H

#include <stdbool.h>
#include <stdint.h>

/* DWARF's numbers of the registers of x86-64. */
enum cfi_register {
	CFI_RAX,
	CFI_RDX,
	CFI_RCX,
	CFI_RBX,
	CFI_RSI,
	CFI_RDI,
	CFI_RBP,
	CFI_RSP,
	CFI_R8,
	CFI_R9,
	CFI_R10,
	CFI_R11,
	CFI_R12,
	CFI_R13,
	CFI_R14,
	CFI_R15,
	CFI_RA,
	CFI_REGISTERS
};

/* Tables as they lie in memory: where .eh_frame_hdr begins, and the bounds of what may be read. */
struct cfi_tables {
	const uint8_t *header;
	const uint8_t *low, *high;
};

enum cfi_kind {
	CFI_SAME,      /* as the callee has it */
	CFI_UNDEFINED, /* lost; for the return address: this is the outermost frame */
	CFI_OFFSET,    /* saved at CFA + offset */
	CFI_VAL_OFFSET,
	CFI_REGISTER,   /* in another register */
	CFI_EXPRESSION, /* saved at the address that the expression gives, the CFA pushed first */
	CFI_VAL_EXPRESSION,
};

struct cfi_rule {
	uint8_t kind;   /* enum cfi_kind */
	int64_t offset; /* or register number; or length of the expression */
	const uint8_t *expression;
};

/* How the caller's registers are found from the callee's. */
struct cfi_row {
	const uint8_t *cfa_expression; /* NULL: register + offset */
	uint64_t cfa_expression_length;
	int64_t cfa_offset;
	uint8_t cfa_register;
	bool signal_frame;                /* the caller was interrupted: its pc is exact */
	uintptr_t function, function_end; /* the code of this description */
	struct cfi_rule rules[CFI_REGISTERS];
};

/* The row for `address`; false: none. */
bool cfi_find(const struct cfi_tables *tables, uintptr_t address, struct cfi_row *ret_row);

#endif
