"""Runs random profiles and command lines through the reference and through cpprof, and compares every byte.

    run.py --cases 500 --seed 1            the test
    run.py --seed 1 --case 217 -v          one case again: command line, files kept, unified diff
    run.py --seed 1 --case 217 --reduce    the same, made as small as possible first
    run.py --self                          the reference against itself: is the generator varied enough?

Case N of seed S is always the same, whatever ran before. Not here: what is drawn (profiles.py, commands.py), what may
differ (intended.py).
"""

import argparse
import collections
import concurrent.futures
import difflib
import gzip
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import commands  # noqa: E402
import intended  # noqa: E402
import legacy  # noqa: E402
import oracle  # noqa: E402
import pprofproto  # noqa: E402
import profiles  # noqa: E402
import reduction  # noqa: E402

Result = collections.namedtuple("Result", "status stdout stderr files")
Outcome = collections.namedtuple("Outcome", "number kind status empty report detail message")
Case = collections.namedtuple("Case", "directory arguments zone report script note made")

SOURCES = {"src/server.c": 45, "main.go": 45, "src/project/lib/util.cc": 60, "a.c": 3, "deep/src/b.c": 30}
ZONES = ["UTC"] * 8 + ["America/New_York", "Asia/Kolkata", "Europe/Berlin"]
RERUNS = 40  # an order left to chance among two equal values shows itself in one of these


def write_file(directory, name, data):
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(data)


def write_sources(directory):
    for name, lines in SOURCES.items():
        text = "".join("%sline %d of %s\n" % ("\t" * (i % 4), i, name) for i in range(1, lines + 1))
        if name == "a.c":
            text = text.rstrip("\n")
        write_file(directory, name, text.replace("line 7 ", "größe\r ").encode())


def legacy_bytes(rng, note):
    """Several files of one case are mostly of one kind, so that they can be merged."""
    kind = random.Random(note) if rng.random() < 0.9 else rng
    data = legacy.LegacyMaker(kind).make()
    return pprofproto.compress(data) if rng.random() < 0.2 else data


def make_case(seed, number, directory):
    """Draws the case and writes its files."""
    rng = random.Random("%s/%s" % (seed, number))
    os.makedirs(directory, exist_ok=True)
    write_sources(directory)
    write_file(directory, "garbage.txt", b"this is not a profile\n")
    write_file(directory, "empty", b"")
    count = rng.choice([1, 1, 1, 1, 1, 1, 2, 3])
    with_base = rng.random() < 0.25
    local = list(SOURCES) + [os.path.join(directory, "src/server.c")]
    world, made = profiles.make_profiles(rng, count + with_base, local)
    note = ""
    if rng.random() < 0.04:
        note = profiles.break_profile(rng, rng.choice(made))
    elif rng.random() < 0.05:
        note = "legacy format, seed %d" % rng.getrandbits(32)
    files, models = [], {}
    for i, profile in enumerate(made):
        name = "p%d.pb.gz" % i if rng.random() < 0.9 else "p %d:x.pb" % i
        write_file(directory, name, legacy_bytes(rng, note) if note.startswith("legacy") else pprofproto.encode(profile, pprofproto.Style(rng)))
        files.append(name)
        if not note.startswith("legacy"):
            models[name] = profile
    base = files.pop() if with_base else None
    maker = commands.CommandMaker(rng, world, made)
    arguments = maker.make(files, base)
    report = next((word.lstrip("-").split("=")[0] for word in arguments
                   if word.lstrip("-").split("=")[0] in commands.REPORTS), "shell" if maker.script else "none")
    if maker.script:
        write_file(directory, "script.txt", maker.script.encode())
    return Case(directory, arguments, rng.choice(ZONES), report, maker.script, note, models)


def environment(case):
    """Few variables, and a PATH without tools: the reference would probe for objdump and friends each time."""
    return {"PATH": os.path.join(case.directory, "no-tools"), "HOME": case.directory, "TZ": case.zone, "TMPDIR": case.directory,
            "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}


def unzip(data):
    try:
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError):
        return b"broken gzip: " + data


