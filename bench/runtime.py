"""What libcpprof costs the program that carries it, beside the same program without it and beside what else could be used, and
whether that is what it should be.

Rounds are interleaved and differences are medians of the rounds' differences, as in run.py. Each job prints its lines, with the
goal and whether it is met; what is missing here (a debugger, a program) is said, not failed. Programs are compiled into
build/bench, plain, without the library, which is preloaded.
"""

import argparse
import collections
import glob
import http.client
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

import runtime_cpu
import runtime_servers
import runtime_waits
import tools
from bed import PATIENCE, Report, Running, Skip, compiled, output_of, preloaded

MIB = 1 << 20
SOURCES = os.path.join(tools.TOP, "src")
# Of the runtime's parts that the unwinder lies in, what it does without.
NO_UNWINDERS = ("dump.c", "resume.c", "our_signal.c", "cpu_sample.c", "process.c", "threads.c", "stack_table.c", "contention.c", "ticks.c")


# --- start and end of a program -------------------------------------------------------------------------------------------

def job_exec(options, report):
    """exec of /bin/true"""
    env = shutil.which("env")
    words = {"plain": [env, "X=1", "/bin/true"], "cpprof": [env, "LD_PRELOAD=" + options.library, "/bin/true"]}
    costs = collections.defaultdict(list)
    for turn in range(options.rounds * 20 + 1):
        for name, command in words.items():
            cost = tools.measure(command)
            if turn:
                costs[name].append(cost)
    pairs = list(zip(costs["plain"], costs["cpprof"]))
    more_ms = statistics.median(ours.wall - plain.wall for plain, ours in pairs) * 1e3
    more_mib = statistics.median(ours.rss - plain.rss for plain, ours in pairs) / MIB
    plain_ms, ours_ms = (statistics.median(cost.wall for cost in costs[name]) * 1e3 for name in ("plain", "cpprof"))
    report.line("time", "plain %.2f ms, preloaded %.2f ms, %+.2f ms" % (plain_ms, ours_ms, more_ms), "<= +2 ms", more_ms <= 2)
    report.line("largest resident set", "%+.2f MiB" % more_mib, "<= +1.5 MiB", more_mib <= 1.5)


# --- calls --------------------------------------------------------------------------------------------------------------

def job_malloc(options, report):
    """malloc + free, a tight pair"""
    pair, noop = compiled("malloc_pair.c"), compiled("noop_malloc.c", "-shared", "-fPIC", output="noop_malloc.so")
    text = output_of([pair, noop, options.library, str(options.rounds * 3)], preloaded(None))
    for line in text.splitlines():
        row = re.match(r"  (\S.*?)\s+([\d.]+) \(\s*[\d.]+\)\s+([-+][\d.]+) over doing nothing, ([-+][\d.]+) over plain$", line)
        if row:
            judged = row[1] == "libcpprof"
            report.line(row[1], "%s ns, %s ns over hooks that do nothing, %s ns over plain" % row.groups()[1:], "<= +1.5 ns over doing nothing"
                        if judged else None, float(row[3]) <= 1.5 if judged else None)


def job_calls(options, report):
    """calls that can wait, when they need not; and what a second thread would make dearer"""
    programs = [compiled("calls.c")]
    try:
        programs.append(compiled("shared_ptr.cpp"))
    except Skip as reason:
        report.line("shared_ptr", "skipped: %s" % reason)
    ways = {"plain": ((), None), "preloaded": ((), options.library), "plain with a thread": (("threaded",), None)}
    numbers = collections.defaultdict(lambda: collections.defaultdict(list))
    for _ in range(options.rounds):
        for way, (words, library) in ways.items():
            for program in programs:
                for line in output_of([program, *words], preloaded(library)).splitlines():
                    name, ns = line.split("\t")
                    numbers[name][way].append(float(ns))
    for name, by_way in numbers.items():
        plain = by_way["plain"]
        text = "plain %.1f ns" % statistics.median(plain)
        for way in list(ways)[1:]:
            more = statistics.median(one - other for one, other in zip(by_way[way], plain))
            text += ", %s %+.1f ns" % (way, more)
        report.line(name, text)


# --- the unwinder ---------------------------------------------------------------------------------------------------------

