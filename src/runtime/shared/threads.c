/* threads.c - the registry: where the records of threads come from, and the counts by creation stack. Not what a wrapper
 * writes into a record (hooks/wait.h), nor how it is read (collect/).
 *
 * No locks: records are taken from and returned to a stack of free ones by compare-and-swap with a tag, so a hook in a
 * handler, in a fork child or in the middle of another hook can never wait for anybody.
 */
#include "runtime/shared/threads.h"

#include <stddef.h>

#include "runtime/shared/losses.h"
#include "runtime/shared/pages.h"
#include "runtime/shared/stack_table.h"
#include "runtime/shared/sys.h"
#include "runtime/shared/tls.h"

#define CHUNK_RECORDS 256u
#define CHUNK_COUNT 512u /* 131,072 threads at once: the kernel's default for a large machine is below that */

static _Atomic(struct thread_record *) chunks[CHUNK_COUNT];
static _Atomic uint32_t records_made;
static _Atomic(struct thread_record *) first_record;
/* index + 1 of the first free record, and in the upper half a tag that grows with each change. */
static _Atomic uint64_t free_records;

struct creation {
	_Atomic uint64_t key; /* stack id + 1, 0 = empty */
	_Atomic uint64_t created, live;
};
static struct creation creations[THREADS_CREATIONS];
static _Atomic uint32_t creation_count; /* of slots in use */
static _Atomic uint64_t created_count, live_count;

struct thread_record thread_nobody;

const char *wait_call_name(enum wait_call call)
{
	static const char *const names[WAIT_CALL_COUNT] = {
#define WAIT_NAME(name) [WAIT_##name] = #name,
		WAIT_CALLS(WAIT_NAME)
#undef WAIT_NAME
	};
	return (unsigned)call < WAIT_CALL_COUNT ? names[call] : NULL;
}

static struct thread_record *record_at(uint32_t index)
{
	struct thread_record *chunk = atomic_load_explicit(&chunks[index / CHUNK_RECORDS], memory_order_acquire);
	return chunk + index % CHUNK_RECORDS;
}

static struct thread_record *pop_free(void)
{
	uint64_t head = atomic_load(&free_records);
	while ((uint32_t)head) {
		struct thread_record *record = record_at((uint32_t)head - 1);
		uint64_t next = atomic_load_explicit(&record->next_free, memory_order_relaxed);
		uint64_t wanted = ((head >> 32) + 1) << 32 | next;
		if (atomic_compare_exchange_weak(&free_records, &head, wanted))
			return record;
	}
	return NULL;
}

static void push_free(struct thread_record *record)
{
	uint64_t head = atomic_load(&free_records), wanted;
	do {
		atomic_store_explicit(&record->next_free, (uint32_t)head, memory_order_relaxed);
		wanted = ((head >> 32) + 1) << 32 | (record->index + 1);
	} while (!atomic_compare_exchange_weak(&free_records, &head, wanted));
}

/* The chunk that holds this index, mapped by whoever comes first. */
static struct thread_record *chunk_for(uint32_t index)
{
	_Atomic(struct thread_record *) *place = &chunks[index / CHUNK_RECORDS];
	struct thread_record *chunk = atomic_load_explicit(place, memory_order_acquire);
	if (chunk)
		return chunk;
	struct thread_record *mapped = pages_map(CHUNK_RECORDS * sizeof(struct thread_record));
	if (!mapped)
		return NULL;
	if (atomic_compare_exchange_strong(place, &chunk, mapped))
		return mapped;
	pages_unmap(mapped, CHUNK_RECORDS * sizeof(struct thread_record));
	return chunk;
}

static struct thread_record *make_record(void)
{
	uint32_t index = atomic_load(&records_made);
	struct thread_record *chunk;
	do {
		if (index >= CHUNK_RECORDS * CHUNK_COUNT)
			return NULL;
		chunk = chunk_for(index);
		if (!chunk)
			return NULL;
	} while (!atomic_compare_exchange_weak(&records_made, &index, index + 1));
	struct thread_record *record = chunk_for(index) + index % CHUNK_RECORDS;
	record->index = index;
	struct thread_record *first = atomic_load(&first_record);
	do
		record->next = first;
	while (!atomic_compare_exchange_weak(&first_record, &first, record));
	return record;
}

