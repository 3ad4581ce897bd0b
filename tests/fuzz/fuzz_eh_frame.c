/* Any bytes as .eh_frame_hdr and .eh_frame: a row is found or not, nothing outside the bytes is read, and nothing loops.
 * What a row says is then evaluated on a stack of any bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/shared/process.h"
#include "runtime/signal/cfi.h"
#include "runtime/signal/cfi_expression.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void process_check_slow(void);

void process_check_slow(void)
{
}

/* Expressions of a row, evaluated with registers that point into the bytes. */
static void evaluate(const struct cfi_row *row, const uint8_t *data, size_t size)
{
	uintptr_t registers[CFI_REGISTERS], value;
	struct stack_memory memory = { (uintptr_t)data, (uintptr_t)data + size, data, false };
	for (unsigned i = 0; i < CFI_REGISTERS; i++)
		registers[i] = (uintptr_t)data + i * 8;
	if (row->cfa_expression)
		cfi_evaluate(row->cfa_expression, row->cfa_expression_length, registers, 0x1FFFF, &memory, false, 0, &value);
	for (unsigned i = 0; i < CFI_REGISTERS; i++)
		if (row->rules[i].kind == CFI_EXPRESSION || row->rules[i].kind == CFI_VAL_EXPRESSION)
			cfi_evaluate(row->rules[i].expression, (uint64_t)row->rules[i].offset, registers, 0x1FFFF, &memory, true,
			             (uintptr_t)data, &value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 16)
		return 0;
	/* A copy of its own, so that the sanitizer sees every byte too far. */
	uint8_t *bytes = malloc(size);
	memcpy(bytes, data, size);
	struct cfi_tables tables = { bytes, bytes, bytes + size };
	struct cfi_row row;
	for (size_t at = 0; at < size; at += size / 8 + 1)
		if (cfi_find(&tables, (uintptr_t)bytes + at, &row))
			evaluate(&row, bytes, size);
	free(bytes);
	return 0;
}
