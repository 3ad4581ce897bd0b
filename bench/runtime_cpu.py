"""The CPU profile: is it true, and what does it cost. split.c is profiled by cpprof, gperftools, perf record and, in Go, Go's own profiler,
in turns.

True: the shares of three functions in the samples against their shares of the threads' CPU clocks, by chi-square; the sum of
all runs' is held against the 99 % point, so a profiler that is right misses it once in a hundred. Not here: the arithmetic (stats.py).
"""

import collections
import glob
import os
import re
import statistics
import subprocess
import sys
import tempfile

import stats
import tools
from bed import PATIENCE, Skip, compiled, preloaded

sys.path.insert(0, os.path.join(tools.TOP, "tests", "differential"))
import oracle  # noqa: E402

FUNCTIONS = ("f50", "f30", "f20")
KINDS = ("balanced", "unbalanced")
RATES = (100, 1000)
PEERS = ("gperftools", "perf record", "Go")
# Frames that stand for time that no sample was taken of; [kernel] is none of them: it is reported as what it is.
NO_SAMPLES = ("[lost samples]", "[signals blocked]", "[unknown]")
ASKED_SHARE = 95  # per cent, where perf_event is permitted
COST_LIMITS = {100: 0.5, 1000: 3}  # per cent

# Of one run: nanoseconds of CPU time by function and in all; the samples' weight by function; samples in these functions, in all, and
# of those in the kernel.
Run = collections.namedtuple("Run", "truth cpu weights count all kernel")


def run(words, environment):
    """Its standard output; Skip if it cannot be started."""
    try:
        done = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except FileNotFoundError as missing:
        raise Skip("%s is not installed" % words[0]) from missing
    except subprocess.TimeoutExpired as late:
        raise tools.Failure("%s: not done after %d s" % (" ".join(words), PATIENCE)) from late
    if done.returncode:
        raise tools.Failure("%s: status %d: %s" % (" ".join(words), done.returncode, done.stderr.strip()[-300:]))
    return done.stdout


def truth_of(text):
    clocks = dict(re.findall(r"^(\w+) (\d+)$", text, re.M))
    return [int(clocks[name]) for name in FUNCTIONS], int(clocks["cpu"])


# --- profilers ------------------------------------------------------------------------------------------------------------

class Bench:
    """The programs, and where profiles go."""

    def __init__(self, options, directory):
        self.library, self.directory = options.library, directory
        self.tool = oracle.find_ours()
        # At a fixed address, so that a profiler that knows nothing of mappings names the same functions.
        self.split = compiled("split.c", "-no-pie")

    def file(self, name):
        return os.path.join(self.directory, name)

    def read(self, profile, output):
        """Any profile that cpprof reads."""
        if not self.tool:
            raise Skip("cpprof is not built")
        text = run([self.tool, "-raw", self.split, profile], preloaded(None))
        samples, locations = re.search(r"^Samples:\n(.*?)^Locations\n(.*?)^Mappings", text, re.M | re.S).groups()
        functions, unseen, in_kernel = {}, set(), set()
        for number, line in re.findall(r"^\s+(\d+): (0x\S+ .*\n(?:\s{10,}\S.*\n)*)", locations, re.M):
            functions[number] = re.findall(r"(?:M=\d+|^\s+) (?:main\.)?(f50|f30|f20) ", line, re.M)
            if any(name in line for name in NO_SAMPLES):
                unseen.add(number)
            if "[kernel]" in line:
                in_kernel.add(number)
        weights, count, everything, kernel = dict.fromkeys(FUNCTIONS, 0), 0, 0, 0
        for samples_count, ns, stack in re.findall(r"^\s+(\d+)\s+(\d+): ([\d ]*)$", samples, re.M):
            if not unseen.intersection(stack.split()):
                everything += int(samples_count)
            if in_kernel.intersection(stack.split()):
                kernel += int(samples_count)
            named = [name for number in stack.split() for name in functions.get(number, ())]
            if named:
                weights[named[0]] += int(ns)
                count += int(samples_count)
        truth, cpu = truth_of(output)
        return Run(truth, cpu, list(weights.values()), count, everything, kernel)

    def cpprof(self, milliseconds, kind, hz, **settings):
        """Where the source is a timer that ticks more rarely than asked, a signal stands for several periods, and the profile counts periods."""
        profile = self.file("cpprof.pb.gz")
        one = self.read(profile, run([self.split, "shares", str(milliseconds), kind, str(hz), profile], preloaded(self.library, **settings)))
        tick = re.search(r"tick of \d+ ms allows (\d+) samples a second", self.source())
        share = int(tick[1]) / hz if tick else 1
        return one._replace(count=round(one.count * share), all=round(one.all * share), kernel=round(one.kernel * share))

    def timers(self, milliseconds, kind, hz):
        return self.cpprof(milliseconds, kind, hz, CPPROF_DISABLE="perf")

    def gperftools(self, milliseconds, kind, hz):
        profile = self.file("gperftools.prof")
        environment = dict(preloaded(gperftools_library()), CPUPROFILE=profile, CPUPROFILE_FREQUENCY=str(hz))
        return self.read(profile, run([self.split, "shares", str(milliseconds), kind], environment))

    def perf(self, milliseconds, kind, hz):
        data = self.file("perf.data")
        output = run(["perf", "record", "-q", "-e", "cpu-clock", "-F", str(hz), "-o", data, self.split, "shares", str(milliseconds), kind],
                     preloaded(None))
        lines = [line.split() for line in run(["perf", "script", "-i", data, "-F", "ip,sym"], preloaded(None)).splitlines() if line.strip()]
        counts = collections.Counter(fields[1] for fields in lines if len(fields) > 1)
        weights = [counts[name] for name in FUNCTIONS]
        truth, cpu = truth_of(output)
        return Run(truth, cpu, weights, sum(weights), len(lines), sum(int(fields[0], 16) >= 1 << 63 for fields in lines))

    def go(self, milliseconds, kind, hz):
        go, program, profile = oracle.find_go(), os.path.join(tools.BUILD, "split-go"), self.file("go.pb.gz")
        if not go:
            raise Skip("Go is not installed")
        source = os.path.join(tools.HERE, "split.go")
        if not tools.newer(program, source):
            tools.run([go, "build", "-o", program, source])
        return self.read(profile, run([program, str(milliseconds), kind, str(hz), profile], preloaded(None)))

    def source(self):
        """What the last profile of ours was made from, as it says itself."""
        return run([self.tool, "-comments", self.file("cpprof.pb.gz")], preloaded(None))


