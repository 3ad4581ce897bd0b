/* test_dump.c - the signal that asks for a stack: answered, refused when late, and never seen as EINTR.
 *
 * The waits are called straight, without wrappers, and are asked while they sleep, which a dump does only by bad luck: each
 * signal hits.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/shared/losses.h"
#include "runtime/shared/process.h"
#include "runtime/shared/sys.h"
#include "runtime/signal/dump.h"
#include "runtime/signal/our_signal.h"
#include "runtime/signal/resume.h"

#define WAIT_MS 60
#define ASKED 12

static int silent[2], quiet[2], epoll_fd, semaphores;
static sem_t semaphore;
static const struct timespec short_time = { 0, WAIT_MS * 1000000l };

static struct timespec soon(clockid_t clock)
{
	struct timespec until;
	clock_gettime(clock, &until);
	until.tv_nsec += short_time.tv_nsec;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return until;
}

static int in_poll(void)
{
	struct pollfd fd = { .fd = silent[0], .events = POLLIN };
	return poll(&fd, 1, WAIT_MS) < 0 ? errno : 0;
}

static int in_ppoll(void)
{
	struct pollfd fd = { .fd = silent[0], .events = POLLIN };
	return ppoll(&fd, 1, &short_time, NULL) < 0 ? errno : 0;
}

static int in_select(void)
{
	fd_set fds;
	struct timeval time = { 0, WAIT_MS * 1000 };
	FD_ZERO(&fds);
	FD_SET(silent[0], &fds);
	return select(silent[0] + 1, &fds, NULL, NULL, &time) < 0 ? errno : 0;
}

static int in_pselect(void)
{
	fd_set fds;
	FD_ZERO(&fds);
	FD_SET(silent[0], &fds);
	return pselect(silent[0] + 1, &fds, NULL, NULL, &short_time, NULL) < 0 ? errno : 0;
}

static int in_epoll_wait(void)
{
	struct epoll_event event;
	return epoll_wait(epoll_fd, &event, 1, WAIT_MS) < 0 ? errno : 0;
}

static int in_epoll_pwait2(void)
{
	struct epoll_event event;
	return epoll_pwait2(epoll_fd, &event, 1, &short_time, NULL) < 0 ? errno : 0;
}

static int in_nanosleep(void)
{
	return nanosleep(&short_time, NULL) < 0 ? errno : 0;
}

static int in_clock_nanosleep(void)
{
	struct timespec until = soon(CLOCK_MONOTONIC);
	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static int in_sem_timedwait(void)
{
	struct timespec until = soon(CLOCK_REALTIME);
	return sem_timedwait(&semaphore, &until) < 0 ? errno : 0;
}

static int in_recv(void)
{
	char byte;
	return recv(quiet[0], &byte, 1, 0) < 0 ? errno : 0;
}

static int in_read(void)
{
	char byte;
	return read(quiet[0], &byte, 1) < 0 ? errno : 0;
}

static int in_sigtimedwait(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return sigtimedwait(&set, NULL, &short_time) < 0 ? errno : 0;
}

static int in_semtimedop(void)
{
	struct sembuf take = { 0, -1, 0 };
	return semtimedop(semaphores, &take, 1, &short_time) < 0 ? errno : 0;
}

struct kind {
	const char *name;
	int (*wait)(void);
	int expected; /* errno when the time is over */
};

static const struct kind kinds[] = {
	{ "poll", in_poll, 0 },
	{ "ppoll", in_ppoll, 0 },
	{ "select", in_select, 0 },
	{ "pselect", in_pselect, 0 },
	{ "epoll_wait", in_epoll_wait, 0 },
	{ "epoll_pwait2", in_epoll_pwait2, 0 },
	{ "nanosleep", in_nanosleep, 0 },
	{ "clock_nanosleep", in_clock_nanosleep, 0 },
	{ "sem_timedwait", in_sem_timedwait, ETIMEDOUT },
	{ "recv", in_recv, EAGAIN },
	{ "read", in_read, EAGAIN },
	{ "sigtimedwait", in_sigtimedwait, EAGAIN },
	{ "semtimedop", in_semtimedop, EAGAIN },
};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static atomic_int waiter_tid;

struct result {
	const struct kind *kind;
	int error;
};

static void *waiter(void *argument)
{
	struct result *result = argument;
	atomic_store(&waiter_tid, sys_gettid());
	result->error = result->kind->wait();
	return NULL;
}

static bool answered_soon(uint32_t slot)
{
	for (int i = 0; i < 2000; i++) {
		if (dump_answered(slot))
			return true;
		usleep(500);
	}
	return false;
}

static pthread_t start_waiter(struct result *result)
{
	pthread_t thread;
	atomic_store(&waiter_tid, 0);
	assert_int_equal(pthread_create(&thread, NULL, waiter, result), 0);
	while (atomic_load(&waiter_tid) == 0)
		usleep(100);
	usleep(2000);
	return thread;
}

static void a_sleeping_call_goes_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < KIND_COUNT; i++) {
		struct result result = { &kinds[i], -1 };
		pthread_t thread = start_waiter(&result);
		uint32_t answered = 0;
		for (uint32_t slot = 0; slot < ASKED; slot++) {
			assert_true(dump_begin());
			/* Relative times begin anew, so it is still there. */
			answered += dump_ask(slot, atomic_load(&waiter_tid)) && answered_soon(slot);
			usleep(1000);
		}
		pthread_join(thread, NULL);
		if (result.error != kinds[i].expected)
			fail_msg("%s: %s", kinds[i].name, strerror(result.error));
		if (answered < ASKED / 2)
			fail_msg("%s: only %u answers", kinds[i].name, answered);
	}
	assert_int_equal(atomic_load(&losses[LOSS_EINTR_SEEN]), 0);
}

