/* chaos_life.c - what is born and dies, in chaos: threads, processes, plugins, blocks of memory; and signals, which interrupt it.
 */
#include "chaos_work.h"

#include <dlfcn.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

/* ---- threads ---- */

static pthread_key_t life_key;
static _Atomic uint64_t keys_destroyed;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void destroy_value(void *value)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	QUIET(pthread_mutex_lock(&mutex));
	free(value);
	atomic_fetch_add(&keys_destroyed, 1);
	QUIET(pthread_mutex_unlock(&mutex));
}

static void make_key(void)
{
	QUIET(pthread_key_create(&life_key, destroy_value));
}

struct life {
	uint32_t how;
	sem_t ended, never;
	_Atomic int cleaned;
	pthread_mutex_t mutex;
	pthread_cond_t condition;
};

static void clean_up(void *argument)
{
	struct life *life = argument;
	free(malloc(50));
	atomic_fetch_add(&life->cleaned, 1);
	QUIET(pthread_mutex_unlock(&life->mutex));
}

static void (*volatile leave)(void *) = pthread_exit;

static __attribute__((noinline)) void leave_deep(struct life *life, int depth)
{
	volatile char room[64];
	room[0] = (char)depth;
	if (depth)
		leave_deep(life, depth - 1);
	else
		leave(life);
	(void)room[0];
}

static void *live(void *argument)
{
	struct life *life = argument;
	pthread_setspecific(life_key, malloc(32));
	QUIET(pthread_mutex_lock(&life->mutex));
	pthread_cleanup_push(clean_up, life);
	if (life->how == 1)
		leave_deep(life, 30);
	if (life->how == 2)
		for (;;)
			pthread_cond_wait(&life->condition, &life->mutex);
	if (life->how == 3)
		for (;;)
			sem_wait(&life->never);
	pthread_cleanup_pop(1);
	if (life->how == 4)
		QUIET(sem_post(&life->ended)); /* detached: its last deed */
	return life;
}

static void live_once(struct life *life)
{
	void *result = NULL;
	pthread_t thread = chaos_start(live, life);
	switch (life->how) {
	case 2:
	case 3:
		usleep(200);
		QUIET(pthread_cancel(thread));
		QUIET(pthread_join(thread, &result));
		MUST(result == PTHREAD_CANCELED);
		break;
	case 4:
		QUIET(pthread_detach(thread));
		QUIET(sem_wait(&life->ended));
		break;
	default:
		QUIET(pthread_join(thread, &result));
		MUST(result == life);
	}
	/* One that is cancelled before it has begun cleans nothing up. */
	int cleaned = atomic_load(&life->cleaned);
	MUST(cleaned == 1 || (cleaned == 0 && (life->how == 2 || life->how == 3)));
}

void *chaos_spawns(void *argument)
{
	struct worker *worker = argument;
	uint32_t random = worker->seed;
	pthread_once(&key_once, make_key);
	while (!atomic_load(&chaos_stop)) {
		struct life life = { .how = chaos_random(&random) % 5,
			                 .mutex = PTHREAD_MUTEX_INITIALIZER,
			                 .condition = PTHREAD_COND_INITIALIZER };
		MUST(sem_init(&life.ended, 0, 0) == 0 && sem_init(&life.never, 0, 0) == 0);
		live_once(&life);
		QUIET(pthread_mutex_trylock(&life.mutex));
		QUIET(pthread_mutex_unlock(&life.mutex));
		CHAOS_GOES_ON(worker);
		usleep(chaos_random(&random) % 2000);
	}
	return NULL;
}

/* ---- threads with the smallest stack there may be: they compute, fight for a lock, wait ---- */

enum { SMALL = 3 };

struct small {
	struct worker *worker;
	pthread_mutex_t mutex;
	uint64_t count;
};

static void *live_small(void *argument)
{
	struct small *small = argument;
	struct timespec moment = { 0, 50000 };
	volatile uint64_t sum = 0;
	for (int round = 0; round < 20; round++) {
		for (uint64_t i = 0; i < 20000; i++)
			sum = sum + i;
		QUIET(pthread_mutex_lock(&small->mutex));
		small->count++;
		MUST(nanosleep(&moment, NULL) == 0);
		QUIET(pthread_mutex_unlock(&small->mutex));
	}
	MUST(sum == 20 * (20000ull * 19999 / 2));
	CHAOS_GOES_ON(small->worker);
	return NULL;
}

