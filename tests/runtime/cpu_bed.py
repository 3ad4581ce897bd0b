"""What the tests of the CPU profile share: asking for one, and what the tool says about it.

Not here: what must hold (cpu_*.py).
"""

import os
import re
import subprocess
import threading
import time

from threads_bed import Failed, LocalConnection, PATIENCE, Program, require

NUMBER = r"(-?[\d.]+)(?:ns)?"


def fetch(program, seconds, hz, query=""):
    """The bytes of /debug/pprof/profile."""
    connection = LocalConnection(program.process.pid)
    try:
        connection.request("GET", "/debug/pprof/profile?seconds=%d&hz=%d%s" % (seconds, hz, query))
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    require(answer.status == 200, "status %d: %s" % (answer.status, body[:500].decode("utf-8", "replace")))
    return body


class Fetching:
    """A profile that is being taken during the block; `profile` has it afterwards."""

    def __init__(self, bed, program, seconds, hz, query=""):
        self.bed, self.problem, self.profile = bed, None, None
        self.thread = threading.Thread(target=self.run, args=(program, seconds, hz, query))

    def run(self, program, seconds, hz, query):
        try:
            self.profile = CpuProfile(self.bed, fetch(program, seconds, hz, query))
        except Exception as problem:  # handed on by __exit__
            self.problem = problem

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.thread.join()
        if self.problem and not unused[0]:
            raise self.problem


class CpuProfile:
    """A profile as the tool reads it: nanoseconds by function, comments."""

    count = 0

    def __init__(self, bed, data):
        CpuProfile.count += 1
        self.tool, self.path = bed.tool, os.path.join(bed.directory, "cpu%d.pb.gz" % CpuProfile.count)
        with open(self.path, "wb") as file:
            file.write(data)
        self.flat, self.cum = {}, {}
        for line in self.report("-top", "-nodecount=100000", "-nodefraction=0", "-unit=ns").splitlines():
            row = re.match(r"\s*%s\s+[\d.]+%%\s+[\d.]+%%\s+%s\s+[\d.]+%%\s+(.+?)(?: \(inline\))?$" % (NUMBER, NUMBER), line)
            if row:
                self.flat[row[3]] = self.flat.get(row[3], 0) + float(row[1])
                self.cum[row[3]] = self.cum.get(row[3], 0) + float(row[2])
        self.total = sum(self.flat.values())
        self.comments = self.report("-comments")

    def report(self, *arguments):
        done = subprocess.run([self.tool, *arguments, self.path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
        require(done.returncode == 0, "%s: %s" % (arguments, done.stderr.decode("utf-8", "replace")))
        return done.stdout.decode()

    def share(self, function):
        return self.cum.get(function, 0) / self.total if self.total else 0

    def uses_perf(self):
        return "source: perf_event" in self.comments

    def clocks(self):
        """Seconds of the process's CPU clock, and those of them that were sampled, as the comment has it."""
        found = re.search(r"CPU time of the process: ([\d.]+) s, of it sampled ([\d.]+) s \(([\d.]+) %\)", self.comments)
        require(found, "no totals in the comments: %s" % self.comments)
        return float(found[1]), float(found[2])

    def must_have(self, function, share):
        require(self.share(function) >= share, "%s has %.3f of the time, not %.3f\n%s\n%s" % (
            function, self.share(function), share, self.comments, self.report("-top")))

    def must_add_up(self):
        """Samples and pseudo frames together are what the clock of the process says, but for the grain of the sampling."""
        clock, sampled = self.clocks()
        require(abs(self.total / 1e9 - clock) <= 0.15 * clock + 0.1,
                "%.3f s in the profile, %.3f s on the clock\n%s" % (self.total / 1e9, clock, self.comments))
        require(sampled <= 1.1 * clock + 0.1, "%.3f s sampled of %.3f s" % (sampled, clock))


def work(bed, *arguments, **options):
    """The program of known behaviour."""
    program = Program(bed, bed.program("cpu_work"), *arguments, **options)
    return program


def tell(program, answer):
    """Ends it; the numbers in its line `answer`."""
    output = program.end()
    found = re.search(r"^%s (.*)$" % answer, output, re.M)
    if not found:
        raise Failed("no %s in %r" % (answer, output))
    return [int(number) for number in found[1].split()]


def sampler_is_armed(pid):
    """Whether the process has timers, or perf_event descriptors in any of its tables."""
    with open("/proc/%d/timers" % pid, encoding="ascii") as timers:
        if timers.read():
            return True
    for task in os.listdir("/proc/%d/task" % pid):
        directory = "/proc/%d/task/%s/fd" % (pid, task)
        try:
            for fd in os.listdir(directory):
                if "perf_event" in os.readlink(os.path.join(directory, fd)):
                    return True
        except FileNotFoundError:  # it has just ended
            pass
    return False


def wait_until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        require(time.monotonic() < end, what)
        time.sleep(0.02)
