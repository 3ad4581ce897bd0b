/* operator_new.c - C++'s operator new and delete by their mangled names (Itanium C++ ABI), in C.
 *
 * libstdc++'s and libc++'s operators call malloc and free, whose hooks see everything: ours then only pass on. An
 * allocator that brings operators of its own (tcmalloc, mimalloc, jemalloc) serves them directly: then they count.
 *
 * In a program without C++ nothing reaches these names until it loads a C++ library with dlopen(); that library's calls
 * come here before its own libstdc++, which is not among the objects that we can find. What the standard operators do is
 * done for them then, on malloc and free; only to throw, and to run a new_handler, libstdc++ is looked for.
 */
#include "runtime/hooks/operator_new.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/hooks/heap_sample.h"
#include "runtime/hooks/malloc_real.h"

#ifndef __x86_64__
#error "size_t is mangled as m, unsigned long"
#endif

struct nothrow {
	char unused;
};

typedef void *new_function(size_t size);
typedef void *new_nothrow_function(size_t size, const struct nothrow *);
typedef void *new_aligned_function(size_t size, size_t alignment);
typedef void *new_aligned_nothrow_function(size_t size, size_t alignment, const struct nothrow *);
typedef void delete_function(void *block);
typedef void delete_nothrow_function(void *block, const struct nothrow *);
typedef void delete_sized_function(void *block, size_t size);
typedef void delete_aligned_function(void *block, size_t alignment);
typedef void delete_aligned_nothrow_function(void *block, size_t alignment, const struct nothrow *);
typedef void delete_sized_aligned_function(void *block, size_t size, size_t alignment);

/* --- where there are none behind us -------------------------------------------------------------------------------- */

/* Out of memory: the real operator, if any is loaded, calls the new_handler or throws. */
static HEAP_SLOW void *lookup_loaded(const char *name)
{
	static const char *const files[] = { "libstdc++.so.6", "libc++.so.1" };
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		void *library = dlopen(files[i], RTLD_LAZY | RTLD_NOLOAD);
		void *function = library ? dlsym(library, name) : NULL;
		if (function)
			return function; /* and the library stays: it will be needed to unwind */
	}
	return NULL;
}

static void *standard_new(size_t size)
{
	void *block = malloc(size ? size : 1);
	if (HEAP_RARE(!block)) {
		void *address = lookup_loaded("_Znwm");
		if (!address)
			abort(); /* what an exception would end in that nobody can throw */
		new_function *function;
		memcpy(&function, &address, sizeof(function));
		return function(size);
	}
	return block;
}

static void *standard_new_nothrow(size_t size, const struct nothrow *nothrow)
{
	(void)nothrow;
	return malloc(size ? size : 1);
}

static void *standard_new_aligned(size_t size, size_t alignment)
{
	void *block = memalign(alignment, size ? size : 1);
	if (HEAP_RARE(!block)) {
		void *address = lookup_loaded("_ZnwmSt11align_val_t");
		if (!address)
			abort();
		new_aligned_function *function;
		memcpy(&function, &address, sizeof(function));
		return function(size, alignment);
	}
	return block;
}

static void *standard_new_aligned_nothrow(size_t size, size_t alignment, const struct nothrow *nothrow)
{
	(void)nothrow;
	return memalign(alignment, size ? size : 1);
}

static void standard_delete(void *block)
{
	free(block);
}

static void standard_delete_nothrow(void *block, const struct nothrow *nothrow)
{
	(void)nothrow;
	free(block);
}

static void standard_delete_number(void *block, size_t number)
{
	(void)number;
	free(block);
}

static void standard_delete_aligned_nothrow(void *block, size_t alignment, const struct nothrow *nothrow)
{
	(void)alignment;
	(void)nothrow;
	free(block);
}

static void standard_delete_sized_aligned(void *block, size_t size, size_t alignment)
{
	(void)size;
	(void)alignment;
	free(block);
}

/* --- the operators ------------------------------------------------------------------------------------------------- */

/* kind, our name for it, mangled name, what stands in */
#define NEWS(X) \
	X(new, new_one, "_Znwm", standard_new) \
	X(new, new_array, "_Znam", standard_new)
#define NOTHROW_NEWS(X) \
	X(new_nothrow, new_one_nothrow, "_ZnwmRKSt9nothrow_t", standard_new_nothrow) \
	X(new_nothrow, new_array_nothrow, "_ZnamRKSt9nothrow_t", standard_new_nothrow)
#define ALIGNED_NEWS(X) \
	X(new_aligned, new_one_aligned, "_ZnwmSt11align_val_t", standard_new_aligned) \
	X(new_aligned, new_array_aligned, "_ZnamSt11align_val_t", standard_new_aligned)
