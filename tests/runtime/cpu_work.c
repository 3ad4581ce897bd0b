/* cpu_work.c - uses processor time in ways whose profile is known, until it is told to end: see `modes`. Plain: it knows nothing of us.
 *
 * Says "ready", reads a line, then says what it has measured by itself.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Atomic bool over;

static uint64_t cpu_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Steps that cannot be optimized away; always inlined, so that the caller's name is the leaf. */
static inline __attribute__((always_inline)) void work(unsigned steps)
{
	uint64_t x = 88172645463325252u;
	for (unsigned i = 0; i < steps; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		__asm__ volatile("" : "+r"(x));
	}
}

static volatile int last;

static __attribute__((noinline)) void half(unsigned steps)
{
	work(steps);
	last = 2; /* or the compiler would make one of the three */
}

static __attribute__((noinline)) void third(unsigned steps)
{
	work(steps);
	last = 3; /* or the compiler would make one of the three */
}

static __attribute__((noinline)) void fifth(unsigned steps)
{
	work(steps);
	last = 5; /* or the compiler would make one of the three */
}

static _Atomic uint64_t spent[3];

static uint64_t book(int which, uint64_t since_ns)
{
	uint64_t now_ns = cpu_ns();
	atomic_fetch_add(&spent[which], now_ns - since_ns);
	return now_ns;
}

/* Which function is next, and for how long, is drawn, so that no rate of sampling can be in step with it. */
static void *split(void *unused)
{
	unsigned seed = (unsigned)syscall(SYS_gettid);
	uint64_t at_ns = cpu_ns();
	while (!over) {
		int of_ten = rand_r(&seed) % 10;
		unsigned steps = 50000 + (unsigned)rand_r(&seed) % 100000;
		int which = of_ten < 5 ? 0 : of_ten < 8 ? 1 : 2;
		if (which == 0)
			half(steps);
		else if (which == 1)
			third(steps);
		else
			fifth(steps);
		at_ns = book(which, at_ns);
	}
	return unused;
}

static void tell_split(void)
{
	printf("split %llu %llu %llu\n", (unsigned long long)spent[0], (unsigned long long)spent[1],
	       (unsigned long long)spent[2]);
}

static pthread_t begin(void *(*routine)(void *))
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, routine, NULL) != 0)
		abort();
	return thread;
}

static void ready_and_wait(void)
{
	char line[16];
	usleep(1000); /* so that the library comes up even where nothing else waits in a call that it wraps */
	printf("ready\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(3);
	over = true;
}

static void run_split(void)
{
	pthread_t one = begin(split), two = begin(split);
	ready_and_wait();
	pthread_join(one, NULL);
	pthread_join(two, NULL);
	tell_split();
}

/* --- short lives -------------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) void *short_life(void *unused)
{
	uint64_t until_ns = cpu_ns() + 3000000;
	while (cpu_ns() < until_ns)
		work(10000);
	atomic_fetch_add(&spent[0], cpu_ns());
	return unused;
}

static void *give_birth(void *unused)
{
	while (!over)
		pthread_join(begin(short_life), NULL);
	return unused;
}

static void run_births(void)
{
	pthread_t mother = begin(give_birth);
	ready_and_wait();
	pthread_join(mother, NULL);
	tell_split();
}

/* --- a thread that libc knows nothing of ---------------------------------------------------------------------------------- */

static _Atomic bool raw_is_over;

static __attribute__((noinline)) int raw_spin(void *unused)
{
	(void)unused;
	while (!over)
		work(10000);
	raw_is_over = true;
	syscall(SYS_exit, 0);
	return 0;
}

static void run_raw(void)
{
	static char stack[262144] __attribute__((aligned(16)));
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	if (clone(raw_spin, stack + sizeof(stack) - 1024, flags, NULL) < 0)
		abort();
	ready_and_wait();
	while (!raw_is_over)
		usleep(1000);
}

/* --- signals ------------------------------------------------------------------------------------------------------------ */

static __attribute__((noinline)) void *deaf(void *unused)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	while (!over)
		work(10000);
	spent[0] = cpu_ns();
	return unused;
}

