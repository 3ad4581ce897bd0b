"""Everything at once (chaos.c, chaos_cxx.cpp), with every profile on at rate 1, while all of them are asked for all the time: the program notices
nothing, each answer is whole, and in the end the profiles say what the program knows.

    chaos.py ... [--seconds N] [--only c|c++|eintr] [--seed N]      `./dev soak --part chaos` gives ten minutes each

And a program that bears no EINTR (threads_eintr.c), under the same questions.
"""

import argparse
import http.client
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from chaos_decode import Profile  # noqa: E402
from threads_bed import Bed, Failed, LocalConnection, PATIENCE, Program, Skipped, require, threads_of  # noqa: E402

EVERYTHING = {"CPPROF_HEAP_RATE": "1", "CPPROF_BLOCK_RATE": "1", "CPPROF_WAIT_RATE": "1"}
CPU = "/debug/pprof/profile?seconds=2&hz=1000"
# What each loop asks for, in turn; each waits so long between two.
LOOPS = (
    ((CPU, CPU + "&labels=thread"), 0),
    ((CPU, "/debug/pprof/profile?seconds=1"), 0.3),
    (("goroutine", "goroutine?debug=1", "goroutine?debug=2", "threadcreate", "threadcreate?debug=1", "", "symbol"), 0.1),
    (("block", "mutex", "wait", "block?debug=1", "mutex?debug=1", "wait?debug=1", "block?current=1", "wait?current=1"), 0.1),
    (("heap", "allocs", "heap?debug=1", "allocs?debug=1", "heap?seconds=1", "block?seconds=1"), 0.5),
)
COUNTS = ("inuse_objects", "contentions", "waits", "threadcreate")
LOST = re.compile(r"lost|dropped|full|overflow|no room|truncated", re.I)


def parse(path, body):
    """What is wrong with the answer is a ValueError."""
    name = path.rpartition("/")[2]
    if name == "":
        if b"Types of profiles available" not in body:
            raise ValueError("no index")
    elif name == "symbol":
        if not body.startswith(b"num_symbols: 1\n"):
            raise ValueError("no symbols: %r" % body[:100])
    elif name == "goroutine?debug=2":
        threads_of(body.decode("utf-8"))
    elif "debug=1" in name:
        first = body.decode("utf-8").split("\n")[0]
        if not re.match(r"(heap profile: \d+: \d+ \[\d+: \d+\] @ heap/\d+|goroutine profile: total \d+|threadcreate profile: total \d+|"
                        r"--- (contention|mutex|wait)s?:)$", first):
            raise ValueError("its first line is %r" % first)
    else:
        profile = Profile(body)
        if name.startswith("profile?"):
            reconciled(profile, 0.8 if "hz=1000" in name else 0)
        return profile
    return None


def reconciled(profile, least):
    """The samples of a profile of processor time are the time that the threads' clocks say they have had, as it says itself. At a hundred a
    second the rests of many threads, each less than a few periods, are told of nobody: then only not more."""
    found = re.search(r"CPU time of the process: ([\d.]+) s", "\n".join(profile.comments))
    if not found:
        raise ValueError("it does not say how long the process has had the processor: %r" % profile.comments)
    clock, sampled = float(found[1]), profile.total("cpu") / 1e9
    if not least * clock - 0.1 <= sampled <= 1.1 * clock + 0.1:
        raise ValueError("samples of %.2f s, of %.2f s of processor time: %r" % (sampled, clock, profile.comments))


class Loop:
    """Asks for one page after the other until it is told to stop."""

    def __init__(self, pid, pages, interval):
        self.pid, self.pages, self.interval = pid, pages, interval
        self.answers, self.problem, self.stopped = 0, None, threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        connection = LocalConnection(self.pid)
        try:
            while not self.stopped.wait(self.interval):
                page = self.pages[self.answers % len(self.pages)]
                path = page if page.startswith("/") else "/debug/pprof/" + page
                if page == "symbol":
                    connection.request("POST", path, body="0x%x" % 0x401000)
                else:
                    connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200:
                    raise ValueError("status %d: %r" % (answer.status, body[:200]))
                parse(path, body)
                self.answers += 1
        except (OSError, ValueError, EOFError, KeyError, IndexError, Failed, http.client.HTTPException) as problem:
            self.problem = "%s: %s %s" % (self.pages[self.answers % len(self.pages)], type(problem).__name__, problem)
        finally:
            connection.close()

    def end(self):
        self.stopped.set()
        self.thread.join()


def fetch(program, page):
    if not program.connection:
        program.connection = LocalConnection(program.process.pid)
    program.connection.request("GET", "/debug/pprof/" + page)
    answer = program.connection.getresponse()
    body = answer.read()
    require(answer.status == 200, "%s: status %d, %r" % (page, answer.status, body[:200]))
    return parse("/debug/pprof/" + page, body)


def agree(profile, kind, function, least, most, what):
    """The profile's figure lies between the program's own, or the profile says that something was lost."""
    found = profile.total(kind, function)
    if not least <= found <= most:
        lost = [comment for comment in profile.comments if LOST.search(comment)]
        # As many as it says, where things are counted.
        missing = sum(int(re.search(r"(\d+)\D*$", comment)[1]) for comment in lost)
        require(lost and (kind not in COUNTS or least - missing <= found <= most), "%s of %s: %d, the program says %d to %d; comments %r" % (what, function, found, least, most, profile.comments))
        print("        %s of %s: %d of %d to %d, and it says why: %r" % (what, function, found, least, most, lost))
    return found


