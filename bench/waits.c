/* waits.c - what a call that can wait costs behind libcpprof, against the same call of libc's in the same process.
 *
 *     waits ready     calls that need not wait
 *     waits real      waits of some 6 microseconds: two threads on one processor, of which each in turn works while the other waits
 *
 * Batches of calls take turns: libc's own function, found in libc itself, and the one that the program is linked with, which is
 * libcpprof's if that is preloaded. Prints "NAME\tLIBC NS\tLINKED NS" for each pair of batches: of CPU time, of all threads, for each wait.
 * Without the library both are the same, and what is printed is the noise.
 *
 * One processor, because a wait whose thread is woken from another one costs microseconds more or less, depending on how deep that
 * one sleeps; here each wait is two switches of threads, and nothing else. Not here: locks that need not wait (locks.c), and who
 * compares (runtime_waits.py).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAIRS 24

static void die(const char *what)
{
	fprintf(stderr, "waits: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* --- the calls, twice ----------------------------------------------------------------------------------------------------- */

#define CALLS(X) \
	X(pthread_mutex_lock) \
	X(pthread_mutex_unlock) \
	X(pthread_cond_wait) \
	X(pthread_cond_timedwait) X(pthread_cond_signal) X(sem_wait) X(sem_post) X(read) X(write) X(epoll_wait) X(syscall)

static struct calls {
#define CALL(name) __typeof__(name) *name;
	CALLS(CALL)
#undef CALL
} linked = {
#define CALL(name) .name = name,
	CALLS(CALL)
#undef CALL
}, libc;

static void find_libc(void)
{
	void *handle = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), *found;
	if (!handle)
		die("libc.so.6");
