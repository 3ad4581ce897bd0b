/* collect_fakes.h - for tests of collect/ alone: what it asks of the parts that unwind, count threads and keep stacks. */
#ifndef CPPROF_TESTS_RUNTIME_COLLECT_FAKES_H
#define CPPROF_TESTS_RUNTIME_COLLECT_FAKES_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/shared/process.h"
#include "runtime/shared/region.h"
#include "runtime/shared/stack_table.h"
#include "runtime/shared/sys.h"
#include "runtime/shared/threads.h"
#include "runtime/signal/unwind.h"

/* Addresses in [fake_own_low, fake_own_high) are those of wrappers of ours. */
static uintptr_t fake_own_low, fake_own_high;
/* The one stack that there is, id 1. */
static uintptr_t fake_stack[8];
static uint32_t fake_stack_count;

void process_check_slow(void)
{
}

bool unwind_is_own(uintptr_t address)
{
	return address >= fake_own_low && address < fake_own_high;
}

const uintptr_t *stack_table_get(uint32_t id, uint32_t *ret_count)
{
	*ret_count = id == 1 ? fake_stack_count : 0;
	return fake_stack;
}

const char *wait_call_name(enum wait_call call)
{
	return call == WAIT_pthread_cond_wait ? "pthread_cond_wait" : "read";
}

/* work_run for cmocka, whose failed assertions jump out of it: the lock that they leave held, and the signals that they leave
 * blocked, are those of no work. */
static inline bool fake_run(void (*work)(void *arg))
{
	uint64_t none = 0;
	work_forked();
	sys_restore_signals(&none);
	return work_run(work, NULL);
}

#endif
