"""How fast cpprof is beside the reference and beside the bare limit (pbwalk.c), and whether that is what it should be.

Each job runs reference, cpprof, pbwalk in turn, round by round, so that a slow minute of the machine hits all of them.
Times are medians; the ratio is the median of the rounds' ratios. The first round is not counted: it warms up, and both
outputs of it are compared. README.md beside this says how to read the table.
"""

import argparse
import collections
import filecmp
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

import tools

sys.path.insert(0, os.path.join(tools.TOP, "tests", "differential"))
import oracle  # noqa: E402

SMALL = os.path.join(tools.TOP, "examples", "leaky-go", "profiles", "pprof.leak.goroutine.001.pb.gz")
MIB = 1 << 20
GIB = 1 << 30
GROWTH_ALLOWED = 1.1  # differences below are noise

# What is asked for: at least `ratio` times as fast as the reference, at most `limit` times as slow as pbwalk, at most
# `rss` of the reference's memory, at most `ms` in all.
Goals = collections.namedtuple("Goals", "ratio limit rss ms", defaults=(None,) * 4)

# `files` are names of generated data, or paths. `once`: the reference takes so long that one round must do, and it is
# left out by --quick. `memory`: what the reference takes.
Job = collections.namedtuple("Job", "name arguments files goals once memory rounds_factor no_path",
                             defaults=(Goals(), False, 0, 1, False))

JOBS = [
    Job("small -top", ["-top"], [SMALL], Goals(ms=10), rounds_factor=4),
    Job("small -top, PATH empty", ["-top"], [SMALL], Goals(ms=10), rounds_factor=4, no_path=True),
    Job("10k -top", ["-top"], ["10k"], rounds_factor=2),
    Job("100k -top", ["-top"], ["100k"], Goals(ratio=20, limit=2, rss=1 / 4)),
    Job("100k -tree", ["-tree"], ["100k"], Goals(ratio=12)),
    Job("100k -peek", ["-peek", "node_yield|read_request"], ["100k"], Goals(ratio=12)),
    Job("100k -traces", ["-traces"], ["100k"], Goals(ratio=8)),
    Job("100k -raw", ["-raw"], ["100k"], Goals(ratio=8)),
    Job("100k -diff_base -top", ["-top", "-diff_base", "100k-base"], ["100k"], Goals(ratio=20)),
    Job("1M -top", ["-top"], ["1M"], Goals(ratio=20, rss=1 / 4), once=True, memory=2 * GIB),
    Job("1M labels -top", ["-top"], ["1M-labels"], Goals(ratio=80, rss=1 / 15), once=True, memory=10 * GIB),
]

# Time per sample: the same program running longer, and a program that is larger as well.
GROWTH = [
    ("one program, 2,000 functions", [("10k", 10000), ("100k-2k-functions", 100000), ("1M-2k-functions", 1000000)]),
    ("2,000, 20,000, 100,000 functions", [("10k", 10000), ("100k", 100000), ("1M", 1000000)]),
]
GROWTH_SIZES = ["10k", "100k", "1M"]

# What is looked at beside the jobs, as --job names it.
TIME_PER_SAMPLE = "time per sample"
HELPER_PROGRAMS = "helper programs"


# --- one job ---------------------------------------------------------------------------------------------------------

class Result:
    """The costs of one job, per tool, one entry for each round."""

    def __init__(self, job):
        self.job = job
        self.costs = collections.defaultdict(list)
        self.differs = False

    def milliseconds(self, tool):
        return statistics.median(cost.wall for cost in self.costs[tool]) * 1000 if self.costs[tool] else None

    def rss(self, tool):
        return statistics.median(cost.rss for cost in self.costs[tool]) if self.costs[tool] else None

    def ratio(self, tool, other):
        """How many times as long the one takes."""
        pairs = list(zip(self.costs[tool], self.costs[other]))
        return statistics.median(one.wall / two.wall for one, two in pairs) if pairs else None

    def cpu_ratio(self, tool, other):
        """The same by processor time, of all threads: what is left of the ratio on a busy machine."""
        pairs = list(zip(self.costs[tool], self.costs[other]))
        return statistics.median((one.user + one.system) / max(two.user + two.system, 1e-6) for one, two in pairs) if pairs else None

    def rss_ratio(self):
        return self.rss("cpprof") / self.rss("reference") if self.costs["reference"] else None

    def verdicts(self):
        """(what was asked for, whether it is so) of each goal that could be judged."""
        goals, speed, of_limit, rss = self.job.goals, self.ratio("reference", "cpprof"), self.ratio("cpprof", "pbwalk"), self.rss_ratio()
        if goals.ratio and speed:
            yield ">= %dx" % goals.ratio, speed >= goals.ratio
        if goals.limit and of_limit:
            yield "<= %dx limit" % goals.limit, of_limit <= goals.limit
        if goals.rss and rss:
            yield "RSS <= 1/%d" % round(1 / goals.rss), rss <= goals.rss
        if goals.ms:
            yield "<= %d ms" % goals.ms, self.milliseconds("cpprof") <= goals.ms


