"""The debug=1 text of block, mutex and wait, read by the reference and by cpprof: the same reports, with the sums and the names that are
known beforehand, and nothing of the waits in progress.

    contention_reference.py SAMPLE TOOL

Not here: how the text looks (test_render_contention.c), and what a live process serves.
"""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "differential"))
import oracle  # noqa: E402

KINDS = ("block", "mutex", "wait")
REPORTS = ("-raw", "-top", "-traces", "-tags", "-comments")


class Failed(Exception):
    """What a case found wrong."""


def require(condition, what):
    if not condition:
        raise Failed(what)


def report(program, arguments, home):
    environment = dict(os.environ, HOME=home, PPROF_TMPDIR=home, TZ="UTC", PPROF_BINARY_PATH=home)
    result = subprocess.run([program] + arguments, capture_output=True, env=environment, timeout=60, check=False)
    require(result.returncode == 0, "%s %s: %r" % (program, arguments, result.stderr))
    return result.stdout.decode()


def render(sample, arguments, path):
    with open(path, "wb") as out:
        subprocess.run([sample] + arguments, stdout=out, timeout=60, check=True)
    return path


def check_answer(program, path, home):
    """The default of these profiles is the delay; cumulative, since the samples lie in an inlined function."""
    top = report(program, ["-top", path], home)
    require(re.search(r"4s total|of 4s", top), "not 4 s in all:\n" + top)
    require(re.search(r"\s3s\s+75\S*\s.*\bhas_waited\b", top), "has_waited has not 3 s:\n" + top)
    require(re.search(r"\s4s\s+100%\s.*\bmain\b", top), "main has not 4 s:\n" + top)
    require("still_waits" not in top, "a wait in progress is in the sums:\n" + top)
    counts = report(program, ["-top", "-sample_index=contentions", path], home)
    require(re.search(r"\s40\s+95\S*\s.*\bhas_waited\b", counts), "has_waited has not 40:\n" + counts)


def main():
    sample, tool = (os.path.realpath(path) for path in sys.argv[1:3])
    reference, why_none = oracle.find_reference()
    programs = [program for program in (reference, tool) if program]
    compared = 0
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "profile")
        for kind in KINDS:
            render(sample, [kind], path)
            for program in programs:
                check_answer(program, path, directory)
            for empty in ([], ["empty"]):
                render(sample, [kind] + empty, path)
                for arguments in (REPORTS + (() if empty else ("-peek=.",))) if reference else ():
                    theirs, ours = (report(program, [arguments, path], directory) for program in programs)
                    require(theirs == ours, "%s of %s differs:\n%s\n---\n%s" % (arguments, kind, theirs, ours))
                    compared += 1
    if not reference:
        oracle.skip(why_none)
    print("%d reports are the same" % compared)


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(str(failure))
