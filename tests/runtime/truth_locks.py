"""Waits for locks in a program that knows how long they were: block and mutex say the same, by the stacks of waiters and unlockers.
"""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from threads_bed import run  # noqa: E402
from truth_bed import CLOCKS, EVERY_WAIT, Program, check_waits, require, within  # noqa: E402

# Waiting function: the call that it waits in.
CALLS = {
    "convoy_waits": "pthread_mutex_lock",
    "condition_waits": "pthread_cond_wait",
    "semaphore_waits": "sem_wait",
    "writer_waits": "pthread_rwlock_wrlock",
    "reader_waits": "pthread_rwlock_rdlock",
    "timedlock_waits": "pthread_mutex_timedlock",
    "timedwrlock_waits": "pthread_rwlock_timedwrlock",
    "sem_timedwait_waits": "sem_timedwait",
    "clockwait_waits": "pthread_cond_clockwait",
    "barrier_waits": "pthread_barrier_wait",
    "join_waits": "pthread_join",
    "mtx_waits": "mtx_lock",
    "cnd_waits": "cnd_wait",
    "cnd_timedwait_waits": "cnd_timedwait",
    "thrd_join_waits": "thrd_join",
    "futex_waits": "syscall",
    "futex_bitset_waits": "syscall",
}
# Who is to blame: waiting function, unlocking function.
RELEASES = {"convoy_waits": "convoy_releases", "writer_waits": "readers_release", "reader_waits": "writer_releases", "mtx_waits": "mtx_releases",
            "timedlock_waits": "timedlock_releases", "timedwrlock_waits": "timedwrlock_releases"}
CXX_CALLS = {
    "cxx_mutex_waits": "pthread_mutex_lock",
    "cxx_recursive_waits": "pthread_mutex_lock",
    "cxx_timed_waits": "pthread_mutex_clocklock",
    "cxx_shared_waits": "pthread_rwlock_wrlock",
    "cxx_reader_waits": "pthread_rwlock_rdlock",
    "cxx_condition_waits": "pthread_cond_wait",
    "cxx_condition_timed_waits": "pthread_cond_clockwait",
    "cxx_condition_any_waits": "pthread_cond_wait",
    "cxx_semaphore_waits": "syscall",
    "cxx_latch_waits": "syscall",
    "cxx_barrier_waits": "syscall",
    "cxx_atomic_waits": "syscall",
    "cxx_future_waits": "syscall",
    "cxx_join_waits": "pthread_join",
}
CXX_RELEASES = {"cxx_mutex_waits": "cxx_mutex_releases", "cxx_recursive_waits": "cxx_recursive_releases", "cxx_timed_waits": "cxx_timed_releases",
                "cxx_shared_waits": "cxx_shared_releases", "cxx_reader_waits": "cxx_exclusive_releases"}
TYPES = [("contentions", "count"), ("delay", "nanoseconds")]


def check_block(profile, truths, calls):
    require(profile.types == TYPES and profile.plain.period_type == TYPES[0] and profile.plain.period == 1,
            "types %s, period %s %s" % (profile.types, profile.plain.period_type, profile.plain.period))
    require(set(calls) == set(truths), "the program and its test differ: %s" % sorted(truths))
    for function, call in calls.items():
        # A futex's waiter may look again before it sleeps for good.
        check_waits(profile, truths[function], function, call, exact=not function.startswith("cxx") or call != "syscall")


def check_mutex(profile, block, truths, releases, slack_ns=0):
    """The unlocker leads, with what its waiters have waited; all unlockers together are not charged with more than that. The slack is
    for what is sampled because it was short."""
    require(profile.types == TYPES, "types %s" % profile.types)
    for waiting, releasing in releases.items():
        rows = profile.of(releasing)
        require(rows, "%s is not charged:\n%s" % (releasing, profile.text()))
        require(all(row.functions[0] in ("pthread_mutex_unlock", "pthread_rwlock_unlock", "mtx_unlock") for row in rows), "leaf of %r" % rows)
        truth, charged = truths[waiting], profile.total("delay", releasing)
        within(charged, truth.release_low, truth.release_high + slack_ns, releasing)
        waited, others = block.total("delay", waiting), profile.total("delay", waiting)
        require(slack_ns or charged + others <= waited * (1 + CLOCKS), "%s: %d + %d ns for waits of %d" % (releasing, charged, others, waited))
        require(profile.total("contentions", releasing) >= 1, "contentions of %s" % releasing)


def locks(bed):
    """every kind of lock: the waiters' waits, and who made them wait"""
    with Program(bed, bed.program("truth_locks"), settings=EVERY_WAIT) as program:
        truths, addresses = program.truths()
        block, mutex = program.profile("block"), program.profile("mutex")
        check_block(block, truths, CALLS)
        check_mutex(mutex, block, truths, RELEASES)
        check_labels(block, mutex, addresses)
        check_idle(mutex, addresses)
        check_nobody(block, mutex, program.calls)
        check_text(program, block, mutex)
        program.end()


