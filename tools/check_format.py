"""clang-format 14 over every C file, by .clang-format: reports what differs, or with --fix rewrites it.

Another version formats differently, so only 14 counts; where it is missing this exits with 77 (skipped).
"""

import argparse
import os
import re
import shutil
import subprocess
import sys

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
FOLDERS = ("src", "tests", "bench", "examples")
VERSION = "14"


def find_formatter():
    for name in ("clang-format-" + VERSION, "clang-format"):
        path = shutil.which(name)
        if not path:
            continue
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        if re.search(r"version %s\." % VERSION, answer.stdout):
            return path
    return None


def sources():
    for folder in FOLDERS:
        for directory, _, names in sorted(os.walk(os.path.join(TOP, folder))):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(directory, name), TOP)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fix", action="store_true", help="rewrite the files")
    parser.add_argument("files", nargs="*", help="default: every C file of the tree")
    options = parser.parse_args()
    formatter = find_formatter()
    if not formatter:
        print("skipped: clang-format %s is not installed" % VERSION)
        return 77
    files = [os.path.relpath(file, TOP) for file in options.files] or list(sources())
    mode = ["-i"] if options.fix else ["--dry-run", "-Werror"]
    done = subprocess.run([formatter, "--style=file", *mode, *files], cwd=TOP, capture_output=True, text=True, check=False)
    named = sorted({line.split(":")[0] for line in done.stderr.split("\n") if "error:" in line})
    for name in named:
        print("%s: not formatted; ./dev fmt does it" % name)
    print("%d files, %d not formatted" % (len(files), len(named)))
    if done.returncode and not named:
        print(done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
