/* contract_cond.c - condition variables: clocks, times that are wrong, kinds of mutexes, signal against broadcast, processes; and the
 * functions of glibc before 2.3.2, which old programs still ask for, with a condition of 8 bytes.
 */
#include "contract.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static const struct timespec no_ns = { 1ll << 40, -1 }, too_many_ns = { 1ll << 40, 1000000000 };
static const struct timespec negative = { -5, 0 }, past = { 1, 5 };

static pthread_mutex_t made(int type)
{
	pthread_mutexattr_t attributes;
	pthread_mutex_t mutex;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, type);
	pthread_mutex_init(&mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return mutex;
}

static void make(pthread_cond_t *condition, clockid_t clock, int shared)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	RETURNS(0, pthread_condattr_setclock(&attributes, clock));
	RETURNS(0, pthread_condattr_setpshared(&attributes, shared));
	RETURNS(0, pthread_cond_init(condition, &attributes));
	pthread_condattr_destroy(&attributes);
}

/* After each the mutex is ours, once. */
static void timed_out(int type, clockid_t clock, int shared)
{
	pthread_cond_t condition;
	pthread_mutex_t mutex = made(type);
	clockid_t other = clock == CLOCK_REALTIME ? CLOCK_MONOTONIC : CLOCK_REALTIME;
	make(&condition, clock, shared);
	RETURNS(0, pthread_mutex_lock(&mutex));
	struct timespec until = contract_after(clock, SHORT_NS), others_until = contract_after(other, SHORT_NS);
	RETURNS(ETIMEDOUT, pthread_cond_timedwait(&condition, &mutex, &until));
	struct timespec now = contract_after(clock, 0);
	HOLDS(now.tv_sec > until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
	RETURNS(ETIMEDOUT, pthread_cond_timedwait(&condition, &mutex, &past));
	RETURNS(ETIMEDOUT, pthread_cond_timedwait(&condition, &mutex, &negative));
	RETURNS(EINVAL, pthread_cond_timedwait(&condition, &mutex, &no_ns));
	RETURNS(EINVAL, pthread_cond_timedwait(&condition, &mutex, &too_many_ns));
	RETURNS(ETIMEDOUT, pthread_cond_clockwait(&condition, &mutex, other, &others_until));
	RETURNS(ETIMEDOUT, pthread_cond_clockwait(&condition, &mutex, clock, &past));
	RETURNS(EINVAL, pthread_cond_clockwait(&condition, &mutex, 12345, &until));
	RETURNS(EINVAL, pthread_cond_clockwait(&condition, &mutex, clock, &too_many_ns));
	RETURNS(0, pthread_cond_signal(&condition));
	RETURNS(0, pthread_cond_broadcast(&condition));
	RETURNS(0, pthread_mutex_unlock(&mutex));
	RETURNS(0, pthread_mutex_trylock(&mutex));
	RETURNS(0, pthread_mutex_unlock(&mutex));
	RETURNS(0, pthread_cond_destroy(&condition));
	RETURNS(0, pthread_mutex_destroy(&mutex));
}

/* ---- tickets: who waits takes one; nobody gets one that was not given, and none is lost ---- */

enum { TAKERS = 4 };

struct office {
	pthread_mutex_t mutex;
	pthread_cond_t condition;
	int form; /* 0 wait, 1 timedwait, 2 clockwait */
	clockid_t clock;
	int waiting, tickets, taken, errors;
};

static void *take_ticket(void *argument)
{
	struct office *office = argument;
	struct timespec until = contract_after(office->form == 2 ? CLOCK_MONOTONIC : office->clock, LONG_NS);
	pthread_mutex_lock(&office->mutex);
	office->waiting++;
	while (!office->tickets) {
		errno = CANARY;
		int error = office->form == 0 ? pthread_cond_wait(&office->condition, &office->mutex)
		            : office->form == 1
		                    ? pthread_cond_timedwait(&office->condition, &office->mutex, &until)
		                    : pthread_cond_clockwait(&office->condition, &office->mutex, CLOCK_MONOTONIC, &until);
		office->errors += error != 0 || errno != CANARY;
	}
	office->tickets--;
	office->taken++;
	pthread_mutex_unlock(&office->mutex);
	return NULL;
}

static int seen(struct office *office, const int *what)
{
	pthread_mutex_lock(&office->mutex);
	int value = *what;
	pthread_mutex_unlock(&office->mutex);
	return value;
}

static void give(struct office *office, int tickets)
{
	pthread_mutex_lock(&office->mutex);
	office->tickets += tickets;
	RETURNS(0, tickets == 1 ? pthread_cond_signal(&office->condition) : pthread_cond_broadcast(&office->condition));
	pthread_mutex_unlock(&office->mutex);
}

static void tickets(int type, clockid_t clock, int form)
{
	struct office office = { .mutex = made(type), .form = form, .clock = clock };
	pthread_t threads[TAKERS];
	contract_case("cond tickets, mutex type %d, clock %d, form %d", type, clock, form);
	make(&office.condition, clock, 0);
	for (int i = 0; i < TAKERS; i++)
		threads[i] = contract_start(take_ticket, &office);
	while (seen(&office, &office.waiting) < TAKERS)
		contract_sleep(200000);
	give(&office, 1);
	while (seen(&office, &office.taken) < 1)
		contract_sleep(200000);
	contract_sleep(SHORT_NS);
	HOLDS(seen(&office, &office.taken) == 1);
	give(&office, TAKERS - 1);
	for (int i = 0; i < TAKERS; i++)
		pthread_join(threads[i], NULL);
	HOLDS(office.taken == TAKERS && office.tickets == 0 && office.errors == 0);
	RETURNS(0, pthread_cond_destroy(&office.condition));
	RETURNS(0, pthread_mutex_destroy(&office.mutex));
}

/* ---- whose mutex ---- */

static void wrong_owner(void)
{
	pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
	pthread_mutex_t mutex = made(PTHREAD_MUTEX_ERRORCHECK);
	contract_case("cond with a mutex that is not held");
	RETURNS(EPERM, pthread_cond_wait(&condition, &mutex));
	RETURNS(EPERM, pthread_cond_timedwait(&condition, &mutex, &past));
	RETURNS(0, pthread_mutex_trylock(&mutex));
	RETURNS(0, pthread_mutex_unlock(&mutex));
}

/* ---- processes ---- */

struct table {
	pthread_mutex_t mutex;
	pthread_cond_t condition;
	int turn;
};

static int play(struct table *table, int mine)
{
	for (int round = 0; round < 500; round++) {
		if (pthread_mutex_lock(&table->mutex))
			return 1;
		while (table->turn % 2 != mine)
			if (pthread_cond_wait(&table->condition, &table->mutex))
				return 2;
		table->turn++;
		if (pthread_cond_signal(&table->condition) || pthread_mutex_unlock(&table->mutex))
			return 3;
	}
	return 0;
}

static void of_processes(void)
{
	struct table *table = contract_shared(sizeof(*table));
	pthread_mutexattr_t attributes;
	contract_case("cond of two processes");
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&table->mutex, &attributes);
	make(&table->condition, CLOCK_MONOTONIC, PTHREAD_PROCESS_SHARED);
	pid_t child = fork();
	if (child == 0)
		_exit(play(table, 1));
	HOLDS(play(table, 0) == 0);
	HOLDS(contract_reap(child) == 0);
	HOLDS(table->turn == 1000);
	RETURNS(0, pthread_cond_destroy(&table->condition));
}

