/* test_unwind_hard.c - the unwinder where tables lead nowhere, or away from the stack, or vanish; beside libgcc's where that gets through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "runtime/shared/losses.h"
#include "runtime/shared/process.h"
#include "runtime/shared/sys.h"
#include "runtime/shared/threads.h"
#include "runtime/shared/tls.h"
#include "runtime/signal/stack_memory.h"
#include "runtime/signal/unwind.h"

void process_check_slow(void)
{
}

/* --- libgcc's opinion ---------------------------------------------------------------------------------------------- */

static uintptr_t theirs[1024];
static uint32_t their_count;

static _Unwind_Reason_Code note(struct _Unwind_Context *context, void *unused)
{
	(void)unused;
	int exact = 0;
	uintptr_t pc = _Unwind_GetIPInfo(context, &exact);
	if (pc && their_count < sizeof(theirs) / sizeof(theirs[0]))
		theirs[their_count++] = pc - !exact;
	return _URC_NO_REASON;
}

static struct frames ours;

/* The caller's stack by both; what they found is compared from our second frame on. Returns how many frames. */
static __attribute__((noinline)) uint32_t compare_here(void)
{
	struct unwind_registers here;
	their_count = 0;
	_Unwind_Backtrace(note, NULL);
	UNWIND_HERE(&here);
	unwind_self(&here, false, &ours);
	assert_false(ours.failed);
	assert_int_equal(ours.count, their_count);
	for (uint32_t i = 1; i < their_count; i++)
		assert_int_equal(ours.at[i], theirs[i]);
	return ours.count;
}

static bool is_in(uintptr_t frame, uintptr_t begin, size_t size)
{
	return frame - begin < size;
}

/* Calls through this: neither inlined nor a tail call. */
static __attribute__((noinline)) int call(int (*function)(void *), void *arg)
{
	int result = function(arg);
	__asm__ volatile("" : "+r"(result));
	return result;
}

/* --- frames that compilers make ------------------------------------------------------------------------------------ */

static __attribute__((noinline)) int aligned_frame(void *arg)
{
	volatile char block[256] __attribute__((aligned(128)));
	volatile char *more = __builtin_alloca((size_t) * (int *)arg);
	block[0] = more[0] = 0;
	assert_int_equal((uintptr_t)block % 128, 0);
	uint32_t compared = compare_here();
	return (int)compared + block[0] + more[0];
}

static void a_realigned_stack(void **state)
{
	(void)state;
	for (int size = 1; size < 4000; size += 500)
		assert_true(call(aligned_frame, &size) >= 5);
}

static uint32_t compared_in_cleanup;

static void clean_up(void *unused)
{
	(void)unused;
	compared_in_cleanup = compare_here();
}

static __attribute__((noinline)) int leave_by_exit(void *arg)
{
	(void)arg;
	int guarded __attribute__((cleanup(clean_up))) = 1;
	pthread_exit(NULL);
	return guarded;
}

static void *exiting_thread(void *arg)
{
	call(leave_by_exit, arg);
	return NULL;
}

/* As a destructor sees it while an exception flies: libgcc's own frames in between. */
static void an_unwinding_in_progress(void **state)
{
	(void)state;
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, exiting_thread, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(compared_in_cleanup >= 5);
}

/* --- code without a description ------------------------------------------------------------------------------------ */

/* push %rbp; mov %rsp,%rbp; sub $32,%rsp; call *%rdi; leave; ret: what a just-in-time compiler writes. */
static const unsigned char jit_code[] = { 0x55, 0x48, 0x89, 0xE5, 0x48, 0x83, 0xEC, 0x20, 0xFF, 0xD7, 0xC9, 0xC3 };

static __attribute__((noinline)) int look_from_jit(void)
{
	struct unwind_registers here;
	UNWIND_HERE(&here);
	unwind_self(&here, false, &ours);
	return 7;
}

static int call_jit(void *code)
{
	union {
		void *object;
		int (*function)(int (*)(void));
	} jit = { code };
	int result = jit.function(look_from_jit);
	return result + 1;
}

