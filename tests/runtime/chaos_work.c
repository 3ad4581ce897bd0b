/* chaos_work.c - what threads do with each other, in chaos: locks, conditions, semaphores, barriers, pipes, times.
 */
#include "chaos_work.h"

#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>

/* ---- counters: whoever has the lock adds to what it guards ---- */

enum { LOCKS = 5 };
static struct {
	pthread_mutex_t mutex;
	uint64_t first, second; /* always the same outside of the lock */
} guarded[LOCKS];
static pthread_once_t guarded_once = PTHREAD_ONCE_INIT;

static void make_guarded(void)
{
	static const int types[LOCKS] = { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_MUTEX_RECURSIVE,
		                              PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_NORMAL };
	for (int i = 0; i < LOCKS; i++) {
		pthread_mutexattr_t attributes;
		pthread_mutexattr_init(&attributes);
		pthread_mutexattr_settype(&attributes, types[i]);
		if (i == LOCKS - 1)
			pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
		MUST(pthread_mutex_init(&guarded[i].mutex, &attributes) == 0);
	}
}

static void lock_somehow(pthread_mutex_t *mutex, uint32_t how)
{
	struct timespec until;
	switch (how % 4) {
	case 0:
		until = chaos_after(CLOCK_REALTIME, 3600ull * 1000000000u);
		QUIET(pthread_mutex_timedlock(mutex, &until));
		break;
	case 1:
		errno = CANARY;
		int result = pthread_mutex_trylock(mutex);
		MUST(errno == CANARY && (result == 0 || result == EBUSY));
		if (result)
			QUIET(pthread_mutex_lock(mutex));
		break;
	default:
		QUIET(pthread_mutex_lock(mutex));
	}
}

static __attribute__((noinline)) void *count_up(void *argument)
{
	struct worker *worker = argument;
	uint32_t random = worker->seed + (uint32_t)(uintptr_t)&random;
	while (!atomic_load(&chaos_stop)) {
		uint32_t which = chaos_random(&random) % LOCKS;
		lock_somehow(&guarded[which].mutex, chaos_random(&random));
		MUST(guarded[which].first == guarded[which].second);
		guarded[which].first++;
		for (volatile uint32_t i = 0; i < chaos_random(&random) % 300; i++)
			;
		guarded[which].second++;
		QUIET(pthread_mutex_unlock(&guarded[which].mutex));
		CHAOS_GOES_ON(worker);
		if (chaos_random(&random) % 64 == 0)
			usleep(chaos_random(&random) % 500);
	}
	return NULL;
}

void *chaos_counters(void *worker)
{
	pthread_once(&guarded_once, make_guarded);
	pthread_t other = chaos_start(count_up, worker);
	count_up(worker);
	QUIET(pthread_join(other, NULL));
	return NULL;
}

/* ---- turns: a number goes round; nobody may see one that is not due, nor wait for one that was given ---- */

enum { PLAYERS = 3 };
struct game {
	struct worker *worker;
	pthread_mutex_t mutex;
	pthread_cond_t condition;
	uint64_t turn;
	bool over;
	_Atomic int players;
};

static void *play(void *argument)
{
	struct game *game = argument;
	uint64_t mine = (uint64_t)atomic_fetch_add(&game->players, 1), due = mine;
	uint32_t random = game->worker->seed + (uint32_t)mine;
	QUIET(pthread_mutex_lock(&game->mutex));
	while (!game->over) {
		while (game->turn % PLAYERS != mine && !game->over) {
			struct timespec until = chaos_after(CLOCK_MONOTONIC, 3600ull * 1000000000u);
			if (chaos_random(&random) % 3 == 0)
				QUIET(pthread_cond_wait(&game->condition, &game->mutex));
			else if (chaos_random(&random) % 2)
				QUIET(pthread_cond_timedwait(&game->condition, &game->mutex, &until));
			else
				QUIET(pthread_cond_clockwait(&game->condition, &game->mutex, CLOCK_MONOTONIC, &until));
		}
		if (game->over)
			break;
		MUST(game->turn == due);
		due += PLAYERS;
		game->turn++;
		game->over = atomic_load(&chaos_stop);
		CHAOS_GOES_ON(game->worker);
		QUIET(pthread_cond_broadcast(&game->condition));
	}
	QUIET(pthread_mutex_unlock(&game->mutex));
	return NULL;
}

void *chaos_turns(void *worker)
{
	struct game game = { .worker = worker, .mutex = PTHREAD_MUTEX_INITIALIZER };
	pthread_t others[PLAYERS - 1];
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	QUIET(pthread_cond_init(&game.condition, &attributes));
	for (int i = 0; i < PLAYERS - 1; i++)
		others[i] = chaos_start(play, &game);
	play(&game);
	for (int i = 0; i < PLAYERS - 1; i++)
		QUIET(pthread_join(others[i], NULL));
	QUIET(pthread_cond_destroy(&game.condition));
	return NULL;
}

