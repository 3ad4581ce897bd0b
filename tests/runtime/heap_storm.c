/* heap_storm threads|forks|short|signals - allocation where it hurts: many threads freeing each other's blocks; forks while
 * others allocate, whose children allocate at once; ten thousand threads that live for a moment; handlers that
 * allocate, and handlers that jump out of whatever they interrupt.
 *
 * `signals` needs an allocator that may be interrupted anywhere (safe_malloc.c): glibc's may not.
 * Ends with status 0 and, with a second argument, the heap profile in that file.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8
#define MAILBOXES 1024

static _Atomic(void *) mailboxes[MAILBOXES];
static _Atomic int stop;

static void *exchange(uint32_t mailbox, void *block)
{
	return atomic_exchange(&mailboxes[mailbox], block);
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void *allocate_and_exchange(void *arg)
{
	uint32_t random = (uint32_t)(uintptr_t)arg;
	for (int i = 0; i < 60000 && !stop; i++) {
		size_t size = 1 + next_random(&random) % 600;
		char *block = next_random(&random) % 4 ? malloc(size) : calloc(1, size);
		if (!block)
			abort();
		block[0] = (char)i;
		block[size - 1] = (char)i;
		if (next_random(&random) % 8 == 0)
			block = realloc(block, size * 2);
		free(exchange(next_random(&random) % MAILBOXES, block));
	}
	return NULL;
}

static void start(pthread_t *threads, int count, void *(*function)(void *))
{
	for (int i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, function, (void *)(uintptr_t)(i + 1)))
			abort();
}

static void join(pthread_t *threads, int count)
{
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

static void empty_mailboxes(void)
{
	for (int i = 0; i < MAILBOXES; i++)
		free(exchange((uint32_t)i, NULL));
}

static int threads_storm(void)
{
	pthread_t threads[THREADS];
	start(threads, THREADS, allocate_and_exchange);
	join(threads, THREADS);
	empty_mailboxes();
	return 0;
}

static void *allocate_until_stopped(void *arg)
{
	while (!stop)
		allocate_and_exchange(arg);
	return NULL;
}

static int child(void)
{
	void *blocks[500];
	for (size_t i = 0; i < 500; i++)
		blocks[i] = malloc(i + 1);
	for (int i = 0; i < 500; i += 2)
		free(blocks[i]);
	pthread_t thread;
	start(&thread, 1, allocate_and_exchange);
	pthread_join(thread, NULL);
	return 0;
}

/* From a thread that is not the main one. */
static void *fork_often(void *arg)
{
	int *failed = arg;
	for (int i = 0; i < 60; i++) {
		pid_t pid = fork();
		if (pid == 0)
			exit(child());
		int status = 1;
		if (waitpid(pid, &status, 0) != pid || status)
			++*failed;
	}
	return NULL;
}

static int forks_storm(void)
{
	pthread_t threads[3], forker;
	int failed = 0;
	start(threads, 3, allocate_until_stopped);
	if (pthread_create(&forker, NULL, fork_often, &failed))
		abort();
	pthread_join(forker, NULL);
	stop = 1;
	join(threads, 3);
	return failed != 0;
}

static void *allocate_once(void *arg)
{
	(void)arg;
	void *volatile block = malloc(1000); /* volatile: the pair is not to be left out */
	free(block);
	return NULL;
}

static int short_storm(void)
{
	for (int i = 0; i < 10000 / THREADS; i++) {
		pthread_t threads[THREADS];
		start(threads, THREADS, allocate_once);
		join(threads, THREADS);
	}
	return 0;
}

static sigjmp_buf away;
static volatile sig_atomic_t may_jump, signals;

static void on_signal(int number)
{
	(void)number;
	void *volatile block = malloc(100);
	free(block);
	signals++;
	if (may_jump && signals % 3 == 0)
		siglongjmp(away, 1);
}

__attribute__((noinline)) static void after_the_storm(void **to)
{
	*to = malloc(1000);
}

static int signals_storm(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct itimerval every = { { 0, 300 }, { 0, 300 } };
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	volatile uint32_t random = 5;
	while (signals < 3000) {
		if (sigsetjmp(away, 1) == 0) {
			may_jump = 1;
			for (int i = 0; i < 5000; i++) {
				uint32_t state = random;
				char *volatile block = malloc(1 + next_random(&state) % 300);
				random = state;
				block = realloc(block, 400);
				free(block);
			}
		}
		may_jump = 0;
	}
	every = (struct itimerval){ 0 };
	setitimer(ITIMER_REAL, &every, NULL);
	/* Whatever was jumped out of: allocation goes on, and is still seen. */
	static void *kept[1000];
	for (int i = 0; i < 1000; i++)
		after_the_storm(&kept[i]);
	return 0;
}

static int write_profile(const char *path)
{
	void *address = dlsym(RTLD_DEFAULT, "cpprof_write");
	if (!address)
		return 0;
	int (*profile_write)(const char *, int, int);
	memcpy(&profile_write, &address, sizeof(address));
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	return fd < 0 || profile_write("heap", fd, 0);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} storms[] = {
		{ "threads", threads_storm },
		{ "forks", forks_storm },
		{ "short", short_storm },
		{ "signals", signals_storm },
	};
	for (size_t i = 0; i < sizeof(storms) / sizeof(storms[0]); i++)
		if (argc > 1 && strcmp(argv[1], storms[i].name) == 0) {
			int failed = storms[i].run();
			return failed || (argc > 2 && write_profile(argv[2]));
		}
	return 2;
}
