/* The unwinder beside libgcc's, in the same place, frame by frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "runtime/shared/losses.h"
#include "runtime/shared/process.h"
#include "runtime/shared/sys.h"
#include "runtime/signal/stack_memory.h"
#include "runtime/signal/unwind.h"
#include "unwind_chain.h"

void process_check_slow(void)
{
}

/* --- libgcc's opinion ---------------------------------------------------------------------------------------------- */

struct opinion {
	size_t count;
	uintptr_t at[400000];
};
static struct opinion theirs;

static _Unwind_Reason_Code note(struct _Unwind_Context *context, void *arg)
{
	(void)arg;
	int exact = 0;
	uintptr_t pc = _Unwind_GetIPInfo(context, &exact);
	/* It ends with a pc of zero behind the outermost frame. */
	if (pc && theirs.count < sizeof(theirs.at) / sizeof(theirs.at[0]))
		theirs.at[theirs.count++] = pc - !exact;
	return _URC_NO_REASON;
}

static __attribute__((noinline)) void ask_libgcc(void)
{
	theirs.count = 0;
	_Unwind_Backtrace(note, NULL);
	__asm__ volatile(""); /* no tail call: this function is to have a frame */
}

/* Where the two agree from the frame `first` of libgcc on. Returns the number of frames compared. */
static size_t assert_same(const struct frames *ours, size_t skip_ours, size_t first)
{
	assert_false(ours->failed);
	assert_false(ours->cut);
	assert_int_equal(ours->count - skip_ours, theirs.count - first);
	for (size_t i = 0; i + first < theirs.count; i++)
		assert_int_equal(ours->at[i + skip_ours], theirs.at[i + first]);
	return theirs.count - first;
}

/* The calling function's stack by both: all but the leaf, where the two were asked at different instructions. */
static __attribute__((noinline)) int compare_here(void *arg)
{
	struct unwind_registers here;
	struct frames frames;
	UNWIND_HERE(&here);
	unwind_self(&here, false, &frames);
	ask_libgcc();
	/* theirs[0] is in ask_libgcc, theirs[1] here. */
	size_t first = 0;
	while (first < theirs.count && theirs.at[first] != frames.at[1])
		first++;
	*(size_t *)arg = assert_same(&frames, 1, first);
	return 0;
}

static void agrees_whatever_the_flags(void **state)
{
	(void)state;
	size_t compared = 0;
	assert_int_equal(chain_o0(compare_here, &compared), 0);
	assert_true(compared >= 12);
	assert_int_equal(chain_o2(compare_here, &compared), 0);
	assert_true(compared >= 10);
	assert_int_equal(chain_fp(compare_here, &compared), 0);
	assert_true(compared >= 10);
}

/* libc is stripped, and calls back. */
static int compare_in_callback(const void *a, const void *b)
{
	size_t compared = 0;
	compare_here(&compared);
	assert_true(compared >= 5);
	return *(const int *)a - *(const int *)b;
}

static void agrees_through_a_stripped_library(void **state)
{
	(void)state;
	int numbers[] = { 3, 1, 2, 5, 4 };
	qsort(numbers, 5, sizeof(int), compare_in_callback);
	assert_int_equal(numbers[4], 5);
}

/* --- samples at any instruction ------------------------------------------------------------------------------------ */

static volatile int samples, agreeing;
static char disagreement[512];

static void describe(const struct frames *ours, size_t first)
{
	int used =
			snprintf(disagreement, sizeof(disagreement), "ours %u, libgcc's %zu:", ours->count, theirs.count - first);
	for (size_t i = 0; i < 8 && used > 0 && (size_t)used + 40 < sizeof(disagreement); i++)
		used += snprintf(disagreement + used, sizeof(disagreement) - (size_t)used, " %lx/%lx",
		                 i < ours->count ? ours->at[i] : 0, first + i < theirs.count ? theirs.at[first + i] : 0);
}

