"""What takes hours: many differential cases, long fuzzing, programs that are dumped all the time, and chaos, in pieces, continued where
the last run stopped.

    soak.py                                all parts, until each has reached its goal
    soak.py --part fuzz --hours 2          one part, for two hours at most
    soak.py --report                       only says what is covered so far

State: soak.json below $CPPROF_SOAK_DIR (default build/soak), written after each piece, with the findings beside it. A new
build of cpprof does not throw the coverage away, but the report says how much of it was made with the present one.
"""

import argparse
import glob
import hashlib
import json
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "differential"))
import oracle  # noqa: E402

PIECE_CASES = 500
PIECE_SECONDS = 60
SUMMARY = re.compile(r"^(\d+) identical, (\d+) reference-unstable, (\d+) intended differences, (\d+) different$", re.M)
KINDS = ("identical", "unstable", "intended", "different")


class State:
    """What has been covered, on disk after every piece."""

    def __init__(self, directory):
        self.directory = directory
        self.path = os.path.join(directory, "soak.json")
        self.data = {"differential": {"next": 0, "builds": {}, "different": []}, "fuzz": {}, "dumps": {}, "scrape": {}, "chaos": {}}
        os.makedirs(os.path.join(directory, "findings"), exist_ok=True)
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as stored:
                self.data.update(json.load(stored))

    def save(self):
        with open(self.path + ".new", "w", encoding="utf-8") as out:
            json.dump(self.data, out, indent=1, sort_keys=True)
        os.replace(self.path + ".new", self.path)

    def finding(self, name, text):
        path = os.path.join(self.directory, "findings", name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path


def file_digest(path):
    with open(path, "rb") as data:
        return hashlib.sha256(data.read()).hexdigest()[:12]


class Differential:
    """Cases 0, 1, 2, ... of one seed; each piece is a fresh run of the differential test."""

    name = "differential"

    def __init__(self, state, options):
        self.state, self.options = state, options
        self.mine = state.data["differential"]
        self.ours = options.cpprof or oracle.find_ours()
        self.reference, self.why_not = oracle.find_reference()
        if not self.ours:
            self.why_not = "cpprof is not built"

    def done(self):
        return self.mine["next"] >= self.options.cases

    def step(self):
        first = self.mine["next"]
        count = min(PIECE_CASES, self.options.cases - first)
        answer = subprocess.run([sys.executable, os.path.join(HERE, "..", "differential", "run.py"), "--seed", self.options.seed, "--first",
                                 str(first), "--cases", str(count), "--cpprof", self.ours, "--pprof", self.reference, "-v"],
                                capture_output=True, text=True, errors="replace", check=False)
        found = SUMMARY.search(answer.stdout)
        if not found:
            raise SystemExit("the differential test ended without its summary:\n" + answer.stdout[-2000:] + answer.stderr[-2000:])
        build = self.mine["builds"].setdefault(file_digest(self.ours), dict.fromkeys(KINDS, 0))
        for kind, number in zip(KINDS, found.groups()):
            build[kind] += int(number)
        self.mine["next"] = first + count
        if int(found.group(4)):
            self.mine["different"].append(self.state.finding("differential-%d.txt" % first, answer.stdout))
        return "cases %d..%d: %s" % (first, first + count - 1, found.group(0))

    def report(self):
        total = {kind: sum(build[kind] for build in self.mine["builds"].values()) for kind in KINDS}
        yield "differential: %d of %d cases (seed %s): %d identical, %d reference-unstable, %d intended differences, %d different" % (
            self.mine["next"], self.options.cases, self.options.seed, *(total[kind] for kind in KINDS))
        if self.ours and self.mine["builds"]:
            present = self.mine["builds"].get(file_digest(self.ours), {})
            yield "    %d of them with the present build" % sum(present.values())
        for path in self.mine["different"]:
            yield "    see " + path


class Fuzz:
    """Each libFuzzer program in turn, a minute at a time, on a corpus that stays."""

    name = "fuzz"

    def __init__(self, state, options):
        self.state, self.options = state, options
        self.mine = state.data["fuzz"]
        programs = glob.glob(os.path.join(options.fuzz_dir, "**", "fuzz_*"), recursive=True)
        self.programs = sorted(path for path in programs if os.path.isfile(path) and os.access(path, os.X_OK))
        self.why_not = None if self.programs else "no fuzz programs below %s (build the preset \"fuzz\")" % options.fuzz_dir

    def entry(self, program):
        return self.mine.setdefault(os.path.basename(program), {"seconds": 0, "runs": 0, "findings": []})

    def done(self):
        return all(self.entry(program)["seconds"] >= self.options.fuzz_minutes * 60 for program in self.programs)

    def step(self):
        program = min(self.programs, key=lambda path: self.entry(path)["seconds"])
        name = os.path.basename(program)
        corpus = os.path.join(self.state.directory, "corpus", name)
        findings = os.path.join(self.state.directory, "findings", name + "-")
        os.makedirs(corpus, exist_ok=True)
        seconds = max(1, min(PIECE_SECONDS, int(self.options.fuzz_minutes * 60) - self.entry(program)["seconds"]))
        shipped = os.path.join(TOP, "tests", "fuzz", "corpus", name[len("fuzz_"):])
        before = set(glob.glob(findings + "*"))
        answer = subprocess.run([program, "-max_total_time=%d" % seconds, "-artifact_prefix=" + findings, "-print_final_stats=1", "-rss_limit_mb=2048",
                                 "-timeout=10", corpus, *([shipped] if os.path.isdir(shipped) else [])],
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
        runs = re.search(r"number_of_executed_units: (\d+)", answer.stderr)
        entry = self.entry(program)
        entry["seconds"] += seconds
        entry["runs"] += int(runs.group(1)) if runs else 0
        new = sorted(set(glob.glob(findings + "*")) - before)
        if answer.returncode or new:
            entry["findings"] += new or [self.state.finding("%s-%d.txt" % (name, int(time.time())), answer.stderr[-20000:])]
        return "%s: %d s, %s runs%s" % (name, seconds, runs.group(1) if runs else "unknown", ", FOUND " + " ".join(new) if new else "")

    def report(self):
        for name, entry in sorted(self.mine.items()):
            yield "fuzz %s: %.0f of %g minutes, %d runs, %d findings" % (name, entry["seconds"] / 60, self.options.fuzz_minutes, entry["runs"],
                                                                         len(entry["findings"]))
            for path in entry["findings"]:
                yield "    see " + path


class Dumps:
    """Programs that bear no disturbance, dumped 200 times a second (tests/runtime/threads_eintr.py), and storms of allocations with
    forks and jumps (heap_storm.py): a minute at a time."""

    name = "dumps"
    SCRIPTS = (("threads_eintr", ["--seconds", str(PIECE_SECONDS)]), ("heap_storm", []), ("waits_semantics", []))

    def __init__(self, state, options):
        self.state, self.options = state, options
        self.mine = state.data["dumps"]
        build = options.runtime_dir
        self.arguments = ["--library", os.path.join(build, "lib", "libcpprof.so"), "--tool", os.path.join(build, "bin", "cpprof"),
                          "--programs", os.path.join(build, "tests", "runtime", "programs")]
        self.why_not = None if os.path.exists(self.arguments[1]) else "no library below %s (build the preset \"dev\")" % build

    def entry(self, name):
        return self.mine.setdefault(name, {"seconds": 0, "runs": 0, "findings": []})

    def done(self):
        return all(self.entry(name)["seconds"] >= self.options.dump_minutes * 60 for name, _ in self.SCRIPTS)

    def step(self):
        name, more = min(self.SCRIPTS, key=lambda script: self.entry(script[0])["seconds"])
        begun = time.monotonic()
        answer = subprocess.run([sys.executable, os.path.join(TOP, "tests", "runtime", name + ".py"), *self.arguments, *more],
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
        seconds = int(time.monotonic() - begun) + 1
        entry = self.entry(name)
        entry["seconds"] += seconds
        entry["runs"] += 1
        if answer.returncode:
            entry["findings"].append(self.state.finding("%s-%d.txt" % (name, int(time.time())), answer.stdout + answer.stderr))
        last = (answer.stdout.strip().split("\n") or [""])[-1]
        return "%s: %d s, status %d, %s" % (name, seconds, answer.returncode, last[:120])

    def report(self):
        for name, entry in sorted(self.mine.items()):
            yield "dumps %s: %.0f of %g minutes, %d runs, %d failed" % (name, entry["seconds"] / 60, self.options.dump_minutes, entry["runs"],
                                                                       len(entry["findings"]))
            for path in entry["findings"]:
                yield "    see " + path


class Scrape:
    """The default loops of the engines that scrape, at their own intervals (tests/scrape/loops.py): ten minutes at a time, since a
    target that grows does so slowly."""

    name = "scrape"
    MINUTES = 10

    def __init__(self, state, options):
        self.state, self.options = state, options
        self.mine = state.data["scrape"]
        build = options.runtime_dir
        self.arguments = ["--library", os.path.join(build, "lib", "libcpprof.so"), "--tool", os.path.join(build, "bin", "cpprof"),
                          "--program", os.path.join(build, "tests", "scrape", "demo")]
        self.why_not = None if os.path.exists(self.arguments[1]) else "no library below %s (build the preset \"dev\")" % build

    def done(self):
        return self.mine.get("minutes", 0) >= self.options.scrape_minutes

    def step(self):
        answer = subprocess.run([sys.executable, os.path.join(TOP, "tests", "scrape", "loops.py"), *self.arguments, "--real", "--seconds",
                                 str(self.MINUTES * 60)], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
        self.mine["minutes"] = self.mine.get("minutes", 0) + self.MINUTES
        if answer.returncode:
            self.mine.setdefault("findings", []).append(self.state.finding("scrape-%d.txt" % int(time.time()), answer.stdout + answer.stderr))
        return "loops: %d minutes, status %d, %s" % (self.MINUTES, answer.returncode, answer.stdout.strip().split("\n")[-1][:120])

    def report(self):
        found = self.mine.get("findings", [])
        yield "scrape: %d of %g minutes, %d failed" % (self.mine.get("minutes", 0), self.options.scrape_minutes, len(found))
        for path in found:
            yield "    see " + path


class Chaos:
    """Everything at once, in C and in C++, and a program that bears no EINTR, while every profile is asked for (tests/runtime/chaos.py): a
    minute at a time, each with another seed."""

    name = "chaos"
    KINDS = ("c", "c++", "eintr")

    def __init__(self, state, options):
        self.state, self.options = state, options
        self.mine = state.data["chaos"]
        build = options.runtime_dir
        self.arguments = ["--library", os.path.join(build, "lib", "libcpprof.so"), "--tool", os.path.join(build, "bin", "cpprof"),
                          "--programs", os.path.join(build, "tests", "runtime", "programs")]
        self.why_not = None if os.path.exists(self.arguments[1]) else "no library below %s (build the preset \"dev\")" % build

    def entry(self, kind):
        return self.mine.setdefault(kind, {"seconds": 0, "runs": 0, "builds": {}, "findings": []})

    def done(self):
        return all(self.entry(kind)["seconds"] >= self.options.chaos_minutes * 60 for kind in self.KINDS)

    def step(self):
        kind = min(self.KINDS, key=lambda name: self.entry(name)["seconds"])
        entry = self.entry(kind)
        seconds = max(1, min(PIECE_SECONDS, int(self.options.chaos_minutes * 60) - entry["seconds"]))
        seed = entry["runs"] + 1
        answer = subprocess.run([sys.executable, os.path.join(TOP, "tests", "runtime", "chaos.py"), *self.arguments, "--only", kind,
                                 "--seconds", str(seconds), "--seed", str(seed)],
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
        if answer.returncode == 77:
            self.why_not = answer.stdout.strip()
            return "%s: %s" % (kind, self.why_not)
        entry["seconds"] += seconds
        entry["runs"] += 1
        build = file_digest(self.arguments[1])
        entry["builds"][build] = entry["builds"].get(build, 0) + seconds
        if answer.returncode:
            entry["findings"].append(self.state.finding("chaos-%s-%d.txt" % (kind, int(time.time())), answer.stdout + answer.stderr))
        return "chaos %s: %d s, seed %d, status %d, %s" % (kind, seconds, seed, answer.returncode, answer.stdout.strip().split("\n")[0][:160])

    def report(self):
        for kind, entry in sorted(self.mine.items()):
            present = entry["builds"].get(file_digest(self.arguments[1]), 0) if os.path.exists(self.arguments[1]) else 0
            yield "chaos %s: %.1f of %g minutes (%.1f with the present library), %d runs, %d failed" % (
                kind, entry["seconds"] / 60, self.options.chaos_minutes, present / 60, entry["runs"], len(entry["findings"]))
            for path in entry["findings"]:
                yield "    see " + path


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", choices=["differential", "fuzz", "dumps", "scrape", "chaos"], help="only this part")
    parser.add_argument("--hours", type=float, help="stop after this long; the next run goes on from there")
    parser.add_argument("--cases", type=int, default=20000, help="differential cases in all")
    parser.add_argument("--seed", default="soak")
    parser.add_argument("--fuzz-minutes", type=float, default=60, help="minutes for each fuzz program in all")
    parser.add_argument("--fuzz-dir", default=os.path.join(TOP, "build", "fuzz"))
    parser.add_argument("--dump-minutes", type=float, default=10, help="minutes for each program that is dumped")
    parser.add_argument("--scrape-minutes", type=float, default=10, help="minutes of the loops of engines that scrape")
    parser.add_argument("--chaos-minutes", type=float, default=10, help="minutes of chaos of each kind")
    parser.add_argument("--runtime-dir", default=os.path.join(TOP, "build", "dev"))
    parser.add_argument("--cpprof")
    parser.add_argument("--report", action="store_true", help="only print what is covered")
    parser.add_argument("--restart", action="store_true", help="forget what is covered (findings and corpus stay)")
    return parser.parse_args()


def work(parts, deadline, state):
    """One piece of each part in turn, so that a short run covers something of everything."""
    while True:
        waiting = [part for part in parts if not part.why_not and not part.done()]
        if not waiting:
            return
        for part in waiting:
            if deadline and time.monotonic() >= deadline:
                return
            print(time.strftime("%H:%M:%S ") + part.step(), flush=True)
            state.save()


def main():
    options = parse_arguments()
    state = State(os.environ.get("CPPROF_SOAK_DIR") or os.path.join(TOP, "build", "soak"))
    if options.restart:
        state.data.update({"differential": {"next": 0, "builds": {}, "different": []}, "fuzz": {}, "dumps": {}, "scrape": {}, "chaos": {}})
        state.save()
    parts = [part(state, options) for part in (Differential, Fuzz, Dumps, Scrape, Chaos) if options.part in (None, part.name)]
    deadline = time.monotonic() + options.hours * 3600 if options.hours else None
    try:
        if not options.report:
            work(parts, deadline, state)
    except KeyboardInterrupt:
        print("stopped; the next run goes on from here")
    bad = state.data["differential"]["different"] + [path for kind in ("fuzz", "dumps", "chaos")
                                                for entry in state.data[kind].values() for path in entry["findings"]]
    bad += state.data["scrape"].get("findings", [])
    for part in parts:
        print("\n".join(part.report()) or part.name + ": nothing yet")
        if part.why_not:
            print("%s: not run: %s" % (part.name, part.why_not))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