static void run_deaf(void)
{
	pthread_t thread = begin(deaf);
	ready_and_wait();
	pthread_join(thread, NULL);
	tell_split();
}

static __attribute__((noinline)) void deaf_spell(void)
{
	sigset_t all, before;
	sigfillset(&all);
	uint64_t begun_ns = cpu_ns();
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (cpu_ns() < begun_ns + 300000000)
		work(10000);
	atomic_fetch_add(&spent[0], cpu_ns() - begun_ns);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static __attribute__((noinline)) void open_spell(void)
{
	uint64_t begun_ns = cpu_ns();
	while (cpu_ns() < begun_ns + 150000000)
		work(10000);
	atomic_fetch_add(&spent[1], cpu_ns() - begun_ns);
}

static void *moody(void *unused)
{
	while (!over) {
		open_spell();
		deaf_spell();
	}
	return unused;
}

static void run_moody(void)
{
	pthread_t thread = begin(moody);
	ready_and_wait();
	pthread_join(thread, NULL);
	tell_split();
}

static _Atomic uint64_t ticks;

static void tick(int number)
{
	(void)number;
	ticks++;
}

/* The program profiles itself, by the means that are given to it. */
static void run_itimer(void)
{
	struct sigaction action, now;
	struct itimerval timer = { { 0, 10000 }, { 0, 10000 } }, left;
	memset(&action, 0, sizeof(action));
	action.sa_handler = tick;
	action.sa_flags = SA_RESTART;
	sigaction(SIGPROF, &action, NULL);
	setitimer(ITIMER_PROF, &timer, NULL);
	pthread_t thread = begin(split);
	ready_and_wait();
	pthread_join(thread, NULL);
	getitimer(ITIMER_PROF, &left);
	sigaction(SIGPROF, NULL, &now);
	struct timespec all;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &all);
	printf("ticks %llu %llu %d\n", (unsigned long long)ticks,
	       (unsigned long long)all.tv_sec * 100 + (unsigned long long)all.tv_nsec / 10000000,
	       now.sa_handler == tick && left.it_interval.tv_usec == 10000);
}

/* Everything is blocked while it works, and let through while it waits. */
static void *opens_its_mask(void *unused)
{
	sigset_t all, none;
	sigfillset(&all);
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	while (!over) {
		struct timespec moment = { 0, 1000000 };
		fifth(1000000);
		if (ppoll(NULL, 0, &moment, &none) < 0)
			spent[1]++;
		spent[0]++;
	}
	return unused;
}

static void run_open_mask(void)
{
	pthread_t thread = begin(opens_its_mask);
	ready_and_wait();
	pthread_join(thread, NULL);
	tell_split();
}

#define SMALL_STACK 8192 /* what SIGSTKSZ was for decades: hardly room for two handlers */
#define BELOW 8192
static struct {
	unsigned char below[BELOW], stack[SMALL_STACK];
} handlers;

static void busy_handler(int number)
{
	(void)number;
	ticks++;
	third(100000);
}

static void *signalled(void *unused)
{
	stack_t stack = { .ss_sp = handlers.stack, .ss_size = sizeof(handlers.stack) };
	sigaltstack(&stack, NULL);
	while (!over)
		raise(SIGUSR1);
	return unused;
}

/* Nearly all of the time in a handler on a stack of its own, which belongs to it alone. */
static void run_small_stack(void)
{
	struct sigaction action;
	memset(&action, 0, sizeof(action));
	memset(handlers.below, 0xa5, sizeof(handlers.below));
	action.sa_handler = busy_handler;
	action.sa_flags = SA_RESTART | SA_ONSTACK;
	sigaction(SIGUSR1, &action, NULL);
	pthread_t thread = begin(signalled);
	ready_and_wait();
	pthread_join(thread, NULL);
	for (size_t i = 0; i < sizeof(handlers.below); i++)
		if (handlers.below[i] != 0xa5)
			abort();
	printf("kept\n");
}