static void sample(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	int saved = errno;
	struct frames frames;
	unwind_context(context, stack_memory_thread(), &frames);
	ask_libgcc();
	uintptr_t pc = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	size_t first = 0;
	while (first < theirs.count && theirs.at[first] != pc)
		first++;
	bool same = frames.count == theirs.count - first && !frames.failed;
	for (size_t i = 0; same && i < frames.count; i++)
		same = frames.at[i] == theirs.at[first + i];
	if (same)
		agreeing = agreeing + 1;
	else
		describe(&frames, first);
	samples = samples + 1;
	errno = saved;
}

static int compare_as_text(const void *a, const void *b)
{
	char left[64], right[64];
	snprintf(left, sizeof(left), "%d %f", *(const int *)a, *(const int *)a / 3.0);
	snprintf(right, sizeof(right), "%d %f", *(const int *)b, *(const int *)b / 3.0);
	return strcmp(left, right);
}

static void work(void)
{
	static int numbers[3000];
	for (int i = 0; i < 3000; i++)
		numbers[i] = rand();
	qsort(numbers, 3000, sizeof(int), compare_as_text);
	char *block = malloc(100000);
	memset(block, 1, 100000);
	free(block);
}

static void set_timer(timer_t *timer, int number)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = number };
	assert_int_equal(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, timer), 0);
	struct itimerspec time = { { 0, 700000 }, { 0, 700000 } };
	assert_int_equal(timer_settime(*timer, 0, &time, NULL), 0);
}

static void agree_in_samples(int flags)
{
	struct sigaction action = { .sa_sigaction = sample, .sa_flags = SA_SIGINFO | SA_RESTART | flags };
	sigaction(SIGUSR2, &action, NULL);
	samples = agreeing = 0;
	timer_t timer;
	set_timer(&timer, SIGUSR2);
	while (samples < 300)
		work();
	timer_delete(timer);
	if (agreeing != samples)
		fail_msg("%d of %d samples differ; the last: %s", samples - agreeing, samples, disagreement);
}

static void agrees_at_any_instruction(void **state)
{
	(void)state;
	agree_in_samples(0);
}

static void agrees_on_an_alternate_stack(void **state)
{
	(void)state;
	size_t size = 256 * 1024;
	stack_t alternate = { .ss_sp = malloc(size), .ss_size = size }, none = { .ss_flags = SS_DISABLE };
	assert_int_equal(sigaltstack(&alternate, NULL), 0);
	agree_in_samples(SA_ONSTACK);
	sigaltstack(&none, NULL);
	free(alternate.ss_sp);
}

/* From inside a handler: through its signal frame, back to the interrupted code on another stack. */
static void compare_in_handler(int number)
{
	(void)number;
	size_t compared = 0;
	compare_here(&compared);
	samples = (int)compared;
}

static int raise_signal(void *arg)
{
	(void)arg;
	samples = 0;
	raise(SIGUSR1);
	return samples >= 10 ? 0 : 1;
}

static void agrees_through_signal_frames(void **state)
{
	(void)state;
	struct sigaction action = { .sa_handler = compare_in_handler };
	sigaction(SIGUSR1, &action, NULL);
	assert_int_equal(chain_o2(raise_signal, NULL), 0);
	stack_t alternate = { .ss_sp = malloc(262144), .ss_size = 262144 }, none = { .ss_flags = SS_DISABLE };
	sigaltstack(&alternate, NULL);
	action.sa_flags = SA_ONSTACK;
	sigaction(SIGUSR1, &action, NULL);
	assert_int_equal(chain_fp(raise_signal, NULL), 0);
	sigaltstack(&none, NULL);
	free(alternate.ss_sp);
}

/* --- deep stacks, other stacks --------------------------------------------------------------------------------------- */

static struct frames deep_frames;

static __attribute__((noinline)) int recurse(int depth)
{
	volatile char pad[16];
	pad[0] = 0;
	if (depth)
		return recurse(depth - 1) + pad[0];
	struct unwind_registers here;
	UNWIND_HERE(&here);
	unwind_self(&here, false, &deep_frames);
	ask_libgcc();
	return pad[0];
}

static void *run_deep(void *arg)
{
	recurse(*(int *)arg);
	return NULL;
}

