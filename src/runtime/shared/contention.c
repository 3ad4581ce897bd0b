/* contention.c - a hash table that only ever grows: an index of slots, and the entries they name, close together, so that a
 * program with few different waits touches few pages of ours.
 *
 * An entry is written while nobody else can see it and published by one compare-and-swap of its slot; from then on its key never
 * changes and its sums only grow. So nothing has to wait, be it in a handler that interrupted another addition or where a jump left
 * one in the middle: then an entry is lost at most.
 */
#include "runtime/shared/contention.h"

#include <stdatomic.h>

#include "runtime/shared/losses.h"
#include "runtime/shared/stack_table.h"

#define ENTRIES_MAX (CONTENTION_SLOTS / 4 * 3)
/* Each lock of an entry is a set of labels in a profile, and servers that keep profiles make a series of each such set and limit their number. */
#define ENTRIES_WITH_OBJECT 1024u
#define ENTRIES_FOR_STACKS (ENTRIES_MAX - CONTENTION_KINDS * WAIT_CALL_COUNT) /* the rest is for keys without a stack */
#define PROBES_MAX 512u

#define INDEX_BITS 16 /* of a slot: its entry's index + 1; the bits above are of the key's hash */
_Static_assert(ENTRIES_MAX < 1u << INDEX_BITS, "an entry's number fits in its part of a slot");
_Static_assert(WAIT_CALL_COUNT < 256, "a call fits in its part of a key");

__extension__ typedef unsigned __int128 uint128;

/* What an entry stands for: kind, call and stack in one word. */
struct key {
	uint64_t what;
	uint64_t object;
};

struct entry {
	struct key key;
	_Atomic uint64_t count, ns;
};

static struct {
	_Atomic uint32_t slots[CONTENTION_SLOTS]; /* 0 = empty */
	struct entry entries[ENTRIES_MAX];
	_Atomic uint32_t taken; /* entries given out; may grow past the end */
	_Atomic uint32_t spare; /* an entry given out and not used: index + 1; 0 = none */
	_Atomic uint32_t counts[CONTENTION_KINDS];
} table __attribute__((aligned(4096)));

static struct key key_of(enum contention_kind kind, enum wait_call call, uint32_t stack, uint64_t object)
{
	return (struct key){ (uint64_t)kind << 40 | (uint64_t)call << 32 | stack, object };
}

static uint64_t hash_of(const struct key *key)
{
	uint64_t hash = key->what * 0x9E3779B97F4A7C15u;
	hash = (hash ^ hash >> 32 ^ key->object) * 0xD6E8FEB86659FD93u;
	return hash ^ hash >> 32;
}

static uint32_t taken_entries(void)
{
	uint32_t taken = atomic_load_explicit(&table.taken, memory_order_relaxed);
	return taken < ENTRIES_MAX ? taken : ENTRIES_MAX;
}

static uint32_t slot_tag(uint64_t hash)
{
	return (uint32_t)(hash >> 48) << INDEX_BITS;
}

static uint32_t slot_entry(uint32_t slot)
{
	return (slot & ((1u << INDEX_BITS) - 1)) - 1;
}

/* The entry with this key; else NULL, and in *ret_slot the empty slot where it belongs, CONTENTION_SLOTS if there is none near. */
static struct entry *find(const struct key *key, uint64_t hash, uint32_t probes, uint32_t *ret_slot)
{
	uint32_t at = (uint32_t)hash & (CONTENTION_SLOTS - 1);
	for (; probes; probes--, at = (at + 1) & (CONTENTION_SLOTS - 1)) {
		uint32_t slot = atomic_load_explicit(&table.slots[at], memory_order_acquire);
		if (!slot) {
			*ret_slot = at;
			return NULL;
		}
		struct entry *entry = &table.entries[slot_entry(slot)];
		if ((slot ^ slot_tag(hash)) >> INDEX_BITS == 0 && entry->key.what == key->what &&
		    entry->key.object == key->object) {
			*ret_slot = at;
			return entry;
		}
	}
	*ret_slot = CONTENTION_SLOTS;
	return NULL;
}

/* An entry that nobody else has: index + 1; 0 if `limit` are given out. */
static uint32_t take_entry(uint32_t limit)
{
	uint32_t spare = atomic_exchange_explicit(&table.spare, 0, memory_order_acquire);
	if (spare)
		return spare;
	uint32_t taken = atomic_load_explicit(&table.taken, memory_order_relaxed);
	do {
		if (taken >= limit)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&table.taken, &taken, taken + 1, memory_order_relaxed,
	                                                memory_order_relaxed));
	return taken + 1;
}

