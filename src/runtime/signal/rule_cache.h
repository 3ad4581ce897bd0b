/* rule_cache.h - short rules by address, shared by all threads and handlers without locks.
 *
 * Nearly every frame is left by one of three rules: CFA = rsp + n, CFA = rbp + n, or "this is the root"; the return address lies below
 * the CFA, and rbp may be saved there too. Such a rule takes 31 bits; with the 33 bits of the address that the index does not tell it is
 * one word, which is loaded and stored whole: nothing can tear. Only addresses of modules that are never unloaded are kept (module_map.h), so
 * that no entry can grow stale.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_RULE_CACHE_H
#define CPPROF_RUNTIME_SIGNAL_RULE_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RULE_INDEX_BITS 14
#define RULE_CACHE_WORDS (1u << RULE_INDEX_BITS)

enum short_rule_kind { SHORT_RSP = 1, SHORT_RBP = 2, SHORT_ROOT = 3 };

struct short_rule {
	uint8_t kind;        /* enum short_rule_kind */
	uint32_t cfa_offset; /* bytes */
	uint32_t bp_below;   /* rbp is saved so many bytes below the CFA; 0 = as it is */
};

#define SHORT_CFA_UNITS_MAX 0xFFFFu
#define SHORT_BP_UNITS_MAX 0x1FFFu

extern _Atomic uint64_t rule_cache[RULE_CACHE_WORDS];

static inline uint32_t rule_index(uintptr_t address)
{
	return (uint32_t)(address ^ (address >> RULE_INDEX_BITS) ^ (address >> (2 * RULE_INDEX_BITS))) &
	       (RULE_CACHE_WORDS - 1);
}

static inline bool rule_cache_get(uintptr_t address, struct short_rule *ret_rule)
{
	uint64_t word = atomic_load_explicit(&rule_cache[rule_index(address)], memory_order_relaxed);
	if (word >> 31 != address >> RULE_INDEX_BITS)
		return false;
	ret_rule->kind = (uint8_t)(word >> 29 & 3);
	ret_rule->cfa_offset = (uint32_t)(word >> 13 & SHORT_CFA_UNITS_MAX) * 8;
	ret_rule->bp_below = (uint32_t)(word & SHORT_BP_UNITS_MAX) * 8;
	return ret_rule->kind != 0;
}

static inline void rule_cache_put(uintptr_t address, const struct short_rule *rule)
{
	uint64_t word = address >> RULE_INDEX_BITS << 31 | (uint64_t)rule->kind << 29 |
	                (uint64_t)(rule->cfa_offset / 8) << 13 | rule->bp_below / 8;
	atomic_store_explicit(&rule_cache[rule_index(address)], word, memory_order_relaxed);
}

#endif