def gperftools_library():
    found = sorted(glob.glob("/usr/lib/*/libprofiler.so.0") + glob.glob("/usr/lib*/libprofiler.so.0") + glob.glob("/usr/local/lib/libprofiler.so.0"))
    if not found:
        raise Skip("gperftools is not installed")
    return found[0]


def say_gone(report, gone):
    """What could not be run: of the others it is said, of ours it is a failure."""
    for name, reason in gone.items():
        failed = name not in PEERS and not isinstance(reason, Skip)
        report.failed += failed
        report.line(name, "%s: %s" % ("FAILED" if failed else "skipped", reason))


# --- is it true -----------------------------------------------------------------------------------------------------------

def pooled(runs):
    """(chi-square of all runs, its degrees of freedom)"""
    return sum(stats.chi_square(one.weights, one.truth, one.count) for one in runs), (len(FUNCTIONS) - 1) * len(runs)


def off_by(runs):
    """How far the shares are off over all runs, in points."""
    weights = [sum(one.weights[i] for one in runs) for i in range(len(FUNCTIONS))]
    truth = [sum(one.truth[i] for one in runs) for i in range(len(FUNCTIONS))]
    return [100 * weight / max(sum(weights), 1) - 100 * part / sum(truth) for weight, part in zip(weights, truth)]


def judge_shares(report, name, runs, judged):
    chi, freedom = pooled(runs)
    limit = stats.chi_square_point(freedom)
    found = sum(one.all for one in runs)
    text = "chi-square %.1f of %d, n %d; shares off by %s points; %.0f samples per CPU second" % (
        chi, freedom, sum(one.count for one in runs), " ".join("%+.1f" % points for points in off_by(runs)),
        found / (sum(one.cpu for one in runs) / 1e9))
    if judged:
        report.line(name, text, "<= %.1f" % limit, chi <= limit)
    else:
        report.line(name, text + (" (99 %% point %.1f%s)" % (limit, ", exceeded" if chi > limit else "")))


def judge_asked(report, bench, runs, beside):
    """The samples at the highest rate. What we report as [kernel] is the rest of the threads' clocks, so how much that
    should be is said beside it: perf record samples the kernel too, where it may."""
    asked = sum(one.cpu for one in runs) / 1e9 * RATES[-1]
    share, kernel = (100 * sum(getattr(one, what) for one in runs) / asked for what in ("all", "kernel"))
    text = "%.1f %%, %.1f of them [kernel]" % (share, kernel)
    if beside:
        text += "; of perf record's, %.1f %% are in the kernel" % (100 * sum(one.kernel for one in beside) / max(1, sum(one.all for one in beside)))
    permitted = "perf_event cpu-clock" in bench.source()
    report.line("cpprof: samples of those asked at %d Hz" % RATES[-1], text + ("" if permitted else "; perf_event is not permitted here"),
                ">= %d %%" % ASKED_SHARE if permitted else None, share >= ASKED_SHARE if permitted else None)


