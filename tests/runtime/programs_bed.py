"""What the tests of real programs stand on: one played three times, plain, under `cpprof run`, and there with programs_plant.c preloaded
beside the library; its output must be the same each time, and the processes that do the work must be found and profiled.

Not here: the programs and their load (programs.py).
"""

import argparse
import difflib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback

from life_bed import PATIENCE, Failed, Skipped, free_port, require, serves, wait_until

PLAIN, RUN, PLANTED = "plain", "under cpprof run", "under cpprof run, planted"
SAID_BY_RUN = re.compile(r"^cpprof: pid \d+ serves http://.*\n", re.M)
LEAKED_MB = 50  # what programs_plant.c loses


def need(*names):
    """The paths of these programs, without which the case is skipped; one path if one is asked for."""
    found = [shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") for name in names]
    for name, path in zip(names, found):
        if not path:
            raise Skipped("%s is not installed" % name)
    return found if len(found) > 1 else found[0]


def is_alive(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def children_of(pid):
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % name, encoding="utf-8", errors="replace") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[1]) == pid and fields[0] not in "ZX":
            found.append(int(name))
    return sorted(found)


def descendants_of(pid):
    found = []
    for child in children_of(pid):
        found += [child] + descendants_of(child)
    return found


class Process:
    """A program that was started; what it says is collected."""

    def __init__(self, words, environment, directory, user):
        self.words, self.said, self.said_wrong = words, [], []
        identity = {"user": user, "group": "nogroup" if user == "nobody" else user, "extra_groups": []} if user else {}
        self.process = subprocess.Popen(words, env=environment, cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        **identity)
        self.pid = self.process.pid
        self.readers = [threading.Thread(target=self.read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.said), (self.process.stderr, self.said_wrong))]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def read(stream, lines):
        for line in stream:
            lines.append(line.decode("utf-8", "replace"))

    def output(self):
        return "".join(self.said)

    def errors(self):
        """Without the line of `cpprof run`."""
        return SAID_BY_RUN.sub("", "".join(self.said_wrong))

    def await_line(self, line):
        wait_until(lambda: line + "\n" in self.said or self.process.poll() is not None, "for %r from %r" % (line, self.words))
        self.require_alive()

    def require_alive(self):
        require(self.process.poll() is None, "%r ended with status %s: %s%s" % (self.words, self.process.returncode, self.output(), self.errors()))

    def write(self, text):
        try:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            self.require_alive()

    def end(self):
        """Closes its input and waits: "status N" and what it said, on both outputs."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired as late:
            raise Failed("%r does not end: %s%s" % (self.words, self.output(), self.errors())) from late
        for reader in self.readers:
            reader.join(PATIENCE)
        return "status %d\n%s--\n%s" % (self.process.returncode, self.output(), self.errors())

    def clean(self):
        if self.process.poll() is None:
            for pid in descendants_of(self.pid):
                kill(pid)
            self.process.kill()
        self.process.wait()


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Asking:
    """Asks processes for all that they serve, again and again, until the end of the block; who does not answer yet, or any more, is
    left in peace."""

    PATHS = ("goroutine", "heap", "goroutine?debug=2", "", "threadcreate?debug=1", "heap?debug=1", "goroutine?debug=1")
    INTERVAL = 0.02

    def __init__(self, pids):
        self.pids, self.stopped = pids, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        if self.pids:
            self.thread.start()
        return self

    def __exit__(self, *unused):
        self.stopped.set()
        if self.pids:
            self.thread.join(PATIENCE)

    def run(self):
        turn = 0
        while not self.stopped.wait(self.INTERVAL):
            for pid in self.pids:
                ask(pid, "/debug/pprof/" + self.PATHS[turn % len(self.PATHS)])
            turn += 1


def ask(pid, path):
    """Reads the answer to its end, if there is one."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        try:
            client.connect("\0cpprof/%d" % pid)
            client.sendall(b"GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" % path.encode())
            while client.recv(65536):
                pass
        except (ConnectionError, FileNotFoundError):
            pass


