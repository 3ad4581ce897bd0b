/* cpu.c - sessions of the CPU profile: who wants samples, how fast, and the books of what was and was not sampled.
 *
 * All of it happens on the service thread; callers on other threads hand it over. Not here: who is armed and how (cpu_arm.c), and the profile
 * (cpu_profile.c).
 */
#include "runtime/collect/cpu.h"

#include <string.h>

#include "runtime/collect/cpu_arm.h"
#include "runtime/collect/cpu_perf.h"
#include "runtime/collect/cpu_session.h"
#include "runtime/collect/cpu_tasks.h"
#include "runtime/collect/cpu_timer.h"
#include "runtime/life.h"
#include "runtime/shared/pages.h"
#include "runtime/shared/settings.h"
#include "runtime/shared/sys.h"
#include "runtime/shared/unloaded.h"
#include "runtime/signal/cpu_sample.h"

#define NS_PER_S UINT64_C(1000000000)
/* What a thread's books may be off by, besides a tick of the scheduler: less is not told. */
#define NOISE_PERIODS 2u
/* How often a busy service thread is asked again to end a session. */
#define END_TRIES 5

/* The service thread's own. */
static struct {
	struct cpu_session *sessions[CPU_SESSIONS_MAX];
	uint32_t count;
	uint32_t unloaded; /* unloaded_sequence() of which the sessions know */
} cpu;

/* --- books ---------------------------------------------------------------------------------------------------------- */

static void name_thread(struct cpu_session *session, int tid)
{
	bool new;
	char *name = cpu_rows_name_slot(&session->rows, tid, &new);
	if (name && new)
		cpu_task_name(tid, name, CPU_NAME_SIZE);
}

static void add_sample(struct cpu_session *session, const struct cpu_sample *sample)
{
	int tid = session->wish.by_thread ? sample->tid : 0;
	if (tid)
		name_thread(session, tid);
	cpu_rows_add(&session->rows, sample->frames, sample->frame_count, tid, sample->periods, sample->ns);
	session->sampled_ns += sample->ns;
	session->cut += sample->cut;
	session->failed += sample->failed;
}

/* What was sampled in a file that has been unloaded since must not get the names of what lies there later. `sequence`: as it was before
 * the ring was drained, for then the file's samples were in it. */
static void forget_unloaded(uint32_t sequence)
{
	for (uint32_t i = 0; i < cpu.count && sequence != cpu.unloaded; i++) {
		cpu_rows_unload(&cpu.sessions[i]->rows, cpu.unloaded);
		for (uint32_t k = 0; k < CPU_RESTS; k++)
			if (unloaded_since(cpu.sessions[i]->rests[k].start_routine, cpu.unloaded))
				cpu.sessions[i]->rests[k].start_routine = PSEUDO_UNLOADED;
	}
	cpu.unloaded = sequence;
}

static void drain(void)
{
	struct cpu_sample sample;
	while (cpu_ring_next(&sample)) {
		for (uint32_t i = 0; i < cpu.count; i++)
			add_sample(cpu.sessions[i], &sample);
		cpu_ring_release();
	}
}

/* Time without a stack, told apart by the thread's start routine where that is known. */
static void add_unseen(struct cpu_session *session, const struct cpu_account *account, enum pseudo_frame leaf,
                       uint64_t ns)
{
	uintptr_t frames[2] = { leaf, account->start_routine };
	int tid = session->wish.by_thread ? account->tid : 0; /* 0: of many */
	if (tid)
		name_thread(session, tid);
	uint64_t periods = (ns + session->period_ns / 2) / session->period_ns;
	cpu_rows_add(&session->rows, frames, frames[1] ? 2 : 1, tid, periods ? periods : 1, ns);
}

