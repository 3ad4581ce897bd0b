/* live_table.c - linear hashing with chains, in shards; and the buckets.
 *
 * Linear hashing adds one head for each entry beyond one per head and splits one chain then: no step is long, whatever
 * the size. An entry's place never changes, so a reader without the lock can follow stale links without harm and learns
 * from the shard's version whether what it saw was whole.
 */
#include "runtime/hooks/live_table.h"

#include <stddef.h>
#include <string.h>

#include "runtime/shared/lock.h"
#include "runtime/shared/losses.h"
#include "runtime/shared/pages.h"
#include "runtime/shared/stack_table.h"

#define SHARDS 8u /* by the upper bits of the hash: a word of the filter belongs to one shard */
#define SHARD_SHIFT 61
#define PER_CHUNK 1024u
#define CHUNKS (LIVE_SAMPLES_MAX / SHARDS / PER_CHUNK)
#define FIRST_HEADS PER_CHUNK
#define PENDING 64u
#define BUCKET_CHUNKS 128u
#define LOCK_TRIES 4
#define PATIENT_TRIES 100
#define LOOK_STEPS 64 /* of a search without the lock */

struct entry {
	_Atomic uintptr_t address; /* 0 = not in use */
	uint64_t size, objects, bytes, time_ns;
	uint32_t stack;
	_Atomic uint32_t next; /* number of the next entry in the chain, or in the list of free ones; 0 = end */
};

struct shard {
	struct lock lock;
	_Atomic uint32_t version; /* odd while it changes */
	_Atomic uint32_t heads;
	_Atomic uint32_t live;
	uint32_t used;   /* entries numbered 1..used exist */
	uint32_t unused; /* first of the list of free entries */
	_Atomic uint32_t pending_count;
	_Atomic uintptr_t pending[PENDING]; /* blocks freed while the lock was busy */
	_Atomic(struct entry *) entry_chunks[CHUNKS];
	_Atomic(_Atomic uint32_t *) head_chunks[CHUNKS];
} __attribute__((aligned(64)));

/* struct heap_bucket as it is shared: shards add to it at the same time. */
struct bucket {
	_Atomic uint64_t alloc_samples, alloc_sample_bytes, inuse_samples, inuse_sample_bytes;
	_Atomic uint64_t alloc_objects, alloc_bytes, inuse_objects, inuse_bytes;
};

_Atomic uint64_t live_filter[1024];
static _Atomic uint64_t pinned[1024]; /* bits that stay */
static _Atomic uint16_t
		filter_counts[65536]; /* entries behind each bit; UINT16_MAX = not known any more, the bit stays */
static struct shard shards[SHARDS];
static struct bucket first_buckets[PER_CHUNK];
static _Atomic(struct bucket *) bucket_chunks[BUCKET_CHUNKS];
static _Atomic uint32_t bucket_count;
static _Atomic uint64_t table_bytes;
static struct lock reading; /* for its longest hold only */

static void add_to(_Atomic uint64_t *sum, uint64_t value)
{
	atomic_fetch_add_explicit(sum, value, memory_order_relaxed);
}

static void subtract_from(_Atomic uint64_t *sum, uint64_t value)
{
	atomic_fetch_sub_explicit(sum, value, memory_order_relaxed);
}

static void *counted_pages(size_t size)
{
	void *pages = pages_map(size);
	if (pages)
		add_to(&table_bytes, size);
	return pages;
}

/* --- the filter ---------------------------------------------------------------------------------------------------- */

static uint32_t filter_place(uintptr_t address)
{
	return (uint32_t)(live_hash(address) >> 48);
}

void live_filter_pin(const void *block)
{
	uint32_t place = filter_place((uintptr_t)block);
	uint64_t bit = (uint64_t)1 << (place & 63);
	atomic_fetch_or(&pinned[place >> 6], bit);
	atomic_fetch_or(&live_filter[place >> 6], bit);
}

