"""What every bad-input case needs: a directory of its own, a way to run cpprof, and the house's idea of a clear error.

Not here: the cases (run.py).
"""

import os
import re
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "differential"))
import pprofproto  # noqa: E402

TIME_LIMIT = 60
CLOSING = re.compile(r"^(cpprof: )?failed to fetch any (source|base) profiles$")
CRASH = re.compile(r"AddressSanitizer|runtime error:|UndefinedBehavior|LeakSanitizer|Assertion|core dumped|Segmentation")


class Failed(Exception):
    """What a case found wrong."""


class Skipped(Exception):
    """Why a case could not be run here."""


class Result:
    def __init__(self, arguments, status, stdout, stderr, peak_kb):
        self.arguments, self.status, self.stdout, self.peak_kb = arguments, status, stdout, peak_kb
        self.stderr = stderr.decode("utf-8", "backslashreplace")
        self.lines = self.stderr.splitlines()

    def __str__(self):
        return "cpprof %s: status %s, stderr %r, stdout %r" % (" ".join(self.arguments), self.status, self.stderr[:600], self.stdout[:200])


def require(condition, result, what):
    if not condition:
        raise Failed("%s\n      %s" % (what, result))


class Bed:
    """One case's directory; removed by the caller's TemporaryDirectory."""

    def __init__(self, cpprof, directory):
        self.cpprof, self.directory = cpprof, directory

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as out:
            out.write(data)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as data:
            return data.read()

    def environment(self, **more):
        keep = {name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS") if name in os.environ}
        return {"PATH": "/usr/bin:/bin", "HOME": self.directory, "TZ": "UTC", "TMPDIR": self.directory, "PPROF_TMPDIR": self.path("saved"), **keep,
                **more}

    def run(self, *arguments, stdout=subprocess.PIPE, stdin=b"", limit=None, **environment):
        """Runs to the end; a run that lasts too long fails the case. Never through a shell."""
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen([self.cpprof, *arguments], cwd=self.directory, env=self.environment(**environment), stdout=stdout,
                                       stderr=errors, stdin=subprocess.PIPE, preexec_fn=limit)
            timer = threading.Timer(TIME_LIMIT, process.kill)
            timer.start()
            feeder = threading.Thread(target=_feed, args=(process.stdin, stdin))
            feeder.start()
            output = process.stdout.read() if process.stdout else b""
            feeder.join()
            _, wait_status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(wait_status)
            in_time = timer.is_alive()
            timer.cancel()
            errors.seek(0)
            result = Result(arguments, process.returncode, output, errors.read(), usage.ru_maxrss)
        require(in_time, result, "still running after %d s" % TIME_LIMIT)
        require(process.returncode >= 0, result, "ended by a signal")
        require(not CRASH.search(result.stderr), result, "a sanitizer or assertion spoke")
        return result


def _feed(pipe, data):
    try:
        pipe.write(data)
        pipe.close()
    except BrokenPipeError:
        pass


def clear_error(result, pattern, status=2):
    """One line that says what and where (`pattern`), beside the closing "failed to fetch any source profiles"."""
    lines = [line for line in result.lines if not CLOSING.match(line)]
    require(result.status == status, result, "status should be %d" % status)
    require(len(lines) == 1, result, "should be one line, is %d" % len(lines))
    require(re.search(pattern, lines[0]), result, "the line should match %r" % pattern)
    require(len(lines[0]) < 400 + sum(map(len, result.arguments)), result, "the line is too long to read")
    require(not result.stdout, result, "nothing should be on stdout")


def small_profile(samples=3, **changes):
    """A valid profile: main.main calls main.work in /usr/bin/server, one sample type."""
    profile = pprofproto.Profile()
    profile.sample_types = [("samples", "count"), ("cpu", "nanoseconds")]
    profile.period_type, profile.period, profile.duration_ns = ("cpu", "nanoseconds"), 10000000, 10 ** 9
    profile.mappings = [{"id": 1, "start": 0x400000, "limit": 0x500000, "offset": 0, "file": "/usr/bin/server", "build_id": "abcdef",
                         "flags": (1, 1, 1, 0)}]
    profile.functions = [{"id": i + 1, "name": name, "system_name": name, "file": "server.c", "start_line": 1}
                         for i, name in enumerate(["main.main", "main.work"])]
    profile.locations = [{"id": i, "mapping": 1, "address": 0x400000 + 16 * i, "lines": [(i, 10 + i, 0)], "folded": False} for i in (1, 2)]
    profile.samples = [{"locations": [2, 1], "values": [i + 1, (i + 1) * 10000000], "labels": [("thread", "t%d" % i), ("bytes", 16 * i, "bytes")]}
                       for i in range(samples)]
    for name, value in changes.items():
        setattr(profile, name, value)
    return profile


def small_bytes(gzip=True, **changes):
    style = pprofproto.Style()
    style.gzip = gzip
    return pprofproto.encode(small_profile(**changes), style)


def run_cases(cases, make_bed, words=()):
    """Runs the cases (those whose name has one of the words), each in a directory of its own; returns the exit status."""
    failed = passed = skipped = 0
    for function in cases:
        if words and not any(word in function.__name__ for word in words):
            continue
        with tempfile.TemporaryDirectory(prefix="cpprof-case-") as directory:
            try:
                function(make_bed(directory))
                passed += 1
                print("ok      %-20s %s" % (function.__name__, function.__doc__))
            except Failed as reason:
                failed += 1
                print("FAILED  %-20s %s\n      %s" % (function.__name__, function.__doc__, reason))
            except Skipped as reason:
                skipped += 1
                print("skipped %-20s %s: %s" % (function.__name__, function.__doc__, reason))
        sys.stdout.flush()
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed or not passed + skipped else 0
