"""What waits leave in block, mutex and wait: those that come to an end are there, with the wrapper as the leaf; a waiter that was cancelled or has
jumped away leaves nothing, neither in the sums nor for the next unlocker; what is no wait is not counted."""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from threads_bed import Program, require, run  # noqa: E402

EVERY_WAIT = {"CPPROF_BLOCK_RATE": "1", "CPPROF_WAIT_RATE": "1"}
BLOCKED = {"waited_mutex": "pthread_mutex_lock", "waited_timedlock": "pthread_mutex_timedlock", "waited_rwlock": "pthread_rwlock_rdlock",
           "waited_mtx": "mtx_lock", "waited_futex": "syscall", "charged_cond": "pthread_cond_timedwait"}
CHARGED = {"charged_mutex": "pthread_mutex_unlock", "charged_timedlock": "pthread_mutex_unlock", "charged_rwlock": "pthread_rwlock_unlock",
           "charged_mtx": "mtx_unlock", "charged_cond": "pthread_cond_timedwait"}
WAITED = {"waited_nanosleep": "nanosleep"}
NEVER = re.compile(r"^(left_by_|not_charged_|no_wait|refused)")


class Row:
    def __init__(self, text):
        head, *lines = text.split("\n")
        matched = re.match(r"(\d+) (\d+) @", head)
        require(matched, "not the head of a sample: %r" % head)
        self.ns, self.count, self.text = int(matched[1]), int(matched[2]), text
        self.frames = [line.split("\t")[2].rsplit("+", 1)[0] for line in lines if line.startswith("#\t")]


def rows_of(text):
    """The samples of the sums; what is in progress stands behind them."""
    sums = text.split("\n# waits in progress")[0]
    blocks = re.split(r"\n(?=\d+ \d+ @)", sums)[1:]
    return [Row(block.strip("\n")) for block in blocks]


def check(rows, expected, page):
    for function, call in expected.items():
        found = [row for row in rows if function in row.frames]
        require(found, "%s: nothing of %s" % (page, function))
        for row in found:
            require(row.frames[:2] == [call, function], "%s: %s" % (page, row.text))
            require(row.count > 0 and row.ns > 0, "%s: %s" % (page, row.text))
    for row in rows:
        wrong = [frame for frame in row.frames if NEVER.match(frame)]
        require(not wrong, "%s has %s:\n%s" % (page, wrong, row.text))


def traces(bed):
    """every wait that ends, and none that does not"""
    with Program(bed, bed.program("waits_trace"), settings=EVERY_WAIT) as program:
        program.line("done")
        for page, expected in (("block", BLOCKED), ("mutex", CHARGED), ("wait", WAITED)):
            check(rows_of(program.get("/debug/pprof/%s?debug=1" % page)), expected, page)
        program.end()


def switched_off(bed):
    """nothing when the pages are off"""
    with Program(bed, bed.program("waits_trace"), settings={"CPPROF_DISABLE": "block,wait"}) as program:
        program.line("done")
        for page in ("block", "mutex", "wait"):
            rows = rows_of(program.get("/debug/pprof/%s?debug=1" % page))
            require(not rows, "%s is off, and has %s" % (page, [row.text for row in rows]))
        program.end()


if __name__ == "__main__":
    run([traces, switched_off])