static uint64_t beyond(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

/* Less than that, of one thread, is told of nobody. */
static uint64_t noise_ns(const struct cpu_session *session)
{
	return NOISE_PERIODS * session->period_ns + cpu_timer_tick_ns();
}

/* What the samples of a thread leave open, be it too much or too little, is summed up by start routine. */
static void add_rest(struct cpu_session *session, uintptr_t start_routine, int64_t ns, uint64_t kernel_ns)
{
	struct cpu_rest *rest = session->rests;
	uint32_t at = 0;
	while (at < CPU_RESTS - 1 && rest[at].threads && rest[at].start_routine != start_routine)
		at++;
	/* The last one is for all who come later. */
	rest[at].start_routine = at < CPU_RESTS - 1 ? start_routine : 0;
	rest[at].threads++;
	rest[at].ns += ns;
	rest[at].kernel_ns += kernel_ns;
}

/* Of one thread the rest is chance; of many it evens out, unless there is a reason: threads that live for less than a tick. */
static void book_rests(struct cpu_session *session)
{
	for (uint32_t i = 0; i < CPU_RESTS; i++) {
		const struct cpu_rest *rest = &session->rests[i];
		uint64_t ns = rest->ns > 0 ? (uint64_t)rest->ns : 0, times = ns / noise_ns(session);
		if (times < 2 || times * times <= rest->threads)
			continue;
		struct cpu_account nobody = { .start_routine = rest->start_routine };
		uint64_t kernel_ns = rest->kernel_ns < ns ? rest->kernel_ns : ns;
		if (kernel_ns) {
			session->kernel_ns += kernel_ns;
			add_unseen(session, &nobody, PSEUDO_KERNEL, kernel_ns);
		}
		if (kernel_ns == ns)
			continue;
		session->unknown_ns += ns - kernel_ns;
		add_unseen(session, &nobody, PSEUDO_UNKNOWN, ns - kernel_ns);
	}
}

/* Books what the session's samples do not show of the thread's time since the session began, or the thread was armed. */
static void settle(struct cpu_session *session, uint32_t slot, const struct cpu_account *account)
{
	struct cpu_base base = session->bases[slot];
	if (base.generation != account->generation)
		base = (struct cpu_base){ .clock_ns = account->begun_ns };
	session->bases[slot].generation = 0;
	uint64_t sampled_ns = beyond(account->sampled_ns, base.sampled_ns);
	uint64_t lost_ns = beyond(account->lost_ns, base.lost_ns),
			 blocked_ns = beyond(account->blocked_ns, base.blocked_ns);
	uint64_t unanswered_ns = beyond(account->unanswered_ns, base.unanswered_ns);
	int64_t rest_ns = (int64_t)beyond(account->clock_ns, base.clock_ns) - (int64_t)(sampled_ns + lost_ns + blocked_ns);
	if ((int64_t)unanswered_ns > rest_ns)
		unanswered_ns = rest_ns > 0 ? (uint64_t)rest_ns : 0;
	rest_ns -= (int64_t)unanswered_ns;
	blocked_ns += unanswered_ns;
	if (lost_ns) {
		session->lost_ns += lost_ns;
		add_unseen(session, account, PSEUDO_LOST, lost_ns);
	}
	if (blocked_ns > noise_ns(session)) {
		session->blocked_ns += blocked_ns;
		add_unseen(session, account, PSEUDO_BLOCKED, blocked_ns);
	}
	uint64_t kernel_ns = account->hides_kernel ? UINT64_MAX : beyond(account->kernel_ns, base.kernel_ns);
	if (rest_ns <= 0)
		kernel_ns = 0;
	else if (kernel_ns > (uint64_t)rest_ns)
		kernel_ns = (uint64_t)rest_ns;
	if (kernel_ns > noise_ns(session)) {
		session->kernel_ns += kernel_ns;
		add_unseen(session, account, PSEUDO_KERNEL, kernel_ns);
		rest_ns -= (int64_t)kernel_ns;
		kernel_ns = 0;
	}
	add_rest(session, account->start_routine, rest_ns, kernel_ns);
}

static void thread_ended(uint32_t slot, const struct cpu_account *account)
{
	for (uint32_t i = 0; i < cpu.count; i++)
		settle(cpu.sessions[i], slot, account);
}

static void note_bases(struct cpu_session *session)
{
	struct cpu_account account;
	for (uint32_t ix = 0; ix < cpu_slots_used(); ix++) {
		if (!cpu_arm_account(ix, false, &account))
			continue;
		session->bases[ix] = (struct cpu_base){
			.generation = account.generation,
			.clock_ns = account.clock_ns,
			.sampled_ns = account.sampled_ns,
			.lost_ns = account.lost_ns,
			.blocked_ns = account.blocked_ns,
			.unanswered_ns = account.unanswered_ns,
			.kernel_ns = account.kernel_ns,
		};
	}
}

/* --- rates ---------------------------------------------------------------------------------------------------------- */

static int fastest(void)
{
	int hz = 0;
	for (uint32_t i = 0; i < cpu.count; i++)
		hz = cpu.sessions[i]->wish.hz > hz ? cpu.sessions[i]->wish.hz : hz;
	return hz;
}

static uint64_t period_of(int hz)
{
	return NS_PER_S / (uint64_t)hz;
}

static void adjust_rate(void)
{
	int hz = fastest();
	cpu_arm_set_period(period_of(hz));
	for (uint32_t i = 0; i < cpu.count; i++)
		if (hz > cpu.sessions[i]->fastest_hz)
			cpu.sessions[i]->fastest_hz = hz;
}

/* --- begin and end, on the service thread --------------------------------------------------------------------------- */

struct beginning {
	struct cpu_session *session;
	const char *why; /* NULL: it has begun */
};

/* Clocks of the process now; as differences to the beginning when `session` ends. */
static void note_clocks(struct cpu_session *session)
{
	uint64_t service_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	session->process_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - service_ns - session->process_ns;
	session->duration_ns = monotonic_ns() - session->duration_ns;
}

static const char *begin(struct cpu_session *session)
{
	if (cpu.count == CPU_SESSIONS_MAX)
		return "too many CPU profiles at the same time";
	session->bases = pages_map(CPU_SLOTS_MAX * sizeof(*session->bases));
	if (!session->bases)
		return "no memory";
	if (cpu.count == 0) {
		cpu.unloaded = unloaded_sequence();
		const char *why = cpu_arm_begin(session->period_ns);
		if (why)
			return why;
		life_beat(true);
	}
	drain();
	session->time_ns = (int64_t)clock_ns(CLOCK_REALTIME);
	note_clocks(session);
	note_bases(session);
	session->fastest_hz = session->wish.hz;
	atomic_store(&session->state, CPU_SESSION_RUNNING);
	cpu.sessions[cpu.count++] = session;
	adjust_rate();
	return NULL;
}

static void begin_here(void *arg)
{
	struct beginning *beginning = arg;
	beginning->why = begin(beginning->session);
}

static void settle_all(struct cpu_session *session)
{
	struct cpu_account account;
	for (uint32_t ix = 0; ix < cpu_slots_used(); ix++)
		if (cpu_arm_account(ix, true, &account))
			settle(session, ix, &account);
}

/* Threads that have changed their names since their first samples. */
static void refresh_names(struct cpu_session *session)
{
	uint32_t at = 0;
	int tid;
	char *name;
	while (cpu_rows_names_next(&session->rows, &at, &tid, &name))
		cpu_task_name(tid, name, CPU_NAME_SIZE);
}

static void remove_session(const struct cpu_session *session)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < cpu.count; i++)
		if (cpu.sessions[i] != session)
			cpu.sessions[kept++] = cpu.sessions[i];
	cpu.count = kept;
}

