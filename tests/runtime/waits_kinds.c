/* waits_kinds.c - every kind of lock, by every form of call, with times and clocks good and bad; the same lines with and without the library.
 *
 * Prints what each combination answers, one a line, and does not say what is right: that is what the C library answers.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <threads.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KINDS 48u

enum state { FREE, HELD_BY_OTHER, HELD_BY_SELF, OWNER_DEAD, STATES };

static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_PROCESS_CPUTIME_ID, 77, -1 };
/* The first LONG_AGO are over, or refused, and so may be waited for. */
static const struct timespec times[] = { { 1, 0 },  { 1, 2000000000 },  { 1, -1 },
	                                     { -5, 0 }, { 4000000000l, 0 }, { 4000000000l, -7 } };
#define LONG_AGO 4u

static pthread_mutex_t mutex;

static bool is_robust(unsigned kind)
{
	return kind / 12 % 2;
}

static int make_mutex(unsigned kind)
{
	static const int types[] = { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK,
		                         PTHREAD_MUTEX_ADAPTIVE_NP };
	static const int protocols[] = { PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT, PTHREAD_PRIO_PROTECT };
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, types[kind % 4]);
	pthread_mutexattr_setprotocol(&attributes, protocols[kind / 4 % 3]);
	pthread_mutexattr_setrobust(&attributes, is_robust(kind) ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED);
	pthread_mutexattr_setpshared(&attributes, kind / 24 ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
	return pthread_mutex_init(&mutex, &attributes);
}

struct attempt {
	unsigned form; /* lock, timedlock, clocklock */
	unsigned clock, time;
	int locked, unlocked;
};

static void *try_it(void *argument)
{
	struct attempt *attempt = argument;
	const struct timespec *until = &times[attempt->time];
	if (attempt->form == 0)
		attempt->locked = pthread_mutex_lock(&mutex);
	else if (attempt->form == 1)
		attempt->locked = pthread_mutex_timedlock(&mutex, until);
	else
		attempt->locked = pthread_mutex_clocklock(&mutex, clocks[attempt->clock], until);
	bool has_it = attempt->locked == 0 || attempt->locked == EOWNERDEAD;
	attempt->unlocked = has_it ? pthread_mutex_unlock(&mutex) : -1;
	return NULL;
}

static void *die_holding(void *unused)
{
	pthread_mutex_lock(&mutex);
	return unused;
}

static void in_thread(void *(*routine)(void *), void *argument)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, routine, argument) == 0)
		pthread_join(thread, NULL);
}

static void attempt_in(enum state state, struct attempt *attempt)
{
	bool holds = (state == HELD_BY_OTHER || state == HELD_BY_SELF) && pthread_mutex_lock(&mutex) == 0;
	if (state == OWNER_DEAD)
		in_thread(die_holding, NULL);
	if (state == HELD_BY_OTHER)
		in_thread(try_it, attempt);
	else
		try_it(attempt);
	if (holds)
		pthread_mutex_unlock(&mutex);
}

static void mutexes_of(unsigned kind, unsigned form)
{
	for (unsigned clock = 0; clock < (form == 2 ? COUNT(clocks) : 1); clock++)
		for (unsigned time = 0; time < (form ? COUNT(times) : 1); time++)
			for (enum state state = FREE; state < STATES; state++) {
				struct attempt attempt = { .form = form, .clock = clock, .time = time };
				bool is_held = state == HELD_BY_OTHER || state == HELD_BY_SELF;
				if ((is_held && (form == 0 || time >= LONG_AGO)) || (state == OWNER_DEAD && !is_robust(kind)))
					continue; /* it would wait for ever */
				make_mutex(kind);
				attempt_in(state, &attempt);
				printf("mutex %u form %u clock %u time %u state %u: %d, %d", kind, form, clock, time, state,
				       attempt.locked, attempt.unlocked);
				if (state == OWNER_DEAD) {
					try_it(&attempt);
					printf("; %d, %d", attempt.locked, attempt.unlocked);
				}
				printf("\n");
			}
}

