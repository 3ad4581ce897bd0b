/* threads_eintr.c - a program that does not bear EINTR, nor a wait that ends early.
 *
 *     threads_eintr SECONDS [BUSY]
 *
 * One thread for each call that returns EINTR in spite of SA_RESTART waits again and again for a few milliseconds; BUSY (8)
 * others compute, so that the machine is full and threads run when they are looked at. A call that returns EINTR, or before
 * its time, ends the program with status 1. So does a signal of the program's own that fails to end a wait: one more thread
 * lets SIGUSR1 in only while it is in ppoll or pselect, and must see EINTR each time. Prints "begun", and at the end "waits N".
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 3
#define WAIT_NS (WAIT_MS * 1000000l)

static int silent[2], quiet[2], epoll_fd, semaphores;
static sem_t semaphore;
static atomic_int stop;
static atomic_long waits_done;

static double now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static struct timespec soon(clockid_t clock)
{
	struct timespec until;
	clock_gettime(clock, &until);
	until.tv_nsec += WAIT_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return until;
}

static const struct timespec short_time = { 0, WAIT_NS };

static int in_poll(void)
{
	struct pollfd fd = { .fd = silent[0], .events = POLLIN };
	return poll(&fd, 1, WAIT_MS);
}

static int in_ppoll(void)
{
	struct pollfd fd = { .fd = silent[0], .events = POLLIN };
	return ppoll(&fd, 1, &short_time, NULL);
}

static int in_select(void)
{
	fd_set fds;
	struct timeval time = { 0, WAIT_MS * 1000 };
	FD_ZERO(&fds);
	FD_SET(silent[0], &fds);
	return select(silent[0] + 1, &fds, NULL, NULL, &time);
}

static int in_pselect(void)
{
	fd_set fds;
	FD_ZERO(&fds);
	FD_SET(silent[0], &fds);
	return pselect(silent[0] + 1, &fds, NULL, NULL, &short_time, NULL);
}

static int in_epoll_wait(void)
{
	struct epoll_event event;
	return epoll_wait(epoll_fd, &event, 1, WAIT_MS);
}

static int in_epoll_pwait2(void)
{
	struct epoll_event event;
	return epoll_pwait2(epoll_fd, &event, 1, &short_time, NULL);
}

static int in_nanosleep(void)
{
	return nanosleep(&short_time, NULL);
}

static int in_clock_nanosleep(void)
{
	struct timespec until = soon(CLOCK_MONOTONIC);
	errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	return errno ? -1 : 0;
}

static int in_usleep(void)
{
	return usleep(WAIT_MS * 1000);
}

/* These say "timed out" by an error of their own. */
static int timed_out(int result, int expected)
{
	return result < 0 && errno == expected ? 0 : -1;
}

static int in_sem_timedwait(void)
{
	struct timespec until = soon(CLOCK_REALTIME);
	return timed_out(sem_timedwait(&semaphore, &until), ETIMEDOUT);
}

static int in_recv(void)
{
	char byte;
	return timed_out((int)recv(quiet[0], &byte, 1, 0), EAGAIN);
}

static int in_read(void)
{
	char byte;
	return timed_out((int)read(quiet[0], &byte, 1), EAGAIN);
}

static int in_sigtimedwait(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return timed_out(sigtimedwait(&set, NULL, &short_time), EAGAIN);
}

static int in_semtimedop(void)
{
	struct sembuf take = { 0, -1, 0 };
	return timed_out(semtimedop(semaphores, &take, 1, &short_time), EAGAIN);
}

struct kind {
	const char *name;
	int (*wait)(void);
};