static void jit_code_with_frame_pointers(void **state)
{
	(void)state;
	char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(code != MAP_FAILED);
	memcpy(code + 64, jit_code, sizeof(jit_code));
	assert_int_equal(mprotect(code, 4096, PROT_READ | PROT_EXEC), 0);
	assert_int_equal(call(call_jit, code + 64), 8);
	assert_false(ours.failed);
	assert_true(ours.count >= 6);
	assert_true(is_in(ours.at[1], (uintptr_t)code, 4096));
	assert_true(is_in(ours.at[2], (uintptr_t)&call_jit, 200));
	assert_true(is_in(ours.at[3], (uintptr_t)&call, 200));
	munmap(code, 4096);
}

/* A function by hand that nobody has described; it stops at once. */
int undescribed_leaf(void);
__asm__(".text\nundescribed_leaf:\n\tint3\n\tmov $5, %eax\n\tret\n");

static void on_trap(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	unwind_context(context, stack_memory_thread(), &ours);
}

static __attribute__((noinline)) int call_undescribed(void *arg)
{
	(void)arg;
	return undescribed_leaf() + 1;
}

static void an_undescribed_leaf(void **state)
{
	(void)state;
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO }, before;
	sigaction(SIGTRAP, &action, &before);
	assert_int_equal(call(call_undescribed, NULL), 6);
	sigaction(SIGTRAP, &before, NULL);
	assert_false(ours.failed);
	assert_true(is_in(ours.at[0], (uintptr_t)&undescribed_leaf, 16));
	assert_true(is_in(ours.at[1], (uintptr_t)&call_undescribed, 100));
	assert_true(is_in(ours.at[2], (uintptr_t)&call, 200));
}

static sigjmp_buf after_fault;

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	unwind_context(context, stack_memory_thread(), &ours);
	siglongjmp(after_fault, 1);
}

static __attribute__((noinline)) int call_nowhere(void *arg)
{
	union {
		void *object;
		int (*function)(void);
	} nowhere = { arg };
	__asm__ volatile("" : "+r"(nowhere.object));
	return nowhere.function() + 1;
}

static void a_call_into_nowhere(void **state)
{
	(void)state;
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO }, before;
	sigaction(SIGSEGV, &action, &before);
	static void *const nowhere[] = { NULL, (void *)8192, (void *)0x7FFFFFFFE000 };
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
		if (sigsetjmp(after_fault, 1) == 0)
			call(call_nowhere, nowhere[i]);
		assert_false(ours.failed);
		assert_true(is_in(ours.at[1], (uintptr_t)&call_nowhere, 100));
		assert_true(is_in(ours.at[2], (uintptr_t)&call, 200));
	}
	sigaction(SIGSEGV, &before, NULL);
}

/* --- stacks that are elsewhere ------------------------------------------------------------------------------------- */

/* on_stack(function, top): calls it there, described as an assembler programmer would. */
void on_stack(void (*function)(void), void *top);
__asm__(".text\n"
        "on_stack:\n"
        "\t.cfi_startproc\n"
        "\tpush %rbp\n"
        "\t.cfi_def_cfa_offset 16\n"
        "\t.cfi_offset %rbp, -16\n"
        "\tmov %rsp, %rbp\n"
        "\t.cfi_def_cfa_register %rbp\n"
        "\tmov %rsi, %rsp\n"
        "\tcall *%rdi\n"
        "\tmov %rbp, %rsp\n"
        "\tpop %rbp\n"
        "\t.cfi_def_cfa %rsp, 8\n"
        "\tret\n"
        "\t.cfi_endproc\n");

static unsigned char low_stack[65536] __attribute__((aligned(64)));
static uint32_t compared_elsewhere;

static void compare_elsewhere(void)
{
	compared_elsewhere = compare_here();
	__asm__ volatile("");
}

static void compare_higher_up(void)
{
	size_t size = 65536;
	unsigned char *high_stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(high_stack != MAP_FAILED && high_stack > low_stack);
	on_stack(compare_elsewhere, high_stack + size);
	munmap(high_stack, size);
}

