/* ticks.c - whether the time stamp counter may be trusted, and how many nanoseconds a tick of it is.
 *
 * A wrong clock is worse than a dear one: the counter is taken only where the processor says that it runs at one speed in
 * every state of power (Intel SDM volume 3, "Invariant TSC"; AMD APM volume 3, Fn8000_0007) and the kernel, which compares the
 * counters of all processors, has made it its own clock. Where that cannot be read (no /sys), it is not taken.
 */
#include "runtime/shared/ticks.h"

#include <cpuid.h>
#include <string.h>

#define SPIN_NS 20000u
#define REBASE_NS ((uint64_t)64 * 1000000000u) /* how much of a step a measurement can carry: 0.1 % of this */
#define POWER_LEAF 0x80000007u
#define INVARIANT_TSC (1u << 8) /* of its edx */

__extension__ typedef unsigned __int128 uint128;

bool ticks_are_tsc;

static struct tick_ratio ratio;
static _Atomic uint64_t next_look; /* ticks: when a conversion shall measure again */

/* --- the ratio ------------------------------------------------------------------------------------------------------ */

/* (ns << SHIFT) / ticks, rounded; 0 if it is no processor's. */
static uint64_t divide(uint64_t ticks, uint64_t ns)
{
	/* Halved until the shift fits: at least 32 bits of either are left. */
	while (ns >> (64 - TICK_RATIO_SHIFT)) {
		ns >>= 1;
		ticks >>= 1;
	}
	if (!ticks)
		return 0;
	uint64_t found = ((ns << TICK_RATIO_SHIFT) + ticks / 2) / ticks;
	uint64_t one = (uint64_t)1 << TICK_RATIO_SHIFT;
	return found < one / 20 || found >= one * 2 ? 0 : found;
}

static bool differs(uint64_t a, uint64_t b, uint64_t parts)
{
	return (a > b ? a - b : b - a) > b / parts;
}

static void set_base(struct tick_ratio *to, uint64_t ticks, uint64_t ns)
{
	to->base_ticks = ticks;
	to->base_ns = ns;
}

bool tick_ratio_begin(struct tick_ratio *to, uint64_t ticks, uint64_t ns, uint64_t later_ticks, uint64_t later_ns)
{
	uint64_t found = later_ticks > ticks && later_ns > ns ? divide(later_ticks - ticks, later_ns - ns) : 0;
	if (!found)
		return false;
	to->ns_per_tick = found;
	to->refused = 0;
	to->rough = 1;
	set_base(to, ticks, ns);
	return true;
}

void tick_ratio_measure(struct tick_ratio *of, uint64_t ticks, uint64_t ns)
{
	uint64_t since_ticks = ticks - of->base_ticks, since_ns = ns - of->base_ns;
	bool rough = of->rough;
	if ((int64_t)since_ticks <= 0 || (int64_t)since_ns <= 0) {
		set_base(of, ticks, ns); /* the counter began anew */
		return;
	}
	if (since_ns < (rough ? TICK_RATIO_FIRST_NS : TICK_RATIO_NEXT_NS))
		return;
	uint64_t found = divide(since_ticks, since_ns), former = of->ns_per_tick, refused = of->refused;
	bool agrees = found && (!differs(found, former, rough ? 100 : 1000) || (refused && !differs(found, refused, 1000)));
	of->refused = agrees ? 0 : found;
	if (agrees) {
		of->ns_per_tick = found;
		of->rough = 0;
	}
	if (!agrees || since_ns > REBASE_NS)
		set_base(of, ticks, ns);
}

/* --- this processor's ----------------------------------------------------------------------------------------------- */

static bool processor_has_it(void)
{
	unsigned int eax, ebx, ecx, edx = 0;
	return __get_cpuid(POWER_LEAF, &eax, &ebx, &ecx, &edx) && (edx & INVARIANT_TSC);
}

