"""The pthread contract to the letter (contract.c): each call returns with the library what it returns without it, preloaded or linked in, all
profiles at rate 1, and while the program is dumped all the time; and who was cancelled, or jumped out of a wait, waits for nothing any more.
"""

import http.client
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from threads_bed import Failed, Hammer, LocalConnection, PATIENCE, Program, require, run, threads_of  # noqa: E402

RATE = 200
EVERYTHING = {"CPPROF_HEAP_RATE": "1", "CPPROF_BLOCK_RATE": "1", "CPPROF_WAIT_RATE": "1", "CPPROF_DISABLE": "names"}


def output_of(path, preload=None, settings=None):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CPPROF_")}
    if preload:
        environment["LD_PRELOAD"] = preload
    environment.update(settings or {})
    try:
        done = subprocess.run([path], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              timeout=2 * PATIENCE)
    except subprocess.TimeoutExpired as late:
        raise Failed("%s hangs; its last lines:\n%s" % (settings, last(late.stdout))) from late
    require(done.returncode == 0, "%s: status %d, %s\n%s" % (settings, done.returncode, done.stderr.decode("utf-8", "replace"), last(done.stdout)))
    return done.stdout.decode()


def last(output):
    return "\n".join((output or b"").decode("utf-8", "replace").split("\n")[-4:])


def compare(plain, output, when):
    wrong = [line for line in output.split("\n") if line.startswith("WRONG")]
    require(not wrong, "%s: %d lines are wrong: %s" % (when, len(wrong), "\n".join(wrong[:5])))
    for ours, theirs in zip(output.split("\n"), plain.split("\n")):
        require(ours == theirs, "%s: %r instead of %r" % (when, ours, theirs))
    require(len(output) == len(plain), "%s: there is more or less of it" % when)


class Sampled:
    """Asks for profiles of processor time, a thousand samples a second, until the end of the block."""

    def __init__(self, program):
        self.program, self.stopped = program, False
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *unused):
        self.stopped = True
        self.thread.join()

    def run(self):
        connection = LocalConnection(self.program.process.pid)
        try:
            while not self.stopped:
                connection.request("GET", "/debug/pprof/profile?seconds=1&hz=1000")
                connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            pass  # the program has ended
        finally:
            connection.close()


def preloaded(bed):
    """preloaded, at the rates as they are and with everything at rate 1"""
    plain = output_of(bed.program("contract"))
    compare(plain, plain, "without the library")
    compare(plain, output_of(bed.program("contract"), bed.library), "with the library")
    compare(plain, output_of(bed.program("contract"), bed.library, EVERYTHING), "at rate 1")


def dumped(bed):
    """while it is dumped and sampled all the time"""
    plain = output_of(bed.program("contract"))
    with Program(bed, bed.program("contract"), settings=EVERYTHING) as program:
        with Hammer(program, RATE) as hammer, Sampled(program):
            try:
                output = program.process.communicate(timeout=2 * PATIENCE)[0].decode()
            except subprocess.TimeoutExpired as late:
                raise Failed("it hangs after %d dumps; its last lines:\n%s" % (hammer.count, last(late.stdout))) from late
        require(program.process.returncode == 0, "status %d after %d dumps; its last lines: %s" % (program.process.returncode, hammer.count, output[-500:]))
        compare(plain, output, "dumped")


def linked_in(bed):
    """with the library linked in"""
    path = bed.program("contract_static")
    plain = output_of(path, settings={"CPPROF_DISABLE": "all"})
    compare(plain, plain, "switched off")
    compare(plain, output_of(path), "switched on")
    compare(plain, output_of(path, settings=EVERYTHING), "at rate 1")


def waits_in_progress(bed, program, profile):
    """The stacks of the waits in progress, as cpprof -traces prints them, one a line."""
    path = os.path.join(bed.directory, profile + ".pb.gz")
    connection = program.connection
    connection.request("GET", "/debug/pprof/%s?current=1" % profile)
    answer = connection.getresponse()
    body = answer.read()
    require(answer.status == 200, "%s?current=1: status %d, %r" % (profile, answer.status, body[:200]))
    with open(path, "wb") as out:
        out.write(body)
    said = subprocess.run([bed.tool, "-traces", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=PATIENCE)
    require(said.returncode == 0, "cpprof -traces: %s" % said.stderr.decode())
    blocks = said.stdout.decode().split("-----------+-------------------------------------------------------\n")[1:]
    return [" ".join(block.split()) for block in blocks if block.strip()]


def reads_alone(threads, handlers):
    """The main thread waits for its input; so many others are in their cleanup handlers."""
    others = [thread for thread in threads if "compute_in_cleanup" not in thread]
    return len(threads) == 1 + handlers and len(others) == 1 and others[0].frames[:2] == ["read", "main"]


def left_nothing(bed, case, handlers):
    """Runs the case; afterwards only the main thread waits, for its input."""
    with Program(bed, bed.program("contract"), case, "wait", settings={**EVERYTHING, "CPPROF_DISABLE": ""}) as program:
        while True:
            line = program.process.stdout.readline().decode()
            require(line, "it ended before it was ready")
            require(not line.startswith("WRONG"), line)
            if line == "ready\n":
                break
        # It may be about to read still.
        end = time.monotonic() + PATIENCE
        while not reads_alone(threads_of(program.get("/debug/pprof/goroutine?debug=2")), handlers):
            require(time.monotonic() < end, "threads:\n%s" % program.get("/debug/pprof/goroutine?debug=2"))
            time.sleep(0.1)
        block = waits_in_progress(bed, program, "block")
        require(not block, "waits in progress, though nobody waits: %s" % block)
        wait = waits_in_progress(bed, program, "wait")
        require(len(wait) == 1 and " read main" in wait[0], "waits in progress, though only main reads: %s" % wait)
        program.end()


def cancelled(bed):
    """a cancelled waiter leaves no trace"""
    left_nothing(bed, "cancel", 3)


def jumped(bed):
    """who jumps out of a wait leaves no trace"""
    left_nothing(bed, "jump", 0)


if __name__ == "__main__":
    run([preloaded, dumped, linked_in, cancelled, jumped])