/* From a stack of static memory to one that lies above it: the walk back goes down once, without a signal. */
static void stacks_switched_by_hand(void **state)
{
	(void)state;
	on_stack(compare_elsewhere, low_stack + sizeof(low_stack));
	assert_true(compared_elsewhere >= 5);
	uint32_t by_one = compared_elsewhere;
	on_stack(compare_higher_up, low_stack + sizeof(low_stack));
	assert_int_equal(compared_elsewhere, by_one + 2);
}

static void a_thread_of_known_bounds(void **state)
{
	(void)state;
	struct thread_record record = { 0 };
	int size = 100;
	record.stack_low = (uintptr_t)&record - 65536;
	record.stack_high = ((uintptr_t)__builtin_frame_address(0) + 4096) & ~(uintptr_t)4095;
	tls.thread = &record;
	assert_true(call(aligned_frame, &size) >= 5);
	tls.thread = NULL;
}

/* Nothing is left to chance with sp: in code that uses rsp for numbers it is no stack. */
static void no_stack_at_all(void **state)
{
	(void)state;
	struct unwind_registers registers = { .known = UNWIND_ALL_CALLEE_SAVED };
	for (unsigned shift = 0; shift < 64; shift++) {
		registers.pc = (uintptr_t)&call + 1;
		registers.sp = (uintptr_t)1 << shift;
		registers.bp = ~(uintptr_t)0 << shift;
		unwind_self(&registers, false, &ours);
		assert_true(ours.failed);
		registers.pc = (uintptr_t)&aligned_frame + 30;
		unwind_self(&registers, false, &ours);
		assert_true(ours.failed);
	}
}

static unsigned char *alternate;
static size_t stack_used;

static void measure_stack(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	unsigned char *here = __builtin_frame_address(0);
	size_t below = (size_t)(here - alternate) - 512, untouched = 0;
	memset(alternate, 0xA5, below);
	unwind_context(context, stack_memory_thread(), &ours);
	while (untouched < below && alternate[untouched] == 0xA5)
		untouched++;
	stack_used = (size_t)(here - alternate) - untouched;
}

