/* truth_timed.c - a thread that waits with a time limit, again and again: what a sampled profile must say about it, and how far it may be off.
 *
 *     truth_timed WAIT_NS COUNT RATE_NS [sleep]
 *
 * Each wait of d nanoseconds, d < RATE_NS, is kept with probability d / RATE_NS, counts RATE_NS / d, and RATE_NS nanoseconds: the count's
 * variance is RATE_NS / d - 1, the time's d * (RATE_NS - d); longer waits are certain. It waits for a condition, or sleeps. Prints the program's own
 * sums and standard deviations,
 *
 *     timed COUNT NANOSECONDS SHORTER_NANOSECONDS COUNT_DEVIATION NANOSECONDS_DEVIATION
 *
 * (SHORTER: the sum of the time limits, below which no wait was), then "done"; a line on standard input ends it. A wait that
 * ends early, interrupted by whomever, ends it with status 1.
 */
#include <errno.h>
#include <math.h>

#include "truth.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition;

static void prepare(void)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&condition, &attributes);
}

/* Nanoseconds that it has waited at the least. */
TRUTH_FUNCTION long long timed_waits(long long wait_ns)
{
	long long begun_ns = truth_now_ns(), until_ns = begun_ns + wait_ns;
	struct timespec until = { until_ns / 1000000000, until_ns % 1000000000 };
	long long inside_ns = truth_now_ns();
	int result = pthread_cond_timedwait(&condition, &mutex, &until);
	if (result != ETIMEDOUT || truth_now_ns() < until_ns) {
		fprintf(stderr, "ended early: %s\n", strerror(result));
		_exit(1);
	}
	return until_ns > inside_ns ? until_ns - inside_ns : 0;
}

TRUTH_FUNCTION long long timed_sleeps(long long wait_ns)
{
	struct timespec time = { wait_ns / 1000000000, wait_ns % 1000000000 };
	truth_require(nanosleep(&time, NULL) == 0, "ended early");
	return wait_ns;
}

int main(int argc, char **argv)
{
	truth_require(argc >= 4, "truth_timed WAIT_NS COUNT RATE_NS [sleep]");
	int sleeps = argc > 4;
	long long wait_ns = atoll(argv[1]), count = atoll(argv[2]), total_ns = 0, shorter_ns = 0;
	double rate_ns = atof(argv[3]), count_variance = 0, ns_variance = 0;
	prepare();
	truth_begin();
	pthread_mutex_lock(&mutex);
	for (long long i = 0; i < count; i++) {
		long long begun_ns = truth_now_ns();
		shorter_ns += sleeps ? timed_sleeps(wait_ns) : timed_waits(wait_ns);
		double d = (double)(truth_now_ns() - begun_ns);
		total_ns += (long long)d;
		if (d < rate_ns) {
			count_variance += rate_ns / d - 1;
			ns_variance += d * (rate_ns - d);
		}
	}
	pthread_mutex_unlock(&mutex);
	printf("timed %lld %lld %lld %.3f %.0f\n", count, total_ns, shorter_ns, sqrt(count_variance), sqrt(ns_variance));
	truth_say("done");
	return 0;
}
