"""The heap profile against a program whose allocations are known: exactly at rate 1, within four standard errors at others.

The standard error of a sum of sampled blocks: each block of size S is in the sample with p = 1 - e^(-S/R) and counts
1/p, so it adds (1-p)/p to the variance of the count and S^2 (1-p)/p to that of the bytes.
"""

import math

import heap_bed
from heap_bed import Failed

FUNCTIONS = {"alloc_small", "alloc_mixed", "alloc_large", "alloc_resized", "grow", "shrink", "alloc_zero"}


def sizes(function, live):
    """The sizes of the blocks of heap_truth.c, to compute the variance with."""
    if function == "alloc_small":
        return [24] * (100000 if live else 200000)
    if function == "alloc_mixed":
        return [1 + i * 7919 % 5000 for i in range(60000) if not live or i % 3]
    if function == "alloc_large":
        return [50000 + i * 104729 % 2000000 for i in range(400) if not live or i % 2]
    if function == "alloc_resized":
        return [1000] * (10000 if live else 30000)
    return {"grow": [3000] * 10000, "shrink": [200] * 10000, "alloc_zero": [0] * 2000}[function]


def standard_errors(function, live, rate):
    objects = space = 0
    for size in sizes(function, live):
        p = -math.expm1(-max(size, 1) / rate)
        objects += (1 - p) / p
        space += size * size * (1 - p) / p
    return math.sqrt(objects), math.sqrt(space)


def run(bed, rate, preload=()):
    profile = bed.path("heap.pb.gz")
    text = bed.run([bed.program("heap_truth"), profile], rate=rate, preload=preload)
    truth = {}
    for line in text.splitlines():
        name, *numbers = line.split()
        truth[name] = dict(zip(heap_bed.INDEXES, map(int, numbers)))
    if set(truth) != FUNCTIONS:
        raise Failed("heap_truth printed %r" % text)
    for name in FUNCTIONS:
        known = [(len(sizes(name, live)), sum(sizes(name, live))) for live in (False, True)]
        if list(truth[name].values()) != [number for pair in known for number in pair]:
            raise Failed("heap_truth and heap_truth.py differ about %s: %s" % (name, truth[name]))
    return truth, profile


def check_exact(bed, preload=()):
    truth, profile = run(bed, 1, preload)
    found = bed.rows(profile)
    for name, values in truth.items():
        if found.get(name) != values:
            raise Failed("rate 1, %s: found %s, true %s; %s" % (name, found.get(name), values, bed.comments(profile)))


def exact_at_rate_one(bed):
    check_exact(bed)


def estimate(bed, rate):
    """Chance fails one comparison in some thousands, more where few samples are expected: it must not fail twice."""
    try:
        estimate_once(bed, rate)
    except Failed as first:
        print("once more: %s" % first)
        estimate_once(bed, rate)


def estimate_once(bed, rate):
    truth, profile = run(bed, rate)
    found = bed.rows(profile)
    for name, values in truth.items():
        seen = found.get(name, dict.fromkeys(heap_bed.INDEXES, 0))
        for live, prefix in ((False, "alloc"), (True, "inuse")):
            errors = standard_errors(name, live, rate)
            for index, error in zip((prefix + "_objects", prefix + "_space"), errors):
                if abs(seen[index] - values[index]) > 4 * error + 1:
                    raise Failed("rate %d, %s %s: estimated %.0f, true %d, standard error %.0f"
                                 % (rate, name, index, seen[index], values[index], error))
        if name == "alloc_zero" and (seen["alloc_space"] or seen["inuse_space"]):
            raise Failed("blocks of no bytes have %s" % seen)


def estimates_at_512(bed):
    estimate(bed, 512)


def estimates_at_20000(bed):
    estimate(bed, 20000)


def off_by_setting(bed):
    for settings in ({"CPPROF_HEAP_RATE": "0"}, {"CPPROF_DISABLE": "heap"}):
        profile = bed.path("heap.pb.gz")
        bed.run([bed.program("heap_truth"), profile], settings=settings)
        if bed.rows(profile):
            raise Failed("%s: there are samples" % settings)
        if "off: CPPROF_" not in bed.comments(profile):
            raise Failed("%s: the profile does not say why it is empty: %s" % (settings, bed.comments(profile)))


if __name__ == "__main__":
    heap_bed.main([exact_at_rate_one, estimates_at_512, estimates_at_20000, off_by_setting])