/* ---- the old functions: the condition is a pointer to one that they allocate ---- */

#if defined(__x86_64__) && !defined(CONTRACT_STATIC)

struct old_condition {
	void *real;
};

int old_init(struct old_condition *condition, const pthread_condattr_t *attributes);
int old_destroy(struct old_condition *condition);
int old_wait(struct old_condition *condition, pthread_mutex_t *mutex);
int old_timedwait(struct old_condition *condition, pthread_mutex_t *mutex, const struct timespec *until);
int old_signal(struct old_condition *condition);
int old_broadcast(struct old_condition *condition);
__asm__(".symver old_init, pthread_cond_init@GLIBC_2.2.5");
__asm__(".symver old_destroy, pthread_cond_destroy@GLIBC_2.2.5");
__asm__(".symver old_wait, pthread_cond_wait@GLIBC_2.2.5");
__asm__(".symver old_timedwait, pthread_cond_timedwait@GLIBC_2.2.5");
__asm__(".symver old_signal, pthread_cond_signal@GLIBC_2.2.5");
__asm__(".symver old_broadcast, pthread_cond_broadcast@GLIBC_2.2.5");

/* What lies behind the condition in an old program's memory. */
struct old_office {
	pthread_mutex_t mutex;
	struct old_condition condition;
	char behind[256];
	int tickets, taken, errors;
};

