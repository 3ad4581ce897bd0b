/* life.c - the service thread's life: when it starts, what it is told to do, how it ends; and what a fork child does first.
 *
 * Not here: the thread itself (service_thread.c), its sockets (listeners.c), what it serves (serve/). docs/lifecycle.md says why.
 */
#include "runtime/life.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "runtime/address.h"
#include "runtime/api.h"
#include "runtime/collect/cpu.h"
#include "runtime/hooks/lock_names.h"
#include "runtime/hooks/malloc.h"
#include "runtime/hooks/real.h"
#include "runtime/hooks/wait_record.h"
#include "runtime/hooks/waiters.h"
#include "runtime/identity.h"
#include "runtime/lineage.h"
#include "runtime/listeners.h"
#include "runtime/serve/delta.h"
#include "runtime/serve/server.h"
#include "runtime/service_thread.h"
#include "runtime/shared/contention.h"
#include "runtime/shared/lock.h"
#include "runtime/shared/process.h"
#include "runtime/shared/region.h"
#include "runtime/shared/settings.h"
#include "runtime/shared/sys.h"
#include "runtime/shared/threads.h"
#include "runtime/signal/cpu_sample.h"
#include "runtime/signal/dump.h"
#include "runtime/speak.h"

#define NS_PER_MS UINT64_C(1000000)
/* The host is never held up for longer than this. */
#define PATIENCE_NS (2000 * NS_PER_MS)
/* A thread that was told to do something and cannot be woken looks by itself so often. */
#define RETRY_MS 200
/* An address that another process has is tried at that pace for ten seconds, then slower, then slower still. */
#define EAGER_TRIES 50
#define PATIENT_TRIES 110
#define PATIENT_RETRY_MS 1000
#define SLOW_RETRY_MS 5000
/* A program that allocates for so long, and never waits, is served, too. */
#define OLD_ENOUGH_NS (250 * NS_PER_MS)
#define FILES_LOOKED_AT 16

_Atomic int life_settled;

enum state {
	IDLE, /* no thread yet, or a fork child */
	STARTING,
	RUNNING,
	PAUSED, /* life_pause() */
	OFF,    /* for good */
};

enum order {
	ORDER_QUIT = 1,
	ORDER_LISTEN = 2,
	ORDER_ADOPT = 4,
	ORDER_CALL = 8,
};

enum call_state {
	CALL_NONE,
	CALL_ASKED,   /* may still be taken back */
	CALL_RUNNING, /* what it works on must stay until it is done */
	CALL_DONE,
};

static struct {
	_Atomic int state;
	_Atomic uint32_t started; /* futex: 1 once the new thread has let go of the host's descriptors and listens */
	_Atomic uint32_t files_seen;
	_Atomic uint64_t files; /* descriptors that were plain files, modulo 64 */
	const char *_Atomic off_reason;
	_Atomic bool filtered; /* a system call filter: children have it, too */
	bool begun;            /* the constructor has run */
	bool address_read;

	/* What the thread is told. Orders are given under the lock and numbered; the thread says which was the last it has done. */
	struct lock lock;
	uint32_t orders, last_order;
	_Atomic uint32_t done; /* futex */
	struct address listen_at;
	struct identity identity;
	_Atomic int listen_result;
	_Atomic int stop; /* for server_run: look at the orders */
	struct lock serve_lock;
	/* ORDER_CALL: one at a time. */
	struct lock call_lock;
	_Atomic uint32_t call_state; /* futex */
	void (*call_work)(void *arg);
	void *call_arg;

	/* The thread's own. */
	struct server *server;
	uint32_t tries;    /* of listeners_retry() */
	uint64_t retry_ns; /* CLOCK_MONOTONIC of the next one */
	bool beats;        /* cpu_beat() is wanted */
} life;

static void futex_wake(_Atomic uint32_t *word)
{
	sys3(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, INT32_MAX);
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
	struct timespec timeout = { (time_t)(timeout_ns / 1000000000u), (long)(timeout_ns % 1000000000u) };
	sys4(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, value, (long)&timeout);
}

/* --- on the service thread ---------------------------------------------------------------------------------------------- */