def check_labels(block, mutex, addresses):
    for function in addresses.keys() & CALLS.keys():
        for row in block.of(function, call=CALLS[function]):
            require(row.labels.get("lock") == "0x%x" % addresses[function], "label lock of %r, %x" % (row, addresses[function]))
    for function, name, profile in (("convoy_waits", "the convoy's", block), ("convoy_releases", "the convoy's", mutex),
                                    ("writer_waits", "readers and writers", block), ("readers_release", "readers and writers", mutex)):
        require(all(row.labels.get("lock_name") == name for row in profile.of(function)), "no name: %r" % profile.of(function))
    require(not any("lock_name" in row.labels for row in block.of("mtx_waits")), "a name that nobody gave")
    for row in mutex.of("convoy_releases"):
        require(row.labels.get("lock") == "0x%x" % addresses["convoy_waits"], "label lock of %r" % row)
        require("call" not in row.labels, "a call of %r" % row)


def check_idle(mutex, addresses):
    """A consumer that waits for something to do keeps nobody from a lock."""
    idle = ("condition_waits", "condition_releases", "semaphore_waits", "cnd_waits", "cnd_releases", "barrier_waits", "join_waits")
    require(not any(mutex.of(function) for function in idle), "idle waits are charged:\n%s" % mutex.text())
    require(not mutex.of(None, lock="0x%x" % addresses["guard"]), "the guard of a condition is charged:\n%s" % mutex.text())


def check_nobody(block, mutex, calls):
    """What had nothing to wait for is in no sum, but for a call that lost its processor where a wait would have been."""
    counted = block.total("contentions", "nobody_waits")
    require(calls and counted <= calls / 100, "%d of %d calls that had nothing to wait for:\n%s" % (counted, calls, block.of("nobody_waits")))
    require(not mutex.of("nobody_waits"), "charged for nobody's wait: %r" % mutex.of("nobody_waits"))


def check_text(program, block, mutex):
    """debug=1 has the same sums."""
    for name, profile in (("block", block), ("mutex", mutex)):
        status, body = program.fetch(name + "?debug=1")
        text = body.decode()
        require(status == 200 and re.match("--- (contention|mutex):\n", text), "%s: %d %s" % (name, status, text[:200]))
        rate = int(re.search(r"^cycles/second=(\d+)$", text, re.M)[1])
        sums = [(int(cycles), int(count)) for cycles, count in re.findall(r"^(\d+) (\d+) @ 0x", text, re.M)]
        require(sums == sorted(sums, key=lambda pair: -pair[0]), "%s: not in order" % name)
        waited = sum(cycles for cycles, _ in sums) * 1e9 / rate
        # The program waits for nothing but its input meanwhile.
        total = profile.total("delay")
        require(abs(waited - total) <= total * CLOCKS, "%s: %d ns in text, %d in the profile" % (name, waited, total))
        require(sum(count for _, count in sums) == profile.total("contentions"), "%s: counts differ" % name)


def cxx(bed):
    """C++: mutexes, conditions, semaphore, latch, barrier, atomic wait, future, join"""
    with Program(bed, bed.compiled("truth_cxx.cpp", "truth_cxx", "-std=c++20", "-O2", "-g"), settings=EVERY_WAIT) as program:
        truths, _ = program.truths()
        block = program.profile("block")
        check_block(block, truths, CXX_CALLS)
        check_mutex(program.profile("mutex"), block, truths, CXX_RELEASES)
        program.end()


def default_rate(bed):
    """at the default rate, waits that are longer are all there"""
    with Program(bed, bed.program("truth_locks")) as program:
        truths, _ = program.truths()
        block = program.profile("block")
        # Each of these was far longer than the rate.
        check_block(block, truths, CALLS)
        check_mutex(program.profile("mutex"), block, truths, RELEASES, slack_ns=5000000)
        program.end()


def timed_facts(program):
    words = program.line("timed").split()
    program.line("done")
    return [float(word) for word in words]


def timed_all(bed):
    """a thread in a timed wait loop, every wait"""
    with Program(bed, bed.program("truth_timed"), 10000000, 60, 1, settings=EVERY_WAIT) as program:
        count, total, shorter, _, _ = timed_facts(program)
        block = program.profile("block")
        rows = block.of("timed_waits", call="pthread_cond_timedwait")
        require(sum(row.values["contentions"] for row in rows) == count, "not %d waits: %r" % (count, rows))
        # Between the program's look at the clock and the call it may lose its processor, but not every time.
        within(block.total("delay", "timed_waits"), shorter * 0.9, total, "timed_waits")
        require(not program.profile("mutex").of("timed_waits"), "a timed wait is charged to somebody")
        program.end()