static void *take_old_ticket(void *argument)
{
	struct old_office *office = argument;
	struct timespec until = contract_after(CLOCK_REALTIME, LONG_NS);
	pthread_mutex_lock(&office->mutex);
	while (!office->tickets)
		office->errors += old_timedwait(&office->condition, &office->mutex, &until) != 0;
	office->tickets--;
	office->taken++;
	pthread_mutex_unlock(&office->mutex);
	return NULL;
}

static void *wait_old(void *argument)
{
	struct old_office *office = argument;
	pthread_mutex_lock(&office->mutex);
	while (!office->tickets)
		office->errors += old_wait(&office->condition, &office->mutex) != 0;
	office->tickets--;
	office->taken++;
	pthread_mutex_unlock(&office->mutex);
	return NULL;
}

static void old_functions(void)
{
	struct old_office office = { .mutex = PTHREAD_MUTEX_INITIALIZER };
	char untouched[sizeof(office.behind)];
	pthread_t threads[TAKERS];
	contract_case("cond of glibc 2.2.5");
	memset(office.behind, 0x5a, sizeof(office.behind));
	memset(untouched, 0x5a, sizeof(untouched));
	RETURNS(0, old_init(&office.condition, NULL));
	RETURNS(0, pthread_mutex_lock(&office.mutex));
	struct timespec until = contract_after(CLOCK_REALTIME, SHORT_NS);
	RETURNS(ETIMEDOUT, old_timedwait(&office.condition, &office.mutex, &until));
	RETURNS(ETIMEDOUT, old_timedwait(&office.condition, &office.mutex, &past));
	RETURNS(EINVAL, old_timedwait(&office.condition, &office.mutex, &no_ns));
	RETURNS(0, pthread_mutex_unlock(&office.mutex));
	HOLDS(memcmp(office.behind, untouched, sizeof(untouched)) == 0);
	for (int i = 0; i < TAKERS; i++)
		threads[i] = contract_start(i % 2 ? take_old_ticket : wait_old, &office);
	contract_sleep(SHORT_NS);
	for (int i = 0; i < TAKERS; i++) {
		pthread_mutex_lock(&office.mutex);
		office.tickets++;
		RETURNS(0, i % 2 ? old_broadcast(&office.condition) : old_signal(&office.condition));
		pthread_mutex_unlock(&office.mutex);
	}
	for (int i = 0; i < TAKERS; i++)
		pthread_join(threads[i], NULL);
	HOLDS(office.taken == TAKERS && office.errors == 0);
	HOLDS(memcmp(office.behind, untouched, sizeof(untouched)) == 0);
	RETURNS(0, old_destroy(&office.condition));
}

#endif

void contract_cond(void)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC };
	for (int i = 0; i < 4 * 2 * 2; i++) {
		contract_case("cond clock %d, mutex type %d, %s", i / 4 % 2, i % 4, i / 8 ? "shared" : "private");
		timed_out(i % 4, clocks[i / 4 % 2], i / 8);
	}
	for (int i = 0; i < 4 * 2 * 3; i++)
		tickets(i % 4, clocks[i / 4 % 2], i / 8);
	wrong_owner();
	of_processes();
#if defined(__x86_64__) && !defined(CONTRACT_STATIC)
	old_functions();
#endif
}
