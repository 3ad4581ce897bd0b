/* The arithmetic of sampling against libm: weights to the last digits that their units have, gaps that are exponential. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "runtime/hooks/heap_math.h"

static void gaps_are_the_logarithm(void **state)
{
	(void)state;
	static const uint64_t randoms[] = {
		1, 2, 3, 0xFFFF, (uint64_t)1 << 62, 0x8000000000000001u, 0xDEADBEEFCAFEF00Du, UINT64_MAX - 1, UINT64_MAX
	};
	static const uint64_t rates[] = { 2, 512, 524288, (uint64_t)1 << 30, HEAP_RATE_MAX };
	for (size_t i = 0; i < sizeof(randoms) / sizeof(randoms[0]); i++)
		for (size_t j = 0; j < sizeof(rates) / sizeof(rates[0]); j++) {
			long double exact = -logl((long double)randoms[i] / 18446744073709551616.0L) * (long double)rates[j];
			long double got = (long double)heap_gap(randoms[i], rates[j]);
			long double slack = 1 + (long double)rates[j] * 0x1p-38L;
			assert_true(got <= exact + slack && got >= exact - slack);
		}
	assert_int_equal(heap_gap(0, 524288), heap_gap(1, 524288));
	assert_int_equal(heap_gap(12345, 1), 0);
	assert_int_equal(heap_gap(12345, 0), 0);
}

/* A mean of n exponential gaps is within 4 standard errors of its expectation; so is the share of blocks sampled. */
static void gaps_are_exponential(void **state)
{
	(void)state;
	enum { DRAWS = 1000000 };
	const uint64_t rate = 4096, size = 1500;
	uint64_t random = random_seed(42);
	double sum = 0, hits = 0;
	for (int i = 0; i < DRAWS; i++) {
		uint64_t gap = heap_gap(random_next(&random), rate);
		sum += (double)gap;
		hits += size > gap;
	}
	/* The floor of an exponential: geometric. */
	double mean = 1 / expm1(1.0 / (double)rate), p = -expm1(-(double)size / (double)rate);
	assert_true(fabs(sum / DRAWS - mean) < 4 * (double)rate / sqrt(DRAWS));
	assert_true(fabs(hits / DRAWS - p) < 4 * sqrt(p * (1 - p) / DRAWS));
}

static double exact_weight(uint64_t size, uint64_t rate)
{
	return -1 / expm1(-(double)(size ? size : 1) / (double)rate);
}

/* Rounding goes up or down by chance; the mean over all chances is the exact weight. */
static void weights_have_no_bias(void **state)
{
	(void)state;
	static const uint64_t rates[] = { 2, 3, 100, 4096, 65536, 524288, (uint64_t)1 << 32, HEAP_RATE_MAX };
	for (size_t j = 0; j < sizeof(rates) / sizeof(rates[0]); j++)
		for (uint64_t size = 0; size < rates[j] * 40; size += 1 + size / 3) {
			double objects = 0, bytes = 0, w = exact_weight(size, rates[j]);
			/* Every 16th of the range of both roundings. */
			for (uint64_t i = 0; i < 16; i++) {
				struct heap_weight got = heap_weigh(size, rates[j], (i << 8 | 0x80) | (i << 16 | 0x8000) << 12);
				objects += (double)got.objects / HEAP_OBJECT / 16;
				bytes += (double)got.bytes / 16;
			}
			assert_true(fabs(objects / w - 1) < 5e-4);
			assert_true(fabs(bytes - w * (double)size) < 0.1 + w * (double)size * 1e-5);
		}
}

/* The exact fixed-point values, to 0.01 %: the mean over the chances, finely. */
static void weights_are_exact(void **state)
{
	(void)state;
	static const uint64_t sizes[] = { 0, 1, 16, 100, 4096, 65536, 524287, 524288, 524289, 1000000, 5000000, 16000000 };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		double objects = 0, w = exact_weight(sizes[i], 524288);
		for (uint64_t chance = 0; chance < 0x1000; chance++)
			objects += (double)heap_weigh(sizes[i], 524288, chance).objects / HEAP_OBJECT / 0x1000;
		assert_true(fabs(objects / w - 1) < 1e-5);
	}
}

static void rate_one_is_exact(void **state)
{
	(void)state;
	for (uint64_t size = 0; size < 100000; size += 7)
		for (uint64_t rate = 0; rate < 2; rate++) {
			struct heap_weight got = heap_weigh(size, rate, UINT64_MAX);
			assert_int_equal(got.objects, HEAP_OBJECT);
			assert_int_equal(got.bytes, size);
		}
	struct heap_weight huge = heap_weigh((uint64_t)1 << 62, HEAP_RATE_MAX, UINT64_MAX);
	assert_int_equal(huge.objects, HEAP_OBJECT);
	assert_int_equal(huge.bytes, (uint64_t)1 << 62);
}

static void seeds_are_not_zero(void **state)
{
	(void)state;
	/* The one number whose finalizer would be zero. */
	assert_int_not_equal(random_seed(0 - 0x9E3779B97F4A7C15u), 0);
	assert_int_not_equal(random_seed(0), random_seed(1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gaps_are_the_logarithm), cmocka_unit_test(gaps_are_exponential),
		cmocka_unit_test(weights_have_no_bias),   cmocka_unit_test(weights_are_exact),
		cmocka_unit_test(rate_one_is_exact),      cmocka_unit_test(seeds_are_not_zero),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
