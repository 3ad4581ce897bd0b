/* lock_names.c - names by address: a hash table of slots, changed by one setter at a time, under one sequence count for all of it
 * (names are set when locks are made and read when a profile is).
 */
#include "runtime/hooks/lock_names.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "runtime/shared/lock.h"
#include "runtime/shared/sys.h"

#define SLOTS (2 * LOCK_NAMES_MAX)
#define WORDS (LOCK_NAME_SIZE / sizeof(uint64_t))
#define TRIES 10000 /* of a reader that keeps meeting setters */

/* What a slot can hold instead of an address. */
enum { NEVER_USED, FORGOTTEN, FIRST_ADDRESS };

static struct {
	struct lock lock;          /* of setters */
	_Atomic uint32_t sequence; /* odd while one writes */
	_Atomic uint32_t writing;  /* which slot: what a fork in the middle of it leaves to be forgotten */
	uint32_t count;
	_Atomic uint64_t locks[SLOTS];
	_Atomic uint64_t names[SLOTS][WORDS];
} table;

/* The lock's slot; else the one that it should get, or SLOTS. */
static uint32_t find(uint64_t lock, uint32_t *ret_free)
{
	uint32_t at = (uint32_t)(lock * 0x9E3779B97F4A7C15u >> 40) % SLOTS;
	*ret_free = SLOTS;
	for (uint32_t probes = 0; probes < SLOTS; probes++, at = (at + 1) % SLOTS) {
		uint64_t found = atomic_load_explicit(&table.locks[at], memory_order_relaxed);
		if (found == lock)
			return at;
		if (found < FIRST_ADDRESS && *ret_free == SLOTS)
			*ret_free = at;
		if (found == NEVER_USED)
			break;
	}
	return SLOTS;
}

/* As much of the name as fits, without half a UTF-8 character at the end. */
static size_t copy_name(uint64_t words[WORDS], const char *name)
{
	size_t length = 0;
	while (length < LOCK_NAME_SIZE && name[length])
		length++;
	if (length == LOCK_NAME_SIZE) {
		length--;
		while (length && ((unsigned char)name[length] & 0xC0) == 0x80)
			length--;
	}
	memset(words, 0, LOCK_NAME_SIZE);
	memcpy(words, name, length);
	return length;
}

static void write_slot(uint32_t slot, uint64_t lock, const uint64_t words[WORDS])
{
	uint32_t sequence = atomic_load_explicit(&table.sequence, memory_order_relaxed);
	atomic_store_explicit(&table.writing, slot, memory_order_relaxed);
	atomic_store_explicit(&table.sequence, sequence + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&table.locks[slot], lock, memory_order_relaxed);
	for (size_t i = 0; i < WORDS; i++)
		atomic_store_explicit(&table.names[slot][i], words[i], memory_order_relaxed);
	atomic_store_explicit(&table.sequence, sequence + 2, memory_order_release);
}

static int set(uint64_t lock, const uint64_t words[WORDS], bool named)
{
	uint32_t unused, slot = find(lock, &unused);
	if (!named) {
		if (slot < SLOTS) {
			write_slot(slot, FORGOTTEN, words);
			table.count--;
		}
		return 0;
	}
	if (slot == SLOTS) {
		if (table.count == LOCK_NAMES_MAX)
			return -ENOSPC;
		table.count++;
		slot = unused;
	}
	write_slot(slot, lock, words);
	return 0;
}

int lock_name_set(uint64_t lock, const char *name)
{
	uint64_t words[WORDS], signals;
	bool named = copy_name(words, name ? name : "") != 0;
	if (lock < FIRST_ADDRESS)
		return 0;
	sys_block_signals(&signals);
	lock_wait(&table.lock);
	int result = set(lock, words, named);
	lock_done(&table.lock);
	sys_restore_signals(&signals);
	return result;
}

bool lock_name_get(uint64_t lock, char ret_name[LOCK_NAME_SIZE])
{
	for (int tries = 0; lock >= FIRST_ADDRESS && tries < TRIES; tries++) {
		uint64_t words[WORDS] = { 0 };
		uint32_t unused, sequence = atomic_load_explicit(&table.sequence, memory_order_acquire);
		uint32_t slot = find(lock, &unused);
		for (size_t i = 0; slot < SLOTS && i < WORDS; i++)
			words[i] = atomic_load_explicit(&table.names[slot][i], memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		if (!(sequence & 1) && sequence == atomic_load_explicit(&table.sequence, memory_order_relaxed)) {
			if (slot < SLOTS)
				memcpy(ret_name, words, LOCK_NAME_SIZE);
			return slot < SLOTS;
		}
		if (tries > 100)
			sys3(SYS_sched_yield, 0, 0, 0);
	}
	return false;
}

void lock_names_forked(void)
{
	uint32_t sequence = table.sequence, writing = table.writing;
	if (!atomic_load_explicit(&table.lock.held, memory_order_relaxed))
		return;
	/* The thread that was naming a lock is not here; what it has written may be half of it. */
	if (sequence & 1) {
		table.locks[writing] = FORGOTTEN;
		table.sequence = sequence + 1;
	}
	table.count = 0;
	for (uint32_t i = 0; i < SLOTS; i++)
		table.count += table.locks[i] >= FIRST_ADDRESS;
	lock_reset(&table.lock);
}
