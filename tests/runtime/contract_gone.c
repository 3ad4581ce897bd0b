/* contract_gone.c - memory that is no more: a lock is destroyed and unmapped by its next owner, right after it was unlocked, posted or
 * broadcast to. Whoever touches it after that, a hook on its way out of unlock too, ends the program.
 */
#include "contract.h"

#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ROUNDS = 400 };

/* A page with one thing in it. */
union page {
	pthread_mutex_t mutex;
	pthread_rwlock_t rwlock;
	sem_t semaphore;
	pthread_barrier_t barrier;
	struct {
		pthread_cond_t condition;
		char room[2048 - sizeof(pthread_cond_t)];
		pthread_mutex_t mutex;
		int waiting;
		bool left;
	} meeting;
	char bytes[4096];
};

static union page *page_new(void)
{
	void *page = mmap(NULL, sizeof(union page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return page == MAP_FAILED ? NULL : page;
}

static void page_free(union page *page)
{
	/* Not to be mapped again by somebody else at once: that would hide a late touch. */
	mprotect(page, sizeof(*page), PROT_NONE);
	sched_yield();
	munmap(page, sizeof(*page));
}

/* A partner takes each page from here, waits for what is in it, and unmaps it. */
static union page *_Atomic offered;
static _Atomic int partner_tid, failures, taken;
static int kind; /* of the thing in the page */

enum { MUTEX, CHECKED, INHERIT, RWLOCK, SEMAPHORE, KINDS };
static const char *const kind_names[] = { "mutex", "errorcheck mutex", "inheriting mutex", "rwlock", "semaphore" };

static void take_and_unmap(union page *page)
{
	int failed;
	if (kind == RWLOCK)
		failed = pthread_rwlock_wrlock(&page->rwlock) || pthread_rwlock_unlock(&page->rwlock) ||
		         pthread_rwlock_destroy(&page->rwlock);
	else if (kind == SEMAPHORE)
		failed = sem_wait(&page->semaphore) || sem_destroy(&page->semaphore);
	else
		failed = pthread_mutex_lock(&page->mutex) || pthread_mutex_unlock(&page->mutex) ||
		         pthread_mutex_destroy(&page->mutex);
	page_free(page);
	failures += failed != 0;
}

static void *partner(void *unused)
{
	atomic_store(&partner_tid, contract_tid());
	for (int i = 0; i < ROUNDS; i++) {
		union page *page;
		while (!(page = atomic_exchange(&offered, NULL)))
			sched_yield();
		taken++;
		take_and_unmap(page);
	}
	return unused;
}

static void page_make(union page *page)
{
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	if (kind == CHECKED)
		pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	if (kind == INHERIT)
		pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	if (kind == RWLOCK)
		pthread_rwlock_init(&page->rwlock, NULL);
	else if (kind == SEMAPHORE)
		sem_init(&page->semaphore, 0, 0);
	else
		pthread_mutex_init(&page->mutex, &attributes);
	if (kind == RWLOCK)
		failures += pthread_rwlock_wrlock(&page->rwlock) != 0;
	else if (kind != SEMAPHORE)
		failures += pthread_mutex_lock(&page->mutex) != 0;
}

static void handed_over(void)
{
	contract_case("%s unmapped by its next owner", kind_names[kind]);
	failures = taken = 0;
	pthread_t thread = contract_start(partner, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		union page *page = page_new();
		page_make(page);
		int before = taken;
		atomic_store(&offered, page);
		while (taken == before)
			sched_yield();
		/* At times it has begun to wait by now, at times not, at times it is about to. */
		for (int k = 0; k < i % 4; k++)
			sched_yield();
		if (i % 16 == 0)
			contract_until_asleep(atomic_load(&partner_tid));
		failures += kind == RWLOCK      ? pthread_rwlock_unlock(&page->rwlock) != 0
		            : kind == SEMAPHORE ? sem_post(&page->semaphore) != 0
		                                : pthread_mutex_unlock(&page->mutex) != 0;
	}
	pthread_join(thread, NULL);
	HOLDS(failures == 0);
}

/* ---- conditions: destroyed right after broadcast, while those woken are still on their way out ---- */

static pthread_mutex_t meeting_mutex = PTHREAD_MUTEX_INITIALIZER;

static void *attend(void *argument)
{
	union page *page = argument;
	pthread_mutex_lock(&meeting_mutex);
	page->meeting.waiting++;
	/* Woken once; the page is not ours any more then. */
	pthread_cond_wait(&page->meeting.condition, &meeting_mutex);
	taken++;
	pthread_mutex_unlock(&meeting_mutex);
	return NULL;
}

static void conditions(void)
{
	contract_case("condition unmapped after broadcast");
	failures = taken = 0;
	for (int i = 0; i < ROUNDS / 4; i++) {
		union page *page = page_new();
		pthread_t threads[3];
		pthread_cond_init(&page->meeting.condition, NULL);
		for (int k = 0; k < 3; k++)
			threads[k] = contract_start(attend, page);
		pthread_mutex_lock(&meeting_mutex);
		while (page->meeting.waiting < 3) {
			pthread_mutex_unlock(&meeting_mutex);
			sched_yield();
			pthread_mutex_lock(&meeting_mutex);
		}
		failures += pthread_cond_broadcast(&page->meeting.condition) != 0;
		if (i % 2)
			pthread_mutex_unlock(&meeting_mutex);
		failures += pthread_cond_destroy(&page->meeting.condition) != 0;
		page_free(page);
		if (i % 2 == 0)
			pthread_mutex_unlock(&meeting_mutex);
		for (int k = 0; k < 3; k++)
			pthread_join(threads[k], NULL);
	}
	HOLDS(failures == 0 && taken == ROUNDS / 4 * 3);
}

/* ---- barriers: whoever is told so destroys it, at once ---- */

static void *meet_and_unmap(void *argument)
{
	union page *page = argument;
	int result = pthread_barrier_wait(&page->barrier);
	if (result == PTHREAD_BARRIER_SERIAL_THREAD) {
		failures += pthread_barrier_destroy(&page->barrier) != 0;
		page_free(page);
	} else {
		failures += result != 0;
	}
	return NULL;
}

static void barriers(void)
{
	contract_case("barrier unmapped by the serial thread");
	failures = 0;
	for (int i = 0; i < ROUNDS / 4; i++) {
		union page *page = page_new();
		pthread_t threads[3];
		pthread_barrier_init(&page->barrier, NULL, 3);
		for (int k = 0; k < 3; k++)
			threads[k] = contract_start(meet_and_unmap, page);
		for (int k = 0; k < 3; k++)
			pthread_join(threads[k], NULL);
	}
	HOLDS(failures == 0);
}

/* ---- somebody waits for another lock all the time, so that every unlock has to look ---- */

static pthread_mutex_t others = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int other_tid;

static void *wait_for_other(void *unused)
{
	atomic_store(&other_tid, contract_tid());
	pthread_mutex_lock(&others);
	pthread_mutex_unlock(&others);
	return unused;
}

void contract_gone(void)
{
	contract_case("gone");
	pthread_mutex_lock(&others);
	pthread_t thread = contract_start(wait_for_other, NULL);
	while (!atomic_load(&other_tid))
		contract_sleep(50000);
	contract_until_asleep(atomic_load(&other_tid));
	for (kind = MUTEX; kind < KINDS; kind++)
		handed_over();
	conditions();
	barriers();
	contract_case("gone, afterwards");
	RETURNS(0, pthread_mutex_unlock(&others));
	pthread_join(thread, NULL);
}
