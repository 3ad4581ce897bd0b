/* threads_life.c - threads made and ended in every way, in known numbers.
 *
 *     threads_life ROUNDS
 *
 * ROUNDS times: joined (`make_joined`), detached from the start (`make_detached`), detached later (`make_detached_later`), joined at
 * once, by C11's names (`make_thrd`), by pthread_exit, cancelled. Then 5 that stay, made in `make_staying`, and 3 that have
 * ended and that nobody joins (`make_unjoined`). Prints "made N live 5", then reads a line from standard input and ends.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <threads.h>
#include <unistd.h>

static atomic_int made;

static void *end_at_once(void *argument)
{
	return argument;
}

static void *end_by_exit(void *argument)
{
	pthread_exit(argument);
}

static void *end_by_cancellation(void *argument)
{
	for (;;)
		pause();
	return argument;
}

static int end_thrd(void *argument)
{
	(void)argument;
	return 0;
}

static void *stay(void *argument)
{
	for (;;)
		pause();
	return argument;
}

static pthread_t make(const pthread_attr_t *attributes, void *(*routine)(void *))
{
	pthread_t thread;
	if (pthread_create(&thread, attributes, routine, NULL) != 0)
		abort();
	atomic_fetch_add(&made, 1);
	return thread;
}

static __attribute__((noinline)) void make_joined(void)
{
	pthread_join(make(NULL, end_at_once), NULL);
	pthread_t thread = make(NULL, end_by_exit);
	usleep(100);
	pthread_join(thread, NULL);
	thread = make(NULL, end_by_cancellation);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
}

static __attribute__((noinline)) void make_detached(void)
{
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	make(&attributes, end_at_once);
	pthread_attr_destroy(&attributes);
	atomic_signal_fence(memory_order_seq_cst);
}

static __attribute__((noinline)) void make_detached_later(void)
{
	pthread_detach(make(NULL, end_at_once));
	pthread_t thread = make(NULL, end_at_once);
	usleep(100);
	pthread_detach(thread);
	atomic_signal_fence(memory_order_seq_cst);
}

static __attribute__((noinline)) void make_thrd(void)
{
	thrd_t thread;
	if (thrd_create(&thread, end_thrd, NULL) != thrd_success)
		abort();
	atomic_fetch_add(&made, 1);
	thrd_join(thread, NULL);
}

static __attribute__((noinline)) void make_staying(void)
{
	for (int i = 0; i < 5; i++)
		make(NULL, stay);
}

static __attribute__((noinline)) void make_unjoined(void)
{
	for (int i = 0; i < 3; i++)
		make(NULL, end_at_once);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 50;
	for (int i = 0; i < rounds; i++) {
		make_joined();
		make_detached();
		make_detached_later();
		make_thrd();
	}
	make_staying();
	make_unjoined();
	usleep(300000);
	printf("made %d live 5\n", atomic_load(&made));
	fflush(stdout);
	char byte;
	(void)!read(STDIN_FILENO, &byte, 1);
	return 0;
}