static const struct kind kinds[] = {
	{ "poll", in_poll },
	{ "ppoll", in_ppoll },
	{ "select", in_select },
	{ "pselect", in_pselect },
	{ "epoll_wait", in_epoll_wait },
	{ "epoll_pwait2", in_epoll_pwait2 },
	{ "nanosleep", in_nanosleep },
	{ "clock_nanosleep", in_clock_nanosleep },
	{ "usleep", in_usleep },
	{ "sem_timedwait", in_sem_timedwait },
	{ "recv", in_recv },
	{ "read", in_read },
	{ "sigtimedwait", in_sigtimedwait },
	{ "semtimedop", in_semtimedop },
};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static void *waiter(void *argument)
{
	const struct kind *kind = argument;
	volatile unsigned work = 0;
	while (!atomic_load(&stop)) {
		double begun_ms = now_ms();
		if (kind->wait() < 0) {
			fprintf(stderr, "%s: %s\n", kind->name, strerror(errno));
			_exit(1);
		}
		/* Coarse clocks may be a tick early; EINTR at once would be a whole wait early. */
		if (now_ms() - begun_ms < WAIT_MS - 1.5) {
			fprintf(stderr, "%s: after %.3f ms of %d\n", kind->name, now_ms() - begun_ms, WAIT_MS);
			_exit(1);
		}
		atomic_fetch_add(&waits_done, 1);
		/* Runs a while, so that a dump finds it running and its signal arrives when it waits again. */
		for (unsigned i = 0; i < 20000; i++)
			work += i;
	}
	return NULL;
}

/* ---- the program's own signals ---- */

static pthread_t own_target;
static atomic_int own_handled, own_ended;
static sem_t own_turn;

static void handle_own(int number)
{
	(void)number;
	atomic_fetch_add(&own_handled, 1);
}

/* Sends one signal each time that it is its turn, a little later. */
static void *own_sender(void *unused)
{
	volatile unsigned work = 0;
	for (unsigned turn = 0;; turn++) {
		while (sem_wait(&own_turn) < 0)
			continue;
		if (atomic_load(&own_ended))
			return unused;
		for (unsigned i = 0; i < turn % 16 * 20000; i++)
			work += i;
		pthread_kill(own_target, SIGUSR1);
	}
}

static void *own_waiter(void *unused)
{
	struct pollfd fd = { .fd = silent[0], .events = POLLIN };
	struct timespec long_time = { 20, 0 };
	sigset_t inside, outside;
	sigemptyset(&outside);
	sigaddset(&outside, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &outside, &inside);
	sigdelset(&inside, SIGUSR1);
	for (unsigned turn = 0; !atomic_load(&stop); turn++) {
		int before = atomic_load(&own_handled);
		sem_post(&own_turn);
		int result = turn % 2 ? ppoll(&fd, 1, &long_time, &inside) : pselect(0, NULL, NULL, NULL, &long_time, &inside);
		if (result != -1 || errno != EINTR || atomic_load(&own_handled) != before + 1) {
			fprintf(stderr, "own signal: result %d, %d handled\n", result, atomic_load(&own_handled) - before);
			_exit(1);
		}
	}
	atomic_store(&own_ended, 1);
	sem_post(&own_turn);
	return unused;
}

static void *worker(void *unused)
{
	volatile unsigned long work = 0;
	(void)unused;
	while (!atomic_load(&stop))
		work++;
	return NULL;
}

static void prepare(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct timeval time = { 0, WAIT_MS * 1000 };
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
	if (pipe(silent) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, quiet) < 0)
		exit(1);
	setsockopt(quiet[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
	epoll_fd = epoll_create1(0);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, silent[0], &event);
	semaphores = semget(IPC_PRIVATE, 1, 0600);
	sem_init(&semaphore, 0, 0);
	sem_init(&own_turn, 0, 0);
	signal(SIGUSR1, handle_own);
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 3;
	int busy = argc > 2 ? atoi(argv[2]) : 8;
	pthread_t threads[KIND_COUNT], thread;
	prepare();
	for (size_t i = 0; i < KIND_COUNT; i++)
		pthread_create(&threads[i], NULL, waiter, (void *)(size_t)&kinds[i]);
	pthread_create(&own_target, NULL, own_waiter, NULL);
	pthread_create(&thread, NULL, own_sender, NULL);
	for (int i = 0; i < busy; i++)
		pthread_create(&thread, NULL, worker, NULL);
	puts("begun");
	fflush(stdout);
	double end_ms = now_ms() + seconds * 1e3;
	while (now_ms() < end_ms)
		usleep(10000);
	atomic_store(&stop, 1);
	for (size_t i = 0; i < KIND_COUNT; i++)
		pthread_join(threads[i], NULL);
	pthread_join(own_target, NULL);
	semctl(semaphores, 0, IPC_RMID);
	printf("own signals %d, waits %ld\n", atomic_load(&own_handled), atomic_load(&waits_done));
	return 0;
}