static void filter_add(uintptr_t address)
{
	uint32_t place = filter_place(address);
	uint16_t count = atomic_load_explicit(&filter_counts[place], memory_order_relaxed);
	if (count < UINT16_MAX)
		atomic_store_explicit(&filter_counts[place], (uint16_t)(count + 1), memory_order_relaxed);
	atomic_fetch_or_explicit(&live_filter[place >> 6], (uint64_t)1 << (place & 63), memory_order_relaxed);
}

static void filter_remove(uintptr_t address)
{
	uint32_t place = filter_place(address);
	uint64_t bit = (uint64_t)1 << (place & 63);
	uint16_t count = atomic_load_explicit(&filter_counts[place], memory_order_relaxed);
	if (count == 0 || count == UINT16_MAX)
		return;
	atomic_store_explicit(&filter_counts[place], (uint16_t)(count - 1), memory_order_relaxed);
	if (count > 1)
		return;
	atomic_fetch_and(&live_filter[place >> 6], ~bit);
	atomic_fetch_or(&live_filter[place >> 6], atomic_load(&pinned[place >> 6]) & bit);
}

/* --- the buckets --------------------------------------------------------------------------------------------------- */

/* NULL: none of that chunk's stacks has a bucket yet. */
static struct bucket *bucket_chunk(uint32_t number)
{
	if (number == 0)
		return first_buckets;
	return number < BUCKET_CHUNKS ? atomic_load_explicit(&bucket_chunks[number], memory_order_acquire) : NULL;
}

static struct bucket *bucket_chunk_make(uint32_t number)
{
	struct bucket *chunk = bucket_chunk(number);
	if (chunk || number >= BUCKET_CHUNKS)
		return chunk;
	chunk = counted_pages(PER_CHUNK * sizeof(*chunk));
	struct bucket *other = NULL;
	if (!chunk || atomic_compare_exchange_strong(&bucket_chunks[number], &other, chunk))
		return chunk;
	subtract_from(&table_bytes, PER_CHUNK * sizeof(*chunk));
	pages_unmap(chunk, PER_CHUNK * sizeof(*chunk));
	return other;
}

/* *stack becomes STACK_OVERFLOW where there is no memory for its bucket. */
static struct bucket *bucket_for(uint32_t *stack)
{
	struct bucket *chunk = bucket_chunk_make(*stack / PER_CHUNK);
	if (chunk)
		return &chunk[*stack % PER_CHUNK];
	loss_count(LOSS_STACKS_FULL);
	*stack = STACK_OVERFLOW;
	return &first_buckets[STACK_OVERFLOW];
}

static void bucket_begin_use(struct bucket *bucket, const struct entry *entry)
{
	add_to(&bucket->inuse_samples, 1);
	add_to(&bucket->inuse_sample_bytes, entry->size);
	add_to(&bucket->inuse_objects, entry->objects);
	add_to(&bucket->inuse_bytes, entry->bytes);
}

static void bucket_allocated(struct bucket *bucket, const struct entry *entry)
{
	if (atomic_fetch_add_explicit(&bucket->alloc_samples, 1, memory_order_relaxed) == 0)
		atomic_fetch_add_explicit(&bucket_count, 1, memory_order_relaxed);
	add_to(&bucket->alloc_sample_bytes, entry->size);
	add_to(&bucket->alloc_objects, entry->objects);
	add_to(&bucket->alloc_bytes, entry->bytes);
	bucket_begin_use(bucket, entry);
}

static void bucket_end_use(const struct entry *entry)
{
	uint32_t stack = entry->stack; /* has a bucket since it was entered */
	struct bucket *bucket = bucket_for(&stack);
	subtract_from(&bucket->inuse_samples, 1);
	subtract_from(&bucket->inuse_sample_bytes, entry->size);
	subtract_from(&bucket->inuse_objects, entry->objects);
	subtract_from(&bucket->inuse_bytes, entry->bytes);
}

/* --- one shard: heads, chains -------------------------------------------------------------------------------------- */

