"""What the documents say and what the tree holds agree.

    check_docs.py [--cpprof PROGRAM]

- every flag of `cpprof -help` stands in the man page, and the reverse (with --cpprof or $CPPROF);
- the man page passes `mandoc -T lint`;
- relative links of the Markdown files lead somewhere;
- no file names a path of somebody's machine.
"""

import argparse
import gzip
import os
import re
import shutil
import subprocess
import sys

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
MAN = os.path.join(TOP, "docs", "cpprof.1")
SKIPPED_FOLDERS = {".git", "build", "__pycache__", ".cache"}
# Written so that this file does not name them itself.
MACHINE_PATH = re.compile(rb"(?<![\w.])/(?:wo[r]k|ro[o]t|home/[a-z]+)/[\w.]|bash_[j]obs")
# Examples in documents and tests that mean nobody's machine.
EXAMPLE_PATH = re.compile(rb"/home/(?:u|user|me)/")


def files():
    for directory, folders, names in os.walk(TOP):
        folders[:] = sorted(folder for folder in folders if folder not in SKIPPED_FOLDERS)
        for name in sorted(names):
            yield os.path.join(directory, name)


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith(".gz"):
        try:
            return gzip.decompress(data)
        except (OSError, EOFError):
            return data  # a damaged one is some test's input
    return data


def path_problems():
    for path in files():
        for number, line in enumerate(read(path).split(b"\n"), 1):
            found = MACHINE_PATH.search(EXAMPLE_PATH.sub(b"", line))
            if found:
                yield "%s:%d: names a machine's path: %s" % (os.path.relpath(path, TOP), number, found[0].decode("latin-1"))


def link_problems():
    for path in files():
        if not path.endswith(".md"):
            continue
        text = re.sub(r"```.*?```", "", read(path).decode("utf-8"), flags=re.S)
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if "://" in target or target.startswith("mailto:"):
                continue
            if not os.path.exists(os.path.join(os.path.dirname(path), target)):
                yield "%s: the link to %s leads nowhere" % (os.path.relpath(path, TOP), target)


def man_flags():
    """Flags that have an entry (.It Fl NAME) in the man page; a line may name several."""
    flags = set()
    with open(MAN, encoding="utf-8") as man:
        for line in man:
            if line.startswith(".It Fl"):
                flags.update(re.findall(r"\bFl (\w+)", line))
    return flags


def help_flags(program):
    """Flags at the beginning of a line of the usage text."""
    answer = subprocess.run([program, "-help"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    return set(re.findall(r"^\s*-(\w+)", answer.stdout + answer.stderr, re.M))


def flag_problems(program):
    told, written = help_flags(program), man_flags()
    if not told:
        yield "%s -help names no flag" % program
    for flag in sorted(told - written):
        yield "docs/cpprof.1: no entry for -%s, which `cpprof -help` names" % flag
    for flag in sorted(written - told):
        yield "docs/cpprof.1: -%s is not in `cpprof -help`" % flag


def lint_problems():
    mandoc = shutil.which("mandoc")
    if not mandoc:
        print("mandoc is not installed: the man page is not linted")
        return
    answer = subprocess.run([mandoc, "-T", "lint", "-W", "warning", MAN], capture_output=True, text=True, check=False)
    yield from (line.replace(TOP + "/", "") for line in answer.stdout.split("\n") if line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cpprof", default=os.environ.get("CPPROF"))
    options = parser.parse_args()
    problems = [*path_problems(), *link_problems(), *lint_problems()]
    if options.cpprof and os.access(options.cpprof, os.X_OK):
        problems += flag_problems(options.cpprof)
    else:
        print("cpprof is not built: its flags are not compared with the man page")
    for problem in problems:
        print(problem)
    print("%d problems" % len(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
