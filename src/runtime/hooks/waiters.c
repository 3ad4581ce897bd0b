/* waiters.c - locks that are waited for: a hash table of entries that change by cmpxchg16b.
 *
 * An entry holds, of the threads that wait for one lock, their number n, the sum of the times until which each has been charged (its
 * start, until somebody unlocks), and the time of the last charge. A charge is n * now - sum, and makes the sum n * now. Who leaves
 * takes out of the sum what it has in it: the last charge, or its start if nobody has unlocked since. So the charges for one lock
 * add up to the time between each waiter's start and the last charge before it left, whatever comes between, and none is
 * counted twice. An entry of nobody is all zeros and any lock's.
 *
 * Times are ticks / 1024 (a third of a microsecond at 3 GHz), modulo the width of their field. What that bounds: a charge is less
 * than 2^51 units (20 years of threads' waiting at 3 GHz); and of a lock that several threads wait for, and that nobody has unlocked
 * for 2^42 units (17 days), the next charge is wrong if one of them has given up in between.
 */
#include "runtime/hooks/waiters.h"

#include <stddef.h>

#include "runtime/shared/losses.h"

#define BUCKETS 1024u
#define BUCKET_BITS 10
#define PER_BUCKET 4u /* a cache line */

#define UNIT_SHIFT 10
#define SUM_BITS 52
#define LAST_BITS 42
#define START_BITS 46
#define SUM_MASK (((uint64_t)1 << SUM_BITS) - 1)
#define LAST_MASK (((uint64_t)1 << LAST_BITS) - 1)
#define START_MASK (((uint64_t)1 << START_BITS) - 1)
#define WAITERS_MAX (((uint64_t)1 << (64 - SUM_BITS)) - 1) /* for one lock */
/* How far ahead of a reading of the clock what another thread has read may be: this one may have been interrupted since. */
#define AHEAD_MAX ((uint64_t)1 << (LAST_BITS - 4))

#define INDEX_BITS 12
#define GENERATIONS 63u
_Static_assert(1u << INDEX_BITS == BUCKETS * PER_BUCKET, "an index fits what waiters_enter returns");
_Static_assert(START_BITS + INDEX_BITS + 6 == 64, "what waiters_enter returns is full");

struct entry {
	/* number << SUM_BITS | sum */
	_Atomic uint64_t who;
	/* tag << LAST_BITS | last */
	_Atomic uint64_t what;
} __attribute__((aligned(16)));

struct state {
	uint64_t who, what;
};

static struct entry entries[BUCKETS * PER_BUCKET] __attribute__((aligned(4096)));
/* Of this process, 1 to GENERATIONS: what was entered before a fork is not left after it. */
static uint32_t generation = 1;

/* At the beginning of a cache line, and the entries, which are aligned to a page, follow: nothing else is written in it. */
_Atomic uint32_t waiters_total __attribute__((aligned(64)));

static inline bool exchange(struct entry *entry, const struct state *from, const struct state *to)
{
	struct state seen = *from;
	bool done;
	/* In assembly, since compilers call libatomic for it. */
	__asm__ volatile("lock cmpxchg16b %[at]"
	                 : [at] "+m"(*entry), "=@ccz"(done), "+a"(seen.who), "+d"(seen.what)
	                 : "b"(to->who), "c"(to->what)
	                 : "memory");
	return done;
}

/* Perhaps of two different moments: then no exchange with it succeeds. */
static inline struct state look(const struct entry *entry)
{
	return (struct state){ atomic_load_explicit(&entry->who, memory_order_relaxed),
		                   atomic_load_explicit(&entry->what, memory_order_relaxed) };
}

static inline uint64_t number(const struct state *state)
{
	return state->who >> SUM_BITS;
}

static inline struct state make(uint64_t count, uint64_t sum, uint64_t tag, uint64_t last)
{
	if (!count)
		return (struct state){ 0, 0 };
	return (struct state){ count << SUM_BITS | (sum & SUM_MASK), tag << LAST_BITS | (last & LAST_MASK) };
}

static inline uint64_t hash_of(uint64_t lock)
{
	uint64_t hash = lock * 0x9E3779B97F4A7C15u;
	return (hash ^ hash >> 32) * 0xD6E8FEB86659FD93u;
}

static inline struct entry *bucket_of(uint64_t hash)
{
	return &entries[(hash >> (64 - BUCKET_BITS)) * PER_BUCKET];
}

