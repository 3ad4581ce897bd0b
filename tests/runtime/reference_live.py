"""All that live processes serve, read by the reference and by cpprof: the same reports, byte for byte; and both fetch it
themselves, by the address.

Not here: what is rendered from made-up tables (names_reference.py).
"""

import argparse
import http.client
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "differential")]
import oracle  # noqa: E402
from life_bed import PATIENCE, Failed, free_port, require, serves, wait_until  # noqa: E402

REPORTS = ("-raw", "-top", "-traces", "-tree", "-tags")
TIME_LIMIT = 120
# What is served, and the sample types of it that are looked at besides the default one.
SERVED = {
    "heap": ("alloc_space", "inuse_objects"),
    "allocs": ("inuse_space",),
    "goroutine": (),
    "threads": (),
    "threadcreate": (),
    "heap?debug=1": (),
    "allocs?debug=1": (),
    "goroutine?debug=1": (),
    "threads?debug=1": (),
    "threadcreate?debug=1": (),
    "heap?seconds=1": ("alloc_objects",),
    "allocs?seconds=1": (),
    "goroutine?seconds=1": (),
    "threadcreate?seconds=1": (),
}

# Stripped, much of it in libraries; threads, a child, and memory that comes and goes while it is asked.
PYTHON = """
import json, sqlite3, subprocess, sys, threading, time, zlib
for _ in range(3): threading.Thread(target=threading.Event().wait, daemon=True).start()
def churn():
    kept = []
    while True:
        kept.append(zlib.compress(json.dumps(list(range(20000))).encode()))
        del kept[:-50]
        time.sleep(0.01)
threading.Thread(target=churn, daemon=True).start()
print("waiting", flush=True)
sys.stdin.read()
"""


class Host:
    """A program under the library, at an address."""

    def __init__(self, library, words):
        self.address = ("127.0.0.1", free_port())
        environment = dict(os.environ, LD_PRELOAD=library, CPPROF_ADDR="%s:%d" % self.address, CPPROF_HEAP_RATE="4096")
        self.process = subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        line = self.process.stdout.readline()
        require(line.startswith(b"waiting"), "it says %r" % line)
        wait_until(lambda: serves(self.address), "for an answer at %s:%d" % self.address)
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.communicate()

    def get(self, path):
        connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
        connection.request("GET", "/debug/pprof/" + path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        require(answer.status == 200, "%s: status %d: %r" % (path, answer.status, body[:200]))
        return body

    def url(self, path):
        return "http://%s:%d/debug/pprof/%s" % (*self.address, path)


def report(program, arguments, home):
    """What it prints."""
    # No PATH: the reference looks for disassemblers before it does anything, which takes longer than all the rest.
    environment = {"HOME": home, "PPROF_TMPDIR": home, "TZ": "UTC", "PATH": home}
    done = subprocess.run([program, *arguments], capture_output=True, env=environment, cwd=home, timeout=TIME_LIMIT, check=False,
                          stdin=subprocess.DEVNULL)
    require(done.returncode == 0, "%s %s: status %d, %s" % (program, " ".join(arguments), done.returncode, done.stderr.decode("utf-8", "replace")))
    return done.stdout


def compare(programs, arguments, home):
    theirs, ours = (report(program, arguments, home) for program in programs)
    if theirs != ours:
        for name, text in (("reference", theirs), ("cpprof", ours)):
            with open(os.path.join(home, name), "wb") as out:
                out.write(text)
        difference = subprocess.run(["diff", "-u", "reference", "cpprof"], cwd=home, capture_output=True, text=True, errors="replace", check=False).stdout
        raise Failed("%s differs:\n%s" % (" ".join(arguments), difference[:4000]))
    return ours


def files_agree(programs, host, directory):
    """The same file, read by both."""
    count = 0
    for path, indexes in SERVED.items():
        file = os.path.join(directory, "profile")
        with open(file, "wb") as out:
            out.write(host.get(path))
        for arguments in [[name] for name in REPORTS] + [["-top", "-sample_index=" + index] for index in indexes]:
            # As served: what either finds besides for an address without a name is its own (docs/differences.md).
            text = compare(programs, ["-symbolize=none", *arguments, file], directory)
            require(text or arguments == ["-tags"], "%s of %s is empty" % (arguments, path))
            count += 1
    return count


def both_fetch(programs, host, directory):
    """By its address, as a user does: of threads that wait the same is said, but for the time."""
    answers = []
    for program in programs:
        lines = report(program, ["-traces", host.url("goroutine")], directory).split(b"\n")
        answers.append([line for line in lines if not line.startswith(b"Time:")])
    require(answers[0] == answers[1], "fetched by both, they say\n%s\n%s" % tuple(b"\n".join(lines).decode() for lines in answers))
    for path in ("heap", "allocs", "threads", "threadcreate", "heap?seconds=1"):
        for program in programs:
            require(b"Showing nodes" in report(program, ["-top", host.url(path)], directory), "%s, fetched by %s" % (path, program))


def main():
    parser = argparse.ArgumentParser()
    for name in ("library", "tool", "programs"):
        parser.add_argument("--" + name, required=True)
    options = parser.parse_args()
    programs = (oracle.reference_or_skip(), os.path.abspath(options.tool))
    library = os.path.abspath(options.library)
    waits = [os.path.join(os.path.abspath(options.programs), "threads_waits")]
    failed = 0
    for name, words, quiet in (("threads that wait", waits, True), ("python3", ["/usr/bin/python3", "-c", PYTHON], False)):
        if not os.access(words[0], os.X_OK):
            print("%s: not here" % words[0])
            continue
        try:
            with tempfile.TemporaryDirectory() as directory, Host(library, words) as host:
                print("%s: %d reports agree" % (name, files_agree(programs, host, directory)))
                if quiet:
                    both_fetch(programs, host, directory)
        except Failed as problem:
            failed += 1
            print("FAILED  %s: %s" % (name, problem))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
