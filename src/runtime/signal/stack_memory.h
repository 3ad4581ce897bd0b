/* stack_memory.h - words of a stack that may not be there: a live one of this thread, or a copy of another's.
 *
 * Inside bounds that are known to be mapped a word is one load. Elsewhere each page is asked for first, by a system call
 * that fails instead of faulting. No allocation, no lock; any territory.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_STACK_MEMORY_H
#define CPPROF_RUNTIME_SIGNAL_STACK_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct thread_record;

struct stack_memory {
	uintptr_t low, high;        /* what may be read without asking; a live one grows by pages found mapped */
	const unsigned char *bytes; /* a copy that stands for [low, high); NULL: the memory itself */
	bool ended;                 /* a word behind the copy was asked for */
};

/* The live stack around `sp` of the calling thread, whose record this is; NULL: unknown. */
void stack_memory_live(struct stack_memory *memory, uintptr_t sp, const struct thread_record *thread);
/* tls.thread for a handler, which may run in a thread that the program has made by clone() with another thread-local block than libc's, or none:
 * NULL there. Two or three system calls. */
const struct thread_record *stack_memory_thread(void);
/* Before that, in a thread of libc's. */
void stack_memory_init(void);
/* True if the main thread began about here: what code lies there, the dynamic linker's or _start, may have no description, or an old one. */
bool stack_memory_is_root(uintptr_t sp);
/* The slow half of stack_memory_word. */
bool stack_memory_word_slow(struct stack_memory *memory, uintptr_t address, uintptr_t *ret_word);
/* Whether the page of this address can be read; a system call. */
bool stack_memory_page(uintptr_t address);

static inline bool stack_memory_word(struct stack_memory *memory, uintptr_t address, uintptr_t *ret_word)
{
	uintptr_t size = memory->high - memory->low;
	if (__builtin_expect(size < sizeof(*ret_word) || address - memory->low > size - sizeof(*ret_word), 0))
		return stack_memory_word_slow(memory, address, ret_word);
	const unsigned char *from =
			memory->bytes ? memory->bytes + (address - memory->low) : (const unsigned char *)address;
	memcpy(ret_word, from, sizeof(*ret_word));
	return true;
}

#endif
