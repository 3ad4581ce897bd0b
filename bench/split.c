/* split.c - a program of two threads whose processor time is spent in three functions in known shares, to be profiled.
 *
 *     split shares MILLISECONDS balanced|unbalanced [HZ PROFILE]
 *         balanced: both threads spend 50, 30 and 20 % in f50, f30 and f20. Unbalanced: one runs f50 and f30, 5 to 3, without a pause, the
 *         other f20 in bursts of 1 ms with sleeps of 2 to 4 ms. Prints "f50 NS", "f30 NS", "f20 NS": the threads' CPU clocks read around
 *         each call, which is the truth; and "cpu NS": both threads in all.
 *     split cost MILLISECONDS PAIRS nothing|cpprof|gperftools|perf [HZ [CONTROL ANSWERS]]
 *         both threads work without a pause; two phases of MILLISECONDS make a pair, one with the profiler running and one
 *         without, now this one first, now that one. Prints "pair ON OFF" for each: nanoseconds of CPU time for a million rounds of
 *         the loop, of all threads but the main one; and "end NS": what stopping and writing took the main one, on average.
 *
 * Each call does the same amount of work, and which function is called is drawn at random, so nothing keeps step with
 * a profiler's clock, and reading the clock costs all three the same. Profilers are found at run time: the program is built without any, and
 * cpprof and gperftools are preloaded. perf is started beside it and told by the pipes CONTROL and ANSWERS what to do.
 * Not here: what becomes of the numbers (runtime_cpu.py), and the same in Go (split.go).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_A_CALL 40000 /* of a loop of some 1.4 ns: a call takes about 60 us */
#define BURST_NS 1000000
#define THREADS 2
#define FUNCTIONS 3

static void die(const char *what)
{
	fprintf(stderr, "split: %s\n", what);
	exit(1);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now = { 0, 0 };
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* --- the work ----------------------------------------------------------------------------------------------------------- */

#define WORK(name, constant) \
	static __attribute__((noinline)) uint64_t name(uint64_t x) \
	{ \
		for (int i = 0; i < ROUNDS_A_CALL; i++) \
			x = x * 6364136223846793005u + (x >> 17) + (constant); \
		return x; \
	}
WORK(f50, 50)
WORK(f30, 30)
WORK(f20, 20)

static uint64_t (*const functions[FUNCTIONS])(uint64_t) = { f50, f30, f20 };
static const char *const names[FUNCTIONS] = { "f50", "f30", "f20" };

static struct worker {
	pthread_t thread;
	int number;
	_Atomic int tid;
	uint64_t random, sink;
	uint64_t truth_ns[FUNCTIONS], cpu_ns;
	_Atomic uint64_t rounds;
} __attribute__((aligned(128))) workers[THREADS];

static pthread_barrier_t begin;
static atomic_bool ended;
static bool unbalanced;
static uint64_t end_ns;

static uint32_t draw(struct worker *worker, uint32_t below)
{
	worker->random ^= worker->random << 13;
	worker->random ^= worker->random >> 7;
	worker->random ^= worker->random << 17;
	return (uint32_t)((worker->random >> 32) * below >> 32);
}

static void call(struct worker *worker, int function)
{
	uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	worker->sink = functions[function](worker->sink);
	worker->truth_ns[function] += clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
}

static void burst_and_sleep(struct worker *worker)
{
	uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) - start < BURST_NS)
		call(worker, 2);
	struct timespec pause = { .tv_nsec = 2000000 + draw(worker, 2000000) };
	nanosleep(&pause, NULL);
}

static void *share_thread(void *argument)
{
	struct worker *worker = argument;
	pthread_barrier_wait(&begin);
	uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	while (clock_ns(CLOCK_MONOTONIC) < end_ns) {
		uint32_t ticket = draw(worker, unbalanced ? 80 : 100);
		if (unbalanced && worker->number == 1)
			burst_and_sleep(worker);
		else
			call(worker, ticket < 50 ? 0 : ticket < 80 ? 1 : 2);
	}
	worker->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
	return NULL;
}

static void *cost_thread(void *argument)
{
	struct worker *worker = argument;
	atomic_store(&worker->tid, (int)syscall(SYS_gettid));
	while (!atomic_load_explicit(&ended, memory_order_relaxed)) {
		worker->sink = functions[draw(worker, FUNCTIONS)](worker->sink);
		atomic_store_explicit(&worker->rounds, worker->rounds + ROUNDS_A_CALL, memory_order_relaxed);
	}
	return NULL;
}

static void start_threads(void *(*routine)(void *))
{
	for (int i = 0; i < THREADS; i++) {
		workers[i].number = i;
		workers[i].random = (clock_ns(CLOCK_MONOTONIC) * 2654435761u + (uint64_t)getpid() + (uint64_t)i) | 1;
		if (pthread_create(&workers[i].thread, NULL, routine, &workers[i]) != 0)
			die("no thread");
	}
}