/* Forgotten first: a fork child may come in between. */
static void free_bases(struct cpu_session *session)
{
	struct cpu_base *bases = session->bases;
	session->bases = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	if (bases)
		pages_unmap(bases, CPU_SLOTS_MAX * sizeof(*bases));
}

static void free_session(struct cpu_session *session)
{
	cpu_rows_release(&session->rows);
	free_bases(session);
	pages_unmap(session, sizeof(*session));
}

static void end(struct cpu_session *session, const char *why)
{
	uint32_t unloaded = unloaded_sequence();
	drain();
	note_clocks(session);
	settle_all(session);
	book_rests(session);
	forget_unloaded(unloaded);
	refresh_names(session);
	session->no_perf = cpu_arm_why_no_perf();
	session->unarmed = cpu_arm_unarmed();
	session->without_perf = cpu_arm_without_perf();
	session->in_kernel = cpu_arm_in_kernel();
	session->ended_why = why;
	remove_session(session);
	if (cpu.count == 0) {
		life_beat(false);
		cpu_arm_end();
	} else {
		adjust_rate();
	}
	free_bases(session);
	int running = CPU_SESSION_RUNNING;
	if (!atomic_compare_exchange_strong(&session->state, &running, CPU_SESSION_ENDED))
		free_session(session);
}