/* Milliseconds; 0: there is nothing to be tried again. */
static int retry_interval(void)
{
	if (listeners_missing())
		return life.tries < EAGER_TRIES ? RETRY_MS : life.tries < PATIENT_TRIES ? PATIENT_RETRY_MS : SLOW_RETRY_MS;
	return *listeners_local_address() ? 0 : RETRY_MS;
}

static int tick_interval(void)
{
	return life.beats ? CPU_BEAT_MS : retry_interval();
}

static void retry_if_due(void)
{
	uint64_t now_ns = monotonic_ns(), early_ns = RETRY_MS / 2 * NS_PER_MS; /* ticks keep no exact time */
	if (!retry_interval() || now_ns + early_ns < life.retry_ns)
		return;
	life.tries++;
	listeners_retry(life.server);
	life.retry_ns = now_ns + (uint64_t)retry_interval() * NS_PER_MS;
}

static void tick(void *unused)
{
	(void)unused;
	int before = tick_interval();
	if (life.beats)
		cpu_beat();
	retry_if_due();
	if (tick_interval() != before || atomic_load(&life.stop)) {
		atomic_store(&life.stop, 1); /* server_run is entered anew with another interval */
		server_wake(life.server);
	}
}

void life_beat(bool wanted)
{
	if (life.beats == wanted)
		return;
	life.beats = wanted;
	atomic_store(&life.stop, 1);
}

/* Unless its caller has given up waiting. */
static void do_call(void)
{
	uint32_t asked = CALL_ASKED;
	if (!atomic_compare_exchange_strong(&life.call_state, &asked, CALL_RUNNING))
		return;
	life.call_work(life.call_arg);
	atomic_store(&life.call_state, CALL_DONE);
	futex_wake(&life.call_state);
}

/* Does what was ordered; false when it was to quit. */
static bool obey(void)
{
	static struct identity identity;
	lock_wait(&life.lock);
	uint32_t orders = life.orders, number = life.last_order;
	struct address address = life.listen_at;
	if (orders & ORDER_ADOPT)
		identity = life.identity;
	life.orders = 0;
	lock_done(&life.lock);
	bool go_on = !(orders & ORDER_QUIT);
	/* A thread that could not give up what the host has given up must not go on. */
	if (orders & ORDER_ADOPT && !identity_adopt(&identity)) {
		atomic_store(&life.off_reason, "off: the service thread could not follow a change of user");
		go_on = false;
	}
	if (orders & ORDER_LISTEN)
		atomic_store(&life.listen_result, go_on ? listeners_add(life.server, &address) : -ECANCELED);
	if (orders & ORDER_CALL && go_on)
		do_call();
	if (go_on) {
		atomic_store(&life.done, number);
		futex_wake(&life.done);
	}
	return go_on;
}

static void serve(void)
{
	int failures = 0;
	do {
		uint64_t begun_ns = monotonic_ns();
		server_run(life.server, &life.stop, tick, NULL, tick_interval());
		if (!atomic_exchange(&life.stop, 0))
			failures = monotonic_ns() - begun_ns < 100 * NS_PER_MS ? failures + 1 : 0;
	} while (obey() && failures < 3);
}

static void name_thread(void)
{
	sys3(SYS_prctl, PR_SET_NAME, (long)"cpprof", 0);
}

static void use_plain_scheduling(void)
{
	/* A real-time thread that happens to start us has not asked for a real-time web server. */
	struct sched_param none = { 0 };
	long policy = sys3(SYS_sched_getscheduler, 0, 0, 0);
	if (policy == SCHED_FIFO || policy == SCHED_RR)
		sys3(SYS_sched_setscheduler, 0, SCHED_OTHER, (long)&none);
}

static void say_started(int state)
{
	atomic_store(&life.state, state);
	atomic_store(&life.started, 1);
	futex_wake(&life.started);
}

static void service(void)
{
	service_thread_drop_descriptors();
	name_thread();
	use_plain_scheduling();
	life.tries = 0;
	life.beats = false;
	life.server = server_new();
	if (!life.server) {
		atomic_store(&life.off_reason, "off: no memory or no descriptor for the server");
		say_started(OFF);
		return;
	}
	listeners_open(life.server);
	say_started(RUNNING);
	serve();
	cpu_shutdown(); /* nobody would take the samples any more */
	listeners_closed();
	server_free(life.server);
	life.server = NULL;
	int running = RUNNING; /* unless it was asked to quit, which its asker knows about */
	atomic_compare_exchange_strong(&life.state, &running, OFF);
	atomic_store(&life.done, life.last_order);
	futex_wake(&life.done);
}

