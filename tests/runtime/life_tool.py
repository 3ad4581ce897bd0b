"""`cpprof run`, `cpprof ps` and the sources pid: and name:, with the program and the library just built.

Each function below is a case; its docstring is its name.
"""

import os
import re
import shutil
import socket
import stat
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import life_bed as beds  # noqa: E402
from life_bed import Skipped, require, serves, wait_until  # noqa: E402

CASES = []
LINE = re.compile(r"cpprof: pid (\d+) serves http://([^/]*)/debug/pprof/ \(also: cpprof pid:(\d+)/heap\)$")


def case(function):
    CASES.append(function)
    return function


def tool(bed, *arguments, **environment):
    return subprocess.run([bed.tool, *arguments], env=bed.environment(False, **environment), cwd=bed.directory, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False, timeout=beds.PATIENCE)


def run(bed, *arguments, **environment):
    return bed.start(bed.tool, "run", *arguments, preload=False, **environment)


def fails(bed, status, pattern, *arguments, **environment):
    """One line, and that status."""
    answer = tool(bed, *arguments, **environment)
    require(answer.returncode == status and not answer.stdout, "%r: status %d, %r" % (arguments, answer.returncode, answer.stdout))
    lines = [line for line in answer.stderr.splitlines() if not line.startswith("cpprof: failed to fetch any source")]
    require(len(lines) == 1 and re.search(pattern, lines[0]), "%r said %r" % (arguments, answer.stderr))


def listed(bed):
    """{pid: fields} as `cpprof ps` has them."""
    answer = tool(bed, "ps")
    lines = answer.stdout.splitlines()
    require(not lines or lines[0].split() == ["PID", "NAME", "AGE", "RSS", "THREADS", "ADDRESS"], lines)
    return {int(line.split()[0]): line.split()[1:] for line in lines[1:]}


@case
def runs(bed):
    """run: one line, the same process, served at once at the address that the line says"""
    program = run(bed, "--", bed.program, "single")
    program.ready()
    line = program.stderr().rstrip("\n")
    matched = LINE.match(line)
    require(matched and int(matched[1]) == int(matched[3]) == program.pid, line)
    host, port = matched[2].split(":")
    require(serves((host, int(port))) and serves(program.pid), "no answer")
    require(beds.who_listens((host, int(port))) == program.pid, "another process has that address")
    require(program.end()[0] == "single 1", program.lines)


@case
def serves_at_once(bed):
    """run: a program that never waits is served, too"""
    program = run(bed, bed.program, "files")
    program.await_line("spinning")
    require(serves(program.pid), "no answer")
    program.end()


@case
def addresses(bed):
    """run -addr: a port, a free one, a socket's file, none; one that is taken"""
    for given, shown in (("127.0.0.1:%d" % beds.free_port(), None), (":0", "127.0.0.1:"), ("localhost:0", "127.0.0.1:")):
        program = run(bed, "-addr", given, "--", bed.program, "single").ready()
        address = LINE.match(program.stderr().rstrip("\n"))[2]
        require(address == given if shown is None else address.startswith(shown) and not address.endswith(":0"), address)
        require(serves((address.split(":")[0], int(address.split(":")[1]))), "no answer at " + address)
        program.end()
    path = os.path.join(bed.directory, "s")
    program = run(bed, "-addr=unix:" + path, bed.program, "single").ready()
    require(serves(path), "no answer at " + path)
    program.end()
    program = run(bed, "-addr=off", bed.program, "single").ready()
    require(serves(program.pid) and "local socket" in program.stderr(), program.stderr())
    program.end()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        fails(bed, 2, r"^cpprof: -addr 127\.0\.0\.1:\d+: address already in use$", "run", "-addr", "127.0.0.1:%d" % taken.getsockname()[1], "true")


@case
def next_port(bed):
    """run twice: the second gets another port"""
    first = run(bed, bed.program, "single").ready()
    second = run(bed, bed.program, "single").ready()
    one, two = (LINE.match(program.stderr().rstrip("\n"))[2] for program in (first, second))
    require(one != two, "both at " + one)
    first.end()
    second.end()


@case
def transparent(bed):
    """run: arguments, exit status, death by a signal and signal dispositions are the program's"""
    answer = tool(bed, "run", "--", "sh", "-c", 'echo "$0 $1"; exit 7', "a b", "-x")
    require(answer.returncode == 7 and answer.stdout == "a b -x\n", answer)
    answer = tool(bed, "run", "sh", "-c", "kill -9 $$")
    require(answer.returncode == -9, answer)
    answer = tool(bed, "run", "sh", "-c", "grep SigIgn /proc/self/status")
    plain = subprocess.run(["sh", "-c", "grep SigIgn /proc/self/status"], capture_output=True, text=True, check=False)
    require(answer.stdout == plain.stdout, "%r, without us %r" % (answer.stdout, plain.stdout))


@case
def scripts(bed):
    """run: scripts, with and without an interpreter's line"""
    for head in ("#!/bin/sh\n", "#! /usr/bin/env sh\n", ""):
        path = os.path.join(bed.directory, "script")
        with open(path, "w", encoding="ascii") as script:
            script.write(head + "echo $1\n")
        os.chmod(path, 0o755)
        answer = tool(bed, "run", "./script", "word")
        require(answer.returncode == 0 and answer.stdout == "word\n", (head, answer))


