/* cpu.h - the CPU profile: sessions that share one sampler.
 *
 * The sampler lives on the service thread: it arms all threads of the process when the first session begins, looks for new ones and takes the
 * samples out of the ring at each beat (CPU_BEAT_MS), adds them to every session, and disarms when the last session ends. The rate is the
 * highest that a session asks for; each session's period is what it has asked for, its nanoseconds are exact.
 */
#ifndef CPPROF_RUNTIME_COLLECT_CPU_H
#define CPPROF_RUNTIME_COLLECT_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/collect/table.h"

#define CPU_HZ 100
#define CPU_HZ_MAX 1000
#define CPU_BEAT_MS 100
#define CPU_SESSIONS_MAX 16

struct cpu_session;

struct cpu_wish {
	int hz;         /* 1 to CPU_HZ_MAX */
	bool by_thread; /* labels "thread" (its name) and "tid" */
};

/* Begins to sample. NULL and *ret_why (static text) if that cannot be done. Any P thread outside work_run: what must run on the service
 * thread is handed over to it (life_run). */
struct cpu_session *cpu_begin(const struct cpu_wish *wish, const char **ret_why);
/* Takes what the ring still holds; the session changes no more. If it is the last one, everything is disarmed. Any P thread. */
void cpu_end(struct cpu_session *session);
/* The profile of an ended session. Inside work_run. */
void collect_cpu(const struct cpu_session *session, struct table *ret_table);
/* Also ends it, if need be. Its memory goes. Any P thread. */
void cpu_release(struct cpu_session *session);

/* On the service thread: a beat; every session ended, when the thread is about to end. */
void cpu_beat(void);
void cpu_shutdown(void);
/* In a fork child, before anything else; and what becomes there of a session that the program's own thread had begun in the parent. */
void cpu_forked(void);
void cpu_drop(struct cpu_session *session);

/* For the index: "off: ...", or NULL; and what the samples come from: "perf_event", "timers, at most 250 a second for each thread". */
const char *cpu_why_off(void);
const char *cpu_source_text(void);

#endif
