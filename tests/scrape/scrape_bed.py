"""What the scraping tests share: a target (a C program under the library, or a Go program), and HTTP as the engines' clients speak
it.

Not here: what an engine demands (engines.py), the cases.
"""

import http.client
import os
import select
import shutil
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 60
# What Go's HTTP client sends unless told otherwise.
ENCODINGS = {"Accept-Encoding": "gzip"}


class Failed(Exception):
    """What a case found wrong."""


class Skipped(Exception):
    """Why a case could not be run here."""


def require(condition, *what):
    if not condition:
        raise Failed(" ".join(str(part)[:600] for part in what))


def wait_until(question, what):
    """The first true answer."""
    end = time.monotonic() + PATIENCE
    while True:
        answer = question()
        if answer:
            return answer
        require(time.monotonic() < end, "waited in vain:", what)
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Answer:
    def __init__(self, response):
        self.status, self.reason, self.headers, self.body = response.status, response.reason, response.headers, response.read()

    def __str__(self):
        return "%d %s %s %r" % (self.status, self.reason, dict(self.headers), self.body[:200])


class Client:
    """A connection that is kept between requests and made anew if the other side has closed it, as engines do."""

    def __init__(self, address, agent="scrape-test", timeout=PATIENCE):
        self.connection = http.client.HTTPConnection(*address, timeout=timeout)
        self.headers = {"User-Agent": agent, **ENCODINGS}

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.connection.close()

    def ask(self, path, method="GET", body=None, timeout=None):
        if timeout:
            self.connection.timeout = timeout
            if self.connection.sock:
                self.connection.sock.settimeout(timeout)
        kept = self.connection.sock is not None
        try:
            return self.once(path, method, body)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            if not kept:
                raise
        self.connection.close()
        return self.once(path, method, body)

    def once(self, path, method, body):
        try:
            self.connection.request(method, path, body, self.headers)
            return Answer(self.connection.getresponse())
        except OSError:
            self.connection.close()
            raise


class Target:
    """A process that serves /debug/pprof/ at an address, and its end when the block ends."""

    def __init__(self, words, environment, address):
        self.address = address
        self.process = subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.pid = self.process.pid

    def __enter__(self):
        try:
            ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            line = self.process.stdout.readline() if ready else b""
            require(line == b"ready\n", "the target says", repr(line), "status", self.process.poll())
            wait_until(self.answers, "for an answer at %s:%d" % self.address)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def answers(self):
        require(self.process.poll() is None, "the target has ended with", self.process.returncode)
        try:
            with Client(self.address) as client:
                return client.ask("/debug/pprof/cmdline").status == 200
        except OSError:
            return False

    def get(self, path, **more):
        with Client(self.address) as client:
            return client.ask(path, **more)

    def end(self):
        """Tells it to end; its status."""
        self.process.stdin.close()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired as late:
            raise Failed("the target does not end") from late

    def resident_kb(self):
        with open("/proc/%d/status" % self.pid, encoding="latin-1") as status:
            sizes = [int(line.split()[1]) for line in status if line.startswith("VmRSS")]
        require(sizes, "the target has ended with", self.process.poll())
        return sizes[0]

    def descriptors(self):
        """Of all its threads' tables: those of the library are in one of their own. Counted once where tables are shared."""
        tables = set()
        for tid in os.listdir("/proc/%d/task" % self.pid):
            directory = "/proc/%d/task/%s/fd" % (self.pid, tid)
            try:
                tables.add(tuple(sorted((fd, os.readlink(directory + "/" + fd)) for fd in os.listdir(directory))))
            except OSError:
                continue  # the thread, or a descriptor, has gone meanwhile
        return sum(len(table) for table in tables)


def c_target(library, program, **settings):
    """The demo under the library, preloaded: it knows nothing of us."""
    address = ("127.0.0.1", free_port())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CPPROF_")}
    environment.update({"LD_PRELOAD": os.path.abspath(library), "CPPROF_ADDR": "%s:%d" % address, **settings})
    return Target([program], environment, address)


def find_go():
    go = shutil.which("go") or "/usr/local/go/bin/go"
    return go if os.access(go, os.X_OK) else None


def go_target(directory):
    """The same work in Go, with net/http/pprof."""
    go = find_go()
    if not go:
        raise Skipped("Go is not installed")
    program = os.path.join(directory, "go_target")
    environment = dict(os.environ, GOPROXY="off", GOFLAGS="-mod=mod", GOTOOLCHAIN="local", CGO_ENABLED="0")
    built = subprocess.run([go, "build", "-p", "1", "-o", program, "."], cwd=os.path.join(HERE, "go_target"), env=environment, capture_output=True,
                           text=True, check=False)
    if built.returncode:
        raise Skipped("Go does not build its server here: " + built.stderr[-300:].strip())
    address = ("127.0.0.1", free_port())
    return Target([program, "%s:%d" % address], os.environ, address)


def run(cases, *arguments):
    """Each case is a function whose docstring is its name; 0, 1 if one has failed, 77 if all were skipped."""
    failures = skips = 0
    for case in cases:
        name = "%s: %s" % (case.__name__, case.__doc__)
        try:
            print("ok      %s%s" % (name, " (%s)" % detail if (detail := case(*arguments)) else ""), flush=True)
        except Skipped as reason:
            skips += 1
            print("skipped: %s: %s" % (name, reason), flush=True)
        except (Failed, OSError, subprocess.SubprocessError) as problem:
            failures += 1
            print("FAILED  %s\n        %s" % (name, problem or repr(problem)), flush=True)
    print("%d passed, %d failed, %d skipped" % (len(cases) - failures - skips, failures, skips))
    return 1 if failures else 77 if skips == len(cases) else 0