static bool is_running(const struct cpu_session *session)
{
	int state = atomic_load(&session->state);
	return state == CPU_SESSION_RUNNING || state == CPU_SESSION_LEFT;
}

static void end_here(void *arg)
{
	struct cpu_session *session = arg;
	if (is_running(session))
		end(session, NULL);
}

static void end_all(const char *why)
{
	while (cpu.count)
		end(cpu.sessions[cpu.count - 1], why);
}

void cpu_beat(void)
{
	uint32_t unloaded = unloaded_sequence();
	drain();
	cpu_arm_beat(thread_ended);
	forget_unloaded(unloaded);
	if (cpu_arm_has_lost_signal())
		end_all("ended early: the program has taken SIGURG, by which it was sampled, for itself");
	for (uint32_t i = cpu.count; i-- > 0;)
		if (atomic_load(&cpu.sessions[i]->state) == CPU_SESSION_LEFT)
			end(cpu.sessions[i], NULL);
}

void cpu_shutdown(void)
{
	end_all("ended early: the service thread was stopped");
}

/* The books are the parent's. What their owner here, if there is one, still holds says so, and keeps no memory but itself. */
void cpu_forked(void)
{
	for (uint32_t i = 0; i < cpu.count && i < CPU_SESSIONS_MAX; i++) {
		struct cpu_session *session = cpu.sessions[i];
		cpu_rows_release(&session->rows);
		free_bases(session);
		session->duration_ns = session->process_ns = session->sampled_ns = 0;
		session->ended_why = "ended early: this is a child of the process in which it began";
		atomic_store(&session->state, CPU_SESSION_ENDED);
	}
	cpu.count = 0;
	cpu_arm_forked();
}

/* Asks the service thread for nothing: it is not there, and a fork child is not set up yet. */
void cpu_drop(struct cpu_session *session)
{
	free_session(session);
}

/* --- from any thread ---------------------------------------------------------------------------------------------------- */

struct cpu_session *cpu_begin(const struct cpu_wish *wish, const char **ret_why)
{
	const char *why = cpu_why_off();
	struct cpu_session *session = why ? NULL : pages_map(sizeof(*session));
	if (!session) {
		*ret_why = why ? why : "no memory";
		return NULL;
	}
	session->wish = *wish;
	session->wish.hz = wish->hz < 1 ? CPU_HZ : wish->hz > CPU_HZ_MAX ? CPU_HZ_MAX : wish->hz;
	session->period_ns = period_of(session->wish.hz);
	struct beginning beginning = { session, "the service thread is busy" };
	if (!life_run(begin_here, &beginning) && life_why_off())
		beginning.why = life_why_off();
	if (!beginning.why)
		return session;
	*ret_why = beginning.why;
	free_session(session);
	return NULL;
}

void cpu_end(struct cpu_session *session)
{
	for (int tries = 0; tries < END_TRIES && is_running(session); tries++)
		life_run(end_here, session);
}

void cpu_release(struct cpu_session *session)
{
	cpu_end(session);
	int running = CPU_SESSION_RUNNING;
	if (!atomic_compare_exchange_strong(&session->state, &running, CPU_SESSION_LEFT))
		free_session(session);
}

const char *cpu_why_off(void)
{
	if (settings.signals_off)
		return "off: CPPROF_DISABLE=signals";
	return life_why_off();
}

static bool is_service_thread(void)
{
	int tid = life_service_tid();
	return tid && tid == sys_gettid();
}

/* What timers allow, by the ticks that kernels are built with. */
static const char *text_of_timers(void)
{
	switch (NS_PER_S / cpu_timer_tick_ns()) {
	case 100:
		return "timers, at most 100 a second for each thread";
	case 250:
		return "timers, at most 250 a second for each thread";
	case 300:
		return "timers, at most 300 a second for each thread";
	case 1000:
		return "timers, at most 1000 a second for each thread";
	}
	return "timers, at most one for each thread and tick of the scheduler";
}

const char *cpu_source_text(void)
{
	/* Trying opens a descriptor, which belongs into the service thread's table. */
	switch (is_service_thread() ? cpu_perf_access() : cpu_perf_known()) {
	case CPU_PERF_GRANTED:
		return "perf_event";
	case CPU_PERF_REFUSED:
		return text_of_timers();
	case CPU_PERF_UNTRIED:
		break;
	}
	return "perf_event where it is permitted, else timers";
}
