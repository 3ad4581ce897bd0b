"""A program with very many locks: its pages are still taken, and no wait is missing from their sums.

    many_locks.py --library SO --program MANY_LOCKS
"""

import argparse
import sys

import scrape_bed
from engines import Alloy, Parca, Refused
from pprof_read import Stacks
from scrape_bed import c_target, require

COUNT = 20000


def check(target):
    for engine in (Alloy, Parca):
        for page in ("block", "mutex"):
            one = next(one for one in engine.DEFAULT if one.name == page)
            try:
                profile = engine.check(one, target.get(one.path))
            except Refused as reason:
                raise scrape_bed.Failed("%s refuses %s: %s" % (engine.name, page, reason)) from None
            waits = Stacks(profile).total("contentions", "wait_for_each" if page == "block" else "main")
            print("%-5s %-5s %d samples, %d waits" % (engine.name, page, len(profile.samples), waits))
            # Some of the locks were free again before they were asked for.
            require(COUNT // 4 <= waits <= COUNT + 1, page, "has", waits, "waits")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True)
    parser.add_argument("--program", required=True)
    options = parser.parse_args()
    try:
        with c_target(options.library, options.program, CPPROF_BLOCK_RATE="1") as target:
            check(target)
            require(target.end() == 0, "the target's status")
    except scrape_bed.Failed as problem:
        print("FAILED ", problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