static struct shard *shard_of(uintptr_t address)
{
	return &shards[live_hash(address) >> SHARD_SHIFT];
}

/* The best bits of the product are its upper ones; those that chose the shard are the same for all of it. */
static uint32_t chain_hash(uintptr_t address)
{
	return (uint32_t)__builtin_bswap64(live_hash(address) << (64 - SHARD_SHIFT));
}

static uint32_t head_index(uint32_t hash, uint32_t heads)
{
	uint32_t mask = (1u << (31 - __builtin_clz(heads))) - 1; /* heads is between mask + 1 and 2 * mask + 1 */
	uint32_t index = hash & (2 * mask + 1);
	return index < heads ? index : hash & mask;
}

static _Atomic uint32_t *head_at(struct shard *shard, uint32_t index)
{
	_Atomic uint32_t *chunk = atomic_load_explicit(&shard->head_chunks[index / PER_CHUNK], memory_order_acquire);
	return &chunk[index % PER_CHUNK];
}

static struct entry *entry_at(struct shard *shard, uint32_t number)
{
	uint32_t index = number - 1;
	struct entry *chunk = atomic_load_explicit(&shard->entry_chunks[index / PER_CHUNK], memory_order_acquire);
	return &chunk[index % PER_CHUNK];
}

static uint32_t peek(const _Atomic uint32_t *number)
{
	return atomic_load_explicit(number, memory_order_relaxed);
}

static void set(_Atomic uint32_t *number, uint32_t value)
{
	atomic_store_explicit(number, value, memory_order_relaxed);
}

static uintptr_t address_of(const struct entry *entry)
{
	return atomic_load_explicit(&entry->address, memory_order_relaxed);
}

static _Atomic uint32_t *chain_of(struct shard *shard, uintptr_t address)
{
	return head_at(shard, head_index(chain_hash(address), peek(&shard->heads)));
}

static bool first_heads(struct shard *shard)
{
	if (peek(&shard->heads))
		return true;
	_Atomic uint32_t *chunk = counted_pages(PER_CHUNK * sizeof(*chunk));
	if (!chunk)
		return false;
	atomic_store_explicit(&shard->head_chunks[0], chunk, memory_order_release);
	atomic_store_explicit(&shard->heads, FIRST_HEADS, memory_order_release);
	return true;
}

/* One more head, and the chain that it shares entries with is split. Without memory the chains grow longer instead. */
static void grow_heads(struct shard *shard)
{
	uint32_t added = peek(&shard->heads);
	if (added >= CHUNKS * PER_CHUNK)
		return;
	if (added % PER_CHUNK == 0 && !atomic_load_explicit(&shard->head_chunks[added / PER_CHUNK], memory_order_relaxed)) {
		_Atomic uint32_t *chunk = counted_pages(PER_CHUNK * sizeof(*chunk));
		if (!chunk)
			return;
		atomic_store_explicit(&shard->head_chunks[added / PER_CHUNK], chunk, memory_order_release);
	}
	/* While `added` is the number of heads, its entries are where its hash leads today. */
	_Atomic uint32_t *from = head_at(shard, head_index(added, added)), *to = head_at(shard, added);
	set(to, 0);
	atomic_store_explicit(&shard->heads, added + 1, memory_order_release);
	for (uint32_t number; (number = peek(from));) {
		struct entry *entry = entry_at(shard, number);
		if (head_index(chain_hash(address_of(entry)), added + 1) != added) {
			from = &entry->next;
			continue;
		}
		set(from, peek(&entry->next));
		set(&entry->next, peek(to));
		set(to, number);
	}
}

/* 0 = none: full, or no memory. */
static uint32_t take_entry(struct shard *shard)
{
	uint32_t number = shard->unused;
	if (number) {
		shard->unused = peek(&entry_at(shard, number)->next);
		return number;
	}
	uint32_t index = shard->used;
	if (index >= CHUNKS * PER_CHUNK)
		return 0;
	if (index % PER_CHUNK == 0 &&
	    !atomic_load_explicit(&shard->entry_chunks[index / PER_CHUNK], memory_order_relaxed)) {
		struct entry *chunk = counted_pages(PER_CHUNK * sizeof(*chunk));
		if (!chunk)
			return 0;
		atomic_store_explicit(&shard->entry_chunks[index / PER_CHUNK], chunk, memory_order_release);
	}
	return ++shard->used;
}