void *chaos_small(void *worker)
{
	struct small small = { .worker = worker, .mutex = PTHREAD_MUTEX_INITIALIZER };
	pthread_attr_t attributes;
	QUIET(pthread_attr_init(&attributes));
	QUIET(pthread_attr_setstacksize(&attributes, (size_t)sysconf(_SC_THREAD_STACK_MIN)));
	for (uint64_t round = 1; !atomic_load(&chaos_stop); round++) {
		pthread_t threads[SMALL];
		for (int i = 0; i < SMALL; i++)
			threads[i] = chaos_start_with(&attributes, live_small, &small);
		for (int i = 0; i < SMALL; i++)
			QUIET(pthread_join(threads[i], NULL));
		MUST(small.count == round * SMALL * 20);
	}
	return NULL;
}

/* ---- processes ---- */

static void *work_in_child(void *argument)
{
	pthread_mutex_t *mutex = argument;
	for (int i = 0; i < 100; i++) {
		QUIET(pthread_mutex_lock(mutex));
		free(malloc((size_t)i + 1));
		QUIET(pthread_mutex_unlock(mutex));
	}
	return argument;
}

/* A little of everything, in a process where only this thread has survived, or in a fresh one. */
int chaos_child(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_t threads[2];
	sem_t semaphore;
	MUST(sem_init(&semaphore, 0, 1) == 0);
	for (int i = 0; i < 2; i++)
		QUIET(pthread_create(&threads[i], NULL, work_in_child, &mutex));
	for (int i = 0; i < 2; i++) {
		void *result;
		QUIET(pthread_join(threads[i], &result));
		MUST(result == &mutex);
	}
	QUIET(sem_wait(&semaphore));
	struct timespec until = chaos_after(CLOCK_REALTIME, 200000);
	MUST(sem_timedwait(&semaphore, &until) < 0 && errno == ETIMEDOUT);
	void *blocks[100];
	for (size_t i = 0; i < 100; i++)
		MUST((blocks[i] = malloc(i * 10 + 1)) != NULL);
	for (size_t i = 0; i < 100; i++)
		free(blocks[i]);
	return 33;
}

static void reap(pid_t pid, int status)
{
	int got = 0;
	MUST(pid > 0);
	MUST(waitpid(pid, &got, 0) == pid);
	MUST(WIFEXITED(got) && WEXITSTATUS(got) == status);
}

static void fork_once(uint32_t how)
{
	pid_t pid = fork();
	if (pid)
		reap(pid, how == 0 ? 7 : 33);
	else if (how == 0)
		_exit(7);
	else if (how == 1)
		_exit(chaos_child());
	else if (how == 2)
		execl(chaos_self, chaos_self, "child", (char *)NULL), _exit(99);
	else {
		pid = fork();
		if (pid == 0)
			_exit(chaos_child());
		reap(pid, 33);
		_exit(chaos_child());
	}
}

static void vfork_once(void)
{
	pid_t pid = vfork();
	if (pid == 0) {
		execl(chaos_self, chaos_self, "child", (char *)NULL);
		_exit(99);
	}
	reap(pid, 33);
}

void *chaos_forks(void *argument)
{
	struct worker *worker = argument;
	uint32_t random = worker->seed;
	while (!atomic_load(&chaos_stop)) {
		uint32_t how = chaos_random(&random) % 5;
		if (how == 4)
			vfork_once();
		else
			fork_once(how);
		CHAOS_GOES_ON(worker);
		usleep(chaos_random(&random) % 20000);
	}
	return NULL;
}

/* ---- plugins ---- */

void *chaos_plugs(void *argument)
{
	struct worker *worker = argument;
	uint32_t random = worker->seed;
	while (!atomic_load(&chaos_stop)) {
		uint32_t which = chaos_random(&random) % 2;
		void *plugin = dlopen(chaos_plugins[which], RTLD_NOW | RTLD_LOCAL);
		MUST(plugin != NULL);
		void *address = dlsym(plugin, "chaos_plugin_work");
		MUST(address != NULL);
		uint64_t (*work)(uint64_t number);
		memcpy(&work, &address, sizeof(address));
		uint64_t number = chaos_random(&random) % 1000;
		/* 0 + 1 + ... + n, the long way round. */
		MUST(work(number) == number * (number + 1) / 2);
		MUST(dlclose(plugin) == 0);
		CHAOS_GOES_ON(worker);
		usleep(chaos_random(&random) % 3000);
	}
	return NULL;
}

