/* truth_locks.c - a program that waits for locks, and knows for how long (truth.h).
 *
 *     truth_locks [ROUNDS]
 *
 * A convoy of waiters behind one holder, with a name for its lock; a producer and a consumer by condition and by semaphore; a writer that readers
 * keep out; the same by calls with a time limit; barrier, join, C11's calls, a futex of its own. And nobody_waits, which makes many calls that have
 * nothing to wait for. Prints "lock NAME ADDRESS" for each lock, the truths, and "done"; a line
 * on standard input ends it. Plain, but for cpprof_lock_name, which it calls if somebody has it.
 */
#include <dlfcn.h>
#include <linux/futex.h>
#include <semaphore.h>
#include <threads.h>

#include "truth.h"

#define CONVOY 6
#define READS 4

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t semaphore;
static mtx_t mtx, cnd_guard;
static cnd_t cnd;
static int items, cnd_items;
static unsigned futex_word;
static thrd_t thrd;

/* ---- one lock, a known holder ---- */

TRUTH_FUNCTION void convoy_holds(void)
{
	pthread_mutex_lock(&mutex);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void convoy_waits(void)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void convoy_releases(void)
{
	pthread_mutex_unlock(&mutex);
	TRUTH_STAYS;
}

/* ---- a producer and a consumer ---- */

TRUTH_FUNCTION void condition_waits(void)
{
	pthread_mutex_lock(&guard);
	while (items == 0)
		pthread_cond_wait(&condition, &guard);
	items--;
	pthread_mutex_unlock(&guard);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void condition_releases(void)
{
	pthread_mutex_lock(&guard);
	items++;
	pthread_mutex_unlock(&guard);
	pthread_cond_signal(&condition);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void semaphore_waits(void)
{
	sem_wait(&semaphore);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void semaphore_releases(void)
{
	sem_post(&semaphore);
	TRUTH_STAYS;
}

/* ---- readers keep a writer out ---- */

TRUTH_FUNCTION void readers_begin(void)
{
	pthread_rwlock_rdlock(&rwlock);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void writer_waits(void)
{
	pthread_rwlock_wrlock(&rwlock);
	pthread_rwlock_unlock(&rwlock);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void readers_release(void)
{
	pthread_rwlock_unlock(&rwlock);
	TRUTH_STAYS;
}

/* The next reader is always there before the last one goes. */
static void readers_overlap(void)
{
	for (int i = 0; i < READS; i++) {
		truth_sleep_ns(TRUTH_HOLD_NS / READS);
		readers_begin();
		readers_release();
	}
}

TRUTH_FUNCTION void writer_holds(void)
{
	pthread_rwlock_wrlock(&rwlock);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void reader_waits(void)
{
	pthread_rwlock_rdlock(&rwlock);
	pthread_rwlock_unlock(&rwlock);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void writer_releases(void)
{
	pthread_rwlock_unlock(&rwlock);
	TRUTH_STAYS;
}

/* ---- with a time limit that is not reached ---- */

static struct timespec far(clockid_t clock)
{
	struct timespec until;
	clock_gettime(clock, &until);
	until.tv_sec += 1000;
	return until;
}

TRUTH_FUNCTION void timedlock_waits(void)
{
	struct timespec until = far(CLOCK_REALTIME);
	truth_require(pthread_mutex_timedlock(&mutex, &until) == 0, "timedlock");
	pthread_mutex_unlock(&mutex);
}

TRUTH_FUNCTION void timedlock_releases(void)
{
	pthread_mutex_unlock(&mutex);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void timedwrlock_waits(void)
{
	struct timespec until = far(CLOCK_REALTIME);
	truth_require(pthread_rwlock_timedwrlock(&rwlock, &until) == 0, "timedwrlock");
	pthread_rwlock_unlock(&rwlock);
}

TRUTH_FUNCTION void timedwrlock_releases(void)
{
	pthread_rwlock_unlock(&rwlock);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void sem_timedwait_waits(void)
{
	struct timespec until = far(CLOCK_REALTIME);
	truth_require(sem_timedwait(&semaphore, &until) == 0, "sem_timedwait");
}

TRUTH_FUNCTION void clockwait_waits(void)
{
	struct timespec until = far(CLOCK_MONOTONIC);
	pthread_mutex_lock(&guard);
	while (items == 0)
		pthread_cond_clockwait(&condition, &guard, CLOCK_MONOTONIC, &until);
	items--;
	pthread_mutex_unlock(&guard);
	TRUTH_STAYS;
}

/* ---- barrier, join, C11, futex ---- */

TRUTH_FUNCTION void barrier_waits(void)
{
	pthread_barrier_wait(&barrier);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void barrier_releases(void)
{
	pthread_barrier_wait(&barrier);
	TRUTH_STAYS;
}

static pthread_t joined;
static sem_t joined_end;

static void *joined_thread(void *unused)
{
	(void)unused;
	while (sem_wait(&joined_end) != 0)
		continue;
	return NULL;
}

static void join_prepares(void)
{
	truth_require(pthread_create(&joined, NULL, joined_thread, NULL) == 0, "no thread to join");
}

TRUTH_FUNCTION void join_waits(void)
{
	pthread_join(joined, NULL);
	TRUTH_STAYS;
}

static void join_releases(void)
{
	sem_post(&joined_end);
}

TRUTH_FUNCTION void mtx_holds(void)
{
	mtx_lock(&mtx);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void mtx_waits(void)
{
	mtx_lock(&mtx);
	mtx_unlock(&mtx);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void mtx_releases(void)
{
	mtx_unlock(&mtx);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cnd_waits(void)
{
	mtx_lock(&cnd_guard);
	while (cnd_items == 0)
		cnd_wait(&cnd, &cnd_guard);
	cnd_items--;
	mtx_unlock(&cnd_guard);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cnd_releases(void)
{
	mtx_lock(&cnd_guard);
	cnd_items++;
	mtx_unlock(&cnd_guard);
	cnd_signal(&cnd);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cnd_timedwait_waits(void)
{
	struct timespec until = far(CLOCK_REALTIME);
	mtx_lock(&cnd_guard);
	while (cnd_items == 0)
		cnd_timedwait(&cnd, &cnd_guard, &until);
	cnd_items--;
	mtx_unlock(&cnd_guard);
	TRUTH_STAYS;
}

static int thrd_thread(void *unused)
{
	joined_thread(unused);
	return 0;
}

static void thrd_prepares(void)
{
	truth_require(thrd_create(&thrd, thrd_thread, NULL) == thrd_success, "no thread to join");
}

TRUTH_FUNCTION void thrd_join_waits(void)
{
	thrd_join(thrd, NULL);
	TRUTH_STAYS;
}

static void futex_prepares(void)
{
	__atomic_store_n(&futex_word, 0, __ATOMIC_SEQ_CST);
}

TRUTH_FUNCTION void futex_waits(void)
{
	syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void futex_bitset_waits(void)
{
	syscall(SYS_futex, &futex_word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, FUTEX_BITSET_MATCH_ANY);
	TRUTH_STAYS;
}

static void futex_releases(void)
{
	__atomic_store_n(&futex_word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &futex_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static const struct truth_case cases[] = {
	{ "convoy_waits", convoy_holds, convoy_waits, NULL, convoy_releases, CONVOY },
	{ "condition_waits", NULL, condition_waits, NULL, condition_releases, 1 },
	{ "semaphore_waits", NULL, semaphore_waits, NULL, semaphore_releases, 1 },
	{ "writer_waits", readers_begin, writer_waits, readers_overlap, readers_release, 1 },
	{ "reader_waits", writer_holds, reader_waits, NULL, writer_releases, 2 },
	{ "timedlock_waits", convoy_holds, timedlock_waits, NULL, timedlock_releases, 2 },
	{ "timedwrlock_waits", readers_begin, timedwrlock_waits, NULL, timedwrlock_releases, 1 },
	{ "sem_timedwait_waits", NULL, sem_timedwait_waits, NULL, semaphore_releases, 1 },
	{ "clockwait_waits", NULL, clockwait_waits, NULL, condition_releases, 1 },
	{ "barrier_waits", NULL, barrier_waits, NULL, barrier_releases, 3 },
	{ "join_waits", join_prepares, join_waits, NULL, join_releases, 1 },
	{ "mtx_waits", mtx_holds, mtx_waits, NULL, mtx_releases, 2 },
	{ "cnd_waits", NULL, cnd_waits, NULL, cnd_releases, 1 },
	{ "cnd_timedwait_waits", NULL, cnd_timedwait_waits, NULL, cnd_releases, 1 },
	{ "thrd_join_waits", thrd_prepares, thrd_join_waits, NULL, join_releases, 1 },
	{ "futex_waits", futex_prepares, futex_waits, NULL, futex_releases, 1 },
	{ "futex_bitset_waits", futex_prepares, futex_bitset_waits, NULL, futex_releases, 1 },
};

/* ---- nothing to wait for ---- */

TRUTH_FUNCTION void nobody_waits(void)
{
	struct timespec until = far(CLOCK_REALTIME), monotonic = far(CLOCK_MONOTONIC);
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	pthread_mutex_timedlock(&mutex, &until);
	pthread_mutex_unlock(&mutex);
	pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &monotonic);
	pthread_mutex_unlock(&mutex);
	pthread_rwlock_rdlock(&rwlock);
	pthread_rwlock_unlock(&rwlock);
	pthread_rwlock_wrlock(&rwlock);
	pthread_rwlock_unlock(&rwlock);
	sem_post(&semaphore);
	sem_wait(&semaphore);
	sem_post(&semaphore);
	sem_timedwait(&semaphore, &until);
	mtx_lock(&mtx);
	mtx_unlock(&mtx);
	pthread_mutex_lock(&guard);
	pthread_cond_signal(&condition);
	pthread_mutex_unlock(&guard);
	syscall(SYS_futex, &futex_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	TRUTH_STAYS;
}
#define NOBODY_WAITS 10
#define NOBODY_TURNS 1000

static void prepare(void)
{
	pthread_barrier_init(&barrier, NULL, 4);
	sem_init(&semaphore, 0, 0);
	sem_init(&joined_end, 0, 0);
	mtx_init(&mtx, mtx_plain);
	mtx_init(&cnd_guard, mtx_plain);
	cnd_init(&cnd);
}

static void name_locks(void)
{
	void *address = dlsym(RTLD_DEFAULT, "cpprof_lock_name");
	int (*lock_name)(const void *lock, const char *name);
	memcpy(&lock_name, &address, sizeof(address));
	if (address)
		truth_require(lock_name(&mutex, "the convoy's") == 0 && lock_name(&rwlock, "readers and writers") == 0,
		              "names are refused");
	printf("lock convoy_waits %p\nlock condition_waits %p\nlock semaphore_waits %p\nlock writer_waits %p\n",
	       (void *)&mutex, (void *)&condition, (void *)&semaphore, (void *)&rwlock);
	printf("lock barrier_waits %p\nlock mtx_waits %p\nlock cnd_waits %p\nlock guard %p\n", (void *)&barrier,
	       (void *)&mtx, (void *)&cnd, (void *)&guard);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 10;
	prepare();
	truth_begin();
	name_locks();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		truth_measure(&cases[i], rounds);
	for (int i = 0; i < NOBODY_TURNS; i++)
		nobody_waits();
	printf("nobody calls %d\n", NOBODY_WAITS * NOBODY_TURNS);
	truth_say("done");
	return 0;
}