struct thread_record *thread_record_new(void)
{
	struct thread_record *record = pop_free();
	if (!record)
		record = make_record();
	if (!record) {
		loss_count(LOSS_THREADS_FULL);
		return NULL;
	}
	uint32_t sequence = atomic_load_explicit(&record->wait_sequence, memory_order_relaxed);
	atomic_store_explicit(&record->wait_sequence, (sequence + 1) & ~1u, memory_order_relaxed);
	atomic_store_explicit(&record->tid, 0, memory_order_relaxed);
	atomic_store_explicit(&record->detached, 0, memory_order_relaxed);
	record->generation++;
	record->creation_stack = STACK_OVERFLOW;
	record->creator_tid = 0;
	record->started_ns = monotonic_ns();
	record->pthread = 0;
	record->start_routine = 0;
	record->start_argument = NULL;
	record->stack_low = record->stack_high = 0;
	record->counted = false;
	for (uint32_t place = 0; place < THREAD_LOCK_WAITS; place++)
		atomic_store_explicit(&record->waits_for[place], 0, memory_order_relaxed);
	atomic_store(&record->state, THREAD_LIVE);
	return record;
}

void thread_record_free(struct thread_record *record)
{
	atomic_store_explicit(&record->tid, 0, memory_order_relaxed);
	atomic_store(&record->state, THREAD_FREE);
	push_free(record);
}

void thread_record_released(struct thread_record *record)
{
	int ended = THREAD_EXITED;
	atomic_store(&record->detached, 1);
	if (atomic_compare_exchange_strong(&record->state, &ended, THREAD_FREE))
		thread_record_free(record);
}

/* The first words of the main thread's stack, where the program's arguments begin: set by the dynamic loader. */
extern void *__libc_stack_end;

static void find_main_stack(struct thread_record *record)
{
	struct {
		uint64_t soft, hard;
	} limit = { 0, 0 };
	sys4(SYS_prlimit64, 0, 3 /* RLIMIT_STACK */, 0, (long)&limit);
	uint64_t size = limit.soft - 1 < (uint64_t)1 << 30 ? limit.soft : (uint64_t)8 << 20;
	uintptr_t high = ((uintptr_t)__libc_stack_end + PAGE_SIZE - 1) & ~(uintptr_t)(PAGE_SIZE - 1);
	record->stack_high = high;
	record->stack_low = high > size ? high - (uintptr_t)size : 0;
}

/* A thread that we did not see begin: the main thread, or one made before us or by clone(). */
static struct thread_record *adopt_self(void)
{
	struct thread_record *record = thread_record_new();
	if (!record)
		return NULL;
	int tid = sys_gettid();
	atomic_store(&record->detached, 1);
	record->pthread = pthread_self();
	if (tid == sys_getpid())
		find_main_stack(record);
	atomic_store(&record->tid, tid);
	return record;
}

struct thread_record *thread_self(void)
{
	struct thread_record *record = tls.thread;
	if (!record) {
		record = adopt_self();
		tls.thread = record ? record : &thread_nobody;
	}
	return record == &thread_nobody ? NULL : record;
}

struct thread_record *threads_first(void)
{
	return atomic_load(&first_record);
}

uint64_t threads_created(void)
{
	return atomic_load_explicit(&created_count, memory_order_relaxed);
}

uint64_t threads_live(void)
{
	return atomic_load_explicit(&live_count, memory_order_relaxed);
}