#define ALIGNED_NOTHROW_NEWS(X) \
	X(new_aligned_nothrow, new_one_aligned_nothrow, "_ZnwmSt11align_val_tRKSt9nothrow_t", \
	  standard_new_aligned_nothrow) \
	X(new_aligned_nothrow, new_array_aligned_nothrow, "_ZnamSt11align_val_tRKSt9nothrow_t", \
	  standard_new_aligned_nothrow)
#define DELETES(X) \
	X(delete, delete_one, "_ZdlPv", standard_delete) \
	X(delete, delete_array, "_ZdaPv", standard_delete)
#define NOTHROW_DELETES(X) \
	X(delete_nothrow, delete_one_nothrow, "_ZdlPvRKSt9nothrow_t", standard_delete_nothrow) \
	X(delete_nothrow, delete_array_nothrow, "_ZdaPvRKSt9nothrow_t", standard_delete_nothrow)
#define NUMBER_DELETES(X) \
	X(delete_sized, delete_one_sized, "_ZdlPvm", standard_delete_number) \
	X(delete_sized, delete_array_sized, "_ZdaPvm", standard_delete_number) \
	X(delete_aligned, delete_one_aligned, "_ZdlPvSt11align_val_t", standard_delete_number) \
	X(delete_aligned, delete_array_aligned, "_ZdaPvSt11align_val_t", standard_delete_number)
#define ALIGNED_NOTHROW_DELETES(X) \
	X(delete_aligned_nothrow, delete_one_aligned_nothrow, "_ZdlPvSt11align_val_tRKSt9nothrow_t", \
	  standard_delete_aligned_nothrow) \
	X(delete_aligned_nothrow, delete_array_aligned_nothrow, "_ZdaPvSt11align_val_tRKSt9nothrow_t", \
	  standard_delete_aligned_nothrow)
#define SIZED_ALIGNED_DELETES(X) \
	X(delete_sized_aligned, delete_one_sized_aligned, "_ZdlPvmSt11align_val_t", standard_delete_sized_aligned) \
	X(delete_sized_aligned, delete_array_sized_aligned, "_ZdaPvmSt11align_val_t", standard_delete_sized_aligned)
#define OPERATORS(X) \
	NEWS(X) \
	NOTHROW_NEWS(X) \
	ALIGNED_NEWS(X) \
	ALIGNED_NOTHROW_NEWS(X) \
	DELETES(X) NOTHROW_DELETES(X) NUMBER_DELETES(X) ALIGNED_NOTHROW_DELETES(X) SIZED_ALIGNED_DELETES(X)

/* The operators behind ours, or what stands in for them. Only what was called through malloc's hooks can come before
 * real_resolve() has run: C++ code has allocated nothing then, and gets the standard operators. */
static struct {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration */
#define OPERATOR_POINTER(kind, name, mangled, standard) kind##_function *name;
	OPERATORS(OPERATOR_POINTER)
#undef OPERATOR_POINTER
} next = {
#define OPERATOR_STANDARD(kind, name, mangled, standard) .name = (standard),
	OPERATORS(OPERATOR_STANDARD)
#undef OPERATOR_STANDARD
};

/* For each, whether the operator behind ours keeps its memory from malloc's hooks, so that ours must count. An allocator
 * may bring some operators and leave others to libstdc++. */
static struct {
#define OPERATOR_COUNTS(kind, name, mangled, standard) bool name;
	OPERATORS(OPERATOR_COUNTS)
#undef OPERATOR_COUNTS
} counts;

#define OPERATOR_HOOK(kind, name, mangled, standard) HEAP_HOOK kind##_function hook_##name __asm__(mangled);
OPERATORS(OPERATOR_HOOK)
#undef OPERATOR_HOOK

#define DEFINE_NEW(kind, name, mangled, standard) \
	static HEAP_SLOW void *slow_##name(size_t size) \
	{ \
		bool due = heap_due(size); \
		void *block = next.name(size); \
		if (due) \
			heap_record(block, size); \
		return block; \
	} \
	void *hook_##name(size_t size) \
	{ \
		return counts.name && heap_countdown(size) ? slow_##name(size) : next.name(size); \
	}
NEWS(DEFINE_NEW)

#define DEFINE_NEW_NOTHROW(kind, name, mangled, standard) \
	static HEAP_SLOW void *slow_##name(size_t size, const struct nothrow *nothrow) \
	{ \
		bool due = heap_due(size); \
		void *block = next.name(size, nothrow); \
		if (due) \
			heap_record(block, size); \
		return block; \
	} \
	void *hook_##name(size_t size, const struct nothrow *nothrow) \
	{ \
		return counts.name && heap_countdown(size) ? slow_##name(size, nothrow) : next.name(size, nothrow); \
	}
NOTHROW_NEWS(DEFINE_NEW_NOTHROW)