@case
def refuses(bed):
    """run: what cannot be executed or preloaded, each with its status and a line"""
    fails(bed, 127, r"^cpprof: no-such-program: not found in PATH$", "run", "no-such-program")
    fails(bed, 127, r"^cpprof: \./none: no such file or directory$", "run", "./none")
    fails(bed, 126, r"^cpprof: /etc/passwd: permission denied$", "run", "/etc/passwd")
    fails(bed, 126, r"is a directory$", "run", "/")
    fails(bed, 2, r"^cpprof: which program\?", "run")
    fails(bed, 2, r"flag provided but not defined: -nonsense$", "run", "-nonsense", "true")
    fails(bed, 2, r"is no address", "run", "-addr", "nonsense", "true")
    fails(bed, 2, r"^cpprof: CPPROF_LIBRARY=/none: no such file", "run", "true", CPPROF_LIBRARY="/none")
    linker = os.path.join(bed.directory, "static")
    shutil.copy(os.path.realpath("/lib64/ld-linux-x86-64.so.2"), linker)  # a program without an interpreter
    os.chmod(linker, 0o755)
    fails(bed, 2, r"is statically linked", "run", linker)


@case
def refuses_setuid(bed):
    """run: a setuid program of somebody else's"""
    if os.geteuid() != 0:
        raise Skipped("needs root")
    path = os.path.join(bed.directory, "setuid")
    shutil.copy("/bin/true", path)
    os.chown(path, 65534, 65534)
    os.chmod(path, 0o755 | stat.S_ISUID)
    fails(bed, 2, r"runs with another user's rights", "run", path)


@case
def lists(bed):
    """ps: who, since when, how large, how many threads, where"""
    first = run(bed, "-addr", "127.0.0.1:0", bed.program, "single").ready()
    second = bed.way("fork").ready()
    waiting = second.value("waiting")
    wait_until(lambda: serves(second.pid) and serves(waiting), "for the answers")
    rows = listed(bed)
    require({first.pid, second.pid, waiting} <= set(rows), rows)
    name, age, size, threads, address = rows[first.pid]
    require(name == "life_program" and re.fullmatch(r"\d+s|\d+m\d\ds", age) and re.fullmatch(r"\d+\.\dMB", size), rows[first.pid])
    require(threads == "1" and address == LINE.match(first.stderr().rstrip("\n"))[2], rows[first.pid])
    require(rows[waiting][4] == "-", rows[waiting])
    first.end()
    second.end()
    require(not {first.pid, second.pid, waiting} & set(listed(bed)), "they have ended")


@case
def sources(bed):
    """pid: and name: reach the process; the errors say what to do"""
    program = bed.way("single").ready()
    wait_until(lambda: serves(program.pid), "for an answer")
    for source in ("pid:%d/threadcreate" % program.pid, "pid:%d/debug/pprof/threadcreate" % program.pid, "name:life_program/threadcreate"):
        answer = tool(bed, "-raw", "-symbolize=none", source)
        require(answer.returncode == 0 and "threadcreate" in answer.stdout, (source, answer))
        require("Fetching profile over HTTP from pid:%d/" % program.pid in answer.stderr and "Saved profile in " in answer.stderr, answer.stderr)
    fails(bed, 2, r"^pid:%d/heap: .* does not carry libcpprof: start it by `cpprof run" % os.getpid(), "-top", "pid:%d/heap" % os.getpid())
    fails(bed, 2, r"^pid:2000000000/heap: there is no such process", "-top", "pid:2000000000/heap")
    fails(bed, 2, r"^pid:x/heap: this is no process id", "-top", "pid:x/heap")
    fails(bed, 2, r"^name:nobody-has-it/heap: no process of that name", "-top", "name:nobody-has-it/heap")
    program.end()


@case
def namespaces(bed):
    """ps and pid: go by our numbers where processes of other pid namespaces have the same one"""
    words = ["unshare", "--pid", "--fork", "--kill-child"]
    if not shutil.which("unshare") or subprocess.run(words + ["true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        raise Skipped("no pid namespace can be made")
    insides = [bed.start(*words, "env", "LD_PRELOAD=" + bed.library, bed.program, "single", preload=False).ready() for _ in range(2)]

    def inside_pids():
        answers = [subprocess.run(["ps", "-o", "pid=", "--ppid", str(one.pid)], capture_output=True, text=True, check=False) for one in insides]
        return [int(answer.stdout) for answer in answers if answer.stdout.strip()]

    pids = inside_pids()
    wait_until(lambda: set(pids) <= set(listed(bed)), "for both in the list")
    for pid in pids:
        require(listed(bed)[pid][0] == "life_program", listed(bed))
        answer = tool(bed, "-raw", "-symbolize=none", "pid:%d/threadcreate" % pid)
        require(answer.returncode == 0, answer)
    for one in insides:
        one.end()


@case
def several(bed):
    """name: adds up the processes of that name, as sources and as the base"""
    program = bed.way("fork").ready()
    waiting = program.value("waiting")
    wait_until(lambda: serves(program.pid) and serves(waiting), "for the answers")
    answer = tool(bed, "-top", "-symbolize=none", "name:life_program/goroutine")
    fetched = [line for line in answer.stderr.splitlines() if line.startswith("Fetching profile")]
    require(answer.returncode == 0 and len(fetched) >= 2, answer)
    answer = tool(bed, "-top", "-symbolize=none", "-base", "name:life_program/goroutine", "name:life_program/goroutine")
    require(answer.returncode == 0, answer)
    program.end()


@case
def help_texts(bed):
    """run -help, ps -help, ps with arguments"""
    for verb in ("run", "ps"):
        answer = tool(bed, verb, "-help")
        require(answer.returncode == 0 and ("usage: cpprof " + verb) in answer.stderr, answer)
    fails(bed, 2, r"^cpprof: ps takes no arguments$", "ps", "x")


if __name__ == "__main__":
    sys.exit(beds.run_cases(CASES))