def unwinder(name, *options, output=None):
    """A program of this directory with the unwinder compiled into it."""
    runtime = os.path.join(SOURCES, "runtime")
    sources = sorted(glob.glob(os.path.join(runtime, "signal", "*.c")) + glob.glob(os.path.join(runtime, "shared", "*.c")))
    sources = [path for path in sources if os.path.basename(path) not in NO_UNWINDERS]
    below = [os.path.join(SOURCES, "base", part + ".c") for part in ("buffer", "arena", "str", "strtab", "status")]
    return compiled(name, "-std=gnu11", "-D_GNU_SOURCE", "-fomit-frame-pointer", "-fno-stack-protector", "-fexceptions", "-w", "-I" + SOURCES,
                    "-I" + os.path.join(tools.TOP, "include"), *options, "-l:libdeflate.a", output=output, sources=sources + below)


def job_sampled(options, report):
    """stacks of real programs, taken at any instruction"""
    library = unwinder("unwind_sampled.c", "-shared", "-fPIC", "-fvisibility=hidden", "-ftls-model=initial-exec", output="unwind_sampled.so")
    result, source, data = (os.path.join(tools.BUILD, name) for name in ("sampled.txt", "sampled.c", "sampled.data"))
    with open(source, "w", encoding="utf-8") as file:
        for i in range(600):
            file.write("int f%d(int *a, int n) { int r = %d; for (int i = 0; i < n; i++) { r += a[i] * %d; for (int j = 0; j < i; j++) a[j] += r >> (j & 3);"
                       " switch (r & 7) { case 1: r -= a[0]; break; case 3: r ^= n; break; default: r *= 3; } } return r; }\n" % (i, i, i + 3))
    with open(data, "wb") as file:
        file.write(b"".join(b"%d %d\n" % (i, i * i % 1000003) for i in range(1500000)))
    python = "import json\nfor i in range(40): json.loads(json.dumps([{'a': j, 'b': str(j) * 3} for j in range(20000)]))"
    for words, limit_us in ((["gzip", "-c", data], 1), (["python3", "-c", python], 1), (["clang", "-O2", "-fintegrated-cc1", "-c", "-o", os.devnull, source], 8)):
        path = shutil.which(words[0], path="/usr/bin:/bin")
        if not path:
            report.line(words[0], "not here")
            continue
        open(result, "w", encoding="utf-8").close()
        subprocess.run([path, *words[1:]], env={"PATH": "/usr/bin:/bin", "LD_PRELOAD": library, "UNWIND_SAMPLED": result}, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)
        with open(result, encoding="utf-8") as file:
            lines = file.read().split("\n")
        if not lines[0]:
            raise tools.Failure("%s was not sampled" % words[0])
        _, samples, complete, frames, median, late = lines[0].split()
        report.line(words[0], "median %.1f us, 99th percentile %.0f us; %s samples of %s frames" % (int(median) / 1e3, int(late) / 1e3, samples, frames),
                    "<= %d us" % limit_us, int(median) <= limit_us * 1000)
        report.line("", "complete stacks %s %%" % complete, ">= 99.9 %", float(complete) >= 99.9)


def job_unwind(options, report):
    """a stack of 30 frames, without frame pointers"""
    program = unwinder("unwind.c")
    times = collections.defaultdict(list)
    for _ in range(options.rounds):
        for line in output_of([program, "30"], preloaded(None)).splitlines():
            name, frames, ns = line.split()
            times[name].append((float(ns), int(frames)))
    for name, found in times.items():
        ns, frames = statistics.median(ns for ns, _ in found), found[0][1]
        judged = name == "cpprof"
        report.line(name, "%.0f ns for %d frames, %.1f ns a frame" % (ns, frames, ns / frames), "<= 250 ns for 30" if judged else None,
                    ns * 30 / frames <= 250 if judged else None)


def executable_bytes(pid):
    """Of all that is mapped to be executed from files."""
    total = 0
    with open("/proc/%d/maps" % pid, encoding="utf-8") as maps:
        for line in maps:
            fields = line.split()
            if len(fields) > 5 and "x" in fields[1] and fields[5].startswith("/"):
                low, high = (int(address, 16) for address in fields[0].split("-"))
                total += high - low
    return total