static void join_threads(void)
{
	for (int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
}

/* --- profilers ---------------------------------------------------------------------------------------------------------- */

static int (*cpprof_rate)(int hz), (*cpprof_start)(int fd), (*cpprof_stop)(void);
static int (*gperftools_start)(const char *name);
static void (*gperftools_stop)(void);
static int profile_fd = -1, control_fd = -1, answers_fd = -1;

/* Where the system's dlsym wants a pointer to an object, a function is meant. */
static void find(const char *name, void *ret_function)
{
	void *found = dlsym(RTLD_DEFAULT, name);
	if (!found) {
		fprintf(stderr, "split: there is no %s: the profiler is not loaded\n", name);
		exit(1);
	}
	memcpy(ret_function, &found, sizeof(found));
}

static void cpprof_begin(void)
{
	if (cpprof_start(profile_fd) != 0)
		die("cpprof_cpu_start failed");
}

static void cpprof_end(void)
{
	if (cpprof_stop() != 0)
		die("cpprof_cpu_stop failed");
}

static void gperftools_begin(void)
{
	if (!gperftools_start("/dev/null"))
		die("ProfilerStart failed");
}

static void gperftools_end(void)
{
	gperftools_stop();
}

static void tell_perf(const char *command)
{
	char answer[16];
	if (write(control_fd, command, strlen(command)) < 0 || read(answers_fd, answer, sizeof(answer)) <= 0)
		die("perf does not answer");
}

static void perf_begin(void)
{
	tell_perf("enable\n");
}

static void perf_end(void)
{
	tell_perf("disable\n");
}

static void nothing(void)
{
}

static void find_cpprof(int hz, const char *profile)
{
	find("cpprof_cpu_rate", &cpprof_rate);
	find("cpprof_cpu_start", &cpprof_start);
	find("cpprof_cpu_stop", &cpprof_stop);
	profile_fd = open(profile, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (profile_fd < 0 || cpprof_rate(hz) < 0)
		die(profile);
}

/* --- shares ------------------------------------------------------------------------------------------------------------- */

static int shares(int count, char **words)
{
	bool profiled = count > 3;
	unbalanced = strcmp(words[1], "unbalanced") == 0;
	if (profiled)
		find_cpprof(atoi(words[2]), words[3]);
	pthread_barrier_init(&begin, NULL, THREADS + 1);
	start_threads(share_thread);
	if (profiled)
		cpprof_begin();
	end_ns = clock_ns(CLOCK_MONOTONIC) + strtoull(words[0], NULL, 10) * 1000000;
	pthread_barrier_wait(&begin);
	join_threads();
	if (profiled)
		cpprof_end();
	for (int i = 0; i < FUNCTIONS; i++)
		printf("%s %llu\n", names[i], (unsigned long long)(workers[0].truth_ns[i] + workers[1].truth_ns[i]));
	printf("cpu %llu\n", (unsigned long long)(workers[0].cpu_ns + workers[1].cpu_ns));
	return 0;
}

/* --- cost --------------------------------------------------------------------------------------------------------------- */

/* The CPU time of all threads but this one: also of a profiler's. */
static uint64_t others_ns(void)
{
	uint64_t sum = 0;
	struct dirent *entry;
	DIR *tasks = opendir("/proc/self/task");
	if (!tasks)
		die("/proc/self/task");
	while ((entry = readdir(tasks))) {
		int tid = atoi(entry->d_name);
		if (tid > 0 && tid != getpid())
			sum += clock_ns((clockid_t)((~(unsigned)tid << 3) | 6)); /* its CPU clock: clock_getcpuclockid(3) */
	}
	closedir(tasks);
	return sum;
}

static uint64_t all_rounds(void)
{
	return workers[0].rounds + workers[1].rounds;
}

static double measured_phase(unsigned milliseconds)
{
	uint64_t cpu = others_ns(), before = all_rounds(), rounds;
	do {
		usleep(milliseconds * 1000);
		rounds = all_rounds() - before;
	} while (rounds == 0); /* a machine so busy that neither thread had its turn */
	cpu = others_ns() - cpu;
	return (double)cpu * 1e6 / (double)rounds;
}

static int cost(int count, char **words)
{
	static const struct {
		const char *name;
		void (*begin)(void), (*end)(void);
	} profilers[] = {
		{ "nothing", nothing, nothing },
		{ "cpprof", cpprof_begin, cpprof_end },
		{ "gperftools", gperftools_begin, gperftools_end },
		{ "perf", perf_begin, perf_end },
	};
	unsigned milliseconds = (unsigned)atoi(words[0]);
	int pairs = atoi(words[1]), which = 0;
	while (strcmp(profilers[which].name, words[2]) != 0)
		if (++which == sizeof(profilers) / sizeof(profilers[0]))
			die("no such profiler");
	if (profilers[which].begin == cpprof_begin)
		find_cpprof(count > 3 ? atoi(words[3]) : 100, "/dev/null");
	if (profilers[which].begin == gperftools_begin) {
		find("ProfilerStart", &gperftools_start);
		find("ProfilerStop", &gperftools_stop);
	}
	if (profilers[which].begin == perf_begin && (count < 6 || (control_fd = open(words[4], O_WRONLY | O_CLOEXEC)) < 0 ||
	                                             (answers_fd = open(words[5], O_RDONLY | O_CLOEXEC)) < 0))
		die("perf's pipes");
	start_threads(cost_thread);
	measured_phase(milliseconds);
	uint64_t ending_ns = 0;
	for (int pair = 0; pair < pairs; pair++) {
		double ns[2];
		for (int phase = 0; phase < 2; phase++) {
			bool on = (pair + phase) % 2 == 0;
			if (on)
				profilers[which].begin();
			ns[on] = measured_phase(milliseconds);
			uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
			if (on) {
				profilers[which].end();
				ending_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
			}
		}
		printf("pair %.0f %.0f\n", ns[1], ns[0]);
	}
	printf("end %llu\n", (unsigned long long)(ending_ns / (uint64_t)(pairs ? pairs : 1)));
	atomic_store(&ended, true);
	join_threads();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && strcmp(argv[1], "shares") == 0)
		return shares(argc - 2, argv + 2);
	if (argc >= 5 && strcmp(argv[1], "cost") == 0)
		return cost(argc - 2, argv + 2);
	die("usage: split shares MILLISECONDS balanced|unbalanced [HZ PROFILE] | split cost MILLISECONDS PAIRS PROFILER "
	    "[HZ [CONTROL ANSWERS]]");
	return 1;
}
