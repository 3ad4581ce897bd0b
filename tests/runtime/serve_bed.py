"""What serve_http.py and serve_profiles.py need: the host process, and HTTP by hand, since a polite client library cannot be hostile.

Not here: the cases.
"""

import argparse
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import time

PATIENCE = 60


class Failed(Exception):
    """What a case found wrong."""


class Skipped(Exception):
    """Why a case could not be run here."""


def require(condition, *what):
    if not condition:
        raise Failed(" ".join(str(part)[:600] for part in what))


class Answer:
    def __init__(self, version, status, reason, headers, body):
        self.version, self.status, self.reason, self.headers, self.body = version, status, reason, headers, body

    def __str__(self):
        return "%s %d %s %s %r" % (self.version, self.status, self.reason, self.headers, self.body[:300])


class Client:
    """One connection. Reads answers by their Content-Length, one after the other."""

    def __init__(self, address, receive_buffer=0):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(address)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def fill(self):
        piece = self.socket.recv(1 << 16)
        self.buffer += piece
        return bool(piece)

    def read_head(self):
        while b"\r\n\r\n" not in self.buffer:
            require(self.fill(), "the connection ended before an answer:", self.buffer)
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        version, status, reason = lines[0].split(" ", 2)
        headers = dict(line.split(": ", 1) for line in lines[1:])
        require(len(headers) == len(lines) - 1, "a header twice:", lines)
        return version, int(status), reason, headers

    def answer(self, head_only=False):
        version, status, reason, headers = self.read_head()
        length = 0 if head_only else int(headers["Content-Length"]) if "Content-Length" in headers else None
        while length is None or len(self.buffer) < length:
            if not self.fill():
                require(length is None, "the body is cut:", headers, len(self.buffer))
                length = len(self.buffer)
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Answer(version, status, reason, headers, body)

    def ask(self, path, method="GET", headers="", body=b"", host="127.0.0.1"):
        self.send(request(path, method, headers, host) + body)
        return self.answer(method == "HEAD")

    def ended(self):
        """The server closes it, sooner or later, and says nothing more."""
        try:
            return self.buffer == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def request(path, method="GET", headers="", host="127.0.0.1"):
    return ("%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (method, path, host, headers)).encode("latin-1")


class Host:
    """The program with the library in it."""

    def __init__(self, library, program, environment=None):
        self.process = subprocess.Popen([program], env=dict(os.environ, LD_PRELOAD=library, **(environment or {})), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, bufsize=0)  # select must see what is left of the output
        _, result, where = self.line("serve")
        require(result == "0", "cpprof_serve:", result)
        self.address = address_of(where)
        self.own = address_of(self.line("own")[1])
        self.pid = self.process.pid

    def line(self, word):
        """The next line of its output, which must begin so."""
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        require(ready, "the host says nothing")
        line = self.process.stdout.readline().decode("latin-1").split()
        require(line and line[0] == word, "the host says", line, "status", self.process.poll())
        return line

    def tell(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def beats(self):
        self.tell("beat")
        return int(self.line("beat")[1])

    def is_well(self):
        """It lives, works, and answers somebody new."""
        require(self.process.poll() is None, "the host has ended:", self.process.poll())
        before = self.beats()
        with Client(self.address) as client:
            answer = client.ask("/debug/pprof/cmdline")
            require(answer.status == 200 and b"serve_host" in answer.body, "cmdline:", answer)
        wait_until(lambda: self.beats() > before, "the host stands still")

    def resident_kb(self):
        with open("/proc/%d/status" % self.pid, encoding="latin-1") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        return self.process.returncode


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        require(time.monotonic() < deadline, what)
        time.sleep(0.02)


def read_text(path):
    with open(path, encoding="latin-1") as file:
        return file.read()


def address_of(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def copy_program(program, directory, name):
    path = os.path.join(directory, name)
    shutil.copy(program, path)
    return path


def expect(answer, status, body=None, **headers):
    require(answer.status == status, "status", status, "expected:", answer)
    if body is not None:
        require(answer.body == body.encode(), repr(body), "expected:", answer)
    for name, value in headers.items():
        found = answer.headers.get(name.replace("_", "-"))
        require(found == value, name, "=", value, "expected:", answer)


class Bed:
    """The host that all cases of a run have."""

    def __init__(self, library, program, environment=None):
        self.library, self.program, self.environment = library, program, environment
        self.start()

    def start(self):
        self.host = Host(self.library, self.program, self.environment)
        self.host.is_well()
        self.descriptors, self.resident_kb = self.host.descriptors(), self.host.resident_kb()


def run(cases, bed, word):
    failures = skipped = 0
    for function in cases:
        if word not in function.__name__ and word not in function.__doc__:
            continue
        try:
            function(bed)
            print("pass  ", function.__doc__)
        except Skipped as reason:
            skipped += 1
            print("skip  ", function.__doc__, "(%s)" % reason)
        except (Failed, OSError) as failure:
            failures += 1
            print("FAIL  ", function.__doc__, "\n      ", repr(failure)[:2000])
            if bed.host.process.poll() is not None:
                print("       the host has ended:", bed.host.process.poll())
                break
            bed.host.end()  # what it says next may be an answer of this case
            bed.start()
        sys.stdout.flush()
    print("%d failed, %d skipped" % (failures, skipped))
    return failures


def run_cases(cases, environment=None):
    """The status of the test."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True)
    parser.add_argument("--programs", required=True)
    parser.add_argument("--tool")
    parser.add_argument("word", nargs="?", default="", help="only cases whose name has it")
    options = parser.parse_args()
    bed = Bed(os.path.abspath(options.library), os.path.join(options.programs, "serve_host"), environment)
    try:
        return 1 if run(cases, bed, options.word) else 0
    finally:
        bed.host.end()