/* --- others ------------------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) void *read_zeros(void *unused)
{
	static char zeros[1 << 20];
	int fd = open("/dev/zero", O_RDONLY);
	while (!over)
		if (read(fd, zeros, sizeof(zeros)) < 0)
			abort();
	close(fd);
	spent[0] = cpu_ns();
	return unused;
}

static void run_kernel(void)
{
	pthread_t thread = begin(read_zeros);
	ready_and_wait();
	pthread_join(thread, NULL);
	tell_split();
}

static void *fork_again_and_again(void *unused)
{
	while (!over) {
		int status;
		pid_t child = fork();
		if (child == 0) {
			for (int i = 0; i < 20; i++)
				fifth(100000);
			_exit(7);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 7)
			abort();
		spent[1]++;
	}
	return unused;
}

static void run_fork(void)
{
	pthread_t worker = begin(split), forker = begin(fork_again_and_again);
	ready_and_wait();
	pthread_join(worker, NULL);
	pthread_join(forker, NULL);
}

static const char *plugin_path;

/* Loads and unloads it some times, then leaves it loaded: what is not there any more in the end has no name. */
static void *plug_in(void *unused)
{
	for (int turn = 0; !over; turn++) {
		void *plugin = dlopen(plugin_path, RTLD_NOW);
		void (*spin)(void) = NULL;
		if (plugin)
			*(void **)&spin = dlsym(plugin, "plugin_spin");
		if (!spin)
			abort();
		for (int i = 0; (turn == 10 || i < 100) && !over; i++)
			spin();
		dlclose(plugin);
	}
	return unused;
}

static void run_plugin(void)
{
	pthread_t thread = begin(plug_in);
	ready_and_wait();
	pthread_join(thread, NULL);
}

static void *sleep_to_the_end(void *unused)
{
	while (!over)
		usleep(20000);
	return unused;
}

/* Becomes another program while it is sampled: what was on its way must not end that one. */
static void run_exec(void)
{
	begin(split);
	begin(sleep_to_the_end);
	ready_and_wait();
	half(100000);
	execl("/proc/self/exe", "cpu_work", "end", (char *)NULL);
	abort();
}

static void run_end(void)
{
	printf("new program\n");
}

static const struct mode {
	const char *name;
	void (*run)(void);
} modes[] = {
	{ "split", run_split },   /* two threads; half(), third() and fifth(), and how long it has been in each */
	{ "births", run_births }, /* threads of 3 ms, one after the other, and how long they were all together */
	{ "raw", run_raw },       /* a thread of clone() in raw_spin() */
	{ "deaf", run_deaf },     /* a thread that blocks all signals, in deaf() */
	{ "moody",
	  run_moody }, /* a thread that blocks all signals for two thirds of its time, and how long it did, and did not */
	{ "itimer", run_itimer },           /* ITIMER_PROF: its ticks, and how many they should be */
	{ "open_mask", run_open_mask },     /* waits that let all signals through, and how many of them were interrupted */
	{ "small_stack", run_small_stack }, /* a handler on 8 KiB of its own, and whether what lies below was left alone */
	{ "kernel", run_kernel },           /* a thread that is nearly always in the kernel */
	{ "fork", run_fork },               /* children that work, while a thread works */
	{ "plugin", run_plugin },           /* argument 2: a library with plugin_spin() */
	{ "exec", run_exec },               /* executes itself as "end" */
	{ "end", run_end },
};

int main(int count, char **arguments)
{
	plugin_path = count > 2 ? arguments[2] : NULL;
	for (size_t i = 0; count > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i].name, arguments[1]) == 0) {
			modes[i].run();
			return 0;
		}
	}
	return 2;
}