class Way:
    """One of the three ways to start a program, with a directory of its own."""

    def __init__(self, bed, name):
        self.bed, self.name = bed, name
        self.directory = os.path.join(bed.directory, "way%d" % len(os.listdir(bed.directory)))
        os.mkdir(self.directory)
        os.chmod(self.directory, 0o777)
        self.address = None  # where the program was told to serve
        self.processes, self.strays = [], []

    def path(self, name):
        return os.path.join(self.directory, name)

    def start(self, *words, user=None):
        words = [str(word) for word in words]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.directory, "LANG": "C.UTF-8", "TZ": "UTC"}
        if self.name != PLAIN:
            self.address = ("127.0.0.1", free_port())
            words = [self.bed.tool, "run", "-addr", "%s:%d" % self.address, "--"] + words
        if self.name == PLANTED:
            environment["LD_PRELOAD"] = self.bed.plant
        process = Process(words, environment, self.directory, user)
        self.processes.append(process)
        return process

    def profiled(self, pid, name):
        """The process must be listed and profiled; and what was planted in it must be found."""
        if self.name == PLAIN:
            return
        wait_until(lambda: serves(pid) or not is_alive(pid), "for %s, pid %d, to be served" % (name, pid))
        require(is_alive(pid), "%s, pid %d, has ended" % (name, pid))
        rows = {int(row.split()[0]): row.split()[1] for row in self.bed.cpprof("ps").splitlines()[1:]}
        require(rows.get(pid) == name, "cpprof ps does not list pid %d as %s: %r" % (pid, name, rows))
        if self.name == RUN:
            threads = self.bed.cpprof("-traces", "pid:%d/goroutine" % pid)
            require(re.search(r"^\s+[1-9]\d*   \S", threads, re.M), "no thread of pid %d: %s" % (pid, threads))
            return
        wait_until(lambda: "planted_stuck" in self.bed.cpprof("-traces", "pid:%d/goroutine" % pid), "for the stuck thread of pid %d" % pid)
        threads = self.bed.cpprof("-traces", "pid:%d/goroutine" % pid)
        require(re.search(r"^\s+1   pthread_cond_wait\n\s+planted_stuck\n", threads, re.M), "the stuck thread of pid %d: %s" % (pid, threads))
        heap = self.bed.cpprof("-top", "-unit=MB", "-sample_index=inuse_space", "pid:%d/heap" % pid)
        # A child has what its parent had lost when it forked, and what was planted in itself.
        lost = re.search(r"^\s*(\d+)MB\s.*\splanted_leak$", heap, re.M)
        require(lost and int(lost[1]) >= LEAKED_MB and int(lost[1]) % 10 == 0, "the leak of pid %d (%s): %s" % (pid, name, heap))

    def asked(self, *pids):
        """While the block lasts, the processes are asked for profiles all the time."""
        return Asking(() if self.name == PLAIN else pids)

    def address_answers(self):
        if self.address:
            wait_until(lambda: serves(self.address), "for an answer at %s:%d" % self.address)

    def stray(self, pid):
        """A daemon: nobody's child any more, to be ended with the case."""
        self.strays.append(pid)
        return pid

    def clean(self):
        for pid in self.strays:
            for child in descendants_of(pid) if is_alive(pid) else ():
                kill(child)
            kill(pid)
        for process in self.processes:
            process.clean()


def difference(plain, name, answer):
    lines = difflib.unified_diff(plain.splitlines(keepends=True), answer.splitlines(keepends=True), PLAIN, name, n=1)
    return "another answer %s:\n%s" % (name, "".join(repr(line)[1:-1] + "\n" for line in lines))


class Bed:
    """One case: copies of the tool and the libraries that every user can read, and a directory."""

    def __init__(self, options, directory):
        self.directory = os.path.join(directory, "ways")
        os.chmod(directory, 0o755)
        for name in ("ways", "bin", "lib", "saved"):
            os.mkdir(os.path.join(directory, name))
        self.tool = shutil.copy(options.tool, os.path.join(directory, "bin", "cpprof"))
        shutil.copy(options.library, os.path.join(directory, "lib", "libcpprof.so"))
        self.plant = shutil.copy(os.path.join(options.programs, "libplant.so"), os.path.join(directory, "lib"))
        self.saved = os.path.join(directory, "saved")
        os.chmod(self.directory, 0o755)

    def cpprof(self, *words):
        environment = {"PATH": "/usr/bin:/bin", "HOME": self.saved, "PPROF_TMPDIR": self.saved, "TZ": "UTC"}
        done = subprocess.run([self.tool, *words], env=environment, cwd=self.saved, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
                              timeout=PATIENCE)
        require(done.returncode == 0, "cpprof %s: status %d, %s" % (" ".join(words), done.returncode, done.stderr))
        return done.stdout

    def compare(self, play):
        """Plays it three ways; play(way) is what it answered, which must be the same."""
        answers = {}
        for name in (PLAIN, RUN, PLANTED):
            way = Way(self, name)
            try:
                answers[name] = play(way).replace(way.directory, "DIRECTORY")
            except Failed as problem:
                raise Failed("%s: %s" % (name, problem)) from problem
            finally:
                way.clean()
            require(answers[name] == answers[PLAIN], difference(answers[PLAIN], name, answers[name]))


def run(cases):
    """Each case is a function of a bed, known by its name; --only runs one."""
    parser = argparse.ArgumentParser()
    for name in ("library", "tool", "programs"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--only", choices=[case.__name__ for case in cases], help="this case alone")
    options = parser.parse_args()
    failures = skips = 0
    chosen = [case for case in cases if options.only in (None, case.__name__)]
    for case in chosen:
        with tempfile.TemporaryDirectory() as directory:
            try:
                case(Bed(options, directory))
                print("ok      %s" % case.__doc__)
            except Skipped as reason:
                skips += 1
                print("skipped: %s: %s" % (case.__name__, reason))
            except Failed as problem:
                failures += 1
                print("FAILED  %s\n        %s" % (case.__doc__, problem))
            except (OSError, subprocess.SubprocessError):
                failures += 1
                print("FAILED  %s\n%s" % (case.__doc__, traceback.format_exc()))
        sys.stdout.flush()
    return 1 if failures else 77 if skips == len(chosen) else 0