def check_sampled(program, name="block", kind="contentions", function="timed_waits"):
    """The sums have no bias, and the error that the law of sampling gives: five deviations, once in two million."""
    count, total, shorter, count_deviation, deviation = timed_facts(program)
    profile = program.profile(name)
    counted, delay = profile.total(kind, function), profile.total("delay", function)
    print("        %d waits of %d ± %.0f; %.1f ms of %.1f ± %.1f" % (counted, count, count_deviation, delay / 1e6, total / 1e6, deviation / 1e6))
    require(abs(counted - count) <= 5 * count_deviation + 2 + 0.05 * count, "%d waits of %d ± %.1f" % (counted, count, count_deviation))
    require(min(shorter, total * 0.95) - 5 * deviation <= delay <= total * (1 + CLOCKS) + 5 * deviation,
            "%d ns of %d to %d ± %.0f" % (delay, shorter, total, deviation))
    program.end()


def timed_sampled(bed):
    """a thread in a timed wait loop, sampled at the default rate"""
    with Program(bed, bed.program("truth_timed"), 100000, 4000, 1000000) as program:
        check_sampled(program)


def timed_other_rate(bed):
    """a thread in a timed wait loop, one sample for 20 ms"""
    with Program(bed, bed.program("truth_timed"), 1000000, 1500, 20000000, settings={"CPPROF_BLOCK_RATE": "20000000"}) as program:
        check_sampled(program)


def sleeps_sampled(bed):
    """a thread that sleeps again and again, sampled at the default rate"""
    with Program(bed, bed.program("truth_timed"), 1000000, 1500, 10000000, "sleep") as program:
        check_sampled(program, "wait", "waits", "timed_sleeps")


def switched_off(bed):
    """switched off, the pages say so and nothing is recorded"""
    for settings in ({"CPPROF_BLOCK_RATE": "0", "CPPROF_WAIT_RATE": "0"}, {"CPPROF_DISABLE": "block,wait"}):
        with Program(bed, bed.program("truth_locks"), 1, settings=settings) as program:
            program.truths()
            for name in ("block", "mutex", "wait"):
                status, body = program.fetch(name)
                require(status != 200 or not program.profile(name).rows, "%s has rows although it is off" % name)
            status, body = program.fetch("")
            require(status == 200 and b"off: CPPROF_" in body, "the index does not say what is off: %s" % body[:3000])
            program.end()


def stuck_rows(program, name, function):
    return program.profile("%s?current=1" % name).of(function)


def progress(bed):
    """waits in progress: listed with their age, in the sums only when they have ended, and once"""
    places = {"stuck_in_mutex": "block", "stuck_in_condition": "block", "stuck_in_poll": "wait"}
    with Program(bed, bed.program("truth_progress"), settings=EVERY_WAIT) as program:
        program.line("blocked")
        for function, name in places.items():
            ages = []
            for _ in range(2):
                rows = stuck_rows(program, name, function)
                require(len(rows) == 1 and rows[0].values[name == "wait" and "waits" or "contentions"] == 1, "%s in progress: %r" % (function, rows))
                require(rows[0].functions[0] == rows[0].labels["call"], "leaf of %r" % rows)
                ages.append(rows[0].labels["age"])
            require(0 < ages[0] <= ages[1] and rows[0].values["delay"] >= ages[0], "%s grows no older: %s, %r" % (function, ages, rows))
            text = program.fetch(name + "?debug=1")[1].decode()
            lines = [line for line in text.splitlines() if function in line]
            require(lines and all(line.startswith("#") for line in lines), "%s in debug=1: %r" % (function, text))
            require(not program.profile(name).of(function), "%s is in the sums of %s already" % (function, name))
        require(not program.profile("mutex").of("lets_go"), "charged before the unlock")
        program.say()
        truths, _ = program.truths()
        for function, name in places.items():
            profile = program.profile(name)
            kind = profile.types[0][0]
            require(profile.total(kind, function) == 1, "%s has ended: %r" % (function, profile.of(function)))
            within(profile.total("delay", function), truths[function].low, truths[function].high, function)
            require(not stuck_rows(program, name, function), "%s has ended and is still in progress" % function)
        truth = truths["stuck_in_mutex"]
        within(program.profile("mutex").total("delay", "lets_go"), truth.release_low, truth.release_high, "lets_go")
        program.end()


if __name__ == "__main__":
    run([locks, cxx, default_rate, timed_all, timed_sampled, timed_other_rate, sleeps_sampled, switched_off, progress])