static atomic_int handled;

static void count(int number)
{
	(void)number;
	atomic_fetch_add(&handled, 1);
}

/* The program's own signal must end the wait, whether it comes alone or together with ours. */
static void the_hosts_signal_interrupts(void **state)
{
	(void)state;
	struct sigaction action = { .sa_handler = count, .sa_flags = SA_RESTART };
	sigaction(SIGUSR1, &action, NULL);
	for (size_t i = 0; i < KIND_COUNT; i++) {
		struct result result = { &kinds[i], -1 };
		pthread_t thread = start_waiter(&result);
		assert_true(dump_begin());
		atomic_store(&handled, 0);
		dump_ask(0, atomic_load(&waiter_tid));
		pthread_kill(thread, SIGUSR1);
		dump_ask(1, atomic_load(&waiter_tid));
		pthread_join(thread, NULL);
		assert_int_equal(atomic_load(&handled), 1);
		/* Ours may have been first, and the wait begun anew when it came: EINTR or the end of the time, nothing else. */
		if (result.error != EINTR && result.error != kinds[i].expected)
			fail_msg("%s: %s", kinds[i].name, strerror(result.error));
	}
}

static void a_late_answer_is_refused(void **state)
{
	(void)state;
	sigset_t ours, old;
	assert_true(dump_begin());
	sigemptyset(&ours);
	sigaddset(&ours, our_signal(OUR_DUMPS));
	pthread_sigmask(SIG_BLOCK, &ours, &old);
	assert_true(dump_ask(0, sys_gettid()));
	assert_false(dump_answered(0));
	assert_true(dump_cancel(0));
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	assert_false(dump_answered(0));

	pthread_sigmask(SIG_BLOCK, &ours, NULL);
	assert_true(dump_ask(0, sys_gettid()));
	assert_true(dump_begin());
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	/* Of the dump before: it may have been written, but nothing of this dump was asked for. */
	assert_true(dump_ask(0, sys_gettid()));
	assert_true(answered_soon(0));
	assert_true(dump_frames(0)->count > 0);
}

static void a_signal_that_the_host_takes_is_given_up(void **state)
{
	(void)state;
	assert_true(dump_begin());
	int first = our_signal(OUR_DUMPS);
	struct sigaction theirs = { .sa_handler = count }, now;
	sigaction(first, &theirs, NULL);
	assert_true(dump_begin());
	assert_int_not_equal(our_signal(OUR_DUMPS), first);
	sigaction(first, NULL, &now);
	assert_ptr_equal(now.sa_handler, count);
	atomic_store(&handled, 0);
	raise(first);
	assert_int_equal(atomic_load(&handled), 1);
	theirs.sa_handler = SIG_DFL;
	sigaction(first, &theirs, NULL);
}

static void numbers_are_read_from_code(void **state)
{
	(void)state;
	static const unsigned char poll_code[] = { 0xb8, 7, 0, 0, 0, 0x0f, 0x05 };
	static const unsigned char futex_far[] = { 0xb8, 0xca, 0, 0, 0, 0x44, 0x89, 0xf6, 0x4c, 0x89, 0xef, 0x0f, 0x05 };
	static const unsigned char read_code[] = { 0x31, 0xc0, 0x0f, 0x05 };
	static const unsigned char open_code[] = { 0xb8, 2, 0, 0, 0, 0x0f, 0x05 };
	static const unsigned char nearest[] = { 0xb8, 7, 0, 0, 0, 0xb8, 0xca, 0, 0, 0, 0x0f, 0x05 };
	static const unsigned char no_call[] = { 0xb8, 7, 0, 0, 0, 0x90, 0x90 };
	static const unsigned char cut[] = { 7, 0, 0, 0, 0x0f, 0x05 };
	assert_int_equal(resume_number(poll_code, sizeof(poll_code)), SYS_poll);
	assert_int_equal(resume_number(futex_far, sizeof(futex_far)), SYS_futex);
	assert_int_equal(resume_number(read_code, sizeof(read_code)), SYS_read);
	assert_int_equal(resume_number(open_code, sizeof(open_code)), -1);
	assert_int_equal(resume_number(nearest, sizeof(nearest)), SYS_futex);
	assert_int_equal(resume_number(no_call, sizeof(no_call)), -1);
	assert_int_equal(resume_number(cut, sizeof(cut)), -1);
	assert_int_equal(resume_number(cut, 1), -1);
}

static int prepare(void **state)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct timeval time = { 0, WAIT_MS * 1000 };
	sigset_t blocked;
	(void)state;
	process_init();
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
	if (pipe(silent) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, quiet) < 0)
		return -1;
	setsockopt(quiet[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
	epoll_fd = epoll_create1(0);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, silent[0], &event);
	semaphores = semget(IPC_PRIVATE, 1, 0600);
	return sem_init(&semaphore, 0, 0);
}

static int clean_up(void **state)
{
	(void)state;
	return semctl(semaphores, 0, IPC_RMID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_read_from_code),
		cmocka_unit_test(a_sleeping_call_goes_on),
		cmocka_unit_test(the_hosts_signal_interrupts),
		cmocka_unit_test(a_late_answer_is_refused),
		cmocka_unit_test(a_signal_that_the_host_takes_is_given_up),
	};
	return cmocka_run_group_tests(tests, prepare, clean_up);
}