def run_tool(tool, case, timeout=60):
    output = os.path.join(case.directory, "out.file")
    if os.path.exists(output):
        os.unlink(output)
    try:
        done = subprocess.run([tool, *case.arguments], cwd=case.directory, env=environment(case), input=case.script.encode(),
                              capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return Result("timeout", b"", b"", b"")
    files = b""
    if os.path.exists(output):
        with open(output, "rb") as data:
            files = unzip(data.read())
    name = os.path.basename(tool).encode()
    lines = [line for line in done.stderr.splitlines() if not line.startswith(b"goroutine ")]
    errors = b"\n".join(sorted(line.replace(name + b": ", b"pprof: ", 1) if line.startswith(name) else line for line in lines))
    return Result(done.returncode, unzip(done.stdout), errors, files)


def compare(reference_tool, our_tool, case):
    """(kind, detail, first reference result)."""
    reference = run_tool(reference_tool, case)
    ours = run_tool(our_tool, case)
    if ours == reference:
        return "identical", "", reference, ours
    reason = intended.explain(reference, ours, case.arguments)
    if reason:
        return "intended", reason, reference, ours
    again = _rerun(reference_tool, case, reference)
    if any(result != reference for result in again):
        matched = ours in again or any(_same_lines(ours, result) for result in [reference, *again])
        return "unstable", "" if matched else "matches none of the reference's runs", reference, ours
    return "different", difference(reference, ours), reference, ours


def _rerun(tool, case, first):
    """More answers of the reference; soon enough of them if they differ."""
    again = []
    for i in range(RERUNS):
        again.append(run_tool(tool, case))
        if i >= 10 and any(result != first for result in again):
            break
    return again


def _same_lines(one, two):
    """An order that the reference leaves to chance: the same lines in another order are the same answer."""
    return one.status == two.status and all(sorted(a.splitlines()) == sorted(b.splitlines())
                                            for a, b in ((one.stdout, two.stdout), (one.stderr, two.stderr), (one.files, two.files)))


def readable(data):
    """Text as it is, a protobuf message as text."""
    if data[:1] == b"\n" and b"\x12" in data:
        try:
            return pprofproto.dump(data)
        except (IndexError, ValueError):
            pass
    return data.decode("utf-8", "backslashreplace")


def difference(reference, ours, context=3):
    """A unified diff of what differs, one part after the other."""
    out = []
    if reference.status != ours.status:
        out.append("status: reference %s, ours %s" % (reference.status, ours.status))
    for part in ("stderr", "stdout", "files"):
        one, two = (readable(getattr(result, part)).split("\n") for result in (reference, ours))
        out += difflib.unified_diff(one, two, "reference " + part, "cpprof " + part, lineterm="", n=context)
    return "\n".join(line.replace("\x00", "\\0") for line in out)


def command_line(tool, case):
    words = " ".join(map(shlex.quote, [tool, *case.arguments]))
    return "cd %s && TZ=%s %s%s" % (shlex.quote(case.directory), case.zone, words, " < script.txt" if case.script else "")


def run_case(job):
    """One case in a worker: makes, runs, compares, cleans."""
    options, number = job
    directory = os.path.join(options.directory, "case-%s-%d" % (options.seed, number))
    case = make_case(options.seed, number, directory)
    kind, detail, reference, ours = compare(options.pprof, options.cpprof, case)
    if kind == "different" or kind == "unstable" and detail:
        detail = "%s%s\n%s" % (command_line(options.cpprof, case), "   # " + case.note if case.note else "", detail)
    if not options.keep:
        shutil.rmtree(directory, ignore_errors=True)
    empty = not (reference.stdout or reference.files)
    message = next((line for line in reference.stderr.decode("utf-8", "replace").splitlines() if line.startswith("pprof: ")), "")
    return Outcome(number, kind, reference.status, empty, case.report, detail, message)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--case", type=int, help="only this case")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--pprof", help="the reference")
    parser.add_argument("--cpprof", help="ours")
    parser.add_argument("--time-limit", type=float, help="seconds after which no case is started")
    parser.add_argument("--keep", metavar="DIR", help="keep the files of every case below DIR")
    parser.add_argument("--show", type=int, default=20, help="how many different cases are shown")
    parser.add_argument("--lines", type=int, default=20, help="lines of each diff")
    parser.add_argument("--reduce", action="store_true", help="with --case: make the command line and the profiles smaller first")
    parser.add_argument("--self", action="store_true", help="the reference against itself, with statistics")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    options.pprof = options.pprof or oracle.reference_or_skip()
    options.cpprof = options.pprof if options.self else os.path.abspath(options.cpprof or oracle.ours_or_skip())
    return options


def difference_nature(kind, reference, ours):
    """What must stay the same while a case is made smaller, lest another difference takes the place of this one."""
    return kind, reference.status, ours.status, reference.stdout != ours.stdout, reference.stderr != ours.stderr


def same_nature(options, case, nature):
    kind, _, reference, ours = compare(options.pprof, options.cpprof, case)
    return difference_nature(kind, reference, ours) == nature