/* Alternate stacks of 8 KiB are usual, and the kernel's frame takes up to 3.5 KiB of it. */
static void a_handler_needs_little_stack(void **state)
{
	(void)state;
#ifndef __OPTIMIZE__
	skip();
#endif
	size_t size = 65536;
	alternate = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(alternate != MAP_FAILED);
	stack_t stack = { .ss_sp = alternate, .ss_size = size }, none = { .ss_flags = SS_DISABLE };
	assert_int_equal(sigaltstack(&stack, NULL), 0);
	struct sigaction action = { .sa_sigaction = measure_stack, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	sigaction(SIGUSR1, &action, NULL);
	for (int round = 0; round < 3; round++) {
		raise(SIGUSR1);
		assert_false(ours.failed);
		assert_true(stack_used <= 3072);
	}
	sigaltstack(&none, NULL);
	munmap(alternate, size);
}

/* --- frames of our own --------------------------------------------------------------------------------------------- */

/* The section's name makes the linker tell its bounds, as it does for the library. */
static __attribute__((noinline, section("cpprof_text"))) int own_hook(void *skip)
{
	struct unwind_registers here;
	UNWIND_HERE(&here);
	unwind_self(&here, skip != NULL, &ours);
	return 1;
}

static __attribute__((noinline, section("cpprof_text"))) int own_start(void *skip)
{
	return call(own_hook, skip) + 1;
}

static void own_frames_at_the_leaf_are_left_out(void **state)
{
	(void)state;
	int yes = 1;
	assert_true(unwind_is_own((uintptr_t)&own_hook));
	assert_false(unwind_is_own((uintptr_t)&call));
	call(own_start, NULL);
	assert_true(unwind_is_own(ours.at[0]));
	uint32_t all = ours.count;
	call(own_start, &yes);
	assert_int_equal(ours.count, all - 1);
	assert_true(is_in(ours.at[0], (uintptr_t)&call, 200));
	assert_true(unwind_is_own(ours.at[1])); /* in the middle they stay */
}

/* --- modules that vanish ------------------------------------------------------------------------------------------- */

typedef int module_function(int (*)(void *), void *);

static module_function *open_module(const char *path, void **ret_module)
{
	union {
		void *object;
		module_function *function;
	} found;
	*ret_module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	assert_non_null(*ret_module);
	found.object = dlsym(*ret_module, "module_call");
	assert_non_null(found.object);
	return found.function;
}

static int compare_in_module(void *arg)
{
	*(uint32_t *)arg = compare_here();
	return 0;
}

/* Two builds that differ in nothing but one number of their tables; all sizes and places are the same. */
static void a_twin_in_its_place(void **state)
{
	(void)state;
	static const char *const paths[] = { UNWIND_TWIN_A, UNWIND_TWIN_B };
	module_function *last = NULL;
	int met_again = 0;
	for (int round = 0; round < 20; round++) {
		void *module;
		uint32_t compared = 0;
		module_function *function = open_module(paths[round % 2], &module);
		for (int i = 0; i < 3; i++)
			assert_int_equal(function(compare_in_module, &compared), 0);
		assert_true(compared >= 4);
		met_again += function == last;
		last = function;
		dlclose(module);
	}
	assert_true(met_again > 0); /* else nothing was tried */
}

static struct unwind_registers stopped;
static unsigned char stopped_stack[16384];
static struct unwind_copy stopped_copy;

static __attribute__((noinline)) int keep_stack(void *unused)
{
	(void)unused;
	UNWIND_HERE(&stopped);
	long copied = sys_copy_memory(stopped_stack, (const unsigned char *)stopped.sp, sizeof(stopped_stack));
	stopped_copy = (struct unwind_copy){ stopped.sp, stopped_stack, (size_t)copied };
	return copied > 0;
}

static int unmap_readable(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	uintptr_t wanted = *(uintptr_t *)arg;
	bool is_it = false;
	for (int i = 0; i < info->dlpi_phnum; i++)
		is_it |= info->dlpi_phdr[i].p_type == PT_LOAD &&
		         wanted - info->dlpi_addr - info->dlpi_phdr[i].p_vaddr < info->dlpi_phdr[i].p_memsz;
	for (int i = 0; is_it && i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		uintptr_t start = (info->dlpi_addr + header->p_vaddr) & ~(uintptr_t)4095;
		if (header->p_type == PT_LOAD && header->p_flags == PF_R && header->p_offset)
			munmap((unsigned char *)start, info->dlpi_addr + header->p_vaddr + header->p_memsz - start);
	}
	return is_it;
}

/* A dump unwinds the copy of a thread that has long gone on, and the module may go with its tables at any instant: what the dynamic
 * linker said a moment ago is not true any more. */
static void tables_vanish_under_a_copied_stack(void **state)
{
	(void)state;
	void *module;
	module_function *function = open_module(UNWIND_TWIN_A, &module);
	struct frames frames;
	assert_int_equal(function(keep_stack, NULL), 1);
	assert_int_equal(unwind_copied(&stopped, &stopped_copy, &frames), UNWIND_COMPLETE);
	uint32_t complete = frames.count;
	assert_true(complete >= 4);
	uintptr_t inside = (uintptr_t)function;
	assert_int_equal(dl_iterate_phdr(unmap_readable, &inside), 1);
	enum unwind_end end = unwind_copied(&stopped, &stopped_copy, &frames);
	assert_true(end == UNWIND_STUCK || frames.count == complete);
	/* Never closed: the linker does not know what was done to it. */
}

int main(void)
{
	unwind_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_realigned_stack),
		cmocka_unit_test(an_unwinding_in_progress),
		cmocka_unit_test(jit_code_with_frame_pointers),
		cmocka_unit_test(an_undescribed_leaf),
		cmocka_unit_test(a_call_into_nowhere),
		cmocka_unit_test(stacks_switched_by_hand),
		cmocka_unit_test(a_thread_of_known_bounds),
		cmocka_unit_test(no_stack_at_all),
		cmocka_unit_test(a_handler_needs_little_stack),
		cmocka_unit_test(own_frames_at_the_leaf_are_left_out),
		cmocka_unit_test(a_twin_in_its_place),
		cmocka_unit_test(tables_vanish_under_a_copied_stack),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