/* The kernel's clock is the counter itself, or what a hypervisor has made of it. */
static bool kernel_trusts_it(void)
{
	static const char *const trusted[] = { "tsc\n", "kvm-clock\n", "hyperv_clocksource_tsc_page\n" };
	char name[64];
	if (sys_read_file("/sys/devices/system/clocksource/clocksource0/current_clocksource", name, sizeof(name)) <= 0)
		return false;
	for (size_t i = 0; i < sizeof(trusted) / sizeof(trusted[0]); i++)
		if (strcmp(name, trusted[i]) == 0)
			return true;
	return false;
}

/* One moment by both clocks: the one of a few tries in which the reads lie closest together. */
static void read_both(uint64_t *ret_ticks, uint64_t *ret_ns)
{
	uint64_t closest = UINT64_MAX;
	for (int i = 0; i < 4; i++) {
		uint64_t before = __builtin_ia32_rdtsc();
		uint64_t ns = monotonic_ns();
		uint64_t apart = __builtin_ia32_rdtsc() - before;
		if (apart < closest) {
			closest = apart;
			*ret_ticks = before + apart / 2;
			*ret_ns = ns;
		}
	}
}

void ticks_init(void)
{
	static _Atomic int begun;
	if (atomic_exchange(&begun, 1) || !processor_has_it() || !kernel_trusts_it())
		return;
	uint64_t ticks, ns, later_ticks, later_ns;
	read_both(&ticks, &ns);
	do {
		read_both(&later_ticks, &later_ns);
	} while (later_ns - ns < SPIN_NS);
	if (!tick_ratio_begin(&ratio, ticks, ns, later_ticks, later_ns))
		return;
	next_look = ticks + ticks_from_ns(TICK_RATIO_FIRST_NS);
	ticks_are_tsc = true;
}

/* Measures again when it is time. One thread does, whoever comes first; the others go on with the ratio that there is. */
static uint64_t ratio_now(void)
{
	uint64_t now = __builtin_ia32_rdtsc();
	uint64_t due = atomic_load_explicit(&next_look, memory_order_relaxed);
	uint64_t former = atomic_load_explicit(&ratio.ns_per_tick, memory_order_relaxed);
	uint64_t pause = (((uint64_t)TICK_RATIO_NEXT_NS << TICK_RATIO_SHIFT) + former) / former;
	/* Far ahead: the counter began anew. */
	if ((now < due && due - now <= 2 * pause) || !atomic_compare_exchange_strong(&next_look, &due, now + pause))
		return former;
	uint64_t ns;
	read_both(&now, &ns);
	tick_ratio_measure(&ratio, now, ns);
	return atomic_load_explicit(&ratio.ns_per_tick, memory_order_relaxed);
}

uint64_t ticks_to_ns(uint64_t ticks)
{
	if (!ticks_are_tsc)
		return ticks;
	uint128 product = (uint128)ticks * ratio_now() >> TICK_RATIO_SHIFT;
	return product > UINT64_MAX ? UINT64_MAX : (uint64_t)product;
}

/* In two steps, since 128 bits cannot be divided without libgcc. */
static uint64_t divide_by_ratio(uint64_t ns, uint64_t by)
{
	uint64_t whole = ns / by, rest = ns % by; /* by < 2^32 */
	if (whole >> (64 - TICK_RATIO_SHIFT))
		return UINT64_MAX;
	return (whole << TICK_RATIO_SHIFT) + (rest << TICK_RATIO_SHIFT) / by;
}

uint64_t ticks_from_ns(uint64_t ns)
{
	uint64_t by = atomic_load_explicit(&ratio.ns_per_tick, memory_order_relaxed);
	/* Set a moment before ticks_are_tsc, by ticks_init alone. */
	return by ? divide_by_ratio(ns, by) : ns;
}

uint64_t ticks_since_ns(uint64_t then)
{
	uint64_t now = ticks_now();
	return now > then ? ticks_to_ns(now - then) : 0;
}
