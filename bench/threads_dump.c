/* threads_dump.c - what a dump of many blocked threads costs, and whether the program notices.
 *
 *     LD_PRELOAD=libcpprof.so threads_dump [THREADS [ROUNDS]]
 *
 * Starts THREADS (1,000) threads that block in six ways, some ten calls deep, then asks the library ROUNDS (9) times for the goroutine
 * profile and prints, in milliseconds, the first dump and the median of the others. One more thread does nothing but
 * read the clock: its longest and its 99.9th percentile gap between two readings, while nothing happens, while another
 * thread computes (which alone may cost it the processor), and during dumps. Prints also how many of the stacks reached this program's `blocked_thread`, which every complete one has.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define STACK_SIZE ((size_t)128 * 1024)
#define GAPS_MAX 2000000
#define DEEPEST 12

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, condition_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static int silent_pipe[2], epoll_fd;
static atomic_int begun;

static double clock_ms(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

static void wait_for_ever(int kind)
{
	char byte;
	struct pollfd fd = { .fd = silent_pipe[0], .events = POLLIN };
	struct epoll_event event;
	switch (kind) {
	case 0:
		pthread_mutex_lock(&mutex);
		break;
	case 1:
		pthread_mutex_lock(&condition_mutex);
		pthread_cond_wait(&condition, &condition_mutex);
		break;
	case 2:
		sem_wait(&semaphore);
		break;
	case 3:
		poll(&fd, 1, -1);
		break;
	case 4:
		epoll_wait(epoll_fd, &event, 1, -1);
		break;
	default:
		(void)!read(silent_pipe[0], &byte, 1);
		break;
	}
}

/* Calls itself through a pointer the compiler cannot see through, so that each level has a frame. */
static void deeper(int depth, int kind);
static void (*volatile next_level)(int, int) = deeper;

static __attribute__((noinline)) void deeper(int depth, int kind)
{
	volatile char used[48];
	used[0] = (char)depth;
	if (depth > 0)
		next_level(depth - 1, kind);
	else
		wait_for_ever(kind);
	(void)used[0];
}

static void *blocked_thread(void *argument)
{
	int number = (int)(long)argument;
	atomic_fetch_add(&begun, 1);
	deeper(number % DEEPEST, number / DEEPEST % 6);
	return NULL;
}

static void start(pthread_t *thread, void *(*routine)(void *), void *argument)
{
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	if (pthread_create(thread, &attributes, routine, argument) != 0) {
		fputs("threads_dump: so many threads cannot be made here\n", stderr);
		exit(77);
	}
	pthread_attr_destroy(&attributes);
}

/* ---- the watching thread ---- */

static atomic_int watching;
static double *gaps;
static int gap_count;

