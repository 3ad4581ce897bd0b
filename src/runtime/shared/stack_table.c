/* stack_table.c - stacks kept once each: a hash table of chains that only ever grows.
 *
 * An entry never changes once it can be found, so readers and the search for a known stack need no lock. The lock orders
 * those who add. What a fork leaves of a half-done addition cannot be found: an id and a few bytes are lost.
 */
#include "runtime/shared/stack_table.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "runtime/shared/lock.h"
#include "runtime/shared/losses.h"
#include "runtime/shared/pages.h"
#include "runtime/shared/unloaded.h"

#define STACKS_MAX (1u << 17)
#define STACK_BYTES_MAX ((uint64_t)64 << 20) /* of frames */
#define HEADS (1u << 15)
#define ENTRIES_PER_CHUNK 1024u
#define FRAMES_CHUNK ((size_t)256 * 1024)

struct entry {
	const uintptr_t *frames;
	uint32_t count;
	uint32_t hash;
	uint32_t next;           /* id, 0 = the end of the chain (the pseudo stack is in no chain) */
	_Atomic uint32_t looked; /* unloaded_sequence() when its frames were last seen to be what they were */
};

static struct {
	struct lock lock;
	_Atomic uint32_t count; /* ids given out, the pseudo stack included */
	_Atomic uint64_t bytes;
	char *room; /* for frames */
	size_t room_left;
	_Atomic(struct entry *) chunks[STACKS_MAX / ENTRIES_PER_CHUNK];
	_Atomic uint32_t heads[HEADS];
} stacks = { .count = 1 };

static const uintptr_t overflow_frames[1] = { PSEUDO_OVERFLOW };

static uint32_t hash_of(const uintptr_t *frames, uint32_t count)
{
	uint64_t hash = count;
	for (uint32_t i = 0; i < count; i++) {
		hash = (hash ^ frames[i]) * 0x9E3779B97F4A7C15u;
		hash ^= hash >> 29;
	}
	return (uint32_t)(hash ^ hash >> 32);
}

/* NULL while the chunk is not there; then the id was never given out. */
static struct entry *entry_at(uint32_t id)
{
	struct entry *chunk = atomic_load_explicit(&stacks.chunks[id / ENTRIES_PER_CHUNK], memory_order_acquire);
	return chunk ? &chunk[id % ENTRIES_PER_CHUNK] : NULL;
}

/* What lay at the frames' addresses when the stack was recorded has been unloaded: the same addresses are another stack now. */
static bool is_of_the_past(struct entry *entry, uint32_t id)
{
	uint32_t now = unloaded_sequence();
	if (atomic_load_explicit(&entry->looked, memory_order_relaxed) == now)
		return false;
	if (unloaded_stack(entry->frames, entry->count, id))
		return true;
	atomic_store_explicit(&entry->looked, now, memory_order_relaxed);
	return false;
}

/* 0 = not there. Of stacks with the same addresses the latest comes first, and only that one can be of today. */
static uint32_t find(const uintptr_t *frames, uint32_t count, uint32_t hash)
{
	uint32_t id = atomic_load_explicit(&stacks.heads[hash % HEADS], memory_order_acquire);
	while (id) {
		struct entry *entry = entry_at(id);
		if (entry->hash == hash && entry->count == count && memcmp(entry->frames, frames, count * sizeof(*frames)) == 0)
			return is_of_the_past(entry, id) ? 0 : id;
		id = entry->next;
	}
	return 0;
}

static void *counted_pages(size_t size)
{
	void *pages = pages_map(size);
	if (pages)
		atomic_fetch_add_explicit(&stacks.bytes, size, memory_order_relaxed);
	return pages;
}

static uintptr_t *room_for(uint32_t count)
{
	size_t size = count * sizeof(uintptr_t);
	if (size > stacks.room_left) {
		if (atomic_load_explicit(&stacks.bytes, memory_order_relaxed) >= STACK_BYTES_MAX)
			return NULL;
		char *chunk = counted_pages(FRAMES_CHUNK);
		if (!chunk)
			return NULL;
		stacks.room = chunk;
		stacks.room_left = FRAMES_CHUNK;
	}
	uintptr_t *place = __builtin_assume_aligned(stacks.room, sizeof(uintptr_t));
	stacks.room += size;
	stacks.room_left -= size;
	return place;
}

static struct entry *new_entry(uint32_t id)
{
	struct entry *entry = entry_at(id);
	if (entry)
		return entry;
	struct entry *chunk = counted_pages(ENTRIES_PER_CHUNK * sizeof(*chunk));
	if (!chunk)
		return NULL;
	atomic_store_explicit(&stacks.chunks[id / ENTRIES_PER_CHUNK], chunk, memory_order_release);
	return &chunk[id % ENTRIES_PER_CHUNK];
}

/* With the lock. 0 = full. */
static uint32_t add(const uintptr_t *frames, uint32_t count, uint32_t hash)
{
	uint32_t id = atomic_load_explicit(&stacks.count, memory_order_relaxed);
	if (id >= STACKS_MAX)
		return 0;
	struct entry *entry = new_entry(id);
	uintptr_t *kept = entry ? room_for(count) : NULL;
	if (!kept)
		return 0;
	memcpy(kept, frames, count * sizeof(*frames));
	_Atomic uint32_t *head = &stacks.heads[hash % HEADS];
	*entry = (struct entry){ kept, count, hash, atomic_load_explicit(head, memory_order_relaxed), unloaded_sequence() };
	atomic_store_explicit(&stacks.count, id + 1, memory_order_release);
	atomic_store_explicit(head, id, memory_order_release);
	return id;
}

/* Waiters that are woken together come here together: they try for some 50 microseconds. */
static bool take_lock(void)
{
	for (int tries = 0; tries < 32; tries++)
		if (lock_try(&stacks.lock))
			return true;
	return false;
}

uint32_t stack_table_add(const uintptr_t *frames, uint32_t count)
{
	if (count > FRAMES_MAX)
		count = FRAMES_MAX;
	uint32_t hash = hash_of(frames, count);
	uint32_t id = find(frames, count, hash);
	if (id)
		return id;
	if (take_lock()) {
		id = find(frames, count, hash);
		if (!id)
			id = add(frames, count, hash);
		lock_release(&stacks.lock);
	}
	if (!id)
		loss_count(LOSS_STACKS_FULL);
	return id;
}

const uintptr_t *stack_table_get(uint32_t id, uint32_t *ret_count)
{
	if (id == STACK_OVERFLOW || id >= stack_table_count()) {
		*ret_count = 1;
		return overflow_frames;
	}
	const struct entry *entry = entry_at(id);
	*ret_count = entry->count;
	return entry->frames;
}

uint32_t stack_table_count(void)
{
	return atomic_load_explicit(&stacks.count, memory_order_acquire);
}

uint64_t stack_table_bytes(void)
{
	return atomic_load_explicit(&stacks.bytes, memory_order_relaxed);
}

void stack_table_forked(void)
{
	lock_reset(&stacks.lock);
	unloaded_forked();
	/* The fork may have come between the two words that say where there is room. What is left of this chunk is given up. */
	stacks.room_left = 0;
}
