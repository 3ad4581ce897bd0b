/* cfi.h - call frame information: from an address to the rule by which its frame is left, read from .eh_frame in place.
 *
 * No allocation, no lock, and no system call unless the tables may vanish. Everything is bounded: a table that is
 * damaged gives "no rule", never a read outside the bounds that the caller states, nor a loop. Any territory. Format:
 * Linux Standard Base 5.0, "Exception Frames"; DWARF 5, section 6.4; System V ABI for x86-64.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_CFI_H
#define CPPROF_RUNTIME_SIGNAL_CFI_H

#include <stdbool.h>
#include <stddef.h>
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

/* Tables as they lie in memory: .eh_frame_hdr, and the bounds of what may be read around it and around .eh_frame. */
struct cfi_tables {
	uintptr_t header, header_end;
	uintptr_t low, high; /* of the segment with .eh_frame */
	bool may_vanish;     /* the module may be unloaded while we look: read by copies that fail instead of faulting */
};

/* Room for the copies of an entry when tables may vanish; a row's expressions point into it. */
struct cfi_room {
	uint8_t fde[1024], cie[192];
};

enum cfi_kind {
	CFI_SAME,      /* as the callee has it */
	CFI_UNDEFINED, /* lost; for the return address: this is the outermost frame */
	CFI_OFFSET,    /* saved at CFA + value */
	CFI_VAL_OFFSET,
	CFI_REGISTER,   /* in another register */
	CFI_EXPRESSION, /* saved at the address that the expression gives, the CFA pushed first */
	CFI_VAL_EXPRESSION,
};

/* Small on purpose: rows are built on the stack of a signal handler. */
struct cfi_rule {
	int32_t value; /* bytes, or register number, or where the expression lies from the row's base on: its length first */
	uint8_t kind;  /* enum cfi_kind */
};

#define CFI_CFA_EXPRESSION 0xFFu

/* How the caller's registers are found from the callee's. */
struct cfi_row {
	uintptr_t function, function_end; /* the code of this description */
	const uint8_t *base;              /* of expressions */
	int32_t cfa_value;                /* bytes, or where the expression lies */
	uint8_t cfa_register;             /* or CFI_CFA_EXPRESSION */
	bool signal_frame;                /* the caller was interrupted: its pc is exact */
	struct cfi_rule rules[CFI_REGISTERS];
};

/* The row for `address`; false: none. `room` may be NULL unless tables->may_vanish. */
bool cfi_find(const struct cfi_tables *tables, uintptr_t address, struct cfi_room *room, struct cfi_row *ret_row);

/* The expression at `value` of a row (cfa_value, or of a rule of kind CFI_EXPRESSION or CFI_VAL_EXPRESSION). */
const uint8_t *cfi_expression(const struct cfi_row *row, int32_t value, size_t *ret_length);

#endif
