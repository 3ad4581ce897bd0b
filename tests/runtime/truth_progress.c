/* truth_progress.c - waits that last until they are told to end: while they do they are no part of any sum, afterwards once.
 *
 * Three threads wait: for a mutex, a condition, and in poll. Prints "blocked" and waits for a line; lets them go, prints what truth.h says
 * of the three, and "done"; a line on standard input ends it.
 */
#include <poll.h>

#include "truth.h"

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int flag, ends[2];

TRUTH_FUNCTION void holds(void)
{
	pthread_mutex_lock(&held);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void stuck_in_mutex(void)
{
	pthread_mutex_lock(&held);
	pthread_mutex_unlock(&held);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void stuck_in_condition(void)
{
	pthread_mutex_lock(&guard);
	while (!flag)
		pthread_cond_wait(&condition, &guard);
	pthread_mutex_unlock(&guard);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void stuck_in_poll(void)
{
	struct pollfd fd = { ends[0], POLLIN, 0 };
	poll(&fd, 1, -1);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void lets_go(void)
{
	pthread_mutex_unlock(&held);
	TRUTH_STAYS;
}

static void release_all(void)
{
	lets_go();
	pthread_mutex_lock(&guard);
	flag = 1;
	pthread_mutex_unlock(&guard);
	pthread_cond_signal(&condition);
	truth_require(write(ends[1], "x", 1) == 1, "pipe");
}

int main(void)
{
	static const struct truth_case cases[] = {
		{ "stuck_in_mutex", NULL, stuck_in_mutex, NULL, NULL, 1 },
		{ "stuck_in_condition", NULL, stuck_in_condition, NULL, NULL, 1 },
		{ "stuck_in_poll", NULL, stuck_in_poll, NULL, NULL, 1 },
	};
	enum { COUNT = sizeof(cases) / sizeof(cases[0]) };
	struct truth_waiter waiters[COUNT];
	memset(waiters, 0, sizeof(waiters));
	truth_require(pipe(ends) == 0, "no pipe");
	truth_begin();
	holds();
	for (int i = 0; i < COUNT; i++) {
		waiters[i].test = &cases[i];
		truth_require(pthread_create(&waiters[i].thread, NULL, truth_waits, &waiters[i]) == 0, "no thread");
	}
	for (int i = 0; i < COUNT; i++)
		truth_await_asleep(&waiters[i]);
	truth_say("blocked");
	long long before_ns = truth_now_ns();
	release_all();
	long long after_ns = truth_now_ns();
	for (int i = 0; i < COUNT; i++) {
		pthread_join(waiters[i].thread, NULL);
		struct truth_sums sums = { 1, before_ns - waiters[i].asleep_ns, waiters[i].ended_ns - waiters[i].begun_ns,
			                       before_ns - waiters[i].asleep_ns, after_ns - waiters[i].begun_ns };
		truth_print(cases[i].name, &sums);
	}
	truth_say("done");
	return 0;
}
