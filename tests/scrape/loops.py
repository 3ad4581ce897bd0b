"""The default loops of both engines at once, on one target: no scrape fails, sums never fall, and the target keeps its size.

    loops.py --library SO --program DEMO [--tool CPPROF] [--seconds N] [--real]

With --real the loops have the engines' own intervals and time limits, else short intervals and none that a busy machine could
reach.
"""

import argparse
import http.client
import os
import sys
import threading
import time

import scrape_bed
from engines import Deltas, ENGINES, Refused
from scrape_bed import Client, c_target, require, wait_until

SHORT_INTERVAL = 2
# What a process of this size may grow from the second third of the time to the last: pages that its allocator touches late.
GROWTH_KB = 1024


class Loop:
    """One path, asked by one engine until the end."""

    def __init__(self, engine, target, address, end, real):
        self.engine, self.target, self.address, self.end = engine, target, address, end
        self.interval = engine.interval if real else SHORT_INTERVAL
        self.limit = engine.limit(target, self.interval) if real else scrape_bed.PATIENCE
        self.deltas = Deltas(target) if target.delta else None
        self.begun = time.monotonic()
        self.count, self.longest, self.changes, self.problems, self.late = 0, 0.0, 0, [], []
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        with Client(self.address, self.engine.agent) as client:
            next_time = time.monotonic()
            while next_time < self.end:
                time.sleep(max(0, next_time - time.monotonic()))
                begun = time.monotonic()
                self.scrape(client)
                self.longest = max(self.longest, time.monotonic() - begun)
                # As a ticker does: a turn that is over before the last one ended is left out.
                while next_time <= time.monotonic():
                    next_time += self.interval

    def scrape(self, client):
        begun = time.monotonic()
        try:
            answer = client.ask(self.target.url(self.engine.seconds(self.interval)), timeout=self.limit)
            profile = self.engine.check(self.target, answer)
            if self.deltas:
                self.changes += bool(self.deltas.add(profile))
            self.count += 1
        except TimeoutError:
            self.late.append((begun, time.monotonic()))
        except (Refused, OSError, http.client.HTTPException) as problem:
            seconds = time.monotonic() - self.begun
            self.problems.append("%s %s, %.1f s after the start: %r" % (self.engine.name, self.target.path, seconds, problem))


class Watch:
    """How big the target is, every half second; and when this very program stood still, as a virtual machine may."""

    def __init__(self, target, begun, end):
        self.target, self.begun, self.third = target, begun, (end - begun) / 3
        self.most, self.stalls = [0, 0, 0], []

    def note(self):
        before = time.monotonic()
        at = min(2, int((before - self.begun) / self.third))
        self.most[at] = max(self.most[at], self.target.resident_kb())
        time.sleep(0.5)
        after = time.monotonic()
        if after - before > 1.5:
            self.stalls.append((before, after))

    def excuses(self, late):
        """An engine's patience ended while nothing ran here."""
        return any(begun < late[1] and late[0] < ended for begun, ended in self.stalls)


def check(target, options):
    for path in ("profile?seconds=1", "heap", "block", "mutex", "goroutine"):
        require(target.get("/debug/pprof/" + path).status == 200, path)
    descriptors = target.descriptors()
    begun = time.monotonic()
    end = begun + options.seconds
    loops = [Loop(engine, one, target.address, end, options.real) for engine in ENGINES for one in engine.DEFAULT]
    watch = Watch(target, begun, end)
    for loop in loops:
        loop.thread.start()
    while any(loop.thread.is_alive() for loop in loops):
        watch.note()
    for loop in loops:
        loop.thread.join()
        late = [late for late in loop.late if not watch.excuses(late)]
        loop.problems += ["%s %s: no answer in %d s" % (loop.engine.name, loop.target.path, loop.limit)] * len(late)
        print("%-6s %-12s %4d scrapes, the longest %.1f s, %d of them with changes, %d failed, %d while this machine stood still" % (
            loop.engine.name, loop.target.name, loop.count, loop.longest, loop.changes, len(loop.problems), len(loop.late) - len(late)))
    print("this machine stood still for", ", ".join("%.1f s" % (ended - begun) for begun, ended in watch.stalls) or "no time")
    problems = [problem for loop in loops for problem in loop.problems]
    require(not problems, len(problems), "scrapes failed:", *problems[:5])
    require(all(loop.count for loop in loops), "a loop has not scraped")
    for loop in loops:
        require(not loop.deltas or loop.count < 3 or loop.changes, loop.target.path, "never changes")
    print("resident in the thirds of the time: %d, %d, %d kB" % tuple(watch.most))
    require(watch.most[2] <= (watch.most[1] or watch.most[0]) + GROWTH_KB, "the target grows:", *watch.most)
    wait_until(lambda: target.descriptors() <= descriptors, "descriptors: %d, then %d" % (descriptors, target.descriptors()))
    require(target.end() == 0, "the target's status")
    print("%d scrapes in %d s, %d descriptors" % (sum(loop.count for loop in loops), time.monotonic() - begun, descriptors))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--library", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--tool")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--real", action="store_true")
    options = parser.parse_args()
    settings = {"CPPROF_HELPER": os.path.abspath(options.tool)} if options.tool else {}
    try:
        with c_target(options.library, os.path.abspath(options.program), **settings) as target:
            check(target, options)
    except scrape_bed.Failed as problem:
        print("FAILED ", problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
