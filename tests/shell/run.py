"""The interactive shell through a pseudo-terminal: editing, Tab, history, colours, and the reports that the reference gives.

Not here: random scripts through a pipe (tests/differential/).
"""

import glob
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "differential"))
import oracle  # noqa: E402
import pprofproto  # noqa: E402

TOP = os.path.dirname(os.path.dirname(HERE))
PROFILES = sorted(glob.glob(os.path.join(TOP, "examples", "leaky-go", "profiles", "pprof.leak.goroutine.*.pb.gz")))
PROMPT = "(pprof) "
TIME_LIMIT = 30
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]|\r|\x07")


class Failed(Exception):
    pass


class Terminal:
    """cpprof in a terminal of its own; ended by its process id."""

    def __init__(self, cpprof, home, *arguments, term="xterm"):
        self.process, self.master = pty.fork()
        if self.process == 0:
            os.chdir(os.path.join(TOP, "examples", "leaky-go"))
            os.execve(cpprof, [cpprof, *arguments], {"TERM": term, "HOME": home, "TZ": "UTC", "PATH": "/usr/bin:/bin", "COLUMNS": "200",
                                                     "ASAN_OPTIONS": "detect_leaks=0"})
        self.seen = b""
        self.edits = term != "dumb"

    def text(self):
        return ESCAPES.sub("", self.seen.decode("utf-8", "replace"))

    def read_until(self, condition, what):
        deadline = time.monotonic() + TIME_LIMIT
        while not condition(self.text()):
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            try:
                data = os.read(self.master, 65536) if ready else b""
            except OSError:
                data = b""
            if not data:
                raise Failed("waited for %s; seen: %r" % (what, self.text()[-600:]))
            self.seen += data

    def read_prompt(self):
        self.read_until(lambda text: text.endswith(PROMPT), "the prompt")

    def type(self, keys):
        """Once the editor listens: it shows its prompt before it switches the terminal's own echo off."""
        deadline = time.monotonic() + TIME_LIMIT
        while self.edits and termios.tcgetattr(self.master)[3] & termios.ICANON:
            if time.monotonic() > deadline:
                raise Failed("the editor does not listen; seen: %r" % self.text()[-600:])
            time.sleep(0.002)
        os.write(self.master, keys.encode())

    def command(self, keys, until=None):
        """Types, and returns what appears up to the next prompt, without the echo."""
        before = len(self.text())
        self.type(keys)
        if until:
            self.read_until(lambda text: until in text[before:], repr(until))
            return self.text()[before:]
        self.read_until(lambda text: text[before:].endswith(PROMPT) and "\n" in text[before:], "the prompt after %r" % keys)
        return self.text()[before:].split("\n", 1)[1][:-len(PROMPT)]

    def end(self, keys):
        self.type(keys)
        deadline = time.monotonic() + TIME_LIMIT
        while True:
            if not select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]:
                raise Failed("still running after %r" % keys)
            try:
                if not os.read(self.master, 65536):
                    break
            except OSError:
                break
        _, status = os.waitpid(self.process, 0)
        self.process = None
        os.close(self.master)
        return os.waitstatus_to_exitcode(status)

    def kill(self):
        if self.process:
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
            os.close(self.master)


def expect(condition, what, seen=""):
    if not condition:
        raise Failed("%s%s" % (what, ": %r" % seen[-800:] if seen else ""))


def reference_answers(commands):
    """What the reference prints for each command, or None where it is not installed."""
    reference, _ = oracle.find_reference()
    if not reference:
        return None
    answers = []
    for command in commands:
        with tempfile.TemporaryDirectory(prefix="cpprof-shell-") as home:
            done = subprocess.run([reference, "-base", *PROFILES], input=(command + "\n").encode(), capture_output=True, check=True,
                                  cwd=os.path.join(TOP, "examples", "leaky-go"), env={"HOME": home, "TZ": "UTC", "PATH": home})
        answers.append(done.stdout.decode())
    return answers


def reports(cpprof, home):
    """the leak hunt: top, traces, list and more, equal to the reference's answers"""
    commands = ["top", "traces", "list alloc2", "tree", "peek chansend$", "top3 -cum", "top runtime", "tags", "comments", "raw"]
    expected = reference_answers(commands)
    terminal = Terminal(cpprof, home, "-base", *PROFILES)
    try:
        terminal.read_prompt()
        expect("Entering interactive mode" in terminal.text() and "Type: goroutine" in terminal.text(), "the greeting is missing", terminal.text())
        for i, command in enumerate(commands):
            # The terminal turns tabs into blanks.
            seen = terminal.command(command + "\n").replace("\t", "        ")
            if expected is None:
                expect(seen.strip() or command in ("tags", "comments"), "%s prints nothing" % command)
            else:
                expect(seen.expandtabs() == expected[i].expandtabs() or seen.split() == expected[i].split(), "%s differs from the reference" % command, seen)
        expect(terminal.end("quit\n") == 0, "quit should end with status 0")
    finally:
        terminal.kill()
    if expected is None:
        print("        the reference is not installed: answers were only looked at for being there")


