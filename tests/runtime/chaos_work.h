/* chaos_work.h - the workers of chaos.c: each runs until chaos_stop, tells how far it is, and ends the program when something is wrong.
 */
#ifndef CHAOS_WORK_H
#define CHAOS_WORK_H

#include "chaos.h"

struct worker {
	const char *name;
	void *(*run)(void *worker);
	uint32_t seed;
	_Atomic uint64_t progress; /* rounds done: the watchdog looks whether it moves */
	pthread_t thread;
	_Atomic bool ended;
};

extern _Atomic bool chaos_stop;
extern _Atomic uint64_t chaos_threads; /* made by pthread_create in this process so far */
extern const char *chaos_plugins[2];
extern const char *chaos_self;

/* pthread_create, counted. */
pthread_t chaos_start(void *(*routine)(void *), void *argument);
pthread_t chaos_start_with(const pthread_attr_t *attributes, void *(*routine)(void *), void *argument);
/* The worker has done another round. */
#define CHAOS_GOES_ON(worker) ((void)atomic_fetch_add_explicit(&(worker)->progress, 1, memory_order_relaxed))

/* chaos_work.c: what threads do with each other. */
void *chaos_counters(void *worker);
void *chaos_turns(void *worker);
void *chaos_semaphores(void *worker);
void *chaos_barriers(void *worker);
void *chaos_readers(void *worker);
void *chaos_pipes(void *worker);
void *chaos_times(void *worker);
/* chaos_life.c: what is born and dies. */
void *chaos_spawns(void *worker);
void *chaos_small(void *worker);
void *chaos_forks(void *worker);
void *chaos_plugs(void *worker);
void *chaos_signals(void *worker);
void *chaos_memory(void *worker);
void *chaos_jumps(void *worker);

/* What a child does that was executed: chaos_self "child". */
int chaos_child(void);

#endif