/* --- starting ----------------------------------------------------------------------------------------------------------- */

static void want_environment_address(void)
{
	struct address address;
	if (life.address_read)
		return;
	life.address_read = true;
	if (!*settings.address || strcmp(settings.address, "off") == 0)
		return;
	if (address_parse(settings.address, &address))
		listeners_want(&address);
	else
		speak_bad_address(settings.address);
}

static void settle(void)
{
	atomic_store_explicit(&life_settled, 1, memory_order_relaxed);
}

/* Asks as valgrind documents it: a sequence of rotations that does nothing on a processor. Valgrind ends at a clone that it does not know,
 * and ours is one. */
static bool is_under_valgrind(void)
{
	const uint64_t request[6] = { 0x1001 /* RUNNING_ON_VALGRIND */ };
	uint64_t answer = 0;
	__asm__ volatile("rolq $3, %%rdi\n\t"
	                 "rolq $13, %%rdi\n\t"
	                 "rolq $61, %%rdi\n\t"
	                 "rolq $51, %%rdi\n\t"
	                 "xchgq %%rbx, %%rbx"
	                 : "+d"(answer)
	                 : "a"(request)
	                 : "cc", "memory", "rdi");
	return answer != 0;
}

/* No libc, no errno, nothing of the host's that could be held: called from inside malloc, too. */
static void start_from(int state)
{
	uint64_t mask;
	sys_block_signals(&mask); /* no handler may jump away in the middle */
	if (atomic_compare_exchange_strong(&life.state, &state, STARTING)) {
		want_environment_address();
		atomic_store(&life.started, 0);
		bool valgrind = is_under_valgrind();
		if (valgrind || service_thread_start(service)) {
			atomic_store(&life.off_reason, valgrind ? "off: the program runs under valgrind"
			                                        : "off: the service thread could not be started");
			say_started(OFF);
		}
		settle();
		/* Until it has closed its copies of the host's descriptors, a close of the host's is not the last one. */
		uint64_t deadline_ns = monotonic_ns() + PATIENCE_NS;
		while (!atomic_load(&life.started) && monotonic_ns() < deadline_ns)
			futex_wait(&life.started, 0, PATIENCE_NS);
		if (listeners_are_open())
			speak_open(listeners_address());
		if (listeners_problem())
			speak_unbound(settings.address, listeners_problem());
	}
	sys_restore_signals(&mask);
}

/* False in a child that shares our memory (vfork), in which nothing is to be touched. */
static bool is_own_process(void)
{
	return process_alive && sys_getpid() == process.pid;
}

static void start(void)
{
	if (settings.secure || settings.disabled)
		settle();
	else if (life.begun && is_own_process())
		start_from(IDLE);
}

static bool is_regular_file(int fd)
{
	struct stat status;
	return sys3(SYS_fstat, fd, (long)&status, 0) >= 0 && S_ISREG(status.st_mode);
}

void life_waits_slow(int fd)
{
	process_check();
	if (fd >= 0) {
		/* A descriptor that was a file is looked at less and less; another is looked at. */
		uint64_t bit = (uint64_t)1 << (fd % 64);
		uint32_t seen = atomic_fetch_add_explicit(&life.files_seen, 1, memory_order_relaxed);
		bool was_file = atomic_load_explicit(&life.files, memory_order_relaxed) & bit;
		if (was_file && seen >= FILES_LOOKED_AT && seen % 64 != 0)
			return;
		if (is_regular_file(fd)) {
			atomic_fetch_or_explicit(&life.files, bit, memory_order_relaxed);
			return;
		}
	}
	start();
}

void life_threads_begin(void)
{
	if (atomic_load_explicit(&life_settled, memory_order_relaxed))
		return;
	process_check();
	start();
}

void life_sampled(void)
{
	if (atomic_load_explicit(&life_settled, memory_order_relaxed) || !process_alive ||
	    monotonic_ns() - process.started_ns < OLD_ENOUGH_NS)
		return;
	process_check();
	start();
}

bool life_is_unfollowed(void)
{
	return !settings.follow && lineage_is_child_program();
}