def file_of(name):
    return tools.data(name) if name in tools.DATA else name


def commands_of(job, reference, ours):
    arguments = [file_of(argument) for argument in job.arguments + job.files]
    commands = {"reference": [reference, *arguments]} if reference else {}
    commands["cpprof"] = [ours, *arguments]
    if job.arguments == ["-top"]:
        commands["pbwalk"] = [tools.program("pbwalk"), "top", *map(file_of, job.files)]
    return commands


def run_job(job, rounds, reference, ours, directory):
    result, commands = Result(job), commands_of(job, reference, ours)
    path = os.path.join(directory, "no-programs") if job.no_path else None
    outputs = {tool: os.path.join(directory, tool) for tool in commands}
    counted = 1 if job.once else rounds * job.rounds_factor
    for tool, command in commands.items():
        cost = tools.measure(command, outputs[tool], path)
        if job.once:
            result.costs[tool].append(cost)
    result.differs = bool(reference) and not filecmp.cmp(outputs["reference"], outputs["cpprof"], shallow=False)
    for tool, output in outputs.items():
        if result.differs and tool != "pbwalk":
            shutil.move(output, os.path.join(tools.BUILD, "differs-" + tool))
        else:
            os.unlink(output)
    while len(result.costs["cpprof"]) < counted:
        for tool, command in commands.items():
            result.costs[tool].append(tools.measure(command, path=path))
    return result


# --- the table -------------------------------------------------------------------------------------------------------

COLUMNS = "%-24s%14s%12s%9s%9s%12s%10s%15s%12s%9s  %s"


def print_head():
    print(COLUMNS % ("job", "reference ms", "cpprof ms", "ratio", "CPU", "pbwalk ms", "x pbwalk", "reference MiB", "cpprof MiB", "RSS", "goals"))


def shown(form, value, scale=1):
    return "-" if value is None else form % (value * scale)


def print_result(result):
    verdicts = ["%s %s" % (goal, "ok" if met else "MISSED") for goal, met in result.verdicts()]
    if result.differs:
        verdicts.append("OUTPUTS DIFFER (build/bench/differs-*)")
    if result.job.once:
        verdicts.append("(1 round)")
    print(COLUMNS % (
        result.job.name, shown("%.1f", result.milliseconds("reference")), shown("%.1f", result.milliseconds("cpprof")),
        shown("%.1fx", result.ratio("reference", "cpprof")), shown("%.1fx", result.cpu_ratio("reference", "cpprof")),
        shown("%.1f", result.milliseconds("pbwalk")),
        shown("%.2f", result.ratio("cpprof", "pbwalk")), shown("%.1f", result.rss("reference"), 1 / MIB),
        shown("%.1f", result.rss("cpprof"), 1 / MIB), shown("%.3f", result.rss_ratio()), ", ".join(verdicts)), flush=True)


# --- time per sample -------------------------------------------------------------------------------------------------

def median_ns(command, path, rounds):
    return statistics.median(tools.measure([*command, path]).wall for _ in range(rounds)) * 1e9


def growth_verdict(numbers):
    worst = max(later / sooner for sooner, later in zip(numbers, numbers[1:]))
    return worst <= GROWTH_ALLOWED, "grows by at most %.2fx from one to the next" % worst


def measure_growth(ours, rounds):
    """Prints the table; True if the time per sample of one program does not grow.

    What a profile of next to no samples takes is subtracted: it would make the small ones look slow.
    """
    print("\n%-24s%25s%10s%10s" % (TIME_PER_SAMPLE + ", -top, ns", *GROWTH_SIZES))
    holds = True
    for title, sizes in GROWTH:
        for tool, command in (("cpprof", [ours, "-top"]), ("pbwalk", [tools.program("pbwalk"), "top"])):
            start = median_ns(command, SMALL, rounds * 4)
            numbers = [(median_ns(command, tools.data(name), rounds) - start) / samples for name, samples in sizes]
            met, words = growth_verdict(numbers)
            print("%-33s%6s%10.0f%10.0f%10.0f  %s" % (title, tool, *numbers, words), flush=True)
            if tool == "cpprof" and sizes is GROWTH[0][1]:
                holds = met
    print("goal: does not grow with the samples of one program: %s" % ("ok" if holds else "MISSED"))
    return holds


# --- helper programs -------------------------------------------------------------------------------------------------