def index_fact(running, name):
    found = re.search(r"<td>%s</td><td>([^<]*)</td>" % re.escape(name), running.get("")[1].decode())
    if not found:
        raise tools.Failure("the index page does not tell: %s" % name)
    return found[1]


def size_of(text):
    number, unit = text.split()
    return float(number) * {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]


def job_tables(options, report):
    """memory for unwinding, in programs with much code"""
    programs = {"python3": ["/usr/bin/python3", "-c", "import json, ssl, sqlite3, sys, time; print('ready', flush=True); time.sleep(0.01); sys.stdin.read()"],
                "node": [shutil.which("node") or "node", "-e", "console.log('ready'); process.stdin.resume()"]}
    for name, words in programs.items():
        if not os.access(words[0], os.X_OK):
            report.line(name, "skipped: not installed")
            continue
        with Running(words, options.library, CPPROF_HEAP_RATE="16384") as running:
            running.get("goroutine")
            code, tables = executable_bytes(running.process.pid), size_of(index_fact(running, "of it for unwinding"))
            report.line(name, "%.2f MB for %.1f MB of code; all of our memory: %s mapped" % (tables / 1e6, code / 1e6, index_fact(running, "memory mapped")),
                        "<= 1 MB for 10 MB", tables <= max(code / 10, 1e6))


# --- dumps ----------------------------------------------------------------------------------------------------------------

def complete_stacks(text):
    """Threads whose stack reaches blocked_thread, of the text form."""
    groups = re.split(r"\n\n", text)
    return sum(int(group.split(" @ ")[0].rsplit("\n", 1)[-1]) for group in groups if " @ " in group and "\tblocked_thread+" in group)


def debuggers(pid):
    """What else dumps the stacks of a process: name and command."""
    gdb, eu_stack = shutil.which("gdb"), shutil.which("eu-stack")
    yield "gdb -batch", gdb and [gdb, "-nx", "-batch", "-ex", "set pagination off", "-ex", "thread apply all bt", "-p", str(pid)]
    yield "eu-stack", eu_stack and [eu_stack, "-p", str(pid)]


def dump_by_debuggers(report, pid, count):
    for name, words in debuggers(pid):
        if not words:
            report.line(name, "skipped: not installed")
            continue
        start = time.monotonic()
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            report.line(name, "more than %d s" % PATIENCE)
            continue
        seconds, found = time.monotonic() - start, done.stdout.count("blocked_thread")
        report.line(name, "%.0f ms, complete stacks %d, %.2f %%" % (seconds * 1e3, found, 100 * found / count) if found
                    else "skipped: it may not attach here (status %d)" % done.returncode)


def dump(options, report, count, limit_ms, program, beside=True):
    firsts, warm, body = [], [], b""
    starts = 1 if count > 1000 else options.rounds
    for turn in range(starts):
        with Running([program, str(count)], options.library) as running:
            firsts.append(running.get("goroutine")[0] * 1e3)
            warm += [running.get("goroutine")[0] * 1e3 for _ in range(options.rounds * 3)]
            body = running.get("goroutine?debug=1")[1].decode()
            if turn == 0 and beside:
                dump_by_debuggers(report, running.process.pid, count)
            work = index_fact(running, "longest piece of work, microseconds")
            hold = index_fact(running, "longest hold of a lock that malloc tries, microseconds")
    first, median, complete = statistics.median(firsts), statistics.median(warm), complete_stacks(body)
    report.line("by HTTP, the first", "%.1f ms" % first, "<= 200 ms", first <= 200)
    report.line("by HTTP, warm", "%.1f ms (%.1f to %.1f)" % (median, min(warm), max(warm)), "<= %d ms" % limit_ms, median <= limit_ms)
    report.line("complete stacks", "%d, %.2f %%" % (complete, 100 * complete / count), ">= 99 %", complete >= 0.99 * count)
    report.line("longest piece of work in the process", "%s us; longest hold of a lock that hooks try: %s us" % (work, hold))


def job_dump_1000(options, report):
    """goroutine of 1,000 blocked threads"""
    dump(options, report, 1000, 15, compiled("blocked.c", "-fomit-frame-pointer"))


def job_dump_frame_pointers(options, report):
    """goroutine of 1,000 blocked threads, built with frame pointers"""
    dump(options, report, 1000, 15, compiled("blocked.c", "-fno-omit-frame-pointer", output="blocked-fp"), beside=False)