#define CALL(name) \
	if (!(found = dlsym(handle, #name))) \
		die(#name); \
	memcpy(&libc.name, &found, sizeof(found));
	CALLS(CALL)
#undef CALL
}

/* What both threads use; changed between batches. */
static const struct calls *_Atomic now;

/* --- calls that need not wait --------------------------------------------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static int zero_fd, event_fd, epoll_fd;

static void ready_cond(int times)
{
	const struct calls *calls = atomic_load(&now);
	const struct timespec past = {
		-1, 0
	}; /* before all time: libc need not ask the kernel, which would take microseconds */
	calls->pthread_mutex_lock(&mutex);
	for (int i = 0; i < times; i++)
		if (calls->pthread_cond_timedwait(&condition, &mutex, &past) != ETIMEDOUT)
			die("pthread_cond_timedwait");
	calls->pthread_mutex_unlock(&mutex);
}

static void ready_sem(int times)
{
	const struct calls *calls = atomic_load(&now);
	for (int i = 0; i < times; i++) {
		libc.sem_post(&semaphore);
		if (calls->sem_wait(&semaphore) != 0)
			die("sem_wait");
	}
}

static void ready_read(int times)
{
	const struct calls *calls = atomic_load(&now);
	char byte;
	for (int i = 0; i < times; i++)
		if (calls->read(zero_fd, &byte, 1) != 1)
			die("read");
}

static void ready_epoll(int times)
{
	const struct calls *calls = atomic_load(&now);
	struct epoll_event event;
	for (int i = 0; i < times; i++)
		if (calls->epoll_wait(epoll_fd, &event, 1, -1) != 1)
			die("epoll_wait");
}

static void prepare_ready(void)
{
	uint64_t one = 1;
	struct epoll_event event = { .events = EPOLLIN };
	zero_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	event_fd = eventfd(0, EFD_CLOEXEC);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (zero_fd < 0 || event_fd < 0 || epoll_fd < 0 || write(event_fd, &one, sizeof(one)) < 0 ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, &event) < 0 || sem_init(&semaphore, 0, 0) < 0)
		die("preparing");
}

/* --- real waits ----------------------------------------------------------------------------------------------------------- */

/* One for each direction. What waits at it is measured; what else is needed, and does not wait, is libc's. */
static struct gate {
	sem_t semaphore;
	pthread_mutex_t mutex;
	pthread_cond_t condition;
	bool open;
	int pipe[2], event_fd, epoll_fd;
	_Atomic uint32_t word;
} gates[2];

static void prepare_gates(void)
{
	for (int i = 0; i < 2; i++) {
		struct gate *gate = &gates[i];
		struct epoll_event event = { .events = EPOLLIN };
		if (sem_init(&gate->semaphore, 0, 0) < 0 || pipe(gate->pipe) < 0 || (gate->event_fd = eventfd(0, 0)) < 0 ||
		    (gate->epoll_fd = epoll_create1(0)) < 0 ||
		    epoll_ctl(gate->epoll_fd, EPOLL_CTL_ADD, gate->event_fd, &event) < 0 ||
		    pthread_mutex_init(&gate->mutex, NULL) != 0 || pthread_cond_init(&gate->condition, NULL) != 0)
			die("preparing");
	}
}

static void sem_pass(struct gate *gate, const struct calls *calls)
{
	calls->sem_wait(&gate->semaphore);
}

static void sem_open_gate(struct gate *gate, const struct calls *unused)
{
	(void)unused;
	libc.sem_post(&gate->semaphore);
}

static void cond_pass(struct gate *gate, const struct calls *calls)
{
	libc.pthread_mutex_lock(&gate->mutex);
	while (!gate->open)
		calls->pthread_cond_wait(&gate->condition, &gate->mutex);
	gate->open = false;
	libc.pthread_mutex_unlock(&gate->mutex);
}

static void cond_open_gate(struct gate *gate, const struct calls *unused)
{
	(void)unused;
	libc.pthread_mutex_lock(&gate->mutex);
	gate->open = true;
	libc.pthread_mutex_unlock(&gate->mutex);
	libc.pthread_cond_signal(&gate->condition);
}

static void pipe_pass(struct gate *gate, const struct calls *calls)
{
	char byte;
	if (calls->read(gate->pipe[0], &byte, 1) != 1)
		die("read");
}

static void pipe_open_gate(struct gate *gate, const struct calls *unused)
{
	(void)unused;
	if (libc.write(gate->pipe[1], "x", 1) != 1)
		die("write");
}

static void epoll_pass(struct gate *gate, const struct calls *calls)
{
	struct epoll_event event;
	uint64_t count;
	if (calls->epoll_wait(gate->epoll_fd, &event, 1, -1) != 1 || libc.read(gate->event_fd, &count, sizeof(count)) < 0)
		die("epoll_wait");
}

static void epoll_open_gate(struct gate *gate, const struct calls *unused)
{
	uint64_t one = 1;
	(void)unused;
	if (libc.write(gate->event_fd, &one, sizeof(one)) < 0)
		die("write");
}

/* As a server does it: all three calls are such as can wait. */
static void event_pass(struct gate *gate, const struct calls *calls)
{
	struct epoll_event event;
	uint64_t count;
	if (calls->epoll_wait(gate->epoll_fd, &event, 1, -1) != 1 || calls->read(gate->event_fd, &count, sizeof(count)) < 0)
		die("epoll_wait");
}

static void event_open_gate(struct gate *gate, const struct calls *calls)
{
	uint64_t one = 1;
	if (calls->write(gate->event_fd, &one, sizeof(one)) < 0)
		die("write");
}

static void futex_pass(struct gate *gate, const struct calls *calls)
{
	while (!atomic_exchange(&gate->word, 0))
		calls->syscall(SYS_futex, &gate->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void futex_open_gate(struct gate *gate, const struct calls *unused)
{
	(void)unused;
	atomic_store(&gate->word, 1);
	libc.syscall(SYS_futex, &gate->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Some 5 microseconds: longer than what is too short to be a wait. */
static void work(void)
{
	static uint64_t kept;
	uint64_t x = kept;
	for (int i = 0; i < 3500; i++)
		x = x * 6364136223846793005u + (x >> 17);
	kept = x;
}

static void (*pass)(struct gate *gate, const struct calls *calls);
static void (*open_gate)(struct gate *gate, const struct calls *calls);
static int partner_times;

static void *partner(void *unused)
{
	for (int i = 0; i < partner_times; i++) {
		pass(&gates[0], atomic_load(&now));
		work();
		open_gate(&gates[1], atomic_load(&now));
	}
	return unused;
}

/* Both threads wait once in each turn. */
static void in_turns(int turns)
{
	for (int i = 0; i < turns; i++) {
		work();
		open_gate(&gates[0], atomic_load(&now));
		pass(&gates[1], atomic_load(&now));
	}
}

/* A lock that is held while the other thread comes for it: only lock and unlock are measured, what else is needed is libc's. */
static atomic_bool coming;

static void *contender(void *unused)
{
	for (int i = 0; i < partner_times; i++) {
		libc.sem_wait(&gates[0].semaphore);
		const struct calls *calls = atomic_load(&now);
		atomic_store(&coming, true);
		calls->pthread_mutex_lock(&mutex);
		calls->pthread_mutex_unlock(&mutex);
		libc.sem_post(&gates[1].semaphore);
	}
	return unused;
}

static void hold(int turns)
{
	const struct calls *calls = atomic_load(&now);
	for (int i = 0; i < turns; i++) {
		calls->pthread_mutex_lock(&mutex);
		atomic_store(&coming, false);
		libc.sem_post(&gates[0].semaphore);
		while (!atomic_load(&coming))
			sched_yield(); /* it runs until it waits for the lock: there is one processor */
		work();
		calls->pthread_mutex_unlock(&mutex);
		libc.sem_wait(&gates[1].semaphore);
	}
}

/* --- all of it ------------------------------------------------------------------------------------------------------------ */

static void pairs(const char *name, void (*run)(int times), int times, int waits, clockid_t clock)
{
	const struct calls *const tables[2] = { &libc, &linked };
	for (int pair = -1; pair < PAIRS; pair++) { /* the first is not counted */
		double ns[2];
		for (int batch = 0; batch < 2; batch++) {
			int which = (pair + 1 + batch) % 2;
			atomic_store(&now, tables[which]);
			double start = clock_ns(clock);
			run(times);
			ns[which] = (clock_ns(clock) - start) / times / waits;
		}
		if (pair >= 0)
			printf("%s\t%.2f\t%.2f\n", name, ns[0], ns[1]);
	}
}

static const struct {
	const char *name;
	void (*run)(int times);
	int times;
} ready[] = {
	{ "pthread_cond_timedwait, time is past", ready_cond, 100000 },
	{ "sem_wait, ready", ready_sem, 100000 },
	{ "read, /dev/zero", ready_read, 20000 },
	{ "epoll_wait, ready", ready_epoll, 10000 },
};

static const struct {
	const char *name;
	void *(*other)(void *);
	void (*run)(int times);
	int waits;
	void (*pass)(struct gate *, const struct calls *), (*open_gate)(struct gate *, const struct calls *);
} real[] = {
	{ "cond", partner, in_turns, 2, cond_pass, cond_open_gate },
	{ "sem", partner, in_turns, 2, sem_pass, sem_open_gate },
	{ "read of a pipe", partner, in_turns, 2, pipe_pass, pipe_open_gate },
	{ "epoll_wait", partner, in_turns, 2, epoll_pass, epoll_open_gate },
	{ "futex by syscall", partner, in_turns, 2, futex_pass, futex_open_gate },
	{ "epoll_wait with read and write", partner, in_turns, 2, event_pass, event_open_gate },
	{ "mutex, and its unlock", contender, hold, 1, NULL, NULL },
};
#define TURNS 400

static void stay_on_one_processor(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		die("sched_getaffinity");
	int last = CPU_SETSIZE - 1;
	while (!CPU_ISSET(last, &set))
		last--;
	CPU_ZERO(&set);
	CPU_SET(last, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("sched_setaffinity");
}

static void *sleeper(void *unused)
{
	pause();
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	find_libc();
	/* As a program with threads: else libc takes short cuts. */
	if (pthread_create(&thread, NULL, sleeper, NULL) != 0)
		die("pthread_create");
	if (argc > 1 && strcmp(argv[1], "ready") == 0) {
		prepare_ready();
		for (size_t i = 0; i < sizeof(ready) / sizeof(ready[0]); i++)
			pairs(ready[i].name, ready[i].run, ready[i].times, 1, CLOCK_THREAD_CPUTIME_ID);
		return 0;
	}
	if (argc <= 1 || strcmp(argv[1], "real") != 0) {
		fputs("usage: waits ready|real\n", stderr);
		return 2;
	}
	prepare_gates();
	stay_on_one_processor();
	partner_times = TURNS * 2 * (PAIRS + 1);
	for (size_t i = 0; i < sizeof(real) / sizeof(real[0]); i++) {
		pass = real[i].pass;
		open_gate = real[i].open_gate;
		atomic_store(&now, &libc);
		if (pthread_create(&thread, NULL, real[i].other, NULL) != 0)
			die("pthread_create");
		pairs(real[i].name, real[i].run, TURNS, real[i].waits, CLOCK_PROCESS_CPUTIME_ID);
		pthread_join(thread, NULL);
	}
	return 0;
}