def programs_started(command, directory):
    """The programs a command executes, itself first; None where strace is missing or may not trace."""
    strace = shutil.which("strace")
    if not strace:
        return None
    started = []
    with tempfile.TemporaryDirectory(dir=directory) as logs:  # one a process: in one file, lines of several would be cut up
        done = subprocess.run([strace, "-ff", "-qq", "-e", "trace=execve,execveat", "-o", os.path.join(logs, "log"), *command],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        for log in sorted(os.listdir(logs), key=lambda name: int(name.split(".")[1])):
            with open(os.path.join(logs, log), encoding="utf-8", errors="replace") as file:
                started += re.findall(r'^exec[a-z]+\((?:AT_FDCWD, )?"([^"]*)".* = 0$', file.read(), re.M)
    return started if done.returncode == 0 and started else None


def check_helpers(reference, ours, directory):
    """Prints what a small profile's -top starts; False if cpprof starts anything, None if that could not be seen."""
    print("\n%s started by -top of the small profile:" % HELPER_PROGRAMS)
    holds = None
    for name, tool in (("reference", reference), ("cpprof", ours)):
        if not tool:
            continue
        started = programs_started([tool, "-top", SMALL], directory)
        if started is None:
            why = "strace may not trace here, or the command failed" if shutil.which("strace") else "strace is not installed"
            print("  %-10s not checked: %s" % (name, why))
            continue
        helpers = [os.path.basename(path) for path in started[1:]]
        print("  %-10s %s" % (name, ", ".join(helpers) or "none"))
        if name == "cpprof":
            holds = not helpers
    print("goal: none: %s" % {True: "ok", False: "MISSED", None: "not checked"}[holds])
    return holds


# --- all of it -------------------------------------------------------------------------------------------------------

def parse_arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description="Benchmarks of cpprof beside the reference.")
    parser.add_argument("--quick", action="store_true", help="leave out the profiles of 1M samples")
    parser.add_argument("--job", action="append", default=[], metavar="TEXT", help="only what has this in its name (may be repeated)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds of each job (default 5; small profiles have more)")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a goal is missed")
    parser.add_argument("--list", action="store_true", help="list the jobs")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")

    def chosen(name):
        return not options.job or any(text in name for text in options.job)

    options.jobs = [job for job in JOBS if chosen(job.name) and not (options.quick and job.once)]
    options.growth = chosen(TIME_PER_SAMPLE) and not options.quick
    options.helpers = chosen(HELPER_PROGRAMS)
    if not options.jobs and not options.growth and not options.helpers:
        parser.error("no such job; --list lists them")
    return options


def prepare(options):
    """Compiles and generates what will be needed, so that nothing of it runs beside a measurement."""
    for name in ("measure", "generate", "pbwalk"):
        tools.program(name)
    for job in options.jobs:
        for name in job.arguments + job.files:
            file_of(name)
    if options.growth:
        for _, sizes in GROWTH:
            for name, _ in sizes:
                tools.data(name)


def run_jobs(options, reference, ours, directory):
    """Prints the table; the counts of missed goals and of failures."""
    missed = failed = 0
    if options.jobs:
        print()
        print_head()
    for job in options.jobs:
        if reference and tools.available_memory() < job.memory:
            print("%-24sskipped: the reference takes %d GiB of memory here, and there is less" % (job.name, job.memory // GIB))
            continue
        try:
            result = run_job(job, options.rounds, reference, ours, directory)
        except tools.Failure as failure:
            print("%-24sFAILED: %s" % (job.name, str(failure).replace("\n", ": ")), flush=True)
            failed += 1
            continue
        print_result(result)
        missed += sum(not met for _, met in result.verdicts())
        failed += result.differs
    return missed, failed


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse_arguments()
    if options.list:
        extras = [name for name, wanted in ((TIME_PER_SAMPLE, options.growth), (HELPER_PROGRAMS, options.helpers)) if wanted]
        print("\n".join([job.name for job in options.jobs] + extras))
        return 0
    ours = oracle.find_ours()
    if not ours or not os.access(ours, os.X_OK):
        print("cpprof is not built: ./dev build, or set CPPROF to its path", file=sys.stderr)
        return 1
    reference, why = oracle.find_reference()
    print("machine: %s" % tools.machine())
    if os.getloadavg()[0] > 0.5:
        print("it is not idle: ratios are less certain, and times mean little")
    print("cpprof: %s\nreference: %s" % (ours, reference or "none, so there are no ratios: " + why))
    with tempfile.TemporaryDirectory(prefix="cpprof-bench-") as directory:
        prepare(options)
        missed, failed = run_jobs(options, reference, ours, directory)
        if options.growth:
            missed += not measure_growth(ours, options.rounds)
        if options.helpers:
            missed += check_helpers(reference, ours, directory) is False
    print("\n%d goals missed, %d jobs failed%s; load average %.1f at the end" % (
        missed, failed, "" if reference else ", nothing compared", os.getloadavg()[0]))
    return 1 if failed or (missed and options.check) else 0


if __name__ == "__main__":
    sys.exit(main())
