"""What libcpprof renders, read by the reference and by cpprof: the same reports, and the names that are known beforehand.

    names_reference.py SAMPLE TOOL

Not here: how the bytes look (test_render.c), and what a live process serves.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "differential"))
import oracle  # noqa: E402

KINDS = ("heap", "goroutine", "heap-text", "goroutine-text")
REPORTS = ("-raw", "-top", "-traces", "-peek=.", "-tags")


class Failed(Exception):
    """What a case found wrong."""


def require(condition, what):
    if not condition:
        raise Failed(what)


def report(program, arguments, home):
    """Standard output, and standard error without the program's name."""
    environment = dict(os.environ, HOME=home, PPROF_TMPDIR=home, TZ="UTC", PPROF_BINARY_PATH=home)
    result = subprocess.run([program] + arguments, capture_output=True, env=environment, timeout=60, check=False)
    require(result.returncode == 0, "%s %s: %r" % (program, arguments, result.stderr))
    return result.stdout.decode()


def render(sample, kind, helper, path):
    with open(path, "wb") as out:
        subprocess.run([sample, kind] + helper, stdout=out, timeout=60, check=True)
    return path


def check_names(text, with_lines):
    """Of a -raw report."""
    require("[truncated]" in text, "no pseudo frame:\n" + text)
    for name in ("allocates", "calls_it", "qsort"):
        require(re.search(r"\b%s\b" % name, text), "no %s:\n%s" % (name, text))
    if with_lines:
        require(re.search(r"here \S*names_sample\.c:\d+", text), "no inlined frame with its line:\n" + text)
        require(re.search(r"allocates \S*names_sample\.c:\d+", text), "no line:\n" + text)


def check_missing_binary(programs, sample, directory):
    """Names from symbol tables are not announced; a reader without the binary shows them, once."""
    copy = os.path.join(directory, "gone")
    shutil.copy(sample, copy)
    path = render(copy, "heap", [], os.path.join(directory, "gone.pb.gz"))
    os.remove(copy)
    for program in programs:
        text = report(program, ["-symbolize=none", "-raw", path], directory)
        check_names(text, False)
        mapping = next(line for line in text.splitlines() if "/gone " in line)
        require("[FN]" not in mapping, "announced: " + mapping)
        top = report(program, ["-top", "-sample_index=alloc_space", path], directory)
        rows = [line for line in top.splitlines() if line.endswith(" allocates")]
        require(len(rows) == 1, "not named once: %r\n%s" % (rows, top))


def check_announced(programs, sample, tool, directory):
    """What the helper has found in all of a mapping is announced."""
    path = render(sample, "goroutine", [tool], os.path.join(directory, "helped.pb.gz"))
    for program in programs:
        text = report(program, ["-symbolize=none", "-raw", path], directory)
        check_names(text, True)
        mapping = next(line for line in text.splitlines() if sample in line and "0x" in line.split()[1])
        require("[FN][FL][LN][IN]" in mapping, "not announced: " + mapping)


def main():
    sample, tool = (os.path.realpath(path) for path in sys.argv[1:3])
    reference, why_none = oracle.find_reference()
    programs = [program for program in (reference, tool) if program]
    with tempfile.TemporaryDirectory() as directory:
        check_missing_binary(programs, sample, directory)
        check_announced(programs, sample, tool, directory)
        compared = 0
        for kind in KINDS:
            for helper in ([], [tool]):
                path = render(sample, kind, helper, os.path.join(directory, "profile"))
                for arguments in REPORTS if reference else ():
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
