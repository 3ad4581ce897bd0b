/* threads_waits.c - one thread in each call that can wait, through a function of its own called wait_in_NAME.
 *
 *     threads_waits [drop]      drop: as an unprivileged user, whose /proc files are then root's
 *
 * Prints "waiting N" when all N threads have come to their call, then reads a line from standard input and ends. Also two
 * threads that wait where no wrapper is: stdio reading a pipe (`wait_in_fgets`), and a futex by inline assembly
 * (`wait_in_raw_futex`).
 */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, free_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t held_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t semaphore;
static mtx_t held_mtx, free_mtx;
static cnd_t cnd;
static pthread_t endless;
static int empty[2], full[2], listener, epoll_fd, queue, semaphores, futex_word;
static pid_t child;

static struct timespec far(clockid_t clock)
{
	struct timespec until;
	clock_gettime(clock, &until);
	until.tv_sec += 1000;
	return until;
}

/* The call must not be the last thing a function does, or its frame is gone. */
#define WAITS(name, call) \
	static __attribute__((noinline)) void wait_in_##name(void) \
	{ \
		struct timespec until = far(CLOCK_REALTIME), monotonic = far(CLOCK_MONOTONIC), time = { 1000, 0 }; \
		char bytes[16]; \
		struct iovec piece = { bytes, sizeof(bytes) }; \
		struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 }; \
		struct pollfd fd = { .fd = empty[0], .events = POLLIN }; \
		struct epoll_event event; \
		sigset_t set; \
		fd_set fds; \
		FD_ZERO(&fds); \
		FD_SET(empty[0], &fds); \
		sigemptyset(&set); \
		memset(bytes, 0, sizeof(bytes)); \
		(void)until, (void)monotonic, (void)time, (void)message, (void)fd, (void)event; \
		call; \
		atomic_signal_fence(memory_order_seq_cst); \
	}

/* clang-format off */
WAITS(pthread_mutex_lock, pthread_mutex_lock(&held))
WAITS(pthread_mutex_timedlock, pthread_mutex_timedlock(&held, &until))
WAITS(pthread_mutex_clocklock, pthread_mutex_clocklock(&held, CLOCK_MONOTONIC, &monotonic))
WAITS(pthread_rwlock_rdlock, pthread_rwlock_rdlock(&held_rwlock))
WAITS(pthread_rwlock_wrlock, pthread_rwlock_wrlock(&held_rwlock))
WAITS(pthread_rwlock_timedrdlock, pthread_rwlock_timedrdlock(&held_rwlock, &until))
WAITS(pthread_rwlock_timedwrlock, pthread_rwlock_timedwrlock(&held_rwlock, &until))
WAITS(pthread_cond_wait, pthread_mutex_lock(&free_mutex); pthread_cond_wait(&condition, &free_mutex))
WAITS(pthread_cond_timedwait, pthread_mutex_lock(&free_mutex); pthread_cond_timedwait(&condition, &free_mutex, &until))
WAITS(pthread_cond_clockwait, pthread_mutex_lock(&free_mutex);
      pthread_cond_clockwait(&condition, &free_mutex, CLOCK_MONOTONIC, &monotonic))
WAITS(pthread_barrier_wait, pthread_barrier_wait(&barrier))
WAITS(pthread_join, pthread_join(endless, NULL))
WAITS(sem_wait, sem_wait(&semaphore))
WAITS(sem_timedwait, sem_timedwait(&semaphore, &until))
WAITS(sem_clockwait, sem_clockwait(&semaphore, CLOCK_MONOTONIC, &monotonic))
WAITS(mtx_lock, mtx_lock(&held_mtx))
WAITS(mtx_timedlock, mtx_timedlock(&held_mtx, &until))
WAITS(cnd_wait, mtx_lock(&free_mtx); cnd_wait(&cnd, &free_mtx))
WAITS(cnd_timedwait, mtx_lock(&free_mtx); cnd_timedwait(&cnd, &free_mtx, &until))
WAITS(thrd_sleep, thrd_sleep(&time, NULL))
WAITS(poll, poll(&fd, 1, -1))
WAITS(ppoll, ppoll(&fd, 1, NULL, NULL))
WAITS(select, select(empty[0] + 1, &fds, NULL, NULL, NULL))
WAITS(pselect, pselect(empty[0] + 1, &fds, NULL, NULL, NULL, NULL))
WAITS(epoll_wait, epoll_wait(epoll_fd, &event, 1, -1))
WAITS(epoll_pwait, epoll_pwait(epoll_fd, &event, 1, -1, NULL))
WAITS(epoll_pwait2, epoll_pwait2(epoll_fd, &event, 1, NULL, NULL))
WAITS(accept, accept(listener, NULL, NULL))
WAITS(accept4, accept4(listener, NULL, NULL, 0))
WAITS(read, (void)!read(empty[0], bytes, sizeof(bytes)))
WAITS(readv, (void)!readv(empty[0], &piece, 1))
WAITS(recv, recv(full[1], bytes, sizeof(bytes), 0))
WAITS(recvfrom, recvfrom(full[1], bytes, sizeof(bytes), 0, NULL, NULL))
WAITS(recvmsg, recvmsg(full[1], &message, 0))
WAITS(write, (void)!write(full[1], bytes, sizeof(bytes)))
WAITS(writev, (void)!writev(full[1], &piece, 1))
WAITS(send, send(full[1], bytes, sizeof(bytes), 0))
WAITS(sendto, sendto(full[1], bytes, sizeof(bytes), 0, NULL, 0))
WAITS(sendmsg, sendmsg(full[1], &message, 0))
WAITS(nanosleep, nanosleep(&time, NULL))
WAITS(clock_nanosleep, clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &monotonic, NULL))
WAITS(usleep, usleep(999999999))
WAITS(sleep, sleep(1000))
WAITS(pause, pause())
WAITS(sigwaitinfo, sigaddset(&set, SIGUSR2); sigwaitinfo(&set, NULL))
WAITS(sigtimedwait, sigaddset(&set, SIGUSR2); sigtimedwait(&set, NULL, &time))
WAITS(sigsuspend, sigsuspend(&set))
WAITS(waitpid, waitpid(child, NULL, 0))
WAITS(wait4, wait4(child, NULL, 0, NULL))
WAITS(waitid, waitid(P_PID, (id_t)child, NULL, WEXITED | WNOWAIT))
WAITS(msgrcv, (void)!msgrcv(queue, bytes, 8, 0, 0))
WAITS(semop, semop(semaphores, &(struct sembuf){ 0, -1, 0 }, 1))
WAITS(semtimedop, semtimedop(semaphores, &(struct sembuf){ 0, -1, 0 }, 1, &time))
WAITS(syscall, syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0))

