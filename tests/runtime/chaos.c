/* chaos.c - everything that a C program may do, at once: chaos SECONDS SEED PLUGIN PLUGIN. Knows nothing of the library.
 *
 * Threads are born and die, processes fork, plugins come and go, signals interrupt, locks are fought for, memory is exchanged; everything checks
 * itself, and a wrong result, an EINTR that nobody here caused, a lost wake-up, a changed errno ends the program with a message. So does a worker
 * that has not got on for a minute.
 *
 * Beside it some things are planted whose answer is known: how much planted_leak() has lost, how often and how long planted_wait() has
 * waited for planted_unlock(), how often planted_sleep() has slept, how many threads were made. It prints them in the end, "key value",
 * then "ready", and waits for its standard input to close, so that the profiles can be compared with them.
 */
#include "chaos_work.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>

enum { STUCK_SECONDS = 60, LEAK_SIZE = 1000 };

_Atomic bool chaos_stop;
_Atomic uint64_t chaos_threads;
const char *chaos_plugins[2], *chaos_self;

static struct worker workers[] = {
	{ .name = "counters", .run = chaos_counters }, { .name = "counters", .run = chaos_counters },
	{ .name = "turns", .run = chaos_turns },       { .name = "semaphores", .run = chaos_semaphores },
	{ .name = "barriers", .run = chaos_barriers }, { .name = "readers", .run = chaos_readers },
	{ .name = "pipes", .run = chaos_pipes },       { .name = "times", .run = chaos_times },
	{ .name = "spawns", .run = chaos_spawns },     { .name = "forks", .run = chaos_forks },
	{ .name = "plugs", .run = chaos_plugs },       { .name = "signals", .run = chaos_signals },
	{ .name = "memory", .run = chaos_memory },     { .name = "memory", .run = chaos_memory },
	{ .name = "jumps", .run = chaos_jumps },       { .name = "small", .run = chaos_small },
};
#define WORKERS (sizeof(workers) / sizeof(workers[0]))

pthread_t chaos_start_with(const pthread_attr_t *attributes, void *(*routine)(void *), void *argument)
{
	pthread_t thread;
	QUIET(pthread_create(&thread, attributes, routine, argument));
	atomic_fetch_add(&chaos_threads, 1);
	return thread;
}

pthread_t chaos_start(void *(*routine)(void *), void *argument)
{
	return chaos_start_with(NULL, routine, argument);
}

/* ---- what is planted ---- */

static pthread_mutex_t planted_mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int planted_tid;
static _Atomic uint64_t planted_begun;
static uint64_t waits, wait_at_least_ns, wait_at_most_ns, leaks, sleeps;
static void *volatile leaked;