/* ---- semaphores: questions and answers ---- */

struct pair {
	struct worker *worker;
	sem_t question, answer;
	uint64_t asked, answered;
};

static void take(sem_t *semaphore, uint32_t how)
{
	struct timespec until;
	switch (how % 3) {
	case 0:
		until = chaos_after(CLOCK_REALTIME, 3600ull * 1000000000u);
		QUIET(sem_timedwait(semaphore, &until));
		break;
	case 1:
		until = chaos_after(CLOCK_MONOTONIC, 3600ull * 1000000000u);
		QUIET(sem_clockwait(semaphore, CLOCK_MONOTONIC, &until));
		break;
	default:
		QUIET(sem_wait(semaphore));
	}
}

static void *answer(void *argument)
{
	struct pair *pair = argument;
	for (uint64_t round = 1;; round++) {
		take(&pair->question, (uint32_t)round);
		if (!pair->asked)
			return NULL;
		MUST(pair->asked == round);
		pair->answered = round * 3;
		QUIET(sem_post(&pair->answer));
	}
}

void *chaos_semaphores(void *worker)
{
	struct pair pair = { .worker = worker };
	MUST(sem_init(&pair.question, 0, 0) == 0 && sem_init(&pair.answer, 0, 0) == 0);
	pthread_t other = chaos_start(answer, &pair);
	for (uint64_t round = 1; !atomic_load(&chaos_stop); round++) {
		pair.asked = round;
		QUIET(sem_post(&pair.question));
		take(&pair.answer, (uint32_t)round + 1);
		MUST(pair.answered == round * 3);
		CHAOS_GOES_ON(pair.worker);
		if (round % 100 == 0)
			usleep(300);
	}
	pair.asked = 0;
	QUIET(sem_post(&pair.question));
	QUIET(pthread_join(other, NULL));
	return NULL;
}

/* ---- barriers ---- */

enum { PARTIES = 3 };
struct meeting {
	struct worker *worker;
	pthread_barrier_t barrier;
	_Atomic uint64_t arrived, serial;
	bool over;
};

static void *meet(void *argument)
{
	struct meeting *meeting = argument;
	for (uint64_t round = 1;; round++) {
		atomic_fetch_add(&meeting->arrived, 1);
		errno = CANARY;
		int result = pthread_barrier_wait(&meeting->barrier);
		MUST(errno == CANARY && (result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD));
		MUST(atomic_load(&meeting->arrived) == round * PARTIES);
		if (result) {
			MUST(atomic_fetch_add(&meeting->serial, 1) == round - 1);
			meeting->over = atomic_load(&chaos_stop);
			CHAOS_GOES_ON(meeting->worker);
		}
		result = pthread_barrier_wait(&meeting->barrier);
		MUST(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
		if (meeting->over)
			return NULL;
		/* Not before all have looked. */
		pthread_barrier_wait(&meeting->barrier);
	}
}

void *chaos_barriers(void *worker)
{
	struct meeting meeting = { .worker = worker };
	pthread_t others[PARTIES - 1];
	QUIET(pthread_barrier_init(&meeting.barrier, NULL, PARTIES));
	for (int i = 0; i < PARTIES - 1; i++)
		others[i] = chaos_start(meet, &meeting);
	meet(&meeting);
	for (int i = 0; i < PARTIES - 1; i++)
		QUIET(pthread_join(others[i], NULL));
	QUIET(pthread_barrier_destroy(&meeting.barrier));
	return NULL;
}

/* ---- readers and a writer ---- */

struct library {
	struct worker *worker;
	pthread_rwlock_t lock;
	uint64_t pages[16]; /* all the same to whoever may read */
};

static void *read_pages(void *argument)
{
	struct library *library = argument;
	for (uint32_t round = 0; !atomic_load(&chaos_stop); round++) {
		struct timespec until = chaos_after(CLOCK_REALTIME, 3600ull * 1000000000u);
		if (round % 2)
			QUIET(pthread_rwlock_rdlock(&library->lock));
		else
			QUIET(pthread_rwlock_timedrdlock(&library->lock, &until));
		for (int i = 1; i < 16; i++)
			MUST(library->pages[i] == library->pages[0]);
		QUIET(pthread_rwlock_unlock(&library->lock));
		if (round % 16 == 0)
			usleep(100);
	}
	return NULL;
}

void *chaos_readers(void *worker)
{
	struct library library = { .worker = worker };
	pthread_t readers[2];
	pthread_rwlockattr_t attributes;
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	QUIET(pthread_rwlock_init(&library.lock, &attributes));
	for (int i = 0; i < 2; i++)
		readers[i] = chaos_start(read_pages, &library);
	while (!atomic_load(&chaos_stop)) {
		QUIET(pthread_rwlock_wrlock(&library.lock));
		for (int i = 0; i < 16; i++)
			library.pages[i]++;
		QUIET(pthread_rwlock_unlock(&library.lock));
		CHAOS_GOES_ON(library.worker);
		usleep(150);
	}
	for (int i = 0; i < 2; i++)
		QUIET(pthread_join(readers[i], NULL));
	QUIET(pthread_rwlock_destroy(&library.lock));
	return NULL;
}

/* ---- pipes and sockets: every byte arrives, in its order ---- */

struct channel {
	struct worker *worker;
	int from, to;
};

static void *write_all(void *argument)
{
	struct channel *channel = argument;
	uint32_t random = channel->worker->seed;
	uint8_t bytes[5000], next = 0;
	while (!atomic_load(&chaos_stop)) {
		size_t size = 1 + chaos_random(&random) % sizeof(bytes);
		for (size_t i = 0; i < size; i++)
			bytes[i] = next++;
		for (size_t done = 0; done < size;) {
			errno = CANARY;
			ssize_t written = write(channel->to, bytes + done, size - done);
			MUST(written > 0 && errno == CANARY);
			done += (size_t)written;
		}
		if (size % 8 == 0)
			usleep(400);
	}
	close(channel->to);
	return NULL;
}

static bool await(int fd, int epoll, uint32_t how)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	struct epoll_event event;
	fd_set fds;
	errno = CANARY;
	int ready;
	switch (how % 4) {
	case 0:
		ready = poll(&polled, 1, -1);
		break;
	case 1:
		ready = epoll_wait(epoll, &event, 1, -1);
		break;
	case 2:
		FD_ZERO(&fds);
		FD_SET(fd, &fds);
		ready = select(fd + 1, &fds, NULL, NULL, NULL);
		break;
	default:
		return true;
	}
	return ready == 1 && errno == CANARY;
}

