"""Golden files: what each command of commands.txt prints, byte for byte, on any machine, without the reference.

    run.py [-v] [WORD...]     runs the commands whose name has one of the words (all without)
    run.py --update [WORD...] writes the golden files anew from the reference, never from cpprof

A golden file holds standard output (profiles are unzipped); then, each with "2> " in front, the lines of standard error;
then the exit status if it is not 0. The profiles are made by make_profiles.py and by examples/leaky-go. More cases, but
only where the reference is installed: tests/differential.
"""

import argparse
import difflib
import gzip
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "differential"))
import oracle  # noqa: E402

LEAK = "../../examples/leaky-go/profiles/pprof.leak."
HEAP = LEAK + "alloc_objects.alloc_space.inuse_objects.inuse_space."
PROFILES = {"leak.heap.1": HEAP + "001", "leak.heap.2": HEAP + "002", "leak.goroutine.1": LEAK + "goroutine.001",
            "leak.goroutine.2": LEAK + "goroutine.002"}
BINARY = ("-proto", "-topproto")
ATTEMPTS = 10
# The one line that the reference does not have (see tests/differential/intended.py).
HINT = re.compile(rb"^2> \d+ source files? w(as|ere) not found; .*\n", re.M)


def profile_path(name):
    return PROFILES.get(name, "profiles/" + name) + ".pb.gz"


def read_commands():
    """[(name, arguments)] in the order of the table."""
    out = []
    with open(os.path.join(HERE, "commands.txt"), encoding="utf-8") as lines:
        for line in lines:
            if not line.strip() or line.startswith("#"):
                continue
            name, arguments = line.split(":", 1)
            words = []
            for word in arguments.split():
                option, at, profile = word.partition("@")
                words.append(option + profile_path(profile) if at else word)
            out.append((name, words))
    return out


def run(tool, arguments, home):
    """What a golden file should hold. PATH is empty and HOME new: no helper programs, no configuration."""
    environment = {"PATH": "", "HOME": home, "TMPDIR": home, "TZ": "UTC", "ASAN_OPTIONS": "detect_leaks=0"}
    output = os.path.join(home, "profile")
    binary = arguments[0] in BINARY
    extra = ["-output=" + output] if binary else []
    done = subprocess.run([tool, "-symbolize=none", *extra, *arguments], cwd=HERE, env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=60, check=False)
    shown = done.stdout
    if binary and os.path.exists(output):
        with open(output, "rb") as written:
            shown += gzip.decompress(written.read())
        os.unlink(output)
    for line in done.stderr.replace(b"cpprof: ", b"pprof: ").replace(output.encode(), b"OUTPUT").splitlines():
        shown += b"2> " + line + b"\n"
    return shown + (b"status %d\n" % done.returncode if done.returncode else b"")


def golden_path(name):
    return os.path.join(HERE, name + ".golden")


def read_golden(name):
    try:
        with open(golden_path(name), "rb") as golden:
            return golden.read()
    except FileNotFoundError:
        return None


def update(commands, home):
    """A command whose answer the reference itself is not sure of has no place here."""
    reference = oracle.reference_or_skip()
    unsteady = 0
    for name, arguments in commands:
        answers = {run(reference, arguments, home) for _ in range(ATTEMPTS)}
        if len(answers) > 1:
            print("UNSTEADY %s: the reference gives %d different answers" % (name, len(answers)))
            unsteady += 1
            continue
        with open(golden_path(name), "wb") as golden:
            golden.write(answers.pop())
    print("%d golden files written, %d commands are unsteady" % (len(commands) - unsteady, unsteady))
    return 1 if unsteady else 0


def show_difference(name, arguments, expected, seen):
    print("FAILED %s: cpprof -symbolize=none %s" % (name, " ".join(arguments)))
    if expected is None:
        print("    there is no %s.golden; make it with run.py --update" % name)
        return
    before, after = (text.decode("utf-8", "backslashreplace").split("\n") for text in (expected, seen))
    for line in list(difflib.unified_diff(before, after, name + ".golden", "cpprof", lineterm="", n=1))[:20]:
        print("    " + line[:200])


def check(commands, home, verbose):
    ours = oracle.ours_or_skip()
    failed = 0
    for name, arguments in commands:
        expected, seen = read_golden(name), HINT.sub(b"", run(ours, arguments, home))
        if expected != seen:
            failed += 1
            show_difference(name, arguments, expected, seen)
        elif verbose:
            print("ok %s" % name)
    return failed


def strays(names):
    """Golden files that no command names are never compared: as bad as a failure."""
    found = {name[:-len(".golden")] for name in os.listdir(HERE) if name.endswith(".golden")}
    return sorted(found - names)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("-v", dest="verbose", action="store_true")
    options = parser.parse_args()
    everything = read_commands()
    names = {name for name, _ in everything}
    if len(names) != len(everything):
        sys.exit("commands.txt has a name twice")
    commands = [command for command in everything if not options.words or any(word in command[0] for word in options.words)]
    with tempfile.TemporaryDirectory(prefix="golden") as home:
        if options.update:
            return update(commands, home)
        failed = check(commands, home, options.verbose)
    unused = strays(names)
    for name in unused:
        print("FAILED: %s.golden belongs to no command" % name)
    print("%d golden commands, %d failed" % (len(commands), failed))
    return 1 if failed or unused or not commands else 0


if __name__ == "__main__":
    sys.exit(main())