/* The entry of this key, made if need be; NULL if there is no room. */
static struct entry *find_or_make(struct key key, uint32_t limit, uint32_t probes)
{
	uint64_t hash = hash_of(&key);
	uint32_t at, mine = 0;
	struct entry *entry;
	while (!(entry = find(&key, hash, probes, &at)) && at < CONTENTION_SLOTS) {
		if (!mine)
			mine = take_entry(limit);
		if (!mine)
			return NULL;
		struct entry *made = &table.entries[mine - 1];
		made->key = key;
		made->count = made->ns = 0;
		uint32_t empty = 0;
		if (!atomic_compare_exchange_strong_explicit(&table.slots[at], &empty, mine | slot_tag(hash),
		                                             memory_order_release, memory_order_relaxed))
			continue; /* another thread's, perhaps with the same key */
		atomic_fetch_add_explicit(&table.counts[key.what >> 40], 1, memory_order_relaxed);
		return made;
	}
	if (mine)
		atomic_store_explicit(&table.spare, mine, memory_order_release);
	return entry;
}

void contention_add(const struct contention *more)
{
	enum contention_kind kind = more->kind;
	enum wait_call call = kind == CONTENTION_MUTEX ? WAIT_NONE : more->call;
	uint64_t object = kind == CONTENTION_WAIT ? 0 : more->object;
	uint32_t limit = object ? ENTRIES_WITH_OBJECT : ENTRIES_FOR_STACKS;
	struct entry *entry = find_or_make(key_of(kind, call, more->stack, object), limit, PROBES_MAX);
	if (!entry && object)
		entry = find_or_make(key_of(kind, call, more->stack, 0), ENTRIES_FOR_STACKS, PROBES_MAX);
	if (!entry) {
		loss_count(LOSS_CONTENTION_FULL);
		entry = find_or_make(key_of(kind, call, STACK_OVERFLOW, 0), ENTRIES_MAX, CONTENTION_SLOTS);
	}
	if (!entry)
		return;
	atomic_fetch_add_explicit(&entry->count, more->count, memory_order_relaxed);
	atomic_fetch_add_explicit(&entry->ns, more->ns, memory_order_relaxed);
}

bool contention_at(uint32_t slot, struct contention *ret_entry)
{
	uint32_t found = atomic_load_explicit(&table.slots[slot], memory_order_acquire);
	if (!found)
		return false;
	const struct entry *entry = &table.entries[slot_entry(found)];
	*ret_entry = (struct contention){
		.kind = (enum contention_kind)(entry->key.what >> 40),
		.call = (enum wait_call)(entry->key.what >> 32 & 0xFF),
		.stack = (uint32_t)entry->key.what,
		.object = entry->key.object,
		.count = atomic_load_explicit(&entry->count, memory_order_relaxed),
		.ns = atomic_load_explicit(&entry->ns, memory_order_relaxed),
	};
	return true;
}

uint32_t contention_count(enum contention_kind kind)
{
	return atomic_load_explicit(&table.counts[kind], memory_order_relaxed);
}

/* The slot that names this entry is emptied. Slots before it may be empty by now, so an empty one is not the end of the search. */
static void forget_slot(uint32_t index)
{
	uint32_t at = (uint32_t)hash_of(&table.entries[index].key) & (CONTENTION_SLOTS - 1);
	for (uint32_t probes = 0; probes < CONTENTION_SLOTS; probes++, at = (at + 1) & (CONTENTION_SLOTS - 1)) {
		if (slot_entry(table.slots[at]) == index) {
			table.slots[at] = 0;
			return;
		}
	}
}

/* Entry by entry, so that a child gets no more pages of its own than the table has in use. */
void contention_forked(void)
{
	uint32_t taken = taken_entries();
	for (uint32_t i = 0; i < taken; i++) {
		if (table.entries[i].key.what || table.entries[i].key.object)
			forget_slot(i);
	}
	for (uint32_t i = 0; i < taken; i++) {
		struct entry *entry = &table.entries[i];
		entry->key = (struct key){ 0, 0 };
		entry->count = entry->ns = 0;
	}
	table.taken = table.spare = 0;
	for (uint32_t i = 0; i < CONTENTION_KINDS; i++)
		table.counts[i] = 0;
}

/* runtime.blockevent of Go: a wait of d is kept with probability d / rate and then stands for rate / d of its like, whose
 * times are rate together. The fraction of the count is rounded up as often as it is large, so that expectations are exact. */
bool contention_sample(uint64_t wait_ns, uint64_t rate_ns, uint64_t random, uint64_t *ret_count, uint64_t *ret_ns)
{
	if (!rate_ns)
		return false;
	*ret_count = CONTENTION_UNIT;
	*ret_ns = wait_ns;
	if (rate_ns == 1 || wait_ns >= rate_ns)
		return true;
	/* A number below the rate, and a fraction that is independent of it. */
	uint128 drawn = (uint128)random * rate_ns;
	if ((uint64_t)(drawn >> 64) >= wait_ns)
		return false;
	uint64_t rate = rate_ns, wait = wait_ns;
	for (; rate > UINT64_MAX / CONTENTION_UNIT; rate >>= 1)
		wait = wait > 1 ? wait >> 1 : 1;
	uint64_t parts = rate * CONTENTION_UNIT;
	bool up = (uint64_t)((uint128)(uint64_t)drawn * wait >> 64) < parts % wait;
	*ret_count = parts / wait + up;
	*ret_ns = rate_ns;
	return true;
}