def job_split(options, report):
    """shares of 50, 30 and 20 % in two threads, profiled by four"""
    count, milliseconds = (options.rounds, 1000) if options.quick else (options.rounds * 4, options.milliseconds)
    runs, gone = collections.defaultdict(list), {}
    with tempfile.TemporaryDirectory(prefix="cpprof-bench-") as directory:
        bench = Bench(options, directory)
        profilers = {"cpprof": bench.cpprof, "cpprof by timers": bench.timers, "gperftools": bench.gperftools, "perf record": bench.perf, "Go": bench.go}
        for _ in range(count):
            for kind in KINDS:
                for hz in RATES:
                    for name, profile in profilers.items():
                        if name in gone or (name == "cpprof by timers" and hz != RATES[-1]):
                            continue
                        try:
                            runs[name, kind, hz].append(profile(milliseconds, kind, hz))
                        except (Skip, tools.Failure) as reason:
                            gone[name] = reason
        for kind in KINDS:
            for hz in RATES:
                for name in profilers:
                    if runs[name, kind, hz] and name not in gone:
                        judge_shares(report, "%s, %s, %d Hz" % (name, kind, hz), runs[name, kind, hz], name == "cpprof")
        if "cpprof" not in gone:
            bench.cpprof(milliseconds, KINDS[0], RATES[-1])
            judge_asked(report, bench, *([one for kind in KINDS for one in runs[name, kind, RATES[-1]]] for name in ("cpprof", "perf record")))
    say_gone(report, gone)


# --- what does it cost ----------------------------------------------------------------------------------------------------

def phases(output):
    """([(with, without)], nanoseconds that the end of a profile takes)"""
    pairs = [(float(on), float(off)) for on, off in re.findall(r"^pair (\S+) (\S+)$", output, re.M)]
    return pairs, int(re.search(r"^end (\d+)$", output, re.M)[1])


def cost_of_perf(bench, words, hz):
    """Under perf record, which begins switched off and is told by pipes when to sample."""
    pipes = [bench.file(name) for name in ("perf-control", "perf-answers")]
    for pipe in pipes:
        if not os.path.exists(pipe):
            os.mkfifo(pipe)
    return run(["perf", "record", "-q", "-e", "cpu-clock", "-F", str(hz), "-D", "-1", "--control", "fifo:%s,%s" % tuple(pipes), "-o", bench.file("perf.data"),
                *words, str(hz), *pipes], preloaded(None))


def job_cost(options, report):
    """CPU time for a unit of work, phases with a profile and without in turns"""
    turns, pairs, milliseconds = (options.rounds, 3, 200) if options.quick else (options.rounds, 6, 400)
    found, ends, gone = collections.defaultdict(list), collections.defaultdict(list), {}
    with tempfile.TemporaryDirectory(prefix="cpprof-bench-") as directory:
        bench = Bench(options, directory)

        def words(profiler, *more):
            return [bench.split, "cost", str(milliseconds), str(pairs), profiler, *more]

        ways = {("plain", 0): lambda: run(words("nothing"), preloaded(None)), ("loaded", 0): lambda: run(words("nothing"), preloaded(options.library))}
        for hz in RATES:
            ways["cpprof", hz] = lambda hz=hz: run(words("cpprof", str(hz)), preloaded(options.library))
            ways["gperftools", hz] = lambda hz=hz: run(words("gperftools"), dict(preloaded(gperftools_library()), CPUPROFILE_FREQUENCY=str(hz)))
            ways["perf record", hz] = lambda hz=hz: cost_of_perf(bench, words("perf"), hz)
        for _ in range(turns):
            for way, measured in ways.items():
                if way[0] in gone:
                    continue
                try:
                    one, end = phases(measured())
                except (Skip, tools.Failure) as reason:
                    gone[way[0]] = reason
                    continue
                found[way].append(one)
                ends[way].append(end)
    more = {way: [100 * (on / off - 1) for one in found[way] for on, off in one] for way in ways}
    report.interval("the same phases without any profiler", more["plain", 0], "%+.2f %%")
    between = [100 * (statistics.median(a for pair in loaded for a in pair) / statistics.median(a for pair in plain for a in pair) - 1)
               for loaded, plain in zip(found["loaded", 0], found["plain", 0])]
    if between:
        report.interval("cpprof loaded, no profile, to plain", between, "%+.2f %%")
    for way in ways:
        name, hz = way
        if hz and name not in gone:
            report.interval("%s, %d Hz, to no profile" % way, more[way], "%+.2f %%", COST_LIMITS[hz] if name == "cpprof" else None)
    if ends["cpprof", RATES[-1]]:
        report.line("cpprof: end of a profile, %d Hz" % RATES[-1], "%.1f ms of CPU time" % (statistics.median(ends["cpprof", RATES[-1]]) / 1e6))
    say_gone(report, gone)


JOBS = {"cpu split": job_split, "cpu cost": job_cost}
