/* contract_threads.c - joining in all its forms, detaching, once, thread-specific data whose destructors lock and wait, and C11's threads.
 */
#include "contract.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

static sem_t may_end;

static void *end_when_told(void *result)
{
	while (sem_wait(&may_end))
		;
	return result;
}

/* A time that is none makes glibc's join spin for ever: not tried. */
static const struct timespec too_many_ns = { 1ll << 40, 1000000000 };
static const struct timespec negative = { -5, 0 }, past = { 1, 5 };

struct joiner {
	pthread_t thread;
	_Atomic int tid;
	int result;
};

static void *join_it(void *argument)
{
	struct joiner *joiner = argument;
	void *result = NULL;
	atomic_store(&joiner->tid, contract_tid());
	errno = CANARY;
	int error = pthread_join(joiner->thread, &result);
	joiner->result = error ? error : errno != CANARY ? -1 : (int)(intptr_t)result;
	return NULL;
}

static void joining(void)
{
	struct timespec until = contract_after(CLOCK_REALTIME, SHORT_NS),
					monotonic = contract_after(CLOCK_MONOTONIC, SHORT_NS);
	struct timespec late = contract_after(CLOCK_REALTIME, LONG_NS),
					late_monotonic = contract_after(CLOCK_MONOTONIC, LONG_NS);
	void *result = NULL;
	contract_case("join");
	pthread_t thread = contract_start(end_when_told, (void *)5);
	RETURNS(EBUSY, pthread_tryjoin_np(thread, &result));
	RETURNS(ETIMEDOUT, pthread_timedjoin_np(thread, &result, &until));
	RETURNS(ETIMEDOUT, pthread_timedjoin_np(thread, &result, &past));
	RETURNS(ETIMEDOUT, pthread_timedjoin_np(thread, &result, &negative));
	RETURNS(ETIMEDOUT, pthread_clockjoin_np(thread, &result, CLOCK_MONOTONIC, &monotonic));
	RETURNS(EINVAL, pthread_clockjoin_np(thread, &result, 12345, &monotonic));
	RETURNS(EDEADLK, pthread_join(pthread_self(), NULL));
	HOLDS(result == NULL);
	struct joiner joiner = { .thread = thread };
	pthread_t joining_thread = contract_start(join_it, &joiner);
	while (!atomic_load(&joiner.tid))
		contract_sleep(100000);
	contract_until_asleep(atomic_load(&joiner.tid));
	sem_post(&may_end);
	pthread_join(joining_thread, NULL);
	HOLDS(joiner.result == 5);

	thread = contract_start(end_when_told, (void *)6);
	sem_post(&may_end);
	RETURNS(0, pthread_timedjoin_np(thread, &result, &late));
	HOLDS(result == (void *)6);
	thread = contract_start(end_when_told, (void *)7);
	sem_post(&may_end);
	RETURNS(0, pthread_clockjoin_np(thread, &result, CLOCK_MONOTONIC, &late_monotonic));
	HOLDS(result == (void *)7);
	thread = contract_start(end_when_told, (void *)8);
	sem_post(&may_end);
	int error;
	while ((error = pthread_tryjoin_np(thread, &result)) == EBUSY)
		contract_sleep(100000);
	HOLDS(error == 0 && result == (void *)8);
}

static void detaching(void)
{
	contract_case("detach");
	pthread_t thread = contract_start(end_when_told, NULL);
	RETURNS(0, pthread_detach(thread));
	RETURNS(EINVAL, pthread_join(thread, NULL));
	RETURNS(EBUSY, pthread_tryjoin_np(thread, NULL));
	RETURNS(EINVAL, pthread_detach(thread));
	sem_post(&may_end);
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	RETURNS(0, pthread_create(&thread, &attributes, end_when_told, NULL));
	RETURNS(EINVAL, pthread_join(thread, NULL));
	sem_post(&may_end);
	pthread_attr_setstacksize(&attributes, 1ul << 46);
	errno = CANARY;
	int error = pthread_create(&thread, &attributes, end_when_told, NULL);
	contract_note("pthread_create with a stack that nobody has", error, EAGAIN, CANARY, CANARY);
	pthread_attr_destroy(&attributes);
}

/* ---- once ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT, inner_once = PTHREAD_ONCE_INIT, abandoned_once = PTHREAD_ONCE_INIT;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int once_calls, inner_calls, abandoned_calls;

static void initialize_inner(void)
{
	inner_calls++;
}

static void initialize(void)
{
	pthread_mutex_lock(&mutex);
	once_calls++;
	contract_sleep(SHORT_NS);
	pthread_mutex_unlock(&mutex);
	pthread_once(&inner_once, initialize_inner);
}

static void *call_once_of_all(void *argument)
{
	errno = CANARY;
	int error = pthread_once(&once, initialize);
	return error || errno != CANARY || once_calls != 1 ? argument : NULL;
}

/* A routine that is left by cancellation has not been run. */
static void initialize_or_end(void)
{
	if (++abandoned_calls == 1)
		pthread_exit(NULL);
}

static void *call_abandoned(void *argument)
{
	pthread_once(&abandoned_once, initialize_or_end);
	return argument;
}