def completion(cpprof, home):
    """Tab: commands, options, functions; a second one shows what there is"""
    terminal = Terminal(cpprof, home, PROFILES[0])
    try:
        terminal.read_prompt()
        seen = terminal.command("trac\t\n")
        expect("chansend" in seen and "-----------+--" in seen, "Tab should complete trac to traces", seen)
        seen = terminal.command("nodef\t", until="nodefraction")
        terminal.command("=0.01\n")
        seen = terminal.command("peek hansend1\t\n")  # what a name contains is enough
        expect("| runtime.chansend1" in seen, "Tab should complete a function's name", seen)
        terminal.command("to\t", until="top")
        terminal.command("\t", until="topproto")
        terminal.command("\x15help top\n")  # ^U: an empty line again
        expect(terminal.end("\x04") == 0, "^D should end with status 0")
    finally:
        terminal.kill()


def history(cpprof, home):
    """the history outlives the shell, is private, and the up arrow brings it back"""
    terminal = Terminal(cpprof, home, PROFILES[0])
    try:
        terminal.read_prompt()
        terminal.command("top3 -cum\n")
        expect(terminal.end("q\n") == 0, "q should end with status 0")
    finally:
        terminal.kill()
    path = os.path.join(home, ".local", "state", "cpprof", "history")
    expect(os.path.exists(path), "no history file")
    expect(os.stat(path).st_mode & 0o077 == 0, "the history file can be read by others")
    terminal = Terminal(cpprof, home, PROFILES[0])
    try:
        terminal.read_prompt()
        seen = terminal.command("\x1b[A\x1b[A\n")
        expect("Showing top 3 nodes" in seen, "two times up should bring `top3 -cum` back", seen)
        terminal.end("\x04")
    finally:
        terminal.kill()


def mistakes(cpprof, home):
    """errors leave the shell running, and are red unless NO_COLOR says otherwise"""
    terminal = Terminal(cpprof, home, PROFILES[0])
    try:
        terminal.read_prompt()
        seen = terminal.command("bogus\n")
        expect('unrecognized command: "bogus"' in seen, "the error is missing", seen)
        expect(b"\x1b[0;31munrecognized" in terminal.seen, "the error should be red")
        expect("missing closing ]" in terminal.command("focus=a[\n") + terminal.command("top\n"), "the bad expression should be told")
        terminal.command(":\n")
        expect("flat%" in terminal.command("top\n"), "the shell should go on")
        terminal.command("rubbish", until="rubbish")
        before = len(terminal.text())
        terminal.type("\x03")  # gives up the line
        terminal.read_until(lambda text: text[before:].endswith("\n" + PROMPT), "a new prompt after ^C")
        expect("flat%" in terminal.command("top\n"), "the shell should go on after ^C")
        terminal.command("focus=größe\n")
        expect("focus                     = größe" in terminal.command("o\n"), "what is not ASCII should arrive")
        terminal.command(":\n")
        expect("there is no svg yet" in terminal.command("svg\n"), "a report that is not there yet should be named")
        expect("Unknown command: foo" in terminal.command("help foo\n"), "help should say that it does not know")
        expect("nodecount" in terminal.command("o\n"), "o should list the options")
        expect(terminal.end("exit\n") == 0, "exit should end with status 0")
    finally:
        terminal.kill()


def interrupt(cpprof, home):
    """^C while a long report is printed gives up the report; the shell and what was set in it stay"""
    big = os.path.join(home, "big.pb")
    profile = pprofproto.Profile()
    profile.sample_types = [("samples", "count")]
    profile.functions = [{"id": 1, "name": "f" * 200, "system_name": "", "file": "", "start_line": 0}]
    profile.locations = [{"id": 1, "mapping": 0, "address": 0, "lines": [(1, 0, 0)], "folded": False}]
    profile.samples = [{"locations": [1] * 50, "values": [1], "labels": []} for _ in range(20000)]
    with open(big, "wb") as out:
        out.write(pprofproto.encode(profile, pprofproto.Style()))
    terminal = Terminal(cpprof, home, "-symbolize=none", big)
    try:
        terminal.read_prompt()
        terminal.command("nodecount=7\n")
        terminal.command("traces\n", until="ffff")
        os.write(terminal.master, b"\x03")
        terminal.read_until(lambda text: text.endswith("interrupted\n" + PROMPT), "the prompt after ^C")
        expect(len(terminal.seen) < 100 << 20, "the report should not have been printed to its end")
        expect("nodecount                 = 7" in terminal.command("o\n"), "what was set should stay")
        expect(terminal.end("q\n") == 0, "q should end with status 0")
    finally:
        terminal.kill()


def dumb(cpprof, home):
    """TERM=dumb: a plain prompt, no escapes"""
    terminal = Terminal(cpprof, home, PROFILES[0], term="dumb")
    try:
        terminal.read_prompt()
        expect("flat%" in terminal.command("top\n"), "top should work")
        expect(b"\x1b" not in terminal.seen.replace(b"\x1b[0;31m", b"").replace(b"\x1b[0m", b""), "escapes on a dumb terminal")
        expect(terminal.end("q\n") == 0, "q should end with status 0")
    finally:
        terminal.kill()


def main():
    cpprof = oracle.ours_or_skip()
    failed = passed = 0
    for case in (reports, completion, history, mistakes, interrupt, dumb):
        if sys.argv[1:] and case.__name__ not in sys.argv[1:]:
            continue
        with tempfile.TemporaryDirectory(prefix="cpprof-shell-") as home:
            try:
                case(cpprof, home)
                passed += 1
                print("ok      %-12s %s" % (case.__name__, case.__doc__))
            except Failed as reason:
                failed += 1
                print("FAILED  %-12s %s\n        %s" % (case.__name__, case.__doc__, reason))
        sys.stdout.flush()
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