void life_begin(void)
{
	if (settings.secure || settings.disabled) {
		settle();
		return;
	}
	speak_begin();
	if (settings.bad_rate.name)
		speak_bad_setting(settings.bad_rate.name, settings.bad_rate.text,
		                  "a whole number is wanted; the default is used");
	if (settings.bad_disable)
		speak_bad_setting("CPPROF_DISABLE", settings.bad_disable,
		                  "known are all, heap, threads, block, wait, signals, perf, names, helper");
	life.begun = true;
	/* Threads that constructors in front of ours have made could not start it. */
	if (lineage_is_run_target() || threads_created() > 0)
		start();
}

/* --- telling it --------------------------------------------------------------------------------------------------------- */

/* Numbers the order whose particulars the caller has stored; with the lock held, which it releases. */
static uint32_t give_order(enum order order)
{
	life.orders |= order;
	uint32_t number = ++life.last_order;
	lock_done(&life.lock);
	atomic_store(&life.stop, 1);
	listeners_knock();
	return number;
}

/* True when the order has been carried out, or the thread has ended. */
static bool await_order(uint32_t number)
{
	uint64_t deadline_ns = monotonic_ns() + PATIENCE_NS;
	for (;;) {
		uint32_t done = atomic_load(&life.done);
		if ((int32_t)(done - number) >= 0 || service_thread_tid() == 0)
			return true;
		if (monotonic_ns() >= deadline_ns)
			return false;
		futex_wait(&life.done, done, 50 * NS_PER_MS);
	}
}

static bool quit(int next_state)
{
	uint64_t mask;
	int running = RUNNING;
	process_check();
	if (!is_own_process() || !atomic_compare_exchange_strong(&life.state, &running, next_state))
		return false;
	settle();
	sys_block_signals(&mask);
	lock_wait(&life.lock);
	give_order(ORDER_QUIT);
	bool ended = service_thread_join(PATIENCE_NS);
	if (!ended)
		atomic_store(&life.state, OFF);
	sys_restore_signals(&mask);
	return ended;
}

static void await_start(void)
{
	for (int i = 0; atomic_load(&life.state) == STARTING && i < 40; i++) /* by another thread */
		futex_wait(&life.started, 0, 50 * NS_PER_MS);
}

bool life_pause(void)
{
	await_start();
	return quit(PAUSED);
}

void life_resume(void)
{
	start_from(PAUSED);
}

void life_stop(const char *reason)
{
	process_check();
	if (!is_own_process())
		return;
	atomic_store(&life.off_reason, reason);
	atomic_store(&life.filtered, true);
	heap_stop();
	hooks_off = true;
	wait_rates_set();
	settle();
	await_start();
	if (!quit(OFF))
		atomic_store(&life.state, OFF);
	/* Should the thread be busy for longer: threads that begin from now on arm nothing for themselves. */
	atomic_store(&cpu_running, false);
}

void life_identity_changed(void)
{
	uint64_t mask;
	process_check();
	if (atomic_load(&life.state) != RUNNING || !is_own_process())
		return;
	sys_block_signals(&mask);
	lock_wait(&life.lock);
	identity_read(&life.identity);
	await_order(give_order(ORDER_ADOPT));
	sys_restore_signals(&mask);
}

static int listen_at(const struct address *address)
{
	uint64_t mask;
	sys_block_signals(&mask);
	lock_wait(&life.serve_lock);
	atomic_store(&life.listen_result, -ETIMEDOUT);
	lock_wait(&life.lock);
	life.listen_at = *address;
	await_order(give_order(ORDER_LISTEN));
	int result = atomic_load(&life.listen_result);
	lock_done(&life.serve_lock);
	sys_restore_signals(&mask);
	return result;
}

/* True when the call has been made; false when it never will be. */
static bool await_call(void)
{
	uint64_t deadline_ns = monotonic_ns() + PATIENCE_NS;
	for (;;) {
		uint32_t state = atomic_load(&life.call_state), asked = CALL_ASKED;
		if (state == CALL_DONE)
			return true;
		bool hopeless = service_thread_tid() == 0 || monotonic_ns() >= deadline_ns;
		if (hopeless && atomic_compare_exchange_strong(&life.call_state, &asked, CALL_NONE))
			return false;
		futex_wait(&life.call_state, state, 50 * NS_PER_MS);
	}
}