def job_dump_10000(options, report):
    """goroutine of 10,000 blocked threads"""
    dump(options, report, 10000, 150, compiled("blocked.c", "-fomit-frame-pointer"))


def job_gaps(options, report):
    """gaps of a thread that watches the clock, 1,000 threads dumped once a second"""
    seconds = 2 * options.rounds
    results = {"idle": [], "dumped": []}
    with Running([compiled("blocked.c", "-fomit-frame-pointer"), "1000"], options.library) as running:
        running.get("goroutine")
        running.ask("")
        for _ in range(seconds):
            for way, found in results.items():
                running.ask("")
                if way == "dumped":
                    running.get("goroutine")
                time.sleep(1)
                found.append([int(number) for number in running.ask("").split()[1:]])
    idle, dumped = (statistics.median(percentile for percentile, _ in results[way]) / 1e3 for way in results)
    for way, found in results.items():
        report.line(way, "99.9th percentile %.3f ms, longest %.3f ms (median of %d seconds), %.3f ms (of all)" % (
            statistics.median(percentile for percentile, _ in found) / 1e3, statistics.median(longest for _, longest in found) / 1e3, seconds,
            max(longest for _, longest in found) / 1e3))
    report.line("difference of the percentiles", "%+.3f ms" % (dumped - idle), "<= +1 ms", dumped - idle <= 1)


JOBS = {"exec": job_exec, "malloc": job_malloc, "calls": job_calls, "unwind": job_unwind, "sampled": job_sampled, "tables": job_tables, "dump 1,000": job_dump_1000,
        "dump 1,000, frame pointers": job_dump_frame_pointers, "dump 10,000": job_dump_10000, "gaps": job_gaps,
        **runtime_cpu.JOBS, **runtime_waits.JOBS, **runtime_servers.JOBS}
LONG = ("dump 10,000",)


# --- all of it ------------------------------------------------------------------------------------------------------------

def parse_arguments():
    parser = argparse.ArgumentParser(description="What libcpprof costs the program that carries it.")
    parser.add_argument("--library", default=os.environ.get("CPPROF_LIBRARY", os.path.join(tools.TOP, "build", "lib", "libcpprof.so")),
                        help="libcpprof.so (default: of the release build)")
    parser.add_argument("--quick", action="store_true", help="shorter: fewer and shorter runs of the CPU profile and the servers, and not at all: %s" % ", ".join(LONG))
    parser.add_argument("--job", action="append", default=[], metavar="TEXT", help="only what has this in its name (may be repeated)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds of each job (default 5; short ones have more)")
    parser.add_argument("--milliseconds", type=int, default=2000, metavar="N", help="how long each run of \"cpu split\" is (default 2000)")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a goal is missed")
    parser.add_argument("--list", action="store_true", help="list the jobs")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    options.jobs = [name for name in JOBS if (not options.job or any(text in name for text in options.job)) and not (options.quick and name in LONG)]
    if not options.jobs:
        parser.error("no such job; --list lists them")
    options.library = os.path.realpath(options.library)
    return options


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse_arguments()
    if options.list:
        print("\n".join(options.jobs))
        return 0
    if not os.path.exists(options.library) or re.search(r"[\s:]", options.library):
        print("%s: not built (./dev build), or not a path that can be preloaded; say where the library is with --library" % options.library,
              file=sys.stderr)
        return 1
    print("machine: %s" % tools.machine())
    if os.getloadavg()[0] > 0.5:
        print("it is not idle: times mean little")
    report = Report()
    for name in options.jobs:
        report.head("%s: %s" % (name, JOBS[name].__doc__))
        try:
            JOBS[name](options, report)
        except Skip as reason:
            report.line("skipped", str(reason))
        except (tools.Failure, OSError, http.client.HTTPException, subprocess.SubprocessError) as failure:
            report.failed += 1
            report.line("FAILED", str(failure))
    print("\n%d goals missed, %d jobs failed; load average %.1f at the end" % (report.missed, report.failed, os.getloadavg()[0]))
    return 1 if report.failed or (report.missed and options.check) else 0


if __name__ == "__main__":
    sys.exit(main())
