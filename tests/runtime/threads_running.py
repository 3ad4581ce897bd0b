"""Threads that run are asked by a signal; who jumped or was cancelled out of a wait is not taken for waiting."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from threads_bed import Program, require, run, threads_of  # noqa: E402

BUSY = 4


def dump(program):
    return threads_of(program.get("/debug/pprof/goroutine?debug=2"))


def count_of(threads, function):
    return sum(function in thread for thread in threads)


def running_threads(bed):
    """running threads show where they run"""
    with Program(bed, bed.program("threads_running"), BUSY) as program:
        program.line("running ")
        best = {}
        # On a busy machine a thread may not get a processor in time to answer.
        for _ in range(20):
            threads = dump(program)
            for function in ("spin_plainly", "spin_after_jump", "spin_in_cleanup"):
                best[function] = max(best.get(function, 0), count_of(threads, function))
            for thread in threads:
                require(not ("spin_after_jump" in thread and "read" in thread), "still in read: %s" % thread.text)
            if list(best.values()) == [BUSY, 1, 1]:
                break
        require(list(best.values()) == [BUSY, 1, 1], "seen at most: %s" % best)
        silent = [thread for thread in threads if "[no answer]" in thread]
        require(silent, "no thread without an answer, though one blocks all signals")
        require(all(thread.state == "running" for thread in silent), "state of a silent thread")
        program.end()


def signals_off(bed):
    """nobody is interrupted when signals are off"""
    with Program(bed, bed.program("threads_running"), BUSY, settings={"CPPROF_DISABLE": "signals"}) as program:
        program.line("running ")
        threads = dump(program)
        require(count_of(threads, "spin_plainly") == 0, "a running thread's stack without a signal")
        require(count_of(threads, "[no answer]") >= BUSY, "running threads are not shown")
        program.end()


if __name__ == "__main__":
    run([running_threads, signals_off])
