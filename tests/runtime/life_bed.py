"""What the tests of the process's life need: a program under the library, what it printed, and who answers for a process.

Not here: the cases (life.py, life_tool.py).
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE = 30


class Failed(Exception):
    """What a case found wrong."""


class Skipped(Exception):
    """Why a case could not be run here."""


def require(condition, what):
    if not condition:
        raise Failed(what)


def wait_until(question, what):
    """The first true answer."""
    end = time.monotonic() + PATIENCE
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed("waited in vain: " + what)
        time.sleep(0.02)


def get(address):
    """Status line of GET /debug/pprof/ there; None if nobody listens. The address: a pid, or a pair of host and port, or a path."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(PATIENCE)
        try:
            client.connect("\0cpprof/%d" % address if isinstance(address, int) else address)
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        answer = b""
        try:
            client.sendall(b"GET /debug/pprof/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while b"\n" not in answer:
                got = client.recv(4096)
                if not got:
                    break
                answer += got
        except (ConnectionResetError, BrokenPipeError):
            return None  # it ended, or does not want us
        return answer.split(b"\r\n")[0].decode()


class CpuProfile:
    """A CPU profile of the process, asked for at its local socket and never waited for."""

    def __init__(self, pid):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect("\0cpprof/%d" % pid)
            self.socket.sendall(b"GET /debug/pprof/profile?seconds=3000&hz=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        except OSError:
            pass  # then it has ended already

    def ended(self):
        """Waits for the end of the connection; what was said before."""
        try:
            return self.socket.recv(4096)
        except OSError:
            return b""
        finally:
            self.socket.close()


def is_sampled(pid):
    """The process has a timer, or a perf event of ours."""
    try:
        with open("/proc/%d/timers" % pid, encoding="ascii") as timers:
            if "ID:" in timers.read():
                return True
    except FileNotFoundError:
        pass  # a kernel without it
    for tid in tasks(pid):
        directory = "/proc/%d/task/%d/fd" % (pid, tid)
        try:
            if any("perf_event" in os.readlink(directory + "/" + fd) for fd in os.listdir(directory)):
                return True
        except FileNotFoundError:
            continue  # it has ended meanwhile
    return False


def is_served(address):
    """Somebody listens."""
    return get(address) is not None


def serves(address):
    return (get(address) or "").endswith(" 200 OK")


def who_listens(address):
    """The pid behind the address, by its socket's inode among the descriptors of all threads."""
    wanted = "%08X:%04X" % (int.from_bytes(socket.inet_aton(address[0]), sys.byteorder), address[1])
    inode = None
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table:
            fields = line.split()
            if fields[1] == wanted and fields[3] == "0A":
                inode = "socket:[%s]" % fields[9]
    for pid in filter(str.isdigit, os.listdir("/proc")) if inode else ():
        try:
            for tid in os.listdir("/proc/%s/task" % pid):
                directory = "/proc/%s/task/%s/fd" % (pid, tid)
                for fd in os.listdir(directory):
                    if os.readlink(directory + "/" + fd) == inode:
                        return int(pid)
        except OSError:
            continue  # it has ended meanwhile, or is not ours to see
    return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tasks(pid):
    """{tid: name}"""
    found = {}
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/comm" % (pid, tid), encoding="utf-8") as name:
            found[int(tid)] = name.read().strip()
    return found


def status_lines(pid, key):
    """The line `key:` of the status of each thread."""
    lines = set()
    for tid in tasks(pid):
        with open("/proc/%d/task/%d/status" % (pid, tid), encoding="utf-8") as status:
            lines.update(" ".join(line.split()) for line in status if line.startswith(key + ":"))
    return lines


class Program:
    """A running program; its lines "key value" are collected, in order."""

    def __init__(self, words, environment, directory):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, cwd=directory)
        self.pid = self.process.pid
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode().rstrip("\n"))

    def values(self, key):
        return [int(line.split()[1]) for line in self.lines if line.split() and line.split()[0] == key]

    def value(self, key):
        wait_until(lambda: self.values(key) or self.process.poll() is not None, "for the line %r" % key)
        self.process.poll() is None or self.reader.join(PATIENCE)
        require(self.values(key), "no line %r in %r, status %r, %r" % (key, self.lines, self.process.poll(), self.stderr()))
        return self.values(key)[0]

    def await_line(self, line):
        wait_until(lambda: line in self.lines or self.process.poll() is not None, "for " + line)
        require(line in self.lines, "ended with %r before %r: %r %r" % (self.process.returncode, line, self.lines, self.stderr()))

    def ready(self):
        self.await_line("ready")
        return self

    def tell(self):
        """The line that it waits for."""
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def stderr(self):
        self.errors.seek(0)
        return self.errors.read().decode()

    def end(self):
        """Closes its input and waits; its lines."""
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired as late:
            raise Failed("does not end: %r" % self.lines) from late
        self.reader.join(PATIENCE)
        require(self.process.returncode == 0, "status %d: %r %r" % (self.process.returncode, self.lines, self.stderr()))
        return self.lines

    def clean(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if not self.process.stdin.closed:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
        self.errors.close()


class Bed:
    """One case's directory and processes."""

    def __init__(self, options, directory):
        self.library = os.path.abspath(options.library)
        self.tool = os.path.abspath(options.tool) if options.tool else None
        self.program = os.path.join(os.path.abspath(options.programs), "life_program")
        self.directory = directory
        self.programs = []
        self.strays = []

    def environment(self, preload, **more):
        kept = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.directory, "CPPROF_LIBRARY": self.library,
                "PPROF_TMPDIR": os.path.join(self.directory, "saved")}
        if preload:
            kept["LD_PRELOAD"] = self.library
        return {**kept, **more}

    def start(self, *words, preload=True, **environment):
        program = Program([str(word) for word in words], self.environment(preload, **environment), self.directory)
        self.programs.append(program)
        return program

    def way(self, *arguments, **environment):
        return self.start(self.program, *arguments, **environment)

    def stray(self, pid):
        """A process that is nobody's child any more: to be ended with the case."""
        self.strays.append(pid)
        return pid

    def clean(self):
        for program in self.programs:
            program.clean()
        for pid in self.strays:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass


def run_cases(cases):
    parser = argparse.ArgumentParser()
    for name in ("library", "tool", "programs"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("words", nargs="*", help="only cases whose name has one of them")
    options = parser.parse_args()
    failed = 0
    for function in cases:
        if options.words and not any(word in function.__doc__ or word == function.__name__ for word in options.words):
            continue
        with tempfile.TemporaryDirectory() as directory:
            bed = Bed(options, directory)
            try:
                function(bed)
                print("ok    ", function.__doc__)
            except Skipped as reason:
                print("skip  ", function.__doc__, "(skipped: %s)" % reason)
            except Failed as what:
                failed += 1
                print("FAILED", function.__doc__, "\n      ", what)
            finally:
                bed.clean()
        sys.stdout.flush()
    return 1 if failed else 0
