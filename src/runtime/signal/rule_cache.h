/* rule_cache.h - rules in 30 bits, and the cache of them by address that all threads and handlers share without locks.
 *
 * Nearly every frame is left by one of a few rules: CFA = register + n, return address below the CFA, rbp perhaps saved.
 * One word holds such a rule and all bits of the address that the index does not tell, so it is loaded and stored whole:
 * nothing can tear, and a hit is one load. A word for an address in a module that may be unloaded is marked: it holds
 * only while module_map_late() says so.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_RULE_CACHE_H
#define CPPROF_RUNTIME_SIGNAL_RULE_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/signal/cfi.h"

#define RULE_INDEX_BITS 14
#define RULE_CACHE_WORDS (1u << RULE_INDEX_BITS)

/* Bits of a rule: 0-2 kind, 3-11 where rbp is saved, 12-29 the offset; both signed, in units of 8 bytes. */
enum rule_kind {
	RULE_NONE,    /* no description for this address */
	RULE_RSP,     /* CFA = rsp + offset */
	RULE_RBP,     /* CFA = rbp + offset */
	RULE_ROOT,    /* the outermost frame */
	RULE_SIGNAL,  /* glibc's signal trampoline: the interrupted registers lie in the ucontext_t at rsp */
	RULE_AT_RBP,  /* CFA = *(rbp + offset): a stack aligned further; rbp is saved relative to rbp itself */
	RULE_AT_RSP,  /* CFA = *(rsp + offset) + 8: OpenSSL's */
	RULE_COMPLEX, /* anything else: by its full row, each time */
};
#define RULE_BP_SAME 0 /* rbp is what it is; otherwise saved at CFA + 8 * this */
#define RULE_BP_LOST 1

static inline enum rule_kind rule_kind(uint32_t rule)
{
	return (enum rule_kind)(rule & 7);
}

static inline int32_t rule_bp(uint32_t rule)
{
	return (int32_t)(rule << 20) >> 23;
}

/* In bytes. */
static inline intptr_t rule_offset(uint32_t rule)
{
	return (intptr_t)((int32_t)(rule << 2) >> 14) * 8;
}

/* `address`: what the row was looked up by. */
uint32_t rule_of_row(const struct cfi_row *row, uintptr_t address);

/* --- the cache ---------------------------------------------------------------------------------------------------- */

#define RULE_LATE ((uint64_t)1 << 30)
#define RULE_BITS 0x3FFFFFFFu

extern _Atomic uint64_t rule_cache[RULE_CACHE_WORDS];

/* Addresses of user space have 47 bits; what programs map above them, by asking for it, is never kept. */
static inline bool rule_cache_get(uintptr_t address, uint64_t *ret_word)
{
	*ret_word = atomic_load_explicit(&rule_cache[address % RULE_CACHE_WORDS], memory_order_relaxed);
	return *ret_word >> 31 == address >> RULE_INDEX_BITS;
}

static inline void rule_cache_put(uintptr_t address, uint32_t rule, bool late)
{
	uint64_t word = address >> RULE_INDEX_BITS << 31 | (late ? RULE_LATE : 0) | rule;
	if (address >> 47 == 0)
		atomic_store_explicit(&rule_cache[address % RULE_CACHE_WORDS], word, memory_order_relaxed);
}

/* Takes back what was put for this address. */
static inline void rule_cache_drop(uintptr_t address)
{
	atomic_store_explicit(&rule_cache[address % RULE_CACHE_WORDS], 0, memory_order_relaxed);
}

/* Empties all words that are marked as late. */
void rule_cache_drop_late(void);

#endif