static void pause_for(uint64_t ns)
{
	struct timespec until = chaos_after(CLOCK_MONOTONIC, ns);
	MUST(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
}

static bool is_asleep(int tid)
{
	char path[64], text[256];
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (length <= 0)
		return false;
	text[length] = 0;
	const char *state = strrchr(text, ')');
	return state && state[1] && state[2] == 'S';
}

__attribute__((noinline)) static void planted_wait(void)
{
	atomic_store(&planted_begun, chaos_now(CLOCK_MONOTONIC));
	QUIET(pthread_mutex_lock(&planted_mutex));
	wait_at_most_ns += chaos_now(CLOCK_MONOTONIC) - atomic_load(&planted_begun);
	QUIET(pthread_mutex_unlock(&planted_mutex));
}

static _Atomic int planted_turn; /* 1: wait; 2: has waited; 3: end */

static void *planted_waiter(void *unused)
{
	atomic_store(&planted_tid, (int)syscall(SYS_gettid));
	for (;;) {
		int turn = atomic_load(&planted_turn);
		if (turn == 3)
			return unused;
		if (turn == 1) {
			planted_wait();
			atomic_store(&planted_turn, 2);
		}
		usleep(200);
	}
}

__attribute__((noinline)) static void planted_unlock(void)
{
	QUIET(pthread_mutex_unlock(&planted_mutex));
	__asm__ volatile("");
}

__attribute__((noinline)) static void planted_leak(void)
{
	leaked = malloc(LEAK_SIZE);
	MUST(leaked);
	leaks++;
}

__attribute__((noinline)) static void planted_sleep(void)
{
	struct timespec time = { 0, 2000000 };
	MUST(nanosleep(&time, NULL) == 0);
	sleeps++;
}

/* One wait of another thread for us; it sleeps in the kernel while we hold the lock for some milliseconds. */
static void plant(void)
{
	QUIET(pthread_mutex_lock(&planted_mutex));
	atomic_store(&planted_begun, 0);
	atomic_store(&planted_turn, 1);
	while (!atomic_load(&planted_begun))
		pause_for(50000);
	pause_for(200000);
	while (!is_asleep(atomic_load(&planted_tid)))
		pause_for(50000);
	uint64_t asleep = chaos_now(CLOCK_MONOTONIC);
	pause_for(3000000);
	wait_at_least_ns += chaos_now(CLOCK_MONOTONIC) - asleep;
	planted_unlock();
	while (atomic_load(&planted_turn) != 2)
		pause_for(50000);
	waits++;
	planted_leak();
	planted_sleep();
}

/* ---- the watchdog ---- */

static _Atomic bool all_ended;

static void *watch(void *unused)
{
	uint64_t seen[WORKERS] = { 0 };
	int quiet[WORKERS] = { 0 }, ticks = 0;
	while (!atomic_load(&all_ended)) {
		pause_for(200000000);
		if (++ticks % 5)
			continue;
		for (size_t i = 0; i < WORKERS; i++) {
			uint64_t progress = atomic_load(&workers[i].progress);
			quiet[i] = progress == seen[i] && !atomic_load(&workers[i].ended) ? quiet[i] + 1 : 0;
			seen[i] = progress;
			if (quiet[i] > STUCK_SECONDS)
				chaos_fail(workers[i].name, "does not get on", quiet[i]);
		}
	}
	return unused;
}

static void tell(const char *key, uint64_t value)
{
	printf("%s %llu\n", key, (unsigned long long)value);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "child") == 0)
		return chaos_child();
	if (argc < 5)
		return 2;
	chaos_self = argv[0];
	chaos_plugins[0] = argv[3];
	chaos_plugins[1] = argv[4];
	/* Whoever wants signals lets them in: nobody else bears an EINTR. */
	sigset_t used;
	sigemptyset(&used);
	sigaddset(&used, SIGUSR1);
	sigaddset(&used, SIGUSR2);
	sigaddset(&used, SIGALRM);
	sigaddset(&used, SIGPROF);
	pthread_sigmask(SIG_BLOCK, &used, NULL);
	puts("begun");
	fflush(stdout);
	uint64_t end = chaos_now(CLOCK_MONOTONIC) + strtoull(argv[1], NULL, 10) * 1000000000u;
	pthread_t waiter = chaos_start(planted_waiter, NULL), watchdog = chaos_start(watch, NULL);
	while (!atomic_load(&planted_tid))
		pause_for(100000);
	for (size_t i = 0; i < WORKERS; i++) {
		workers[i].seed = (uint32_t)strtoul(argv[2], NULL, 10) + (uint32_t)i * 7919u;
		workers[i].thread = chaos_start(workers[i].run, &workers[i]);
	}
	while (chaos_now(CLOCK_MONOTONIC) < end)
		plant();
	atomic_store(&planted_turn, 3);
	QUIET(pthread_join(waiter, NULL));
	atomic_store(&chaos_stop, true);
	for (size_t i = 0; i < WORKERS; i++) {
		QUIET(pthread_join(workers[i].thread, NULL));
		atomic_store(&workers[i].ended, true);
		printf("worker %s %llu\n", workers[i].name, (unsigned long long)workers[i].progress);
	}
	atomic_store(&all_ended, true);
	QUIET(pthread_join(watchdog, NULL));
	tell("waits", waits);
	tell("wait_at_least_ns", wait_at_least_ns);
	tell("wait_at_most_ns", wait_at_most_ns);
	tell("leaks", leaks);
	tell("leaked_bytes", leaks * LEAK_SIZE);
	tell("sleeps", sleeps);
	tell("threads", atomic_load(&chaos_threads));
	puts("ready");
	fflush(stdout);
	char byte;
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