static inline uint64_t tag_of(uint64_t hash)
{
	return hash >> 16 & (((uint64_t)1 << (64 - LAST_BITS)) - 1);
}

/* How long ago that was. Less than 0: it was read by another thread a little later. */
static inline int64_t ago(uint64_t now, uint64_t then, uint64_t mask)
{
	uint64_t passed = (now - then) & mask;
	return passed > mask - AHEAD_MAX ? -(int64_t)(mask + 1 - passed) : (int64_t)passed;
}

/* The lock's entry, or one that is free; NULL if there is neither. */
static struct entry *find(uint64_t hash, struct state *ret_state)
{
	struct entry *bucket = bucket_of(hash), *free = NULL;
	for (uint32_t i = 0; i < PER_BUCKET; i++) {
		struct state state = look(&bucket[i]);
		if (number(&state) && state.what >> LAST_BITS == tag_of(hash)) {
			*ret_state = state;
			return number(&state) < WAITERS_MAX ? &bucket[i] : NULL;
		}
		if (!number(&state) && !free)
			free = &bucket[i];
	}
	*ret_state = (struct state){ 0, 0 };
	return free;
}

uint64_t waiters_enter(uint64_t lock, uint64_t now_ticks)
{
	uint64_t hash = hash_of(lock), start = now_ticks >> UNIT_SHIFT;
	struct entry *entry;
	struct state from, to;
	/* First, so that it is never 0 while there is an entry. */
	atomic_fetch_add_explicit(&waiters_total, 1, memory_order_relaxed);
	do {
		entry = find(hash, &from);
		if (!entry) {
			atomic_fetch_sub_explicit(&waiters_total, 1, memory_order_relaxed);
			loss_count(LOSS_WAITERS_FULL);
			return 0;
		}
		uint64_t last = number(&from) ? from.what : start;
		to = make(number(&from) + 1, from.who + start, tag_of(hash), last);
	} while (!exchange(entry, &from, &to));
	return (uint64_t)generation << (START_BITS + INDEX_BITS) | (uint64_t)(entry - entries) << START_BITS |
	       (start & START_MASK);
}

void waiters_leave(uint64_t entered, uint64_t now_ticks)
{
	if (!entered || entered >> (START_BITS + INDEX_BITS) != generation)
		return;
	struct entry *entry = &entries[entered >> START_BITS & (BUCKETS * PER_BUCKET - 1)];
	uint64_t now = now_ticks >> UNIT_SHIFT;
	int64_t waited = ago(now, entered, START_MASK);
	struct state from, to;
	do {
		from = look(entry);
		if (!number(&from))
			return;
		int64_t uncharged = ago(now, from.what, LAST_MASK);
		uint64_t charged_until = now - (uint64_t)(uncharged < waited ? uncharged : waited);
		to = make(number(&from) - 1, from.who - charged_until, from.what >> LAST_BITS, from.what);
	} while (!exchange(entry, &from, &to));
	atomic_fetch_sub_explicit(&waiters_total, 1, memory_order_relaxed);
}

/* In units; 0 = it is another lock's entry or nobody's, or its waiters began after `now` was read. */
static uint64_t charge(struct entry *entry, uint64_t tag, uint64_t now)
{
	struct state from, to;
	uint64_t due;
	do {
		from = look(entry);
		if (!number(&from) || from.what >> LAST_BITS != tag)
			return 0;
		due = (number(&from) * now - from.who) & SUM_MASK;
		if (due > SUM_MASK / 2)
			return 0;
		to = make(number(&from), number(&from) * now, tag, now);
	} while (!exchange(entry, &from, &to));
	return due;
}

uint64_t waiters_charge(uint64_t lock, uint64_t now_ticks)
{
	uint64_t hash = hash_of(lock), due = 0;
	struct entry *bucket = bucket_of(hash);
	/* All of them: a lock has two entries for a while if another one left the bucket as its waiters came. */
	for (uint32_t i = 0; i < PER_BUCKET; i++)
		due += charge(&bucket[i], tag_of(hash), now_ticks >> UNIT_SHIFT);
	return due << UNIT_SHIFT;
}

void waiters_forked(void)
{
	generation = generation % GENERATIONS + 1;
	if (!atomic_exchange_explicit(&waiters_total, 0, memory_order_relaxed))
		return;
	for (uint32_t i = 0; i < BUCKETS * PER_BUCKET; i++) {
		if (look(&entries[i]).who)
			entries[i] = (struct entry){ 0, 0 };
	}
}
