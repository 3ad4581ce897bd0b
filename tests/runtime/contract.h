/* contract.h - what the cases of contract.c are written with: a call, what it must return, and that it leaves errno alone.
 *
 * Each call is made with a canary in errno. What it returned is printed, so that the lines with the library can be compared with those
 * without it; "WRONG" stands where it is not what the contract says.
 */
#ifndef CONTRACT_H
#define CONTRACT_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define CANARY 7777
#define ANYTHING (-99999) /* what the platform decides: only printed */
#define SHORT_NS 8000000l /* a time-out that is to run out */
#define LONG_NS 60000000000l

/* A call that returns its error and never touches errno. */
#define RETURNS(expected, call) \
	do { \
		errno = CANARY; \
		long returned_ = (long)(call); \
		contract_note(#call, returned_, expected, errno, CANARY); \
	} while (0)
/* A call that returns -1 and an error in errno; error 0: it succeeds with `expected`, and leaves errno alone. */
#define FAILS(expected, error, call) \
	do { \
		errno = CANARY; \
		long returned_ = (long)(call); \
		contract_note(#call, returned_, expected, errno, (error) ? (error) : CANARY); \
	} while (0)
/* A truth. */
#define HOLDS(what) contract_truth(#what, (what))

/* The words that following lines begin with, as for printf. */
void contract_case(const char *format, ...) __attribute__((format(printf, 1, 2)));
void contract_note(const char *call, long returned, long expected, int error, int expected_error);
void contract_truth(const char *what, bool holds);

/* Now plus so many nanoseconds. */
struct timespec contract_after(clockid_t clock, long ns);
/* Runs it in a thread of its own and waits for its end. */
void contract_in_thread(void *(*routine)(void *), void *argument);
/* A thread, or the end of the program. */
pthread_t contract_start(void *(*routine)(void *), void *argument);
void contract_sleep(long ns);
/* Until the thread of this tid sleeps in the kernel: the nearest thing to "waits". */
void contract_until_asleep(int tid);
int contract_tid(void);
/* Zeroed memory that children share. */
void *contract_shared(size_t size);
/* Waits for the child; its exit status, or -signal. */
int contract_reap(int pid);

/* The cases, each in the file of its name. */
void contract_mutex(void);
void contract_robust(void);
void contract_rwlock(void);
void contract_cond(void);
void contract_sem(void);
void contract_threads(void);
void contract_cancel(void);
void contract_jump(void);
void contract_fork(void);
void contract_gone(void);
void contract_early(void);

#endif