/* ---- signals, on a stack of their own, whose handlers allocate and lock: what they interrupt does neither ---- */

static pthread_mutex_t handlers_mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t handled, profiling_handled;

static void handle(int number)
{
	int saved = errno;
	if (number == SIGPROF) {
		atomic_fetch_add(&profiling_handled, 1);
	} else {
		void *volatile block = malloc(100);
		MUST(block);
		free(block);
		QUIET(pthread_mutex_lock(&handlers_mutex));
		QUIET(pthread_mutex_unlock(&handlers_mutex));
		atomic_fetch_add(&handled, 1);
	}
	errno = saved;
}

static _Atomic bool victim_ready, victim_ended;

static void *be_interrupted(void *argument)
{
	struct worker *worker = argument;
	/* As large as glibc recommends, above a page that nobody may touch. */
	enum { GUARD = 4096 };
	size_t size = (size_t)sysconf(_SC_SIGSTKSZ);
	char *memory = mmap(NULL, GUARD + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(memory != MAP_FAILED && mprotect(memory, GUARD, PROT_NONE) == 0);
	stack_t stack = { .ss_sp = memory + GUARD, .ss_size = size }, none = { .ss_flags = SS_DISABLE };
	sigset_t mine, before;
	MUST(sigaltstack(&stack, NULL) == 0);
	sigemptyset(&mine);
	sigaddset(&mine, SIGUSR1);
	sigaddset(&mine, SIGALRM);
	sigaddset(&mine, SIGPROF);
	pthread_sigmask(SIG_UNBLOCK, &mine, &before);
	atomic_store(&victim_ready, true);
	uint64_t sum = 0, rounds = 0;
	while (!atomic_load(&chaos_stop)) {
		errno = CANARY;
		for (uint64_t i = 0; i < 20000; i++)
			sum += i;
		rounds++;
		MUST(errno == CANARY && sum == rounds * (20000ull * 19999 / 2));
		struct timespec time = { 0, 1000000 };
		int result = nanosleep(&time, NULL);
		MUST(result == 0 || errno == EINTR); /* our own signals */
		CHAOS_GOES_ON(worker);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	sigaltstack(&none, NULL);
	munmap(memory, GUARD + size);
	atomic_store(&victim_ended, true);
	return NULL;
}

void *chaos_signals(void *argument)
{
	struct worker *worker = argument;
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_ONSTACK | SA_RESTART };
	/* None of them interrupts another, which may have the lock, or be in malloc. */
	sigaddset(&action.sa_mask, SIGUSR1);
	sigaddset(&action.sa_mask, SIGALRM);
	sigaddset(&action.sa_mask, SIGPROF);
	for (size_t i = 0; i < 3; i++)
		MUST(sigaction(((const int[]){ SIGUSR1, SIGALRM, SIGPROF })[i], &action, NULL) == 0);
	struct itimerval real = { { 0, 3000 }, { 0, 3000 } }, profiling = { { 0, 10000 }, { 0, 10000 } },
					 off = { { 0, 0 }, { 0, 0 } };
	pthread_t victim = chaos_start(be_interrupted, worker);
	while (!atomic_load(&victim_ready))
		usleep(100);
	MUST(setitimer(ITIMER_REAL, &real, NULL) == 0 && setitimer(ITIMER_PROF, &profiling, NULL) == 0);
	while (!atomic_load(&victim_ended)) {
		if (!atomic_load(&chaos_stop))
			QUIET(pthread_kill(victim, SIGUSR1));
		usleep(700);
	}
	MUST(setitimer(ITIMER_REAL, &off, NULL) == 0 && setitimer(ITIMER_PROF, &off, NULL) == 0);
	QUIET(pthread_join(victim, NULL));
	MUST(atomic_load(&handled) > 0 && atomic_load(&profiling_handled) > 0);
	return NULL;
}

/* ---- memory: each block carries what must be in it, and most are freed by another thread ---- */

enum { BOXES = 256 };
static _Atomic(uint8_t *) boxes[BOXES];

static void check_and_free(uint8_t *block)
{
	if (!block)
		return;
	uint32_t size;
	memcpy(&size, block, sizeof(size));
	for (uint32_t i = sizeof(size); i < size; i++)
		MUST(block[i] == (uint8_t)(size + i));
	free(block);
}

static uint8_t *make_block(uint32_t *random)
{
	uint32_t size = 8 + chaos_random(random) % (chaos_random(random) % 50 ? 400 : 100000);
	void *block = NULL;
	errno = CANARY;
	switch (chaos_random(random) % 4) {
	case 0:
		block = calloc(1, size);
		break;
	case 1:
		MUST(posix_memalign(&block, 64, size) == 0 && (uintptr_t)block % 64 == 0);
		break;
	case 2:
		block = realloc(malloc(size / 2 + 1), size);
		break;
	default:
		block = malloc(size);
	}
	MUST(block && errno == CANARY);
	uint8_t *bytes = block;
	memcpy(bytes, &size, sizeof(size));
	for (uint32_t i = sizeof(size); i < size; i++)
		bytes[i] = (uint8_t)(size + i);
	return bytes;
}

void *chaos_memory(void *argument)
{
	struct worker *worker = argument;
	uint32_t random = worker->seed;
	while (!atomic_load(&chaos_stop)) {
		for (int i = 0; i < 200; i++)
			check_and_free(atomic_exchange(&boxes[chaos_random(&random) % BOXES], make_block(&random)));
		CHAOS_GOES_ON(worker);
		usleep(chaos_random(&random) % 500);
	}
	for (int i = 0; i < BOXES; i++)
		check_and_free(atomic_exchange(&boxes[i], NULL));
	return NULL;
}

/* ---- jumps: out of deep calls, and out of handlers that interrupted a wait ---- */

static __thread sigjmp_buf jump_target;
static __thread volatile sig_atomic_t may_jump;

static void jump(int number)
{
	(void)number;
	if (may_jump) {
		may_jump = 0;
		siglongjmp(jump_target, 2);
	}
}

static __attribute__((noinline)) void jump_deep(int depth)
{
	volatile char room[128];
	room[0] = (char)depth;
	if (depth)
		jump_deep(depth - 1);
	else
		siglongjmp(jump_target, 1);
	(void)room[0];
}

static void wait_to_be_interrupted(uint32_t how)
{
	static sem_t never;
	struct timespec time = { 0, 3000000 }, until = chaos_after(CLOCK_REALTIME, 3000000);
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	may_jump = 1;
	if (how % 3 == 0)
		nanosleep(&time, NULL);
	else if (how % 3 == 1)
		sem_timedwait(&never, &until);
	else {
		pthread_mutex_lock(&mutex);
		pthread_mutex_timedlock(&mutex, &until);
	}
	may_jump = 0;
}

static _Atomic bool jumper_ended;

static void *jump_about(void *argument)
{
	struct worker *worker = argument;
	sigset_t mine;
	sigemptyset(&mine);
	sigaddset(&mine, SIGUSR2);
	pthread_sigmask(SIG_UNBLOCK, &mine, NULL);
	for (volatile uint32_t round = worker->seed; !atomic_load(&chaos_stop); round++) {
		int how = sigsetjmp(jump_target, 1);
		if (how == 0) {
			if (round % 2)
				jump_deep(20);
			wait_to_be_interrupted(round / 2);
		}
		may_jump = 0;
		pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
		QUIET(pthread_mutex_lock(&mutex));
		QUIET(pthread_mutex_unlock(&mutex));
		void *volatile block = malloc(20);
		MUST(block);
		free(block);
		CHAOS_GOES_ON(worker);
	}
	pthread_sigmask(SIG_BLOCK, &mine, NULL);
	atomic_store(&jumper_ended, true);
	return NULL;
}

void *chaos_jumps(void *worker)
{
	struct sigaction action = { .sa_handler = jump };
	MUST(sigaction(SIGUSR2, &action, NULL) == 0);
	pthread_t jumper = chaos_start(jump_about, worker);
	while (!atomic_load(&jumper_ended)) {
		QUIET(pthread_kill(jumper, SIGUSR2));
		usleep(900);
	}
	QUIET(pthread_join(jumper, NULL));
	return NULL;
}
