"""Allocation where it hurts (heap_storm.c): nothing crashes, hangs or is lost without being counted."""

import os
import re

import heap_bed
from heap_bed import Failed


def storm(bed, name, rate, preload=()):
    profile = bed.path("heap.pb.gz")
    bed.run([bed.program("heap_storm"), name, profile], rate=rate, preload=preload)
    return profile


def counted(bed, profile):
    """Text of a loss -> number."""
    return {text: int(number) for text, number in re.findall(r"^(.*): (\d+)$", bed.comments(profile), re.M)}


def nothing_stays_behind_threads(bed):
    """All blocks are freed in the end, most by other threads than their own."""
    for rate in (1, 256):
        profile = storm(bed, "threads", rate)
        rows = bed.rows(profile)
        if "allocate_and_exchange" not in rows or rows["allocate_and_exchange"]["alloc_objects"] < 100000:
            raise Failed("the storm's allocations were not seen: %s" % rows)
        # A free that found its lock busy is made up for; only one without a place to wait can leave a sample behind.
        left = rows["allocate_and_exchange"]["inuse_objects"]
        late = sum(number for text, number in counted(bed, profile).items() if "noticed late" in text)
        if left > late:
            raise Failed("%d objects are still in use after all were freed, %d frees were late" % (left, late))


def children_of_fork_allocate(bed):
    for rate in (1, 4096):
        storm(bed, "forks", rate)


def ten_thousand_threads(bed):
    profile = storm(bed, "short", 4096)
    seen = bed.rows(profile).get("allocate_once", {}).get("alloc_objects", 0)
    # Each of 10,000 blocks of 1,000 bytes counts 1/p with p = 0.217: standard error 190.
    if abs(seen - 10000) > 5 * 190:
        raise Failed("10,000 first allocations of threads were estimated as %d" % seen)


def handlers_allocate_and_jump(bed):
    safe = os.path.join(bed.programs, "libsafe_malloc.so")
    for rate in (1, 2000):
        profile = storm(bed, "signals", rate, preload=(safe,))
        rows = bed.rows(profile)
        if "on_signal" not in rows:
            raise Failed("no allocation of a handler was seen: %s" % rows)
        # p = 0.39 at rate 2000: standard error 39. A guard left set by a jump would show as nothing at all.
        seen = rows.get("after_the_storm", {}).get("inuse_objects", 0)
        if abs(seen - 1000) > 5 * 39:
            raise Failed("1,000 blocks after the storm were estimated as %d" % seen)


if __name__ == "__main__":
    heap_bed.main([nothing_stays_behind_threads, children_of_fork_allocate, ten_thousand_threads, handlers_allocate_and_jump])