#define DEFINE_NEW_ALIGNED(kind, name, mangled, standard) \
	static HEAP_SLOW void *slow_##name(size_t size, size_t alignment) \
	{ \
		bool due = heap_due(size); \
		void *block = next.name(size, alignment); \
		if (due) \
			heap_record(block, size); \
		return block; \
	} \
	void *hook_##name(size_t size, size_t alignment) \
	{ \
		return counts.name && heap_countdown(size) ? slow_##name(size, alignment) : next.name(size, alignment); \
	}
ALIGNED_NEWS(DEFINE_NEW_ALIGNED)

#define DEFINE_NEW_ALIGNED_NOTHROW(kind, name, mangled, standard) \
	static HEAP_SLOW void *slow_##name(size_t size, size_t alignment, const struct nothrow *nothrow) \
	{ \
		bool due = heap_due(size); \
		void *block = next.name(size, alignment, nothrow); \
		if (due) \
			heap_record(block, size); \
		return block; \
	} \
	void *hook_##name(size_t size, size_t alignment, const struct nothrow *nothrow) \
	{ \
		return counts.name && heap_countdown(size) ? slow_##name(size, alignment, nothrow) \
		                                           : next.name(size, alignment, nothrow); \
	}
ALIGNED_NOTHROW_NEWS(DEFINE_NEW_ALIGNED_NOTHROW)

/* The operators behind ours that call free() lead to its hook; those that do not are seen here. */
static inline void deleting(bool counted, const void *block)
{
	if (counted && HEAP_RARE(live_filter_hit(block)))
		heap_forget(block, NULL);
}

#define DEFINE_DELETE(kind, name, mangled, standard) \
	void hook_##name(void *block) \
	{ \
		deleting(counts.name, block); \
		next.name(block); \
	}
DELETES(DEFINE_DELETE)

#define DEFINE_DELETE_NOTHROW(kind, name, mangled, standard) \
	void hook_##name(void *block, const struct nothrow *nothrow) \
	{ \
		deleting(counts.name, block); \
		next.name(block, nothrow); \
	}
NOTHROW_DELETES(DEFINE_DELETE_NOTHROW)

#define DEFINE_DELETE_NUMBER(kind, name, mangled, standard) \
	void hook_##name(void *block, size_t number) \
	{ \
		deleting(counts.name, block); \
		next.name(block, number); \
	}
NUMBER_DELETES(DEFINE_DELETE_NUMBER)

#define DEFINE_DELETE_ALIGNED_NOTHROW(kind, name, mangled, standard) \
	void hook_##name(void *block, size_t alignment, const struct nothrow *nothrow) \
	{ \
		deleting(counts.name, block); \
		next.name(block, alignment, nothrow); \
	}
ALIGNED_NOTHROW_DELETES(DEFINE_DELETE_ALIGNED_NOTHROW)

#define DEFINE_DELETE_SIZED_ALIGNED(kind, name, mangled, standard) \
	void hook_##name(void *block, size_t size, size_t alignment) \
	{ \
		deleting(counts.name, block); \
		next.name(block, size, alignment); \
	}
SIZED_ALIGNED_DELETES(DEFINE_DELETE_SIZED_ALIGNED)

/* --- finding them -------------------------------------------------------------------------------------------------- */

static const struct nothrow nothrow;

static void new_and_delete(void *arg)
{
	(void)arg;
	next.delete_one(next.new_one_nothrow(1, &nothrow));
}

static void new_and_delete_aligned(void *arg)
{
	size_t alignment = 64;
	(void)arg;
	next.delete_one_aligned(next.new_one_aligned_nothrow(1, alignment, &nothrow), alignment);
}

void operator_new_resolve(const void *malloc_next)
{
	const void *first = real_next("_Znwm");
	if (!first)
		return;
#define OPERATOR_FIND(kind, name, mangled, standard) \
	do { \
		void *address = real_next(mangled); \
		if (address) \
			memcpy(&next.name, &address, sizeof(address)); \
		counts.name = real_same_module(address, malloc_next); \
	} while (0);
	OPERATORS(OPERATOR_FIND)
#undef OPERATOR_FIND
	/* Operators from elsewhere than the allocator itself call malloc. The allocator's may do so too. Those that do not throw
	 * are asked, for the others. */
	if (counts.new_one && heap_call_reaches_hooks(new_and_delete, NULL))
		counts.new_one = counts.new_array = counts.new_one_nothrow = counts.new_array_nothrow = false;
	if (counts.new_one_aligned && counts.new_one_aligned_nothrow && counts.delete_one_aligned &&
	    heap_call_reaches_hooks(new_and_delete_aligned, NULL))
		counts.new_one_aligned = counts.new_array_aligned = counts.new_one_aligned_nothrow =
				counts.new_array_aligned_nothrow = false;
}