def compare(program, told, threads):
    """What the profiles say of what was planted."""
    heap = fetch(program, "heap")
    agree(heap, "inuse_objects", "planted_leak", told["leaks"], told["leaks"], "objects")
    agree(heap, "inuse_space", "planted_leak", told["leaked_bytes"], told["leaked_bytes"], "bytes")
    block, mutex, wait = (fetch(program, name) for name in ("block", "mutex", "wait"))
    least, most = told["wait_at_least_ns"] * 999 // 1000, told["wait_at_most_ns"] * 1001 // 1000
    agree(block, "contentions", "planted_wait", told["waits"], told["waits"], "waits")
    agree(block, "delay", "planted_wait", least, most, "nanoseconds waited")
    agree(mutex, "contentions", "planted_unlock", told["waits"], told["waits"], "waits ended")
    agree(mutex, "delay", "planted_unlock", least, most, "nanoseconds of waiting ended")
    agree(wait, "waits", "planted_sleep", told["sleeps"], told["sleeps"], "sleeps")
    agree(wait, "delay", "planted_sleep", told["sleeps"] * 2000000 * 999 // 1000, 1 << 62, "nanoseconds slept")
    if threads:
        # Two attempts at most for each time that it got a lock.
        agree(block, "contentions", "count_up", 1, 2 * told["counters"], "waits for counters")
        agree(fetch(program, "threadcreate"), "threadcreate", None, told["threads"], told["threads"], "threads made")
    current = fetch(program, "block?current=1")
    require(not current.samples, "waits in progress, when everybody has gone: %r" % [
        [current.stacks[location] for location in sample.locations] for sample in current.samples])
    goroutine = fetch(program, "goroutine")
    require(goroutine.total("goroutine") == 1, "%d threads, when all but one have ended" % goroutine.total("goroutine"))


def processor_seconds(pid):
    with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_one(bed, path, seconds, seed, threads):
    plugins = [bed.program("libchaos_plugin_%s.so" % which) for which in "ab"]
    with Program(bed, path, int(seconds), seed, *plugins, settings=EVERYTHING) as program:
        program.line("begun")
        begun = time.monotonic()
        loops = [Loop(program.process.pid, *pages) for pages in LOOPS]
        told, lines = {}, []
        watchdog = threading.Timer(seconds + 4 * PATIENCE, program.process.kill)
        watchdog.start()
        try:
            while "ready" not in told:
                line = program.process.stdout.readline().decode()
                if not line:
                    break
                lines.append(line.strip())
                words = line.split()
                if words[0] == "worker":
                    told[words[1]] = told.get(words[1], 0) + int(words[2])
                told[words[0]] = int(words[1]) if len(words) == 2 else 0
        finally:
            spent = time.monotonic() - begun
            for loop in loops:
                loop.end()
            watchdog.cancel()
        if "ready" not in told:
            program.process.kill()
            error = program.process.communicate()[1].decode("utf-8", "replace")
            raise Failed("seed %s: it ended after %.0f s with status %s: %s%s" % (seed, spent, program.process.returncode, error[-2000:], lines[-3:]))
        problems = [loop.problem for loop in loops if loop.problem]
        require(not problems, "seed %s: answers that are none: %s" % (seed, problems))
        require(all(loop.answers for loop in loops), "loops without an answer: %r" % [loop.answers for loop in loops])
        compare(program, told, threads)
        print("        %d s, %d answers, %d planted waits, %.0f s of processor time" % (spent, sum(loop.answers for loop in loops), told["waits"],
                                                                                 processor_seconds(program.process.pid)))
        program.end()


def chaos_c(bed, options):
    """C"""
    run_one(bed, bed.program("chaos"), options.seconds, options.seed, True)


def chaos_cxx(bed, options):
    """C++"""
    run_one(bed, bed.compiled("chaos_cxx.cpp", "chaos_cxx", "-std=c++17", "-O2", "-g", "-ldl"), options.seconds, options.seed, False)


def no_eintr(bed, options):
    """EINTR"""
    # threads_eintr.c: no call may end before its time, or with EINTR, but for the program's own signals.
    with Program(bed, bed.program("threads_eintr"), int(options.seconds), 4, settings=EVERYTHING) as program:
        program.line("begun")
        loops = [Loop(program.process.pid, *pages) for pages in LOOPS]
        try:
            output, error = program.process.communicate(timeout=options.seconds + 2 * PATIENCE)
        except subprocess.TimeoutExpired as late:
            raise Failed("it hangs") from late
        finally:
            program.process.kill()
            for loop in loops:
                loop.end()
        require(program.process.returncode == 0, "status %d: %s" % (program.process.returncode, error.decode("utf-8", "replace")))
        print("        %d answers, %s" % (sum(loop.answers for loop in loops), output.decode().strip().split("\n")[-1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("library", "tool", "programs"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--seconds", type=float, default=7, help="of each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=["c", "c++", "eintr"])
    options = parser.parse_args()
    failures = skips = 0
    chosen = [case for case in (chaos_c, chaos_cxx, no_eintr) if options.only in (None, case.__doc__.lower())]
    for case in chosen:
        with tempfile.TemporaryDirectory() as directory:
            try:
                case(Bed(options, directory), options)
                print("ok      %s" % case.__doc__)
            except Skipped as reason:
                skips += 1
                print("skipped: %s: %s" % (case.__doc__, reason))
            except (Failed, subprocess.SubprocessError) as problem:
                failures += 1
                print("FAILED  %s: %s" % (case.__doc__, problem))
        sys.stdout.flush()
    return 1 if failures else 77 if skips == len(chosen) else 0


if __name__ == "__main__":
    sys.exit(main())