static void link_entry(struct shard *shard, uint32_t number, struct entry *entry)
{
	_Atomic uint32_t *head = chain_of(shard, address_of(entry));
	set(&entry->next, peek(head));
	set(head, number);
	filter_add(address_of(entry));
	set(&shard->live, peek(&shard->live) + 1);
}

/* Takes the block's entry, if there is one, out of its chain, the filter and the sums. */
static bool take_out(struct shard *shard, uintptr_t address, struct live_sample *ret_sample)
{
	if (!peek(&shard->heads))
		return false;
	for (_Atomic uint32_t *link = chain_of(shard, address); peek(link);) {
		uint32_t number = peek(link);
		struct entry *entry = entry_at(shard, number);
		if (address_of(entry) != address) {
			link = &entry->next;
			continue;
		}
		if (ret_sample)
			*ret_sample = (struct live_sample){ address,      entry->size,    entry->objects,
				                                entry->bytes, entry->time_ns, entry->stack };
		set(link, peek(&entry->next));
		atomic_store_explicit(&entry->address, 0, memory_order_relaxed);
		filter_remove(address);
		bucket_end_use(entry);
		set(&entry->next, shard->unused);
		shard->unused = number;
		set(&shard->live, peek(&shard->live) - 1);
		return true;
	}
	return false;
}

static void take_out_pending(struct shard *shard)
{
	if (!peek(&shard->pending_count))
		return;
	set(&shard->pending_count, 0);
	for (uint32_t i = 0; i < PENDING; i++) {
		uintptr_t address = atomic_exchange(&shard->pending[i], 0);
		if (address)
			take_out(shard, address, NULL);
	}
}

/* --- locking ------------------------------------------------------------------------------------------------------- */

static bool patient;

void live_table_be_patient(void)
{
	patient = true;
}

/* A lock is busy for longer than a spin only where its holder has lost its processor: giving up ours may help it on. */
static bool enter(struct shard *shard)
{
	for (int i = 0; !lock_try(&shard->lock); i++) {
		if (i >= LOCK_TRIES && (!patient || i >= PATIENT_TRIES))
			return false;
		if (i >= LOCK_TRIES)
			sys3(SYS_sched_yield, 0, 0, 0);
	}
	atomic_fetch_add(&shard->version, 1);
	take_out_pending(shard);
	return true;
}

static void leave(struct shard *shard)
{
	atomic_fetch_add_explicit(&shard->version, 1, memory_order_release);
	lock_release(&shard->lock);
}

/* --- the interface ------------------------------------------------------------------------------------------------- */

static bool put_in(struct shard *shard, const struct live_sample *sample, bool allocated)
{
	uint32_t number = first_heads(shard) ? take_entry(shard) : 0;
	if (!number)
		return false;
	struct entry *entry = entry_at(shard, number);
	uint32_t stack = sample->stack;
	struct bucket *bucket = bucket_for(&stack);
	entry->size = sample->size;
	entry->objects = sample->objects;
	entry->bytes = sample->bytes;
	entry->time_ns = sample->time_ns;
	entry->stack = stack;
	/* In the fork child of another thread an entry counts from here on. */
	atomic_store_explicit(&entry->address, sample->address, memory_order_release);
	link_entry(shard, number, entry);
	(allocated ? bucket_allocated : bucket_begin_use)(bucket, entry);
	if (peek(&shard->live) > peek(&shard->heads))
		grow_heads(shard);
	return true;
}

