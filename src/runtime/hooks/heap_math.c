/* heap_math.c - logarithm, exponential and weights in fixed point. "Q60" is a number in units of 2^-60.
 */
#include "runtime/hooks/heap_math.h"

__extension__ typedef unsigned __int128 wide;

#define LN2_Q64 0xB17217F7D1CF79ABu
#define ONE_Q58 ((uint64_t)1 << 58)
#define ONE_Q60 ((uint64_t)1 << 60)
/* e^-32 < 2^-46: beyond it a block is as good as always sampled. */
#define CERTAIN 32u

/* -log2(random / 2^64) in Q40, bit by bit: squaring the mantissa doubles its logarithm, whose next bit is then whether
 * the square reached 2. */
static uint64_t negative_log2_q40(uint64_t random)
{
	random |= random == 0;
	uint64_t zeros = (uint64_t)__builtin_clzll(random);
	uint64_t mantissa = random << zeros; /* Q63, in [1, 2) */
	uint64_t fraction = 0;
	for (int bit = 0; bit < 40; bit++) {
		wide square = (wide)mantissa * mantissa; /* Q126, in [1, 4) */
		uint64_t reached = (uint64_t)(square >> 127);
		fraction = fraction << 1 | reached;
		mantissa = (uint64_t)(square >> (63 + reached));
	}
	return ((1 + zeros) << 40) - fraction;
}

uint64_t heap_gap(uint64_t random, uint64_t rate)
{
	if (rate <= 1)
		return 0;
	wide natural_q60 = (wide)negative_log2_q40(random) * LN2_Q64 >> 44;
	return (uint64_t)(natural_q60 * rate >> 60);
}

/* size/(1 - e^-t) in Q20 for t = size/rate <= 1: rate * t/(1 - e^-t), whose series is that of the Bernoulli numbers,
 * rate * (1 + t/2 + t^2/12 - t^4/720 + t^6/30240 - ...). The first term left out is below 2^-30. */
static wide bytes_of_small_q20(uint64_t size, uint64_t rate)
{
	uint64_t t = (uint64_t)(((wide)size << 60) / rate);
	uint64_t square = (uint64_t)((wide)t * t >> 60);
	static const uint64_t coefficients[] = { ONE_Q60 / 1209600, ONE_Q60 / 30240, ONE_Q60 / 720, ONE_Q60 / 12 };
	uint64_t sum = ONE_Q60 / 47900160;
	for (int i = 0; i < 4; i++)
		sum = coefficients[i] - (uint64_t)((wide)sum * square >> 60);
	sum = (uint64_t)((wide)sum * t >> 60);
	return ((wide)rate << 20) + ((wide)size << 19) + ((wide)size * sum >> 40);
}

/* e^-t in Q58, for t = size/rate < CERTAIN: Taylor's series for t/2^k <= 1, squared k times. */
static uint64_t exp_negative_q58(uint64_t size, uint64_t rate)
{
	uint64_t t = (uint64_t)(((wide)size << 58) / rate);
	int halvings = 0;
	for (; t > ONE_Q58; t >>= 1)
		halvings++;
	uint64_t power = ONE_Q58, even = ONE_Q58, odd = 0;
	for (uint64_t n = 1; n < 20; n++) {
		power = (uint64_t)((wide)power * t >> 58) / n;
		*(n % 2 ? &odd : &even) += power;
	}
	uint64_t result = even - odd;
	for (; halvings; halvings--)
		result = (uint64_t)((wide)result * result >> 58);
	return result;
}

struct heap_weight heap_weigh(uint64_t size, uint64_t rate, uint64_t random)
{
	uint64_t sampled_as = size | (size == 0);
	if (rate <= 1 || sampled_as / CERTAIN >= rate)
		return (struct heap_weight){ HEAP_OBJECT, size };
	wide bytes, objects; /* Q20 */
	if (sampled_as <= rate) {
		bytes = bytes_of_small_q20(sampled_as, rate);
		objects = bytes / sampled_as;
	} else {
		objects = ((wide)1 << 78) / (ONE_Q58 - exp_negative_q58(sampled_as, rate));
		bytes = objects * sampled_as;
	}
	uint64_t below_object = random & 0xFFF, below_byte = random >> 12 & 0xFFFFF;
	return (struct heap_weight){
		.objects = (uint64_t)((objects + below_object) >> 12),
		.bytes = size ? (uint64_t)((bytes + below_byte) >> 20) : 0,
	};
}
