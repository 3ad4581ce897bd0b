"""What the jobs of runtime.py share: their report, their programs compiled and run with and without the library.

Not here: what is measured (runtime*.py), what is shared with the tool's benchmarks (tools.py), and what becomes of numbers (stats.py).
"""

import http.client
import os
import shutil
import socket
import subprocess
import time

import stats
import tools

PATIENCE = 180
UNTIL_SERVED = 20


class Skip(Exception):
    """Why a job cannot be run here."""


class Report:
    """The lines of the jobs, and how many goals were missed."""

    def __init__(self):
        self.missed = self.failed = 0

    def head(self, title):
        print("\n%s" % title, flush=True)

    def line(self, name, text, goal=None, met=None):
        verdict = "" if goal is None else "   goal %s: %s" % (goal, "met" if met else "MISSED")
        self.missed += met is False
        print("  %-42s %s%s" % (name, text, verdict), flush=True)

    def interval(self, name, values, form="%.3f", limit=None, by_upper_end=False):
        """The median and its 95 % interval; judged by the median, or by the interval's upper end."""
        median, low, high = stats.median_interval(values)
        text = "%s, 95 %% interval %s to %s" % (form % median, form % low, form % high)
        if limit is None:
            return self.line(name, text)
        goal = "<= " + form % limit + (" at the upper end" if by_upper_end else "")
        return self.line(name, text, goal, (high if by_upper_end else median) <= limit)


def compiled(name, *options, output=None, sources=()):
    """A program of this directory, compiled by the system's compiler; `output`: its name, if not the source's."""
    source = os.path.join(tools.HERE, name)
    path = os.path.join(tools.BUILD, output or os.path.splitext(name)[0])
    if not tools.newer(path, source, *sources):
        os.makedirs(tools.BUILD, exist_ok=True)
        compiler = shutil.which("c++" if name.endswith(".cpp") else "cc")
        if not compiler:
            raise Skip("no compiler for %s" % name)
        tools.run([compiler, "-O2", "-g", "-Wall", "-Wextra", "-pthread", "-o", path, source, *sources, *options])
    return path


def preloaded(library, **settings):
    """An environment with the library in front; None: without it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CPPROF_", "LD_PRELOAD"))}
    return dict(kept, LD_PRELOAD=library, **settings) if library else kept


def output_of(words, environment):
    done = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=PATIENCE)
    if done.returncode == 77:
        raise Skip(done.stderr.strip())
    if done.returncode:
        raise tools.Failure("%s: status %d\n%s" % (" ".join(words), done.returncode, done.stderr.strip()))
    return done.stdout


class Running:
    """A program that says "ready", and under the library serves at `port`."""

    def __init__(self, words, library, **settings):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.words = words
        self.process = subprocess.Popen(words, env=preloaded(library, CPPROF_ADDR="127.0.0.1:%d" % self.port, **settings), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.connection = None
        if self.process.stdout.readline() != "ready\n":
            self.process.kill()
            self.process.wait()
            raise Skip("%s cannot be run here, status %s" % (" ".join(words), self.process.returncode))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.connection:
            self.connection.close()
        self.process.kill()
        self.process.communicate()

    def get(self, path):
        """(seconds, body)"""
        if not self.connection:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            end = time.monotonic() + UNTIL_SERVED
            while self.connection.sock is None:
                try:
                    self.connection.connect()
                except ConnectionRefusedError as refused:
                    if time.monotonic() > end:
                        raise tools.Failure("%s is not served" % " ".join(self.words)) from refused
                    time.sleep(0.02)
        start = time.monotonic()
        self.connection.request("GET", "/debug/pprof/" + path)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise tools.Failure("%s: status %d" % (path, answer.status))
        return time.monotonic() - start, body

    def ask(self, line):
        """A line to its input, a line from its output."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()
