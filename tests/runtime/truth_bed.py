"""What the tests of known answers share: a program under the library, its profiles parsed, and the bounds that it knows itself (truth.h).

Not here: what must hold (truth_*.py, places.py).
"""

import http.client
import os
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "scrape")]
import pprof_read  # noqa: E402
import threads_bed  # noqa: E402
from threads_bed import PATIENCE, Failed, LocalConnection, require  # noqa: E402

# What two clocks may differ by: the ticks are calibrated while they are used.
CLOCKS = 0.005
EVERY_WAIT = {"CPPROF_BLOCK_RATE": "1", "CPPROF_WAIT_RATE": "1"}


class Row:
    """A sample: its functions, leaf first, with files and lines; values by type; labels."""

    def __init__(self, stacks, profile, sample):
        self.functions = stacks.names(sample)
        files = {function["id"]: function["file"] for function in profile.functions}
        self.lines = [(stacks.functions[line[0]], files[line[0]], line[1])
                      for at in sample["locations"] for line in stacks.locations[at]["lines"]]
        self.values = dict(zip((name for name, _ in profile.sample_types), sample["values"]))
        self.labels = {label[0]: label[1] for label in sample["labels"]}

    def __contains__(self, function):
        return function in self.functions

    def __repr__(self):
        return "%s %s %s" % (self.values, self.labels, " < ".join(self.functions))


class Profile:
    def __init__(self, data):
        self.plain = pprof_read.read(data)
        self.types, self.comments = self.plain.sample_types, self.plain.comments
        stacks = pprof_read.Stacks(self.plain)
        self.rows = [Row(stacks, self.plain, sample) for sample in self.plain.samples]

    def of(self, function, **labels):
        """The rows with that function, and these labels."""
        return [row for row in self.rows
                if (function is None or function in row) and all(row.labels.get(name) == value for name, value in labels.items())]

    def total(self, kind, function=None, **labels):
        return sum(row.values[kind] for row in self.of(function, **labels))

    def text(self):
        return "\n".join(map(repr, sorted(self.rows, key=lambda row: -max(row.values.values()))[:40])) or "(no rows)"


def fetch(pid, path, connection=None):
    """(status, body) from the process's local socket."""
    mine = connection or LocalConnection(pid)
    try:
        mine.request("GET", "/debug/pprof/" + path)
        answer = mine.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as problem:
        raise Failed("pid %d, %s: %r" % (pid, path, problem)) from problem
    finally:
        if not connection:
            mine.close()


def profile_of(pid, path):
    status, body = fetch(pid, path)
    require(status == 200, "%s: status %d: %s" % (path, status, body[:500]))
    try:
        return Profile(body)
    except pprof_read.Malformed as problem:
        raise Failed("%s: %s" % (path, problem)) from problem


def wait_until(question, what):
    """The first true answer."""
    end = time.monotonic() + PATIENCE
    while not (answer := question()):
        require(time.monotonic() < end, "waited in vain " + what)
        time.sleep(0.05)
    return answer


class Truth:
    def __init__(self, words):
        self.count, self.low, self.high, self.release_low, self.release_high = map(int, words)


class Program(threads_bed.Program):
    """One that says what it knows."""

    def profile(self, path):
        return self.ask(profile_of, path)

    def fetch(self, path):
        return self.ask(fetch, path)

    def ask(self, how, path):
        """If it ends meanwhile, that is the failure."""
        try:
            return how(self.process.pid, path)
        except Failed as problem:
            try:
                status = self.process.wait(1)
            except subprocess.TimeoutExpired:
                raise problem from None
            error = self.process.communicate()[1].decode("utf-8", "replace")
            raise Failed("the program ended with status %s: %s; %s" % (status, error.strip(), problem)) from problem

    def finish(self):
        """Closes its input; it must end well."""
        self.process.stdin.close()
        self.process.stdin = None
        status = self.process.wait(PATIENCE)
        require(status == 0, "status %s: %s" % (status, self.process.stderr.read().decode("utf-8", "replace")))

    def say(self, text=""):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def facts(self, last):
        """Its lines "WORD NAME ..." as {WORD: {NAME: [...]}} up to the line `last`."""
        found = {}
        while True:
            words = self.line("").split()
            if words == [last]:
                return found
            require(words, "it ended before %r: status %s" % (last, self.process.poll()))
            found.setdefault(words[0], {})[words[1]] = words[2:]

    def truths(self):
        """({NAME: Truth}, {NAME: address}) of a program that ends with "done". And `calls`: how many had nothing to wait for."""
        found = self.facts("done")
        self.calls = int(found.get("nobody", {"calls": ["0"]})["calls"][0])
        return ({name: Truth(words) for name, words in found["truth"].items()},
                {name: int(words[0], 16) for name, words in found.get("lock", {}).items()})


class Asking:
    """A profile that is asked for in the background."""

    def __init__(self, program, path):
        self.program, self.path, self.answer = program, path, None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            self.answer = self.program.profile(self.path)
        except Failed as problem:
            self.answer = problem

    def profile(self):
        self.thread.join()
        if isinstance(self.answer, Failed):
            raise self.answer
        return self.answer


def within(value, low, high, what):
    require(low * (1 - CLOCKS) <= value <= high * (1 + CLOCKS), "%s: %d ns, not from %d to %d" % (what, value, low, high))


def without_stack(profile, kind, call):
    """Waits in that call whose stack found the table busy: they are counted, and said to be there in a comment."""
    lost = profile.total(kind, "[overflow]", call=call)
    require(lost <= 3, "%d waits without their stacks:\n%s" % (lost, profile.text()))
    require(not lost or any("[overflow]" in comment for comment in profile.comments), "lost stacks without a comment")
    return lost, profile.total("delay", "[overflow]", call=call)


def check_waits(profile, truth, function, call, exact=True, kind="contentions"):
    """The function's waits in that call are there, as often as they were and as long."""
    rows = [row for row in profile.of(function) if row.labels.get("call") == call]
    require(rows, "no wait of %s in %s:\n%s" % (function, call, profile.text()))
    for row in rows:
        require(row.functions[0] == call and row.functions.index(function) >= 1, "the leaf is not the call: %r" % row)
        require("[unwind failed]" not in row and "[truncated]" not in row, "stack of %r" % row)
    count, delay = (sum(row.values[of] for row in rows) for of in (kind, "delay"))
    lost, lost_ns = without_stack(profile, kind, call)
    require(count + lost >= truth.count and (count <= truth.count or not exact), "%s: %d waits, not %d" % (function, count, truth.count))
    require(delay + lost_ns >= truth.low * (1 - CLOCKS) and delay <= truth.high * (1 + CLOCKS),
            "%s in %s: %d ns, not from %d to %d" % (function, call, delay, truth.low, truth.high))
    return rows
