/* places_program.c - a program that has something for every profile, and minds what is done to it.
 *
 *     places_program [WORD...]
 *
 * One thread computes (places_burns) and sleeps (places_sleeps); one holds a lock (places_unlocks) that another waits for (places_locks); one
 * waits for ever (places_stuck); memory is kept (places_keeps). Words: crowd=N, so many threads more that compute a little (places_crowd);
 * blocks_signals, one that computes with all signals blocked (places_deaf); own_profiler, ITIMER_PROF and a handler for SIGPROF of its own;
 * own_realtime, a handler for every real-time signal; own_urgent, one for SIGURG; fills_queue, for the first line on standard input it queues as
 * many signals for itself as it may, blocked. Prints "ready"; for each line on standard input
 *
 *     status PROFILER_SIGNALS DEAF_CPU_NANOSECONDS
 *
 * and at its end sends itself each of its signals, of which none may be missing, and none too many. A sleep that is interrupted ends it: status 1.
 */
#include <errno.h>
#include <signal.h>
#include <sys/time.h>

#include "truth.h"

#define KEPT 256
#define KEPT_BYTES 20000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static void *volatile kept[KEPT];
static volatile sig_atomic_t profiler_signals;
static volatile int own_signals[65];
static clockid_t deaf_clock;
static int has_deaf;

static void sleep_exactly(long long ns)
{
	struct timespec time = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };
	truth_require(nanosleep(&time, NULL) == 0, "a sleep was interrupted");
}

static void spin_ns(long long ns)
{
	long long begun_ns = truth_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	while (truth_clock_ns(CLOCK_THREAD_CPUTIME_ID) - begun_ns < ns) {
		for (volatile int i = 0; i < 20000; i++)
			continue;
	}
}

TRUTH_FUNCTION void places_burns(void)
{
	spin_ns(20000000);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void places_sleeps(void)
{
	/* The program's own profiler may end it. */
	struct timespec time = { 0, 5000000 };
	nanosleep(&time, NULL);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void places_keeps(int at)
{
	free(kept[at]);
	kept[at] = malloc(KEPT_BYTES);
	TRUTH_STAYS;
}

static void mask_profiler(int how)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGPROF);
	pthread_sigmask(how, &set, NULL);
}

static void *burning_thread(void *unused)
{
	mask_profiler(SIG_UNBLOCK);
	for (int turn = 0;; turn++) {
		places_burns();
		places_sleeps();
		places_keeps(turn % KEPT);
	}
	return unused;
}

TRUTH_FUNCTION void places_locks(void)
{
	pthread_mutex_lock(&mutex);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void places_unlocks(void)
{
	pthread_mutex_unlock(&mutex);
	TRUTH_STAYS;
}

static void *fighting_thread(void *unused)
{
	for (;;) {
		places_locks();
		sleep_exactly(3000000);
		places_unlocks();
		sleep_exactly(100000);
	}
	return unused;
}

TRUTH_FUNCTION void places_stuck(void)
{
	pthread_mutex_lock(&guard);
	for (;;)
		pthread_cond_wait(&never, &guard);
}

static void *stuck_thread(void *unused)
{
	places_stuck();
	return unused;
}

TRUTH_FUNCTION void places_crowd(void)
{
	spin_ns(1000000);
	TRUTH_STAYS;
}

static void *crowd_thread(void *unused)
{
	for (;;) {
		places_crowd();
		sleep_exactly(50000000);
	}
	return unused;
}

TRUTH_FUNCTION void places_deaf(void)
{
	spin_ns(15000000);
	TRUTH_STAYS;
}

static void *deaf_thread(void *unused)
{
	for (;;) {
		places_deaf();
		sleep_exactly(5000000);
	}
	return unused;
}

static void handle_profiler(int number)
{
	(void)number;
	profiler_signals++;
}

static void handle_own(int number)
{
	__atomic_fetch_add(&own_signals[number], 1, __ATOMIC_SEQ_CST);
}

static pthread_t start(void *(*routine)(void *))
{
	pthread_t thread;
	truth_require(pthread_create(&thread, NULL, routine, NULL) == 0, "no thread");
	return thread;
}

static void take(int number)
{
	struct sigaction action = { .sa_handler = handle_own, .sa_flags = SA_RESTART };
	truth_require(sigaction(number, &action, NULL) == 0, "sigaction");
}

static void check_one(int number)
{
	truth_require(own_signals[number] == 0, "a signal that nobody sent");
	truth_require(raise(number) == 0 && own_signals[number] == 1, "a signal that did not arrive");
}

static void take_realtime(void)
{
	for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
		take(number);
}

static void check_realtime(void)
{
	sigset_t none;
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
		check_one(number);
}

static void take_profiler(void)
{
	struct sigaction action = { .sa_handler = handle_profiler, .sa_flags = SA_RESTART };
	struct itimerval timer = { { 0, 10000 }, { 0, 10000 } };
	truth_require(sigaction(SIGPROF, &action, NULL) == 0 && setitimer(ITIMER_PROF, &timer, NULL) == 0, "ITIMER_PROF");
}

static void start_deaf(void)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pthread_t deaf = start(deaf_thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	truth_require(pthread_getcpuclockid(deaf, &deaf_clock) == 0, "no clock");
	has_deaf = 1;
}

static void block_queued(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* For the rest of the program's life no other signal with a value can be queued for this user. */
static void fill_queue(void)
{
	union sigval value = { .sival_int = 1 };
	long count = 0;
	while (sigqueue(getpid(), SIGRTMIN, value) == 0)
		truth_require(++count < 100000, "the queue has no end");
	truth_require(errno == EAGAIN, "sigqueue");
}

int main(int argc, char **argv)
{
	int own_realtime = 0, own_profiler = 0, own_urgent = 0, fills_queue = 0;
	char line[64];
	/* Who sleeps exactly is not to get it. */
	mask_profiler(SIG_BLOCK);
	block_queued();
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "crowd=", 6) == 0) {
			for (int more = atoi(argv[i] + 6); more > 0; more--)
				start(crowd_thread);
		} else if (strcmp(argv[i], "blocks_signals") == 0) {
			start_deaf();
		} else if (strcmp(argv[i], "own_profiler") == 0) {
			own_profiler = 1;
		} else if (strcmp(argv[i], "own_realtime") == 0) {
			own_realtime = 1;
		} else if (strcmp(argv[i], "own_urgent") == 0) {
			own_urgent = 1;
		} else if (strcmp(argv[i], "fills_queue") == 0) {
			fills_queue = 1;
		} else {
			truth_require(0, argv[i]);
		}
	}
	if (own_realtime)
		take_realtime();
	if (own_urgent)
		take(SIGURG);
	start(burning_thread);
	start(fighting_thread);
	start(fighting_thread);
	start(stuck_thread);
	mask_profiler(SIG_UNBLOCK);
	if (own_profiler)
		take_profiler();
	printf("ready\n");
	fflush(stdout);
	while (truth_line(line, sizeof(line))) {
		if (fills_queue)
			fill_queue();
		fills_queue = 0;
		printf("status %d %lld\n", (int)profiler_signals, has_deaf ? truth_clock_ns(deaf_clock) : 0);
		fflush(stdout);
	}
	if (own_realtime)
		check_realtime();
	if (own_urgent)
		check_one(SIGURG);
	truth_require(!own_profiler || profiler_signals > 0, "no SIGPROF");
	return 0;
}
