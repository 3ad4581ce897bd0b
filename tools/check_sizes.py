"""The size of things in src/: nine functions in ten under 60 lines, no file over 700, headers with a guard of their
name that compile on their own.

    check_sizes.py [-v]      -v names every long function
"""

import argparse
import os
import re
import subprocess
import sys

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
LONG_FUNCTION = 60
LONG_FILE = 700
SHARE = 0.9


def sources(extension):
    for directory, _, names in sorted(os.walk(os.path.join(TOP, "src"))):
        for name in sorted(names):
            if name.endswith(extension):
                yield os.path.relpath(os.path.join(directory, name), TOP)


def functions(lines):
    """(line number, length) of each function: by the brace style, '{' and '}' alone in the first column."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            yield start, number - start - 1
            start = None


def header_problems():
    compiler = os.environ.get("CC", "cc")
    for header in sources(".h"):
        guard = "CPPROF_" + re.sub(r"[^A-Z0-9]", "_", os.path.relpath(header, "src").upper())
        with open(os.path.join(TOP, header), encoding="utf-8") as file:
            if "#ifndef %s\n#define %s\n" % (guard, guard) not in file.read():
                yield "%s: its guard should be %s" % (header, guard)
        command = [compiler, "-std=gnu11", "-D_GNU_SOURCE", "-Isrc", "-Iinclude", "-fsyntax-only", "-x", "c", "-Wall", "-Wextra", "-Werror",
                   "-Wno-unused-function", "-include", header, "/dev/null"]
        answer = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
        if answer.returncode:
            yield "%s: does not compile on its own: %s" % (header, answer.stderr.strip().split("\n")[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    problems, lengths = list(header_problems()), []
    for path in [*sources(".c"), *sources(".h")]:
        with open(os.path.join(TOP, path), encoding="utf-8") as file:
            lines = file.read().split("\n")
        if len(lines) - 1 > LONG_FILE:
            problems.append("%s: %d lines; split it by what its parts are about" % (path, len(lines) - 1))
        for number, length in functions(lines):
            lengths.append(length)
            if length >= LONG_FUNCTION and options.verbose:
                print("%s:%d: a function of %d lines" % (path, number, length))
    lengths.sort()
    short = sum(length < LONG_FUNCTION for length in lengths)
    if lengths:
        print("%d functions: median %d lines, 90%% under %d, longest %d" %
              (len(lengths), lengths[len(lengths) // 2], lengths[len(lengths) * 9 // 10] + 1, lengths[-1]))
        if short < SHARE * len(lengths):
            problems.append("only %d of %d functions are under %d lines" % (short, len(lengths), LONG_FUNCTION))
    for problem in problems:
        print(problem)
    return 1 if problems or not lengths else 0


if __name__ == "__main__":
    sys.exit(main())