static void mutexes(void)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		int result = make_mutex(kind);
		printf("mutex %u: %d\n", kind, result);
		for (unsigned form = 0; form < 3 && !result; form++)
			mutexes_of(kind, form);
	}
}

/* NULL is no time at all. clock -1: the form without one. */
static int take_rwlock(pthread_rwlock_t *lock, bool writes, int clock, const struct timespec *until)
{
	if (clock < 0)
		return writes ? pthread_rwlock_timedwrlock(lock, until) : pthread_rwlock_timedrdlock(lock, until);
	clockid_t id = clocks[clock];
	return writes ? pthread_rwlock_clockwrlock(lock, id, until) : pthread_rwlock_clockrdlock(lock, id, until);
}

static void rwlocks_of(int preference, bool writes, int clock)
{
	for (unsigned time = 0; time < COUNT(times); time++)
		for (unsigned state = 0; state < 3; state++) {
			pthread_rwlockattr_t attributes;
			pthread_rwlock_t lock;
			if (state && time >= LONG_AGO)
				continue;
			pthread_rwlockattr_init(&attributes);
			pthread_rwlockattr_setkind_np(&attributes, preference);
			pthread_rwlock_init(&lock, &attributes);
			if (state == 1)
				pthread_rwlock_rdlock(&lock);
			else if (state == 2)
				pthread_rwlock_wrlock(&lock);
			int taken = take_rwlock(&lock, writes, clock, &times[time]);
			printf("rwlock %d writes %d clock %d time %u state %u: %d, %d\n", preference, writes, clock, time, state,
			       taken, taken && !state ? -1 : pthread_rwlock_unlock(&lock));
		}
}

static void rwlocks(void)
{
	for (int preference = 0; preference < 3; preference++)
		for (int clock = -1; clock < (int)COUNT(clocks); clock++) {
			rwlocks_of(preference, false, clock);
			rwlocks_of(preference, true, clock);
		}
}

static void semaphores_of(int clock, unsigned value)
{
	for (unsigned time = 0; time < (value ? COUNT(times) : LONG_AGO); time++) {
		sem_t semaphore;
		int left = -1;
		sem_init(&semaphore, 0, value);
		errno = 77;
		int result = clock < 0 ? sem_timedwait(&semaphore, &times[time])
		                       : sem_clockwait(&semaphore, clocks[clock], &times[time]);
		int error = errno;
		sem_getvalue(&semaphore, &left);
		printf("semaphore of %u clock %d time %u: %d, errno %d, %d left\n", value, clock, time, result, error, left);
	}
}

static void mtxs(int type)
{
	for (unsigned time = 0; time < COUNT(times); time++)
		for (unsigned held = 0; held < (time < LONG_AGO ? 2 : 1); held++) {
			mtx_t mtx;
			mtx_init(&mtx, type);
			if (held)
				mtx_lock(&mtx);
			int result = mtx_timedlock(&mtx, &times[time]);
			printf("mtx %d time %u held %u: %d\n", type, time, held, result);
		}
}

int main(void)
{
	mutexes();
	rwlocks();
	for (int clock = -1; clock < (int)COUNT(clocks); clock++) {
		semaphores_of(clock, 0);
		semaphores_of(clock, 1);
	}
	mtxs(mtx_plain);
	mtxs(mtx_timed);
	mtxs(mtx_plain | mtx_recursive);
	mtxs(mtx_timed | mtx_recursive);
	/* What the headers forbid, and worked. */
	const struct timespec *volatile none = NULL;
	pthread_mutex_t free_mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_rwlock_t free_rwlock = PTHREAD_RWLOCK_INITIALIZER;
	printf("no time: %d, %d\n", pthread_mutex_timedlock(&free_mutex, none),
	       pthread_rwlock_timedwrlock(&free_rwlock, none));
	return 0;
}
