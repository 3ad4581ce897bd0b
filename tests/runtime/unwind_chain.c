/* A chain of calls that ends in whatever it is given, compiled several times with other flags: CHAIN is the name of its outermost
 * function. One of its frames has a size that the compiler does not know, so its CFA hangs on rbp. */
#include <alloca.h>
#include <string.h>

#include "unwind_chain.h"

static volatile int frame_size = 100;

static __attribute__((noinline)) int chain_leaf(int (*function)(void *), void *arg)
{
	volatile char pad[40];
	pad[0] = 1;
	return function(arg) + pad[0] - 1;
}

/* A jump where compilers optimize. */
static __attribute__((noinline)) int chain_tail(int (*function)(void *), void *arg)
{
	return chain_leaf(function, arg);
}

static __attribute__((noinline)) int chain_variable(int (*function)(void *), void *arg, int size)
{
	char *block = alloca((size_t)size + 16);
	memset(block, 0, (size_t)size + 16);
	return chain_tail(function, arg) + block[size];
}

static __attribute__((noinline)) int chain_recursive(int (*function)(void *), void *arg, int depth)
{
	volatile char pad[24];
	pad[0] = 0;
	if (depth)
		return chain_recursive(function, arg, depth - 1) + pad[0];
	return chain_variable(function, arg, frame_size) + pad[0];
}

int CHAIN(int (*function)(void *), void *arg)
{
	int result = chain_recursive(function, arg, 5);
	return result + (result == 12345);
}
