"""A thread in each call that can wait: its dump names the call, then the function that made it, down to the thread's root.

Nothing is interrupted for it: the program is compiled in several ways, frame pointers or not, and all its threads sleep.
"""

import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from threads_bed import HERE, Program, Skipped, require, run, threads_of  # noqa: E402

SOURCE = "threads_waits.c"
WITHOUT_WRAPPER = ("fgets", "raw_futex")


def names():
    with open(os.path.join(HERE, SOURCE), encoding="utf-8") as source:
        return re.findall(r"^WAITS\((\w+),", source.read(), re.M)


def thread_in(threads, function):
    found = [thread for thread in threads if function in thread]
    require(len(found) == 1, "%d threads are in %s" % (len(found), function))
    return found[0]


def check_wrapped(threads, name):
    thread = thread_in(threads, "wait_in_" + name)
    at = thread.frames.index("wait_in_" + name)
    require(thread.frames[:at] == [name], "above wait_in_%s: %s" % (name, thread.frames[:at]))
    require(thread.state == name, "state of wait_in_%s: %s" % (name, thread.state))
    require(thread.frames[at + 1] == "waiter", "below wait_in_%s: %s" % (name, thread.frames[at + 1:]))
    require("[unwind failed]" not in thread, thread.text)


def check_unwrapped(threads):
    thread = thread_in(threads, "wait_in_fgets")
    require(thread.frames.index("wait_in_fgets") > 1 and "waiter" in thread, "stdio: %s" % thread.frames)
    thread = thread_in(threads, "wait_in_raw_futex")
    require(thread.frames[:2] == ["[futex]", "wait_in_raw_futex"] and "waiter" in thread, "futex: %s" % thread.frames)


def check(program):
    count = int(program.line("waiting "))
    expected = names()
    require(count == len(expected) + len(WITHOUT_WRAPPER), "the list of calls and the program differ")
    for _ in range(3):
        threads = threads_of(program.get("/debug/pprof/goroutine?debug=2"))
        for name in expected:
            check_wrapped(threads, name)
        check_unwrapped(threads)
        require(thread_in(threads, "main").tid == threads[0].tid == program.process.pid, "main is not the first")
    total = int(re.match(r"goroutine profile: total (\d+)", program.get("/debug/pprof/goroutine?debug=1"))[1])
    require(total == len(threads), "total %d, but %d threads" % (total, len(threads)))
    program.end()


SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def ages_of(program):
    """Seconds by call, of the waits in progress: the longest of each."""
    ages = {}
    for page in ("block", "wait"):
        text = program.get("/debug/pprof/%s?debug=1" % page)
        for number, unit, call in re.findall(r"^# \d+ threads? waiting, (?:for|longest) ([\d.]+)([a-z]+), (\w+)", text, re.M):
            ages[call] = max(ages.get(call, 0), float(number) * SECONDS[unit])
    return ages


def ages(bed):
    """how long each wait has lasted, and that it goes on"""
    with Program(bed, bed.program("threads_waits")) as program:
        program.line("waiting ")
        first = ages_of(program)
        begun = time.monotonic()
        time.sleep(1)
        passed = time.monotonic() - begun
        second = ages_of(program)
        for name in names():
            require(name in first and name in second, "no age of %s" % name)
            # To a tenth, as they are written.
            require(second[name] > first[name] + passed - 0.2, "%s: %g, later %g seconds" % (name, first[name], second[name]))
        program.end()


def as_built(bed):
    """every wait, as the build compiles"""
    with Program(bed, bed.program("threads_waits")) as program:
        check(program)


def with_frame_pointers(bed):
    """every wait, with frame pointers"""
    with Program(bed, bed.compiled(SOURCE, "waits", "-O2", "-fno-omit-frame-pointer")) as program:
        check(program)


def without_optimization(bed):
    """every wait, not optimized"""
    with Program(bed, bed.compiled(SOURCE, "waits", "-O0")) as program:
        check(program)


def signals_off(bed):
    """every wait, when no signal may be sent"""
    with Program(bed, bed.program("threads_waits"), settings={"CPPROF_DISABLE": "signals"}) as program:
        check(program)


def without_privileges(bed):
    """published waits are still seen when /proc refuses"""
    if os.getuid() != 0:
        raise Skipped("only root can drop privileges")
    with Program(bed, bed.program("threads_waits"), "drop") as program:
        program.line("waiting ")
        threads = threads_of(program.get("/debug/pprof/goroutine?debug=2"))
        for name in names():
            check_wrapped(threads, name)
        program.end()


if __name__ == "__main__":
    run([as_built, ages, with_frame_pointers, without_optimization, signals_off, without_privileges])