static void a_deep_stack_is_cut_in_the_middle(void **state)
{
	(void)state;
	pthread_attr_t attributes;
	pthread_t thread;
	int depth = 100000;
	uint64_t cut = losses[LOSS_STACK_CUT];
	pthread_attr_init(&attributes);
	assert_int_equal(pthread_attr_setstacksize(&attributes, 64 * 1024 * 1024), 0);
	assert_int_equal(pthread_create(&thread, &attributes, run_deep, &depth), 0);
	pthread_join(thread, NULL);
	assert_true(deep_frames.cut);
	assert_false(deep_frames.failed);
	assert_int_equal(deep_frames.count, FRAMES_MAX);
	assert_int_equal(losses[LOSS_STACK_CUT], cut + 1);
	assert_true(theirs.count > 100000);
	size_t middle = 0;
	while (deep_frames.at[middle] != PSEUDO_TRUNCATED)
		middle++;
	for (size_t from_root = 1; from_root < FRAMES_MAX - middle; from_root++)
		assert_int_equal(deep_frames.at[FRAMES_MAX - from_root], theirs.at[theirs.count - from_root]);
	for (size_t i = 2; i < middle; i++)
		assert_int_equal(deep_frames.at[i], deep_frames.at[1]);
}

static void a_stack_just_fits(void **state)
{
	(void)state;
	for (int depth = 50; depth < 140; depth++) {
		run_deep(&depth);
		size_t expected = theirs.count - 1; /* ask_libgcc's own frame */
		if (expected <= FRAMES_MAX) {
			assert_int_equal(deep_frames.count, expected);
			assert_false(deep_frames.cut);
		} else {
			assert_int_equal(deep_frames.count, FRAMES_MAX);
			assert_true(deep_frames.cut);
		}
		assert_int_equal(deep_frames.at[deep_frames.count - 1], theirs.at[theirs.count - 1]);
	}
}

static ucontext_t main_context, coroutine;
static size_t compared_in_coroutine;

static void coroutine_main(void)
{
	chain_o2(compare_here, &compared_in_coroutine);
	swapcontext(&coroutine, &main_context);
}

static void agrees_on_a_coroutine_stack(void **state)
{
	(void)state;
	/* Right in front of a hole: a step too far would fault. */
	size_t size = 64 * 1024;
	char *stack = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(stack != MAP_FAILED);
	munmap(stack + size, 4096);
	getcontext(&coroutine);
	coroutine.uc_stack.ss_sp = stack;
	coroutine.uc_stack.ss_size = size;
	coroutine.uc_link = &main_context;
	makecontext(&coroutine, coroutine_main, 0);
	swapcontext(&main_context, &coroutine);
	assert_true(compared_in_coroutine >= 8);
	munmap(stack, size);
}

/* --- modules that come and go ---------------------------------------------------------------------------------------- */

static void a_module_in_anothers_place_is_read_anew(void **state)
{
	(void)state;
	const char *const paths[] = { UNWIND_MODULE_SMALL, UNWIND_MODULE_LARGE };
	int met_again = 0;
	void *last = NULL;
	for (int round = 0; round < 20; round++) {
		void *module = dlopen(paths[round % 2], RTLD_NOW | RTLD_LOCAL);
		assert_non_null(module);
		union {
			void *object;
			int (*function)(int (*)(void *), void *);
		} call = { .object = dlsym(module, "module_call") };
		assert_non_null(call.object);
		size_t compared = 0;
		for (int i = 0; i < 3; i++)
			assert_int_equal(call.function(compare_here, &compared), 0);
		assert_true(compared >= 4);
		met_again += call.object == last;
		last = call.object;
		dlclose(module);
	}
	assert_true(met_again > 0); /* else nothing was tried */
}

/* --- threads that stand still ---------------------------------------------------------------------------------------- */

static _Atomic int sleeper_tid;

static _Noreturn int sleep_for_ever(void *arg)
{
	(void)arg;
	atomic_store(&sleeper_tid, sys_gettid());
	for (;;)
		pause();
}

static int (*chain)(int (*)(void *), void *);

static void *sleeper(void *arg)
{
	chain(sleep_for_ever, arg);
	return NULL;
}