def show_one(options):
    """One case again, with all there is to know."""
    options.directory = os.path.abspath(options.keep or os.path.join(tempfile.gettempdir(), "cpprof-differential"))
    case = make_case(options.seed, options.case, os.path.join(options.directory, "case-%s-%d" % (options.seed, options.case)))
    kind, detail, reference, ours = compare(options.pprof, options.cpprof, case)
    if options.reduce and kind == "different":
        nature = difference_nature(kind, reference, ours)
        case = reduction.reduce_case(case, lambda smaller: same_nature(options, smaller, nature))
        kind, detail, reference, ours = compare(options.pprof, options.cpprof, case)
    print(command_line(options.cpprof, case))
    if options.reduce and case.script:
        print("script: %r" % case.script)
    print("files: " + case.directory + ("   (special: %s)" % case.note if case.note else ""))
    print("%s; status %s and %s" % (kind, reference.status, ours.status))
    print(difference(reference, ours) if kind != "identical" else detail)
    if options.verbose and kind == "identical":
        print(reference.stdout.decode("utf-8", "backslashreplace") + reference.stderr.decode("utf-8", "backslashreplace"))
    return 1 if kind == "different" else 0


class Tally:
    def __init__(self, options):
        self.options = options
        self.kinds = collections.Counter()
        self.reports = collections.Counter()
        self.statuses = collections.Counter()
        self.reasons = collections.Counter()
        self.messages = collections.Counter()
        self.different, self.unmatched = [], []
        self.useful = 0

    def add(self, outcome):
        self.kinds[outcome.kind] += 1
        self.statuses[outcome.status] += 1
        self.reports[outcome.report, outcome.kind] += 1
        self.messages[outcome.message or ("no output: " + outcome.report if outcome.empty else "")] += 1
        self.useful += outcome.status == 0 and not outcome.empty
        if outcome.kind == "intended":
            self.reasons[outcome.detail] += 1
        if outcome.kind == "unstable" and outcome.detail:
            self.unmatched.append(outcome.number)
        if outcome.kind == "different":
            self.different.append(outcome.number)
            if len(self.different) <= self.options.show or self.options.verbose:
                lines = outcome.detail.split("\n")
                print("--- case %d (%s)" % (outcome.number, outcome.report))
                print("\n".join(line[:300] for line in lines[:self.options.lines + 1]))
                if len(lines) > self.options.lines + 1:
                    print("    ... %d more lines" % (len(lines) - self.options.lines - 1))
                sys.stdout.flush()

    def summary(self):
        return "%d identical, %d reference-unstable, %d intended differences, %d different" % tuple(
            self.kinds[kind] for kind in ("identical", "unstable", "intended", "different"))

    def print_summary(self, seconds):
        total = sum(self.kinds.values())
        print("%d cases in %.0f s, seed %s; reference: %.0f %% with status 0 and output; status %s" % (
            total, seconds, self.options.seed, 100 * self.useful / max(total, 1),
            ", ".join("%s: %d" % (status, count) for status, count in sorted(self.statuses.items(), key=str))))
        if self.different or self.options.self:
            names = sorted({report for report, _ in self.reports})
            print("by report: " + ", ".join("%s %d/%d" % (name, self.reports[name, "different"], sum(
                count for (report, _), count in self.reports.items() if report == name)) for name in names) + " different")
        if self.options.self:
            print("".join("%6d %s\n" % (count, message[:150]) for message, count in self.messages.most_common(40)), end="")
        for reason, count in self.reasons.most_common():
            print("intended: %s: %d" % (reason, count))
        if self.unmatched:
            print("unstable, and ours is none of the answers seen: cases %s" % " ".join(map(str, self.unmatched[:40])))
        if self.different:
            print("different: cases %s" % " ".join(map(str, sorted(self.different)[:200])))
            print("one again: run.py --seed %s --case %d -v" % (self.options.seed, min(self.different)))
        print(self.summary())


def run_all(options):
    started = time.monotonic()
    tally = Tally(options)
    numbers = iter(range(options.first, options.first + options.cases))
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        running = set()
        while True:
            late = options.time_limit and time.monotonic() - started > options.time_limit
            while not late and len(running) < 4 * options.jobs:
                number = next(numbers, None)
                if number is None:
                    break
                running.add(pool.submit(run_case, (options, number)))
            if not running:
                break
            done, running = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                tally.add(future.result())
    tally.print_summary(time.monotonic() - started)
    return tally


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse_arguments()
    if options.case is not None:
        return show_one(options)
    if options.keep:
        options.directory = os.path.abspath(options.keep)
        return 1 if run_all(options).different else 0
    with tempfile.TemporaryDirectory(prefix="cpprof-differential-") as directory:
        options.directory = directory
        return 1 if run_all(options).different else 0


if __name__ == "__main__":
    sys.exit(main())