/* clang-format on */

static __attribute__((noinline)) void wait_in_fgets(void)
{
	char line[16];
	FILE *stream = fdopen(empty[0], "r");
	if (stream && fgets(line, sizeof(line), stream))
		atomic_signal_fence(memory_order_seq_cst);
}

static __attribute__((noinline)) void wait_in_raw_futex(void)
{
	long result;
	register long timeout __asm__("r10") = 0;
	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"((long)SYS_futex), "D"(&futex_word), "S"((long)FUTEX_WAIT_PRIVATE), "d"(0l), "r"(timeout)
	                 : "rcx", "r11", "memory");
	atomic_signal_fence(memory_order_seq_cst);
}

/* clang-format off */
#define ALL(X) \
	X(pthread_mutex_lock) X(pthread_mutex_timedlock) X(pthread_mutex_clocklock) X(pthread_rwlock_rdlock) \
	X(pthread_rwlock_wrlock) X(pthread_rwlock_timedrdlock) X(pthread_rwlock_timedwrlock) \
	X(pthread_cond_wait) X(pthread_cond_timedwait) X(pthread_cond_clockwait) X(pthread_barrier_wait) \
	X(pthread_join) X(sem_wait) X(sem_timedwait) X(sem_clockwait) X(mtx_lock) X(mtx_timedlock) \
	X(cnd_wait) X(cnd_timedwait) X(thrd_sleep) X(poll) X(ppoll) X(select) X(pselect) X(epoll_wait) \
	X(epoll_pwait) X(epoll_pwait2) X(accept) X(accept4) X(read) X(readv) X(recv) X(recvfrom) X(recvmsg) \
	X(write) X(writev) X(send) X(sendto) X(sendmsg) X(nanosleep) X(clock_nanosleep) X(usleep) X(sleep) \
	X(pause) X(sigwaitinfo) X(sigtimedwait) X(sigsuspend) X(waitpid) X(wait4) X(waitid) X(msgrcv) \
	X(semop) X(semtimedop) X(syscall) X(fgets) X(raw_futex)
/* clang-format on */

static void (*const waits[])(void) = {
#define ADDRESS(name) wait_in_##name,
	ALL(ADDRESS)
#undef ADDRESS
};
#define WAIT_COUNT (sizeof(waits) / sizeof(waits[0]))

static atomic_uint begun;

static void *waiter(void *argument)
{
	void (*const *wait)(void) = argument;
	atomic_fetch_add(&begun, 1);
	(*wait)();
	return NULL;
}

static void *endless_thread(void *unused)
{
	(void)unused;
	for (;;)
		sleep(1000);
	return NULL;
}

static void prepare(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	char filling[4096] = { 0 };
	pthread_mutex_lock(&held);
	pthread_rwlock_wrlock(&held_rwlock);
	mtx_init(&held_mtx, mtx_timed);
	mtx_init(&free_mtx, mtx_timed);
	mtx_lock(&held_mtx);
	cnd_init(&cnd);
	pthread_barrier_init(&barrier, NULL, 2);
	sem_init(&semaphore, 0, 0);
	if (pipe(empty) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, full) < 0)
		exit(1);
	while (send(full[1], filling, sizeof(filling), MSG_DONTWAIT) > 0)
		continue;
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un_any {
		sa_family_t family;
	} any = { AF_UNIX };
	bind(listener, (struct sockaddr *)&any, sizeof(any));
	listen(listener, 1);
	epoll_fd = epoll_create1(0);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, empty[0], &event);
	queue = msgget(IPC_PRIVATE, 0600);
	semaphores = semget(IPC_PRIVATE, 1, 0600);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	pthread_create(&endless, NULL, endless_thread, NULL);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
	if (argc > 1 && strcmp(argv[1], "drop") == 0 && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
		return 1;
	prepare();
	for (size_t i = 0; i < WAIT_COUNT; i++) {
		void (*const *wait)(void) = &waits[i];
		if (pthread_create(&thread, NULL, waiter, (void *)(size_t)wait) != 0)
			return 1;
	}
	while (atomic_load(&begun) < WAIT_COUNT)
		usleep(1000);
	usleep(300000);
	printf("waiting %zu\n", WAIT_COUNT);
	fflush(stdout);
	char byte;
	(void)!read(STDIN_FILENO, &byte, 1);
	kill(child, SIGKILL);
	msgctl(queue, IPC_RMID, NULL);
	semctl(semaphores, 0, IPC_RMID);
	return 0;
}