bool live_table_add(const struct live_sample *sample)
{
	struct shard *shard = shard_of(sample->address);
	if (!enter(shard)) {
		loss_count(LOSS_HEAP_BUSY);
		return false;
	}
	take_out(shard, sample->address, NULL);
	bool added = put_in(shard, sample, true);
	leave(shard);
	if (!added)
		loss_count(LOSS_HEAP_FULL);
	return added;
}

void live_table_restore(const struct live_sample *sample)
{
	struct shard *shard = shard_of(sample->address);
	if (!enter(shard)) {
		loss_count(LOSS_HEAP_BUSY);
		return;
	}
	if (!put_in(shard, sample, false))
		loss_count(LOSS_HEAP_FULL);
	leave(shard);
}

bool live_table_may_have(const void *block)
{
	uintptr_t address = (uintptr_t)block;
	struct shard *shard = shard_of(address);
	uint32_t version = atomic_load_explicit(&shard->version, memory_order_acquire);
	if (version & 1)
		return true;
	if (!atomic_load_explicit(&shard->heads, memory_order_acquire))
		return false;
	uint32_t number = peek(chain_of(shard, address));
	for (int steps = 0; number; steps++) {
		const struct entry *entry = entry_at(shard, number);
		if (address_of(entry) == address || steps == LOOK_STEPS)
			return true;
		number = peek(&entry->next);
	}
	atomic_thread_fence(memory_order_acquire);
	return peek(&shard->version) != version;
}

bool live_table_remove(const void *block, struct live_sample *ret_sample)
{
	struct shard *shard = shard_of((uintptr_t)block);
	if (!enter(shard)) {
		live_table_remove_later(block);
		return false;
	}
	bool found = take_out(shard, (uintptr_t)block, ret_sample);
	leave(shard);
	return found;
}

/* If all places are taken the entry stays until its address is seen again. */
void live_table_remove_later(const void *block)
{
	struct shard *shard = shard_of((uintptr_t)block);
	loss_count(LOSS_FREE_BUSY);
	for (uint32_t i = 0; i < PENDING; i++) {
		uintptr_t none = 0;
		if (atomic_compare_exchange_strong(&shard->pending[i], &none, (uintptr_t)block))
			break;
	}
	atomic_fetch_add(&shard->pending_count, 1);
}

/* --- the reading side ---------------------------------------------------------------------------------------------- */

/* All shards or none: waiting for one while the others are held would make their hooks drop samples. */
static void enter_all(void)
{
	for (uint32_t got = 0; got < SHARDS;) {
		if (enter(&shards[got])) {
			got++;
			continue;
		}
		while (got)
			leave(&shards[--got]);
		struct timespec pause = { 0, 20000 };
		sys3(SYS_nanosleep, (long)&pause, 0, 0);
	}
}

static void copy_bucket(const struct bucket *from, struct heap_bucket *to)
{
	to->alloc_samples = atomic_load_explicit(&from->alloc_samples, memory_order_relaxed);
	to->alloc_sample_bytes = atomic_load_explicit(&from->alloc_sample_bytes, memory_order_relaxed);
	to->inuse_samples = atomic_load_explicit(&from->inuse_samples, memory_order_relaxed);
	to->inuse_sample_bytes = atomic_load_explicit(&from->inuse_sample_bytes, memory_order_relaxed);
	to->alloc_objects = atomic_load_explicit(&from->alloc_objects, memory_order_relaxed);
	to->alloc_bytes = atomic_load_explicit(&from->alloc_bytes, memory_order_relaxed);
	to->inuse_objects = atomic_load_explicit(&from->inuse_objects, memory_order_relaxed);
	to->inuse_bytes = atomic_load_explicit(&from->inuse_bytes, memory_order_relaxed);
}

void live_table_buckets(uint32_t first, uint32_t count, struct heap_bucket *ret_buckets)
{
	lock_wait(&reading);
	enter_all();
	reading.taken_ns = monotonic_ns();
	for (uint32_t i = 0; i < count; i++) {
		const struct bucket *chunk = bucket_chunk((first + i) / PER_CHUNK);
		if (chunk)
			copy_bucket(&chunk[(first + i) % PER_CHUNK], &ret_buckets[i]);
		else
			ret_buckets[i] = (struct heap_bucket){ 0 };
	}
	for (uint32_t i = 0; i < SHARDS; i++)
		leave(&shards[i]);
	lock_done(&reading);
}

