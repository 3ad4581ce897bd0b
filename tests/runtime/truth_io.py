"""Waits for descriptors, time and processes in a program that knows how long they were: the profile `wait` says the same, call by call.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from threads_bed import run  # noqa: E402
from truth_bed import CLOCKS, EVERY_WAIT, Program, check_waits, require  # noqa: E402

CALLS = ("epoll_wait", "poll", "select", "read", "recv", "accept", "connect", "waitpid", "flock", "nanosleep", "clock_nanosleep", "usleep")


def check(program):
    truths, _ = program.truths()
    profile = program.profile("wait")
    require(profile.types == [("waits", "count"), ("delay", "nanoseconds")] and profile.plain.period_type == ("waits", "count"),
            "types %s, period type %s" % (profile.types, profile.plain.period_type))
    require(set(truths) == {"in_" + call for call in CALLS} | {"in_fsync"}, "the program and its test differ: %s" % sorted(truths))
    for call in CALLS:
        check_waits(profile, truths["in_" + call], "in_" + call, call, kind="waits")
    require(not any("lock" in row.labels for row in profile.rows), "a lock in wait:\n%s" % profile.text())
    return profile, truths["in_fsync"]


def every_wait(bed):
    """every call, every wait"""
    with Program(bed, bed.program("truth_io"), bed.directory, settings=EVERY_WAIT) as program:
        profile, truth = check(program)
        waits, delay = (profile.total(kind, "in_fsync", call="fsync") for kind in ("waits", "delay"))
        # Where files are in memory there is nothing to wait for.
        require(waits <= truth.count and delay <= truth.high * (1 + CLOCKS), "fsync: %d waits, %d ns, of %d" % (waits, delay, truth.high))
        require(waits == truth.count or truth.high / truth.count < 50000, "fsync: %d waits of %d, %d ns" % (waits, truth.count, truth.high))
        blocked = program.profile("block")
        require(not any(blocked.of("in_" + call) for call in CALLS), "I/O in block:\n%s" % blocked.text())
        program.end()


def longer_waits(bed):
    """waits longer than the rate are all there"""
    with Program(bed, bed.program("truth_io"), bed.directory, settings={"CPPROF_WAIT_RATE": "2000000"}) as program:
        check(program)
        program.end()


if __name__ == "__main__":
    run([every_wait, longer_waits])
