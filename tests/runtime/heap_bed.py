"""What the heap's tests share: running a program with libcpprof in front of it, and reading the profile it wrote.

Not here: what must hold (heap_*.py, malloc_family.py).
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

TIME_LIMIT = 120
INDEXES = ("alloc_objects", "alloc_space", "inuse_objects", "inuse_space")


class Failed(Exception):
    """What a case found wrong."""


def skip(reason):
    print("skipped: %s" % reason)
    sys.exit(77)


class Bed:
    def __init__(self, options, directory):
        self.library, self.tool, self.programs = (os.path.abspath(path) for path in (options.library, options.tool, options.programs))
        self.directory = directory

    def path(self, name):
        return os.path.join(self.directory, name)

    def program(self, name):
        return os.path.join(self.programs, name)

    def run(self, command, rate=None, preload=(), plain=False, settings=None):
        """The standard output. `preload`: libraries behind ours. Any status but 0 is a failure."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CPPROF_")}
        libraries = ([] if plain else [self.library]) + list(preload)
        if libraries:
            environment["LD_PRELOAD"] = " ".join(libraries)
        if rate is not None:
            environment["CPPROF_HEAP_RATE"] = str(rate)
        environment.update(settings or {})
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIME_LIMIT)
        if done.returncode:
            raise Failed("%s with %s: status %d\n%s" % (" ".join(command), libraries, done.returncode,
                                                       done.stderr.decode("utf-8", "replace")[-2000:]))
        return done.stdout.decode()

    def report(self, arguments):
        done = subprocess.run([self.tool] + arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIME_LIMIT)
        if done.returncode:
            raise Failed("cpprof %s: %s" % (" ".join(arguments), done.stderr.decode("utf-8", "replace")))
        return done.stdout.decode()

    def flat(self, profile, index):
        """Function -> flat value."""
        text = self.report(["-top", "-nodecount=10000", "-nodefraction=0", "-edgefraction=0", "-unit=B",
                            "-sample_index=" + index, profile])
        values = {}
        for line in text.splitlines():
            row = re.match(r"\s*(-?[\d.]+)B?\s+[\d.]+%\s+[\d.]+%\s+-?[\d.]+B?\s+[\d.]+%\s+(\S+)", line)
            if row:
                values[row.group(2)] = values.get(row.group(2), 0) + float(row.group(1))
        return values

    def rows(self, profile):
        """Function -> {index: value}."""
        rows = {}
        for index in INDEXES:
            for function, value in self.flat(profile, index).items():
                rows.setdefault(function, dict.fromkeys(INDEXES, 0))[index] = value
        return rows

    def comments(self, profile):
        return self.report(["-comments", profile])


def main(cases):
    """Runs each case(bed); status 1 if one of them failed."""
    parser = argparse.ArgumentParser()
    for option in ("library", "tool", "programs"):
        parser.add_argument("--" + option, required=True)
    options = parser.parse_args()
    failures = 0
    for case in cases:
        with tempfile.TemporaryDirectory() as directory:
            try:
                case(Bed(options, directory))
                print("ok      %s" % case.__name__)
            except (Failed, subprocess.TimeoutExpired) as problem:
                failures += 1
                print("FAILED  %s: %s" % (case.__name__, problem))
    print("%d passed, %d failed" % (len(cases) - failures, failures))
    sys.exit(1 if failures else 0)
