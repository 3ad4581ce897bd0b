/* cpu_sample.h - samples of processor time: what the handler of our signal does with one, and the ring in which they wait for the service
 * thread. Not who is sampled and how that is armed (collect/cpu_arm.c), nor what becomes of the samples (collect/cpu.c).
 *
 * Each sampled thread has a slot, which its signals name: a timer's by its value (OUR_MARK_CPU << 48 | generation << 16 | slot, the
 * generation cut to 32 bits), perf_event's by its descriptor (cpu_slot_of_fd; the descriptor is one of the service thread's table). The handler checks that slot, generation
 * and thread fit, reads the thread's CPU clock, unwinds, and puts one record into the ring. A signal that comes late, after the slot was given
 * up, does nothing.
 *
 * Time: a slot remembers the thread's CPU clock at its last sample. A timer's signal stands for si_overrun + 1 periods, perf_event's for one.
 * Signals that were held up come in a burst (perf_event) or with a large overrun (timers). If the thread returns from a system call, that call
 * has used the time, and the samples are its; else, or if the call was the one that unblocks signals, the thread had blocked our signal, and
 * the time goes to blocked_ns without a sample.
 *
 * TSan-clean as a plain library: slots and ring are atomics.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_CPU_SAMPLE_H
#define CPPROF_RUNTIME_SIGNAL_CPU_SAMPLE_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "runtime/shared/frames.h"

#define CPU_SLOTS_MAX 16384u
#define CPU_FDS_MAX 65536u

enum cpu_source {
	CPU_SOURCE_NONE,
	CPU_SOURCE_PERF,  /* perf_event's software clock: true to any rate */
	CPU_SOURCE_TIMER, /* a timer on the thread's CPU clock: at most one signal for each scheduler tick */
};

struct cpu_slot {
	_Atomic int tid; /* 0 = free */
	_Atomic uint32_t generation;
	_Atomic int source; /* enum cpu_source */
	/* The kernel's id, -1 = none. Whoever exchanges it for -1 deletes the timer: ids are given out again. */
	_Atomic int timer;
	_Atomic uint32_t handled;        /* signals that have arrived */
	_Atomic uint64_t begun_ns;       /* the thread's CPU clock when it was armed */
	_Atomic uint64_t last_ns;        /* ... at the last sample */
	_Atomic uint64_t ended_ns;       /* ... when the thread ended (cpu_self_end); 0 = it has not, or nobody saw it */
	_Atomic uint64_t sampled_ns;     /* periods that samples in the ring stand for */
	_Atomic uint64_t lost_ns;        /* periods whose samples found no room */
	_Atomic uint64_t blocked_ns;     /* periods held up while the thread blocked our signal */
	_Atomic uintptr_t start_routine; /* 0 = unknown */
};

/* True while anything is sampled: the one word that a new thread looks at. */
extern _Atomic bool cpu_running __attribute__((visibility("hidden")));
/* Nanoseconds of CPU time from one sample to the next, of all threads. Set before cpu_running. */
extern _Atomic uint64_t cpu_period_ns __attribute__((visibility("hidden")));

/* How many timers may be made until the service thread has counted again: each takes room in the queue of signals that the user's processes share. */
extern _Atomic int32_t cpu_timers_left __attribute__((visibility("hidden")));
/* Takes one of them. Any territory. */
bool cpu_timer_take(void);

/* A timer on `clock`, the thread's CPU clock, whose signals name the slot: into slot->timer, and the source. `random` chooses the first expiry within
 * a period. False: the kernel refuses. Any territory. */
bool cpu_timer_make(uint32_t ix, int tid, int clock, uint64_t period_ns, uint64_t random);
/* Deletes the slot's timer, if it has one. */
void cpu_slot_drop_timer(struct cpu_slot *slot);

/* Maps slots and ring: false = no memory. Idempotent. P. `ring_bytes`: a power of two. */
bool cpu_samples_init(uint32_t ring_bytes);
/* A slot for this thread, of a new generation and source NONE; -1: all are taken (LOSS_CPU_THREADS_FULL). Lock-free; H and P. */
int32_t cpu_slot_take(int tid);
/* Signals that name it do nothing from now on. P, or H for the thread's own. */
void cpu_slot_free(uint32_t slot);
struct cpu_slot *cpu_slot_at(uint32_t slot);
/* One more than the highest slot ever taken. */
uint32_t cpu_slots_used(void);
/* The value of a timer's signal for this slot as it is now. */
uint64_t cpu_slot_value(uint32_t slot);
/* perf_event: this descriptor's signals are for this slot; -1 = nobody's. False: the number is too large. P. */
bool cpu_slot_of_fd_set(int fd, int32_t slot);

/* The handler's part, for si_code SI_TIMER with OUR_MARK_CPU or a POLL_* code. True: it was meant for us, also if it came too late. S. */
bool cpu_handle(const siginfo_t *info, const ucontext_t *context);

/* True where the kernel sends a timer's signal from within a system call, which then ends in EINTR: before Linux 5.10. S. */
bool cpu_signals_interrupt(void);

/* A new thread arms itself with a timer, first expiry at random within a period, if cpu_running: so that one that lives for a millisecond
 * has its chance. And notes its CPU clock at its end. Called in the thread (hooks/threads.c). Errno and masks stay. H. */
void cpu_self_begin(uintptr_t start_routine);
void cpu_self_end(void);

/* One sample as it lies in the ring. */
struct cpu_sample {
	uint32_t slot, generation;
	int tid;
	uint32_t periods; /* that it stands for, >= 1 */
	uint64_t ns;      /* periods * the period when it was taken */
	uint32_t frame_count;
	bool cut, failed;
	const uintptr_t *frames; /* in the ring: valid until cpu_ring_release */
};
/* The oldest sample; false: none that is complete. One consumer: the service thread. */
bool cpu_ring_next(struct cpu_sample *ret_sample);
/* The sample got last is done with: its room is free. */
void cpu_ring_release(void);

/* In a fork child, before anything else: nothing is sampled, slots and ring are empty, timers and descriptors are not there. */
void cpu_samples_forked(void);

#endif