uint32_t live_table_bucket_count(void)
{
	return peek(&bucket_count);
}

uint64_t live_table_count(void)
{
	uint64_t count = 0;
	for (uint32_t i = 0; i < SHARDS; i++)
		count += peek(&shards[i].live);
	return count;
}

uint64_t live_table_bytes(void)
{
	return atomic_load_explicit(&table_bytes, memory_order_relaxed);
}

uint64_t live_table_longest_hold_ns(void)
{
	return atomic_load_explicit(&reading.longest_hold_ns, memory_order_relaxed);
}

/* --- after a fork -------------------------------------------------------------------------------------------------- */

/* The entries' addresses say what is alive; chains and the list of free entries are made anew from them. */
static void rebuild_shard(struct shard *shard)
{
	uint32_t heads = peek(&shard->heads);
	for (uint32_t i = 0; i < heads; i++)
		set(head_at(shard, i), 0);
	shard->unused = 0;
	set(&shard->live, 0);
	for (uint32_t number = shard->used; number; number--) {
		struct entry *entry = entry_at(shard, number);
		if (address_of(entry)) {
			link_entry(shard, number, entry);
			continue;
		}
		set(&entry->next, shard->unused);
		shard->unused = number;
	}
}

static void raise_to(_Atomic uint64_t *sum, const _Atomic uint64_t *least)
{
	uint64_t value = atomic_load_explicit(least, memory_order_relaxed);
	if (atomic_load_explicit(sum, memory_order_relaxed) < value)
		atomic_store_explicit(sum, value, memory_order_relaxed);
}

static void for_each_bucket(void (*visit)(struct bucket *bucket))
{
	for (uint32_t number = 0; number < BUCKET_CHUNKS; number++) {
		struct bucket *chunk = bucket_chunk(number);
		for (uint32_t i = 0; chunk && i < PER_CHUNK; i++)
			visit(&chunk[i]);
	}
}

static void forget_use(struct bucket *bucket)
{
	if (!atomic_load_explicit(&bucket->alloc_samples, memory_order_relaxed))
		return; /* do not touch pages for nothing */
	bucket->inuse_samples = bucket->inuse_sample_bytes = bucket->inuse_objects = bucket->inuse_bytes = 0;
}

static void make_plausible(struct bucket *bucket)
{
	raise_to(&bucket->alloc_samples, &bucket->inuse_samples);
	raise_to(&bucket->alloc_sample_bytes, &bucket->inuse_sample_bytes);
	raise_to(&bucket->alloc_objects, &bucket->inuse_objects);
	raise_to(&bucket->alloc_bytes, &bucket->inuse_bytes);
}

static void rebuild(void)
{
	memset(filter_counts, 0, sizeof(filter_counts));
	for (uint32_t i = 0; i < 1024; i++)
		atomic_store(&live_filter[i], atomic_load(&pinned[i]));
	for_each_bucket(forget_use);
	for (uint32_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &shards[i];
		rebuild_shard(shard);
		for (uint32_t number = shard->used; number; number--) {
			const struct entry *entry = entry_at(shard, number);
			uint32_t stack = entry->stack;
			if (address_of(entry))
				bucket_begin_use(bucket_for(&stack), entry);
		}
	}
	for_each_bucket(make_plausible);
}

void live_table_forked(void)
{
	bool torn = false;
	for (uint32_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &shards[i];
		torn |= atomic_load(&shard->lock.held) || peek(&shard->version) & 1;
		if (peek(&shard->version) & 1)
			atomic_fetch_add(&shard->version, 1);
		lock_reset(&shard->lock);
	}
	lock_reset(&reading);
	if (torn)
		rebuild();
}
