/* threads_running.c - threads that run: what a dump must ask for, and what is not to be taken for a wait any more.
 *
 * Besides BUSY (4) threads in `spin_plainly`: one that jumped out of read() from a signal handler (`spin_after_jump`), one whose
 * read() was cancelled and that runs its cleanup handler (`spin_in_cleanup`), one that blocks all signals
 * (`spin_with_signals_blocked`). Prints "running N", then reads a line from standard input and ends.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int silent[2];
static atomic_int running, reading;
static volatile unsigned long work;

/* Each adds a number of its own, and its argument: the compiler would make one function of equal ones, or a clone with
 * another name of one that ignores what it is given. */
#define SPINS(name, number) \
	static __attribute__((noinline)) void name(void *argument) \
	{ \
		atomic_fetch_add(&running, 1); \
		for (;;) \
			work += number + (unsigned long)argument; \
	}

SPINS(spin_plainly, 1)
SPINS(spin_after_jump, 2)
SPINS(spin_with_signals_blocked, 3)
SPINS(spin_in_cleanup, 4)

static void *plain(void *unused)
{
	spin_plainly(unused);
	return unused;
}

static void *without_signals(void *unused)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	spin_with_signals_blocked(unused);
	return unused;
}

static sigjmp_buf out;

static void jump(int number)
{
	(void)number;
	siglongjmp(out, 1);
}

static void *jumping(void *unused)
{
	char byte;
	if (sigsetjmp(out, 1) == 0) {
		atomic_fetch_add(&reading, 1);
		(void)!read(silent[0], &byte, 1);
	}
	spin_after_jump(unused);
	return unused;
}

static void *cancelled(void *unused)
{
	char byte;
	pthread_cleanup_push(spin_in_cleanup, unused);
	atomic_fetch_add(&reading, 1);
	(void)!read(silent[0], &byte, 1);
	pthread_cleanup_pop(0);
	return unused;
}

int main(int argc, char **argv)
{
	int busy = argc > 1 ? atoi(argv[1]) : 4;
	pthread_t thread, jumper, victim;
	struct sigaction action = { .sa_handler = jump };
	sigaction(SIGUSR1, &action, NULL);
	if (pipe(silent) < 0)
		return 1;
	for (int i = 0; i < busy; i++)
		pthread_create(&thread, NULL, plain, NULL);
	pthread_create(&thread, NULL, without_signals, NULL);
	pthread_create(&jumper, NULL, jumping, NULL);
	pthread_create(&victim, NULL, cancelled, NULL);
	while (atomic_load(&reading) < 2)
		usleep(1000);
	usleep(100000);
	pthread_kill(jumper, SIGUSR1);
	pthread_cancel(victim);
	while (atomic_load(&running) < busy + 3)
		usleep(1000);
	printf("running %d\n", busy + 3);
	fflush(stdout);
	char byte;
	(void)!read(STDIN_FILENO, &byte, 1);
	return 0;
}