static bool have_called(void (*work)(void *arg), void *arg)
{
	uint64_t mask;
	sys_block_signals(&mask);
	lock_wait(&life.call_lock);
	life.call_work = work;
	life.call_arg = arg;
	atomic_store(&life.call_state, CALL_ASKED);
	lock_wait(&life.lock);
	give_order(ORDER_CALL);
	bool done = await_call();
	lock_done(&life.call_lock);
	sys_restore_signals(&mask);
	return done;
}

bool life_run(void (*work)(void *arg), void *arg)
{
	process_check();
	if (sys_gettid() == service_thread_tid()) {
		work(arg);
		return true;
	}
	if (settings.secure || settings.disabled)
		return false;
	life.begun = true; /* a constructor that runs before ours may call this */
	start();
	await_start();
	return atomic_load(&life.state) == RUNNING && is_own_process() && have_called(work, arg);
}

static void copy_bound(char *to, uint32_t size)
{
	const char *bound = life_address();
	size_t length = strlen(bound);
	if (!to || size == 0)
		return;
	if (length >= size)
		length = size - 1;
	memcpy(to, bound, length);
	to[length] = '\0';
}

int life_serve(const char *address_text, char *ret_bound, uint32_t size)
{
	struct address address;
	if (settings.disabled)
		return 0;
	if (settings.secure)
		return -EPERM;
	if (address_text && !address_parse(address_text, &address))
		return -EINVAL;
	process_check();
	life.begun = true; /* a constructor that runs before ours may call this */
	start();
	await_start();
	if (atomic_load(&life.state) != RUNNING)
		return -EPERM;
	int result = address_text ? listen_at(&address) : 0;
	if (result == 0 && address_text && address.kind == LISTEN_OPEN)
		speak_open(life_address());
	copy_bound(ret_bound, size);
	return result;
}

/* --- facts -------------------------------------------------------------------------------------------------------------- */

int life_service_tid(void)
{
	return service_thread_tid();
}

const char *life_address(void)
{
	return listeners_address();
}

const char *life_why_off(void)
{
	if (settings.disabled || settings.secure)
		return settings.secure ? "off: the program runs with another user's rights"
		                       : "off: CPPROF_DISABLE=all, or CPPROF_FOLLOW=0";
	return atomic_load(&life.state) == OFF ? atomic_load(&life.off_reason) : NULL;
}

/* --- a fork child ------------------------------------------------------------------------------------------------------- */

static void forget_parent(void)
{
	threads_forked();
	cpu_samples_forked();
	cpu_forked();
	api_forked();
	dump_forked();
	heap_forked();
	contention_forked();
	waiters_forked();
	lock_names_forked();
	deltas_forked();
	work_forked();
	service_thread_forked();
	listeners_closed();
	lock_reset(&life.lock);
	lock_reset(&life.serve_lock);
	lock_reset(&life.call_lock);
	atomic_store(&life.call_state, CALL_NONE);
	life.beats = false;
	life.orders = 0;
	atomic_store(&life.done, life.last_order);
	atomic_store(&life.stop, 0);
	atomic_store(&life.files_seen, 0);
	/* Its descriptors were in the parent's service thread's table: there is nothing to close. */
	life.server = NULL;
	process.pid = sys_getpid();
	process.started_ns = monotonic_ns();
	bool off = atomic_load(&life.filtered) || settings.secure || settings.disabled;
	atomic_store(&life.state, off ? OFF : IDLE);
	atomic_store(&life_settled, off);
}

void process_check_slow(void)
{
	uint64_t mask;
	/* Under a filter that may kill for a system call of ours there is none, and nothing is on that would need one. */
	if (atomic_load(&life.filtered)) {
		__atomic_store_n(&process_alive[0], PROCESS_ALIVE, __ATOMIC_RELEASE);
		return;
	}
	sys_block_signals(&mask);
	/* The page was emptied: word 0 says whether this is done, word 1 who does it. */
	if (!__atomic_exchange_n(&process_alive[1], 1, __ATOMIC_ACQ_REL)) {
		forget_parent();
		__atomic_store_n(&process_alive[0], PROCESS_ALIVE, __ATOMIC_RELEASE);
	}
	while (!__atomic_load_n(&process_alive[0], __ATOMIC_ACQUIRE))
		sys3(SYS_sched_yield, 0, 0, 0);
	sys_restore_signals(&mask);
}
