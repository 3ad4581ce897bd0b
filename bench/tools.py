"""What the benchmarks work with: our programs compiled, the profiles generated, one command measured.

Everything lands in build/bench and is made again only when its source is newer. Not here: what is measured (run.py).
"""

import collections
import os
import signal
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.realpath(os.path.join(HERE, ".."))
BUILD = os.path.join(TOP, "build", "bench")
LIBRARIES = {"generate": ["-ldeflate", "-lm"], "pbwalk": ["-ldeflate"], "measure": []}

# Arguments of generate.c. The second profile of a program is what -diff_base compares the first with.
DATA = {
    "10k": ["--samples", "10000", "--functions", "2000"],
    "100k": ["--samples", "100000", "--functions", "20000"],
    "100k-base": ["--samples", "100000", "--functions", "20000", "--seed", "2"],
    "1M": ["--samples", "1000000", "--functions", "100000"],
    "1M-labels": ["--samples", "1000000", "--functions", "100000", "--labels"],
    "100k-2k-functions": ["--samples", "100000", "--functions", "2000"],
    "1M-2k-functions": ["--samples", "1000000", "--functions", "2000"],
}

Cost = collections.namedtuple("Cost", "wall user system rss")  # seconds, bytes


class Failure(Exception):
    """A command that did not do what it was to do."""


def newer(path, *sources):
    return os.path.exists(path) and all(os.path.getmtime(path) >= os.path.getmtime(source) for source in sources)


def run(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure("%s: exit status %d\n%s" % (" ".join(command), done.returncode, done.stderr.strip()))
    return done.stdout


def program(name):
    """The path of one of our helper programs, compiled if need be."""
    source, path = os.path.join(HERE, name + ".c"), os.path.join(BUILD, name)
    if not newer(path, source):
        os.makedirs(BUILD, exist_ok=True)
        run([os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-o", path, source, *LIBRARIES[name]])
    return path


def data(name):
    """The path of a generated profile."""
    path = os.path.join(BUILD, name + ".pb.gz")
    if not newer(path, os.path.join(HERE, "generate.c")):
        print("generating %s: %s" % (name, run([program("generate"), *DATA[name], "--output", path + ".new"]).strip()), flush=True)
        os.replace(path + ".new", path)
    return path


def measure(command, output="/dev/null", path=None):
    """The cost of a command whose standard output goes to `output`; `path` replaces $PATH."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PPROF_")}
    if path is not None:
        environment["PATH"] = path
    process = subprocess.Popen([program("measure"), output, *command], env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        answer, errors = process.communicate()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)  # the measured command too
        raise
    fields = answer.split()
    if process.returncode or fields[4] != "0":
        raise Failure("%s: exit status %s\n%s" % (" ".join(command), fields[4] if fields else process.returncode, errors.strip()))
    wall, user, system, rss = map(int, fields[:4])
    return Cost(wall / 1e9, user / 1e6, system / 1e6, rss * 1024)


def available_memory():
    """In bytes; 0 where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:")), 0)
    except OSError:
        return 0


def machine():
    model = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        pass
    return "%d x %s, load average %.1f" % (os.cpu_count() or 1, model or os.uname().machine, os.getloadavg()[0])