/* The counters of a creation stack; those of [overflow] when the table is three quarters full. */
static struct creation *creation_of(uint32_t stack)
{
	uint64_t key = (uint64_t)stack + 1;
	uint32_t slot = (stack * 2654435761u) % THREADS_CREATIONS;
	for (uint32_t tried = 0; tried < THREADS_CREATIONS; tried++, slot = (slot + 1) % THREADS_CREATIONS) {
		uint64_t found = atomic_load_explicit(&creations[slot].key, memory_order_relaxed);
		if (found == key)
			return &creations[slot];
		if (found)
			continue;
		if (stack != STACK_OVERFLOW && atomic_load(&creation_count) >= THREADS_CREATIONS / 4 * 3)
			return creation_of(STACK_OVERFLOW);
		if (atomic_compare_exchange_strong(&creations[slot].key, &found, key)) {
			atomic_fetch_add(&creation_count, 1);
			return &creations[slot];
		}
		if (found == key)
			return &creations[slot];
	}
	return NULL;
}

static void count_creation(uint32_t stack, uint64_t created, uint64_t live)
{
	atomic_fetch_add_explicit(&created_count, created, memory_order_relaxed);
	atomic_fetch_add_explicit(&live_count, live, memory_order_relaxed);
	struct creation *creation = creation_of(stack);
	if (!creation)
		return;
	atomic_fetch_add_explicit(&creation->created, created, memory_order_relaxed);
	atomic_fetch_add_explicit(&creation->live, live, memory_order_relaxed);
}

void threads_count_created(uint32_t stack)
{
	count_creation(stack, 1, 1);
}

void threads_count_failed(uint32_t stack)
{
	count_creation(stack, (uint64_t)-1, (uint64_t)-1);
}

bool threads_creation(uint32_t slot, struct thread_creation *ret_creation)
{
	struct creation *creation = &creations[slot];
	uint64_t key = atomic_load_explicit(&creation->key, memory_order_relaxed);
	if (!key)
		return false;
	ret_creation->stack = (uint32_t)(key - 1);
	/* Live first: a thread that starts in between is then at worst taken for an ended one, never the reverse. */
	ret_creation->live = atomic_load_explicit(&creation->live, memory_order_relaxed);
	ret_creation->created = atomic_load_explicit(&creation->created, memory_order_relaxed);
	return true;
}

void thread_record_ended(struct thread_record *record)
{
	int live = THREAD_LIVE;
	uint32_t sequence = atomic_load_explicit(&record->wait_sequence, memory_order_relaxed);
	uint32_t stack = record->creation_stack;
	bool counted = record->counted;
	if (!atomic_compare_exchange_strong(&record->state, &live, THREAD_EXITED))
		return;
	atomic_compare_exchange_strong(&record->wait_sequence, &sequence, (sequence + 1) & ~1u);
	if (counted)
		count_creation(stack, 0, (uint64_t)-1);
	if (atomic_load(&record->detached))
		thread_record_released(record);
}

void threads_forked(void)
{
	struct thread_record *self = tls.thread;
	for (struct thread_record *record = threads_first(); record; record = record->next)
		if (record != self)
			atomic_store(&record->state, THREAD_FREE);
	atomic_store(&free_records, 0);
	for (struct thread_record *record = threads_first(); record; record = record->next)
		if (record != self)
			thread_record_free(record);
	for (uint32_t slot = 0; atomic_load(&creation_count) && slot < THREADS_CREATIONS; slot++) {
		if (!atomic_load_explicit(&creations[slot].key, memory_order_relaxed))
			continue;
		atomic_store(&creations[slot].created, 0);
		atomic_store(&creations[slot].live, 0);
	}
	atomic_store(&created_count, 0);
	atomic_store(&live_count, 0);
	if (!self || self == &thread_nobody)
		return;
	for (uint32_t place = 0; place < THREAD_LOCK_WAITS; place++)
		atomic_store(&self->waits_for[place], 0);
	/* It is the main thread of this process, whoever made it in the other. */
	atomic_store(&self->detached, 1);
	self->counted = false;
	self->creation_stack = STACK_OVERFLOW;
	self->creator_tid = 0;
	atomic_store(&self->tid, sys_gettid());
}
