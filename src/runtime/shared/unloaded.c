/* unloaded.c - the list of ranges. A range only ever grows and only ever concerns more stacks, so that a reader who comes in the middle of a
 * change sees the old range, the new one, or something between: no name is given that would be wrong.
 */
#include "runtime/shared/unloaded.h"

#include <stdatomic.h>

#include "runtime/shared/frames.h"
#include "runtime/shared/lock.h"
#include "runtime/shared/losses.h"

struct range {
	_Atomic uintptr_t low, high;
	_Atomic uint64_t identity; /* 0: not known, or of several modules */
	_Atomic uint32_t stacks, sequence;
	_Atomic uint32_t back; /* unloaded_sequence() + 1 when the module was seen to be back; 0 = never */
};

static struct {
	struct lock lock;
	_Atomic uint32_t count, sequence;
	_Atomic uint32_t stacks; /* the highest of all ranges' */
	_Atomic(unloaded_is_back *) is_back;
	struct range ranges[UNLOADED_RANGES];
} list;

#define READ(object) atomic_load_explicit(&(object), memory_order_acquire)
#define WRITE(object, value) atomic_store_explicit(&(object), value, memory_order_release)

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* With the lock. */
static void grow(struct range *range, const struct unloaded_module *module, uint32_t stacks)
{
	uintptr_t low = READ(range->low), high = READ(range->high);
	bool same = module->low == low && module->high == high && module->identity == READ(range->identity);
	if (!same)
		WRITE(range->identity, 0);
	if (module->low < low)
		WRITE(range->low, module->low);
	if (module->high > high)
		WRITE(range->high, module->high);
	WRITE(range->stacks, larger(READ(range->stacks), stacks));
	WRITE(range->sequence, READ(list.sequence) + 1);
}

/* With the lock. Behind the last one: nobody reads there yet. */
static void append(uint32_t count, const struct unloaded_module *module, uint32_t stacks)
{
	struct range *range = &list.ranges[count];
	WRITE(range->low, module->low);
	WRITE(range->high, module->high);
	WRITE(range->identity, module->identity);
	WRITE(range->stacks, stacks);
	WRITE(range->sequence, READ(list.sequence) + 1);
	WRITE(list.count, count + 1);
}

/* The one that lies within the module, whose stacks are all concerned again; NULL: none. */
static struct range *find_within(uint32_t count, const struct unloaded_module *module)
{
	for (uint32_t i = 0; i < count; i++)
		if (READ(list.ranges[i].low) >= module->low && READ(list.ranges[i].high) <= module->high)
			return &list.ranges[i];
	return NULL;
}

/* The one that has to grow least to take the module in. */
static struct range *find_nearest(uint32_t count, const struct unloaded_module *module)
{
	struct range *nearest = &list.ranges[0];
	uintptr_t least = UINTPTR_MAX;
	for (uint32_t i = 0; i < count; i++) {
		uintptr_t low = READ(list.ranges[i].low), high = READ(list.ranges[i].high), growth = 0;
		growth += module->low < low ? low - module->low : 0;
		growth += module->high > high ? module->high - high : 0;
		if (growth < least) {
			least = growth;
			nearest = &list.ranges[i];
		}
	}
	return nearest;
}

void unloaded_add(const struct unloaded_module *module, uint32_t stacks, unloaded_is_back *is_back)
{
	bool locked = false;
	for (int tries = 0; tries < 1000 && !locked; tries++)
		locked = lock_try(&list.lock);
	if (!locked) {
		loss_count(LOSS_UNLOADED);
		return;
	}
	WRITE(list.is_back, is_back);
	uint32_t count = READ(list.count);
	struct range *within = find_within(count, module);
	if (within) {
		grow(within, module, stacks);
	} else if (count < UNLOADED_RANGES) {
		append(count, module, stacks);
	} else {
		grow(find_nearest(count, module), module, stacks);
		loss_count(LOSS_UNLOADED);
	}
	WRITE(list.stacks, larger(READ(list.stacks), stacks));
	WRITE(list.sequence, READ(list.sequence) + 1);
	lock_release(&list.lock);
}

uint32_t unloaded_sequence(void)
{
	return READ(list.sequence);
}

static bool contains(const struct range *range, uintptr_t address)
{
	return address >= READ(range->low) && address < READ(range->high);
}

bool unloaded_since(uintptr_t address, uint32_t sequence)
{
	uint32_t count = READ(list.count);
	for (uint32_t i = 0; i < count; i++)
		if (contains(&list.ranges[i], address) && READ(list.ranges[i].sequence) > sequence)
			return true;
	return false;
}

/* A module that was seen to be back stays until the next one is unloaded. */
static bool is_back(struct range *range)
{
	struct unloaded_module module = { READ(range->low), READ(range->high), READ(range->identity) };
	uint32_t now = READ(list.sequence) + 1;
	if (!module.identity)
		return false;
	if (READ(range->back) == now)
		return true;
	if (!READ(list.is_back)(&module))
		return false;
	WRITE(range->back, now);
	return true;
}

bool unloaded_frame(uintptr_t address, uint32_t stack)
{
	if (address < PSEUDO_LIMIT || stack >= READ(list.stacks))
		return false;
	uint32_t count = READ(list.count);
	for (uint32_t i = 0; i < count; i++) {
		struct range *range = &list.ranges[i];
		if (contains(range, address) && stack < READ(range->stacks) && !is_back(range))
			return true;
	}
	return false;
}

bool unloaded_stack(const uintptr_t *frames, uint32_t count, uint32_t stack)
{
	if (stack >= READ(list.stacks))
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (unloaded_frame(frames[i], stack))
			return true;
	return false;
}

void unloaded_replace(const uintptr_t *frames, uint32_t count, uint32_t stack, uintptr_t *to)
{
	for (uint32_t i = 0; i < count; i++)
		to[i] = unloaded_frame(frames[i], stack) ? PSEUDO_UNLOADED : frames[i];
}

void unloaded_forked(void)
{
	lock_reset(&list.lock);
}