static void *pass_on(void *argument)
{
	struct channel *channel = argument;
	uint32_t random = channel->worker->seed + 1;
	uint8_t bytes[3000], next = 0;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };
	MUST(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, channel->from, &event) == 0);
	for (;;) {
		MUST(await(channel->from, epoll, chaos_random(&random)));
		errno = CANARY;
		ssize_t got = read(channel->from, bytes, 1 + chaos_random(&random) % sizeof(bytes));
		MUST(got >= 0 && errno == CANARY);
		if (got == 0)
			break;
		for (ssize_t i = 0; i < got; i++)
			MUST(bytes[i] == next++);
		CHAOS_GOES_ON(channel->worker);
	}
	close(epoll);
	close(channel->from);
	return NULL;
}

void *chaos_pipes(void *worker)
{
	int pair[2], sockets[2];
	MUST(pipe(pair) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	struct channel channels[2] = { { worker, pair[0], pair[1] }, { worker, sockets[0], sockets[1] } };
	pthread_t threads[4];
	for (int i = 0; i < 2; i++) {
		threads[2 * i] = chaos_start(write_all, &channels[i]);
		threads[2 * i + 1] = chaos_start(pass_on, &channels[i]);
	}
	for (int i = 0; i < 4; i++)
		QUIET(pthread_join(threads[i], NULL));
	return NULL;
}

/* ---- times: nothing ends before its time, and nothing says anything else ---- */

static void wait_until(uint32_t how, const struct timespec *until)
{
	static sem_t never; /* all zero: a semaphore that nobody has posted */
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
	switch (how % 5) {
	case 0:
		MUST(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, until, NULL) == 0);
		break;
	case 1:
		MUST(sem_clockwait(&never, CLOCK_MONOTONIC, until) < 0 && errno == ETIMEDOUT);
		break;
	case 2:
		QUIET(pthread_mutex_lock(&mutex));
		int result;
		while ((result = pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, until)) == 0)
			;
		MUST(result == ETIMEDOUT);
		QUIET(pthread_mutex_unlock(&mutex));
		break;
	case 3:
		QUIET(pthread_mutex_lock(&mutex));
		MUST(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, until) == ETIMEDOUT);
		QUIET(pthread_mutex_unlock(&mutex));
		break;
	default:
		for (uint64_t then = (uint64_t)until->tv_sec * 1000000000u + (uint64_t)until->tv_nsec, now;
		     (now = chaos_now(CLOCK_MONOTONIC)) < then;)
			MUST(poll(NULL, 0, (int)((then - now) / 1000000u) + 1) == 0);
	}
}

void *chaos_times(void *argument)
{
	struct worker *worker = argument;
	uint32_t random = worker->seed;
	while (!atomic_load(&chaos_stop)) {
		struct timespec until = chaos_after(CLOCK_MONOTONIC, chaos_random(&random) % 5000000);
		wait_until(chaos_random(&random), &until);
		MUST(chaos_now(CLOCK_MONOTONIC) >= (uint64_t)until.tv_sec * 1000000000u + (uint64_t)until.tv_nsec);
		CHAOS_GOES_ON(worker);
	}
	return NULL;
}
