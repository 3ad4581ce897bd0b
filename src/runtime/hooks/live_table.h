/* live_table.h - the sampled blocks that are alive, by address, and the sums of each stack.
 *
 * A side table: blocks and pointers stay as the allocator made them. A filter of 64 Kbit in front answers nearly every
 * free() with one load. The table is split into shards with a leaf lock each; the sums of a stack ("bucket") are shared
 * by all shards. Memory is ours, grows in bounded steps, is never unmapped.
 *
 * Territory H, except where noted: signals blocked, tls.guard set, process_check() done. Nothing here waits for a lock.
 */
#ifndef CPPROF_RUNTIME_HOOKS_LIVE_TABLE_H
#define CPPROF_RUNTIME_HOOKS_LIVE_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LIVE_SAMPLES_MAX (4u << 20)
#define LIVE_BUCKETS_AT_ONCE 256u

struct live_sample {
	uintptr_t address;
	uint64_t size;    /* as requested */
	uint64_t objects; /* what it stands for, 1/HEAP_OBJECT (heap_math.h) */
	uint64_t bytes;
	uint64_t time_ns; /* CLOCK_MONOTONIC when it was allocated */
	uint32_t stack;   /* stack_table.h */
};

/* The sums of one stack. In use = allocated and not freed yet. */
struct heap_bucket {
	uint64_t alloc_samples, alloc_sample_bytes; /* as sampled */
	uint64_t inuse_samples, inuse_sample_bytes;
	uint64_t alloc_objects, alloc_bytes; /* weighted; objects in 1/HEAP_OBJECT */
	uint64_t inuse_objects, inuse_bytes;
};

static inline uint64_t live_hash(uintptr_t address)
{
	return (uint64_t)address * 0x9E3779B97F4A7C15u;
}

/* A bit for each value of the upper 16 bits of the hash. */
extern _Atomic uint64_t live_filter[1024] __attribute__((visibility("hidden")));

/* False: certainly not in the table. Any territory. */
static inline bool live_filter_hit(const void *block)
{
	uint64_t place = live_hash((uintptr_t)block) >> 48;
	return atomic_load_explicit(&live_filter[place >> 6], memory_order_relaxed) >> (place & 63) & 1;
}
/* Makes the filter say yes for this address for ever (blocks of the bootstrap arena). Any thread, no lock. */
void live_filter_pin(const void *block);

/* From now on a busy lock is tried for longer, giving up the processor in between: where every block is to be seen. */
void live_table_be_patient(void);
/* Enters a block and adds it to its stack's sums. An entry that has this address already is of a block whose free was not
 * seen: it is taken out. False (counted): dropped. */
bool live_table_add(const struct live_sample *sample);
/* False: certainly not in the table. Any territory, no lock. */
bool live_table_may_have(const void *block);
/* Takes a block out and subtracts it from its stack's sums; true and *ret_sample (may be NULL) if it was there. When
 * the lock cannot be had the block is taken out later (counted), and the answer is false. */
bool live_table_remove(const void *block, struct live_sample *ret_sample);
/* Has the block taken out by the next who holds the lock. Any territory, no lock. */
void live_table_remove_later(const void *block);
/* Undoes live_table_remove: the block was not freed after all. */
void live_table_restore(const struct live_sample *sample);

/* The sums of `count` (<= LIVE_BUCKETS_AT_ONCE) stacks from id `first` on, all of one moment. P: waits for the locks. */
void live_table_buckets(uint32_t first, uint32_t count, struct heap_bucket *ret_buckets);
/* Stacks that ever had a sample; samples alive now; bytes of memory. Any thread. */
uint32_t live_table_bucket_count(void);
uint64_t live_table_count(void);
uint64_t live_table_bytes(void);
/* The longest that the reading side has held the locks, nanoseconds. */
uint64_t live_table_longest_hold_ns(void);

/* In a fork child, before anything else: what a thread that is no more left half done is made whole. */
void live_table_forked(void);

#endif