static void *watch(void *unused)
{
	(void)unused;
	double last = now_ms();
	while (atomic_load(&watching) && gap_count < GAPS_MAX) {
		double now = now_ms();
		/* Ten microseconds apart: enough readings for a percentile, few enough to keep. */
		if (now - last < 0.01)
			continue;
		gaps[gap_count++] = now - last;
		last = now;
	}
	return NULL;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void report_gaps(const char *when)
{
	if (gap_count == 0)
		return;
	qsort(gaps, (size_t)gap_count, sizeof(*gaps), compare_doubles);
	printf("gaps of a watching thread, %s: 99.9th percentile %.3f ms, longest %.3f ms (%d readings)\n", when,
	       gaps[(size_t)((double)gap_count * 0.999)], gaps[gap_count - 1], gap_count);
}

/* Runs `work` while the watching thread watches. */
static void watched(const char *when, void (*work)(void *), void *argument)
{
	pthread_t watcher;
	gap_count = 0;
	atomic_store(&watching, 1);
	start(&watcher, watch, NULL);
	work(argument);
	atomic_store(&watching, 0);
	pthread_join(watcher, NULL);
	report_gaps(when);
}

/* ---- dumps ---- */

typedef int write_profile(const char *profile, int fd, int debug);

struct dumping {
	write_profile *write_profile;
	int fd, rounds;
	double *times, *cpu_times; /* ms */
};

static void dump(const struct dumping *dumping, double *ret_ms, double *ret_cpu_ms)
{
	if (lseek(dumping->fd, 0, SEEK_SET) < 0 || ftruncate(dumping->fd, 0) < 0)
		exit(1);
	double begun_ms = now_ms(), begun_cpu_ms = clock_ms(CLOCK_THREAD_CPUTIME_ID);
	int result = dumping->write_profile("goroutine", dumping->fd, 1);
	*ret_ms = now_ms() - begun_ms;
	*ret_cpu_ms = clock_ms(CLOCK_THREAD_CPUTIME_ID) - begun_cpu_ms;
	if (result != 0) {
		fprintf(stderr, "threads_dump: the library says %d\n", result);
		exit(1);
	}
}

static void dump_often(void *argument)
{
	struct dumping *dumping = argument;
	for (int i = 0; i < dumping->rounds; i++)
		dump(dumping, &dumping->times[i], &dumping->cpu_times[i]);
}

static void idle(void *unused)
{
	(void)unused;
	usleep(500000);
}

static void compute(void *unused)
{
	double end_ms = now_ms() + 500;
	(void)unused;
	while (now_ms() < end_ms)
		continue;
}

/* Sums the counts of the groups "COUNT @ 0x.. 0x.." that have an address inside blocked_thread. */
static int complete_stacks(int fd)
{
	long size = lseek(fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)size + 1);
	int complete = 0;
	if (!text || pread(fd, text, (size_t)size, 0) != size)
		exit(1);
	unsigned long low = (unsigned long)blocked_thread, high = low + 96;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char *at = strstr(line, " @ ");
		int found = 0;
		while (at && (at = strstr(at, " 0x"))) {
			unsigned long address = strtoul(at + 1, &at, 16);
			found |= address >= low && address < high;
		}
		if (found)
			complete += atoi(line);
	}
	free(text);
	return complete;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 1000;
	struct dumping dumping = { .rounds = argc > 2 ? atoi(argv[2]) : 9 };
	void *found = dlsym(RTLD_DEFAULT, "cpprof_write");
	memcpy(&dumping.write_profile, &found, sizeof(found));
	if (!found || count < 1 || dumping.rounds < 1) {
		fputs("usage: LD_PRELOAD=libcpprof.so threads_dump [THREADS [ROUNDS]]\n", stderr);
		return 2;
	}
	gaps = calloc(GAPS_MAX, sizeof(*gaps));
	dumping.times = calloc((size_t)dumping.rounds, sizeof(double));
	dumping.cpu_times = calloc((size_t)dumping.rounds, sizeof(double));
	dumping.fd = memfd_create("profile", 0);
	if (!gaps || !dumping.times || !dumping.cpu_times || dumping.fd < 0 || pipe(silent_pipe) < 0 ||
	    (epoll_fd = epoll_create1(0)) < 0)
		return 1;
	sem_init(&semaphore, 0, 0);
	pthread_mutex_lock(&mutex);
	for (long i = 0; i < count; i++) {
		pthread_t thread;
		start(&thread, blocked_thread, (void *)i);
	}
	while (atomic_load(&begun) < count)
		usleep(1000);
	usleep(200000);

	double first, first_cpu;
	dump(&dumping, &first, &first_cpu);
	watched("idle", idle, NULL);
	watched("computing", compute, NULL);
	watched("dumping", dump_often, &dumping);
	int complete = complete_stacks(dumping.fd);
	qsort(dumping.times, (size_t)dumping.rounds, sizeof(double), compare_doubles);
	qsort(dumping.cpu_times, (size_t)dumping.rounds, sizeof(double), compare_doubles);
	int middle = dumping.rounds / 2;
	printf("%d threads: first dump %.1f ms (%.1f of processor time), then %.1f ms (%.1f), medians of %d; complete "
	       "stacks %d (%.2f %%)\n",
	       count, first, first_cpu, dumping.times[middle], dumping.cpu_times[middle], dumping.rounds, complete,
	       100.0 * complete / count);
	return 0;
}
