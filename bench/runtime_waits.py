"""What locks, threads and calls that wait cost under the library: locks.c in two processes, plain and preloaded, and waits.c, which calls
libc and the library in turns.

Each program is a new process in each round, so that where things happen to lie in memory counts once, not for the whole result; the intervals
are over these rounds.
"""

import collections
import statistics

from bed import compiled, output_of, preloaded

ROUNDS_LEAST = 9
EMPTY, INSIDE, FIGHT, CREATE = ("lock + unlock, nothing inside", "lock + unlock, some work inside", "two threads fight for one lock", "pthread_create + join")
RATIO_LIMITS = {EMPTY: 1.35, INSIDE: 1.15, FIGHT: 2, CREATE: 1.05}
JUDGED_WAITS = ("cond", "sem", "read of a pipe", "epoll_wait")
EMPTY_LIMIT_NS, READY_LIMIT_NS, REAL_LIMIT_NS = 2.2, 5, 60


def rounds_of(options):
    return max(ROUNDS_LEAST, options.rounds * (2 if options.quick else 3))


def job_locks(options, report):
    """locks and threads, in a process with a second thread"""
    program = compiled("locks.c")
    numbers = {"plain": collections.defaultdict(list), "preloaded": collections.defaultdict(list)}
    for turn in range(rounds_of(options)):
        for way in sorted(numbers, reverse=turn % 2 == 0):
            for line in output_of([program], preloaded(options.library if way == "preloaded" else None)).splitlines():
                name, ns = line.split("\t")
                numbers[way][name].append(float(ns))
    for name, plain in numbers["plain"].items():
        ours = numbers["preloaded"][name]
        report.line(name, "plain %.1f ns, preloaded %.1f ns" % (statistics.median(plain), statistics.median(ours)))
        if name == EMPTY:
            report.interval("  more", [one - other for one, other in zip(ours, plain)], "%+.2f ns", EMPTY_LIMIT_NS)
        report.interval("  ratio", [one / other for one, other in zip(ours, plain)], "%.3f", RATIO_LIMITS.get(name))


def differences(program, mode, environments, rounds):
    """For each environment and name: nanoseconds of libc, and how many more behind the library, one of each for each process."""
    libc, more = collections.defaultdict(list), collections.defaultdict(list)
    for _ in range(rounds):
        for way, environment in environments.items():
            pairs = collections.defaultdict(list)
            for line in output_of([program, mode], environment).splitlines():
                name, plain, linked = line.split("\t")
                pairs[name].append((float(plain), float(linked)))
            for name, found in pairs.items():
                libc[name, way].append(statistics.median(plain for plain, _ in found))
                more[name, way].append(statistics.median(linked - plain for plain, linked in found))
    return libc, more


def tell(report, libc, more, limit, judged=None):
    for name, way in more:
        if way == "preloaded":
            report.line(name, "%.1f ns of libc; without the library %+.1f ns" % (statistics.median(libc[name, way]), statistics.median(more[name, "plain"])))
            report.interval("  more", more[name, way], "%+.1f ns", limit if judged is None or name in judged else None)
            if (name, "each kept") in more:
                report.interval("  more, if each wait is kept (rate 1)", more[name, "each kept"], "%+.1f ns")


def job_ready(options, report):
    """calls that need not wait, their pages off"""
    environments = {"plain": preloaded(None), "preloaded": preloaded(options.library, CPPROF_DISABLE="block,wait")}
    tell(report, *differences(compiled("waits.c", "-ldl"), "ready", environments, rounds_of(options)), READY_LIMIT_NS)


def job_real(options, report):
    """waits of some 6 microseconds, all defaults on"""
    environments = {"plain": preloaded(None), "preloaded": preloaded(options.library),
                    "each kept": preloaded(options.library, CPPROF_BLOCK_RATE="1", CPPROF_WAIT_RATE="1")}
    tell(report, *differences(compiled("waits.c", "-ldl"), "real", environments, rounds_of(options)), REAL_LIMIT_NS, JUDGED_WAITS)


JOBS = {"locks": job_locks, "waits not needed": job_ready, "waits": job_real}
