"""What the tests of threads share: a program that waits under the library, and what its process says at its local socket.

Not here: what must hold (threads_*.py, waits_*.py).
"""

import argparse
import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE = 60
HERE = os.path.dirname(os.path.abspath(__file__))


class Failed(Exception):
    """What a case found wrong."""


class Skipped(Exception):
    """Why a case could not be run here."""


def require(condition, what):
    if not condition:
        raise Failed(what)


class LocalConnection(http.client.HTTPConnection):
    """HTTP over the socket that is named after the process."""

    def __init__(self, pid):
        super().__init__("localhost", timeout=PATIENCE)
        self.pid = pid

    def connect(self):
        end = time.monotonic() + PATIENCE
        while True:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(PATIENCE)
            try:
                self.sock.connect("\0cpprof/%d" % self.pid)
                return
            except ConnectionRefusedError:
                self.sock.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)


class Program:
    """A running program; killed at the end of the block, whatever happens."""

    def __init__(self, bed, path, *arguments, preload=True, settings=None):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CPPROF_")}
        if preload:
            environment["LD_PRELOAD"] = bed.library
        environment.update(settings or {})
        self.process = subprocess.Popen([path] + [str(argument) for argument in arguments], env=environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.connection = None

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.connection:
            self.connection.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def line(self, word):
        """The rest of its next line, which must begin with the word."""
        line = self.process.stdout.readline().decode()
        if not line.startswith(word):
            self.process.kill()
            error = self.process.communicate()[1].decode()
            raise Failed("%r instead of a line %r; status %s, %s" % (line, word, self.process.returncode, error))
        return line[len(word):].strip()

    def get(self, path):
        if not self.connection:
            self.connection = LocalConnection(self.process.pid)
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        body = answer.read().decode("utf-8", "replace")
        require(answer.status == 200, "%s: status %d: %s" % (path, answer.status, body))
        return body

    def end(self):
        """Tells it to end; its standard output. Any status but 0 is a failure."""
        output, error = self.process.communicate(b"\n", timeout=PATIENCE)
        require(self.process.returncode == 0, "status %d: %s" % (self.process.returncode, error.decode("utf-8", "replace")))
        return output.decode()


class Hammer:
    """Asks a process for its threads, so many times a second, until the end of the block."""

    def __init__(self, program, rate):
        self.program, self.interval = program, 1.0 / rate
        self.count, self.problem, self.stopped = 0, None, False
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.stopped = True
        self.thread.join()

    def run(self):
        connection = LocalConnection(self.program.process.pid)
        try:
            while not self.stopped:
                begun = time.monotonic()
                connection.request("GET", "/debug/pprof/goroutine?debug=%d" % (self.count % 3))
                answer = connection.getresponse()
                answer.read()
                self.count += 1
                time.sleep(max(0, self.interval - (time.monotonic() - begun)))
        except (OSError, http.client.HTTPException) as problem:
            # The program's end, or its failure, which its status tells.
            self.problem = problem
        finally:
            connection.close()


class Thread:
    """A block of the text that debug=2 gives."""

    def __init__(self, text):
        head, *lines = text.split("\n")
        matched = re.match(r"goroutine (\d+) \[(.*)\]:$", head)
        require(matched, "not the head of a thread: %r" % head)
        self.tid, self.state, self.text = int(matched[1]), matched[2].split(",")[0], text
        self.frames = []
        for line in lines:
            if line.startswith("created by"):
                break
            if line and not line.startswith("\t"):
                self.frames.append(line.rsplit("(", 1)[0])

    def __contains__(self, function):
        return function in self.frames


def threads_of(text):
    return [Thread(block) for block in text.strip("\n").split("\n\n") if block]


class Bed:
    def __init__(self, options, directory):
        self.library = os.path.abspath(options.library)
        self.tool = os.path.abspath(options.tool)
        self.programs = os.path.abspath(options.programs)
        self.seconds = options.seconds
        self.directory = directory

    def program(self, name):
        return os.path.join(self.programs, name)

    def compiled(self, source, name, *options):
        """A program of these tests, compiled with other options than the build's."""
        compiler = shutil.which("c++" if source.endswith((".cpp", ".cc")) else "cc")
        if not compiler:
            raise Skipped("no compiler")
        path = os.path.join(self.directory, name)
        subprocess.run([compiler, "-D_GNU_SOURCE", "-pthread", *options, os.path.join(HERE, source), "-o", path], check=True)
        return path


def run(cases):
    """Each case is a function of a bed; its docstring is its name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True)
    parser.add_argument("--tool", required=True)
    parser.add_argument("--programs", required=True)
    parser.add_argument("--seconds", type=float, default=4, help="how long what could go on for hours goes on")
    parser.add_argument("only", nargs="?", default="")
    options = parser.parse_args()
    failures = skips = 0
    chosen = [case for case in cases if options.only in case.__doc__]
    for case in chosen:
        with tempfile.TemporaryDirectory() as directory:
            try:
                case(Bed(options, directory))
                print("ok      %s" % case.__doc__)
            except Skipped as reason:
                skips += 1
                print("skipped: %s: %s" % (case.__doc__, reason))
            except Failed as problem:
                failures += 1
                print("FAILED  %s: %s" % (case.__doc__, problem))
    if failures:
        sys.exit(1)
    sys.exit(77 if skips == len(chosen) else 0)
