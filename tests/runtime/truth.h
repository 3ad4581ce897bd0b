/* truth.h - how a program of known behaviour (truth_*.c, truth_cxx.cpp) knows what it has waited for.
 *
 * A thread waits, and the main thread lets it go only after it has seen it asleep (/proc). By the program's own clocks the wait then lasted at
 * least from where it was seen asleep until just before it was let go, and at most from just before until just after the waiting call: two bounds
 * that hold on any machine under any load. The same goes for what an unlocker is to be charged with. Prints
 *
 *     truth NAME COUNT LOW HIGH RELEASE_LOW RELEASE_HIGH
 *
 * in nanoseconds: for the waiters together, and for the one who lets them go. Header only, C and C++; the programs are plain.
 */
#ifndef CPPROF_TESTS_TRUTH_H
#define CPPROF_TESTS_TRUTH_H

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TRUTH_FUNCTION __attribute__((noinline, unused)) static
/* The call before it must not be the last thing that a function does, or its frame is gone. */
#define TRUTH_STAYS __asm__ volatile("" ::: "memory")
#define TRUTH_WAITERS_MAX 16
#define TRUTH_HOLD_NS 10000000

struct truth_case {
	const char *name;      /* that of the function `wait` */
	void (*prepare)(void); /* before the waiters begin; or NULL */
	void (*wait)(void);    /* in a thread of its own */
	void (*hold)(void);    /* while they sleep; NULL: a while */
	void (*release)(void); /* lets them go */
	int waiters;           /* at the same time; 0 = 1 */
};

struct truth_waiter {
	const struct truth_case *test;
	pthread_t thread;
	int tid;
	long long begun_ns, asleep_ns, ended_ns;
};

struct truth_sums {
	long long count, low_ns, high_ns, release_low_ns, release_high_ns;
};

static inline long long truth_clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static inline long long truth_now_ns(void)
{
	return truth_clock_ns(CLOCK_MONOTONIC);
}

static inline void truth_sleep_ns(long long ns)
{
	struct timespec time = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };
	nanosleep(&time, NULL);
}

static inline void truth_require(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "%s\n", what);
	_exit(2);
}

static inline char truth_state_of(int tid)
{
	char path[64], text[512];
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t size = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[size > 0 ? size : 0] = 0;
	const char *name_end = strrchr(text, ')');
	return name_end ? name_end[2] : '?';
}

/* Until the thread has been seen asleep twice: what else it may sleep in (the start of another thread) is short. */
static inline void truth_await_asleep(struct truth_waiter *waiter)
{
	for (int seen = 0; seen < 2; seen++) {
		truth_sleep_ns(200000);
		int tid = __atomic_load_n(&waiter->tid, __ATOMIC_ACQUIRE);
		if (tid == 0 || truth_state_of(tid) != 'S')
			seen = -1;
	}
	waiter->asleep_ns = truth_now_ns();
}

static inline void *truth_waits(void *argument)
{
	struct truth_waiter *waiter = (struct truth_waiter *)argument;
	waiter->begun_ns = truth_now_ns();
	__atomic_store_n(&waiter->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	waiter->test->wait();
	waiter->ended_ns = truth_now_ns();
	return NULL;
}

static inline void truth_round(const struct truth_case *test, struct truth_sums *sums)
{
	struct truth_waiter waiters[TRUTH_WAITERS_MAX];
	int count = test->waiters ? test->waiters : 1;
	memset(waiters, 0, sizeof(waiters));
	if (test->prepare)
		test->prepare();
	for (int i = 0; i < count; i++) {
		waiters[i].test = test;
		truth_require(pthread_create(&waiters[i].thread, NULL, truth_waits, &waiters[i]) == 0, "no thread");
	}
	for (int i = 0; i < count; i++)
		truth_await_asleep(&waiters[i]);
	if (test->hold)
		test->hold();
	else
		truth_sleep_ns(TRUTH_HOLD_NS);
	long long before_ns = truth_now_ns();
	test->release();
	long long after_ns = truth_now_ns();
	for (int i = 0; i < count; i++) {
		pthread_join(waiters[i].thread, NULL);
		sums->count++;
		sums->low_ns += before_ns - waiters[i].asleep_ns;
		sums->high_ns += waiters[i].ended_ns - waiters[i].begun_ns;
		sums->release_low_ns += before_ns - waiters[i].asleep_ns;
		sums->release_high_ns += after_ns - waiters[i].begun_ns;
	}
}

static inline void truth_print(const char *name, const struct truth_sums *sums)
{
	printf("truth %s %lld %lld %lld %lld %lld\n", name, sums->count, sums->low_ns, sums->high_ns, sums->release_low_ns,
	       sums->release_high_ns);
	fflush(stdout);
}

static inline void truth_measure(const struct truth_case *test, int rounds)
{
	struct truth_sums sums = { 0, 0, 0, 0, 0 };
	for (int i = 0; i < rounds; i++)
		truth_round(test, &sums);
	truth_print(test->name, &sums);
}

/* One line from standard input, unbuffered; false at its end. */
static inline int truth_line(char *to, size_t size)
{
	size_t used = 0;
	char byte;
	while (used + 1 < size && read(STDIN_FILENO, &byte, 1) == 1) {
		if (byte == '\n') {
			to[used] = 0;
			return 1;
		}
		to[used++] = byte;
	}
	return 0;
}

/* Says the word, and waits for a line. */
static inline void truth_say(const char *word)
{
	char line[16];
	printf("%s\n", word);
	fflush(stdout);
	truth_line(line, sizeof(line));
}

/* Whoever waits first in a process may have other things to do: so this is done with. */
static inline void truth_begin(void)
{
	truth_sleep_ns(20000000);
}

#endif