/* "34 0x.. ... 0xSP 0xPC" of a blocked thread. */
static bool read_syscall(int tid, uintptr_t *ret_sp, uintptr_t *ret_pc)
{
	char path[64], line[256];
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	FILE *file = fopen(path, "r");
	if (!file)
		return false;
	bool read = fgets(line, sizeof(line), file) != NULL;
	fclose(file);
	return read && sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %lx %lx", ret_sp, ret_pc) == 2;
}

static void assert_sleeping_stack(int (*function)(int (*)(void *), void *))
{
	pthread_t thread;
	chain = function;
	atomic_store(&sleeper_tid, 0);
	assert_int_equal(pthread_create(&thread, NULL, sleeper, NULL), 0);
	uintptr_t sp = 0, pc = 0;
	while (!atomic_load(&sleeper_tid) || !read_syscall(sleeper_tid, &sp, &pc))
		usleep(1000);
	static unsigned char bytes[16384];
	long copied = sys_copy_memory(bytes, (const void *)(sp - 128), sizeof(bytes));
	assert_true(copied > 1024);
	struct unwind_registers registers = { .pc = pc, .sp = sp };
	struct unwind_copy copy = { sp - 128, bytes, (size_t)copied };
	struct frames frames;
	assert_int_equal(unwind_copied(&registers, &copy, &frames), UNWIND_COMPLETE);
	/* pause, sleep_for_ever, leaf, perhaps tail, variable, six times recursive, the chain's head, sleeper, start_thread, clone3 */
	int inside = 0;
	Dl_info info;
	for (uint32_t i = 0; i < frames.count; i++)
		inside += dladdr((void *)frames.at[i], &info) && strstr(info.dli_fname, "rt_test_unwind");
	assert_true(frames.count >= 12);
	assert_true(inside >= 8);
	copy.size = 300; /* not enough: it says so */
	assert_int_equal(unwind_copied(&registers, &copy, &frames), UNWIND_NEEDS_MORE);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
}

/* Only pc and sp are known of a thread in a system call; where a frame hangs on rbp it has to be found. */
static void a_sleeping_thread_is_read_whatever_the_flags(void **state)
{
	(void)state;
	assert_sleeping_stack(chain_o0);
	assert_sleeping_stack(chain_o2);
	assert_sleeping_stack(chain_fp);
}

/* --- nonsense ---------------------------------------------------------------------------------------------------------- */

static void nonsense_does_not_fault(void **state)
{
	(void)state;
	struct frames frames;
	uint64_t failed = losses[LOSS_UNWIND_FAILED];
	struct unwind_registers registers = { .pc = 0x1234, .sp = 0x5678, .known = UNWIND_ALL_CALLEE_SAVED };
	unwind_self(&registers, false, &frames);
	assert_true(frames.failed);
	registers.pc = UINTPTR_MAX;
	registers.sp = UINTPTR_MAX - 8;
	registers.bp = UINTPTR_MAX - 16;
	unwind_self(&registers, false, &frames);
	assert_true(frames.failed);
	registers.pc = (uintptr_t)&nonsense_does_not_fault;
	registers.sp = 4096;
	unwind_self(&registers, false, &frames);
	assert_true(frames.failed);
	assert_int_equal(frames.at[frames.count - 1], PSEUDO_UNWIND_FAILED);
	assert_int_equal(losses[LOSS_UNWIND_FAILED], failed + 3);
}

int main(void)
{
	unwind_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_whatever_the_flags),
		cmocka_unit_test(agrees_through_a_stripped_library),
		cmocka_unit_test(agrees_at_any_instruction),
		cmocka_unit_test(agrees_on_an_alternate_stack),
		cmocka_unit_test(agrees_through_signal_frames),
		cmocka_unit_test(a_deep_stack_is_cut_in_the_middle),
		cmocka_unit_test(a_stack_just_fits),
		cmocka_unit_test(agrees_on_a_coroutine_stack),
		cmocka_unit_test(a_module_in_anothers_place_is_read_anew),
		cmocka_unit_test(a_sleeping_thread_is_read_whatever_the_flags),
		cmocka_unit_test(nonsense_does_not_fault),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