static void once_only(void)
{
	pthread_t threads[6];
	int failed = 0;
	contract_case("once");
	for (int i = 0; i < 6; i++)
		threads[i] = contract_start(call_once_of_all, &once);
	for (int i = 0; i < 6; i++) {
		void *result;
		pthread_join(threads[i], &result);
		failed += result != NULL;
	}
	HOLDS(failed == 0 && once_calls == 1 && inner_calls == 1);
	contract_in_thread(call_abandoned, NULL);
	contract_in_thread(call_abandoned, NULL);
	contract_in_thread(call_abandoned, NULL);
	HOLDS(abandoned_calls == 2);
}

/* ---- thread-specific data ---- */

static pthread_key_t key, late_key;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int destroyed, late_destroyed;

static void destroy(void *value)
{
	pthread_mutex_lock(&mutex);
	struct timespec until = contract_after(CLOCK_REALTIME, 1000000);
	pthread_cond_timedwait(&condition, &mutex, &until);
	destroyed++;
	pthread_mutex_unlock(&mutex);
	free(value);
	/* Comes round once more. */
	if (destroyed % 2)
		pthread_setspecific(key, malloc(10));
}

static void destroy_late(void *value)
{
	contract_sleep(1000000);
	pthread_mutex_lock(&mutex);
	late_destroyed++;
	pthread_mutex_unlock(&mutex);
	free(value);
}

static void *use_keys(void *argument)
{
	pthread_setspecific(key, malloc(20));
	pthread_setspecific(late_key, malloc(30));
	if (argument)
		pthread_exit(argument);
	return NULL;
}

static void keys(void)
{
	contract_case("thread-specific data");
	RETURNS(0, pthread_key_create(&key, destroy));
	RETURNS(0, pthread_key_create(&late_key, destroy_late));
	contract_in_thread(use_keys, NULL);
	contract_in_thread(use_keys, &key);
	HOLDS(destroyed == 4 && late_destroyed == 2);
	RETURNS(0, pthread_key_delete(key));
	RETURNS(0, pthread_key_delete(late_key));
}

/* ---- C11 ---- */

static mtx_t c11_mutex;
static cnd_t c11_condition;
static int c11_turn;

static int take_turns(void *argument)
{
	int mine = (int)(intptr_t)argument;
	for (int i = 0; i < 200; i++) {
		if (mtx_lock(&c11_mutex) != thrd_success)
			return 1;
		while (c11_turn % 2 != mine)
			if (cnd_wait(&c11_condition, &c11_mutex) != thrd_success)
				return 2;
		c11_turn++;
		if (cnd_broadcast(&c11_condition) != thrd_success || mtx_unlock(&c11_mutex) != thrd_success)
			return 3;
	}
	return 40 + mine;
}

static int find_it_busy(void *argument)
{
	struct timespec until = contract_after(CLOCK_REALTIME, SHORT_NS);
	(void)argument;
	RETURNS(thrd_busy, mtx_trylock(&c11_mutex));
	RETURNS(thrd_timedout, mtx_timedlock(&c11_mutex, &until));
	RETURNS(thrd_timedout, mtx_timedlock(&c11_mutex, &past));
	RETURNS(thrd_error, mtx_timedlock(&c11_mutex, &too_many_ns));
	return 0;
}

static void c11(void)
{
	static const int types[] = { mtx_plain, mtx_timed, mtx_plain | mtx_recursive, mtx_timed | mtx_recursive };
	for (int i = 0; i < 4; i++) {
		struct timespec until = contract_after(CLOCK_REALTIME, SHORT_NS);
		thrd_t thread;
		contract_case("C11 mutex of type %d", types[i]);
		RETURNS(thrd_success, mtx_init(&c11_mutex, types[i]));
		RETURNS(thrd_success, mtx_lock(&c11_mutex));
		RETURNS(types[i] & mtx_recursive ? thrd_success : thrd_busy, mtx_trylock(&c11_mutex));
		if (types[i] & mtx_recursive)
			RETURNS(thrd_success, mtx_unlock(&c11_mutex));
		int created = thrd_create(&thread, find_it_busy, NULL), joined = thrd_join(thread, NULL);
		HOLDS(created == thrd_success && joined == thrd_success);
		RETURNS(thrd_success, mtx_unlock(&c11_mutex));
		RETURNS(thrd_success, mtx_timedlock(&c11_mutex, &until));
		RETURNS(thrd_success, cnd_init(&c11_condition));
		RETURNS(thrd_timedout, cnd_timedwait(&c11_condition, &c11_mutex, &until));
		RETURNS(thrd_error, cnd_timedwait(&c11_condition, &c11_mutex, &too_many_ns));
		RETURNS(thrd_success, mtx_unlock(&c11_mutex));
		thrd_t players[2];
		int results[2] = { 0, 0 };
		c11_turn = 0;
		for (int k = 0; k < 2; k++)
			RETURNS(thrd_success, thrd_create(&players[k], take_turns, (void *)(intptr_t)k));
		for (int k = 0; k < 2; k++)
			RETURNS(thrd_success, thrd_join(players[k], &results[k]));
		HOLDS(results[0] == 40 && results[1] == 41 && c11_turn == 400);
		cnd_destroy(&c11_condition);
		mtx_destroy(&c11_mutex);
	}
	struct timespec moment = { 0, 1000000 }, wrong = { 0, 1000000000 };
	contract_case("C11 sleep");
	RETURNS(0, thrd_sleep(&moment, NULL));
	RETURNS(ANYTHING, thrd_sleep(&wrong, NULL));
}

void contract_threads(void)
{
	sem_init(&may_end, 0, 0);
	joining();
	detaching();
	once_only();
	keys();
	c11();
}
