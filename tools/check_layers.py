"""Holds the sources to the layers: who may include whom (cmake/layers.txt), and what the lower layers never do.

    check_layers.py [--root DIR]

Not here: names or format (check_format.py), documents (check_docs.py).
"""

import argparse
import os
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]*)"')
COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

OPENS = "open openat fopen fdopen freopen opendir popen system socket connect accept execv execvp fork creat remove unlink rename"
PRINTS = "printf puts putchar perror vprintf fprintf vfprintf fputs err warn errx warnx"
# layer → (words that may not be called there, why)
NEVER = {
    "report": (OPENS, "report/ opens nothing: what it reads comes through the functions that it was given"),
    "graph": (OPENS, "graph/ works on profiles in memory"),
    "profile": (OPENS, "profile/ works on bytes in memory"),
    "wire": (OPENS, "wire/ turns bytes into bytes"),
    "regexp": (OPENS, "regexp/ opens nothing"),
}
NEVER_PRINT = ("base", "wire", "profile", "regexp", "symbolize", "graph", "report", "fetch")


def read_table(path):
    """{layer: set of layers that it may include}, from the lines "name: below ... | libraries"."""
    table = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            matched = re.match(r"([a-z/]+):([^|#]*)", line)
            if matched:
                table[matched[1]] = set(matched[2].split())
    for layer, below in table.items():
        unknown = below - set(table)
        if unknown:
            sys.exit("%s: %s stands on unknown layers: %s" % (path, layer, " ".join(sorted(unknown))))
    return table


def layer_of(path, table):
    """The layer of "layer/file.h" or "layer/part/file.h": the longest directory that has a line in the table."""
    directory = os.path.dirname(path)
    return directory if directory in table else directory.split("/")[0]


def without_comments(text):
    """The code alone, with every line where it was."""
    return COMMENT_OR_STRING.sub(lambda match: "\n" * match[0].count("\n") or '""', text)


def include_problems(root, layer, table, text):
    for number, line in enumerate(text.split("\n"), 1):
        matched = INCLUDE.match(line)
        if not matched:
            continue
        target = matched[1]
        reached = layer_of(target, table)
        if "/" not in target or ".." in target:
            yield number, '"%s": write it from src/, as "layer/file.h"' % target
        elif not os.path.exists(os.path.join(root, "src", target)):
            yield number, '"%s" does not exist' % target
        elif reached != layer and reached not in table[layer]:
            allowed = " ".join(sorted(table[layer])) or "nothing"
            yield number, '"%s": layer %s may include %s' % (target, layer, allowed)


def call_problems(layer, code):
    banned = []
    if layer in NEVER:
        banned.append(NEVER[layer])
    if layer in NEVER_PRINT:
        banned.append((PRINTS, "only cli/ prints; fill the struct error, or use the struct out that was given"))
    for words, why in banned:
        call = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(words.split()))
        for number, line in enumerate(code.split("\n"), 1):
            matched = call.search(line)
            if matched:
                yield number, "%s(): %s" % (matched[1], why)


def sources(root):
    for directory, _, names in sorted(os.walk(os.path.join(root, "src"))):
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                yield os.path.join(directory, name)


def check(root):
    table = read_table(os.path.join(root, "cmake", "layers.txt"))
    problems, count = [], 0
    for path in sources(root):
        count += 1
        shown = os.path.relpath(path, root)
        layer = layer_of(os.path.relpath(path, os.path.join(root, "src")), table)
        if layer not in table:
            problems.append("%s: layer %s has no line in cmake/layers.txt" % (shown, layer))
            continue
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for number, problem in list(include_problems(root, layer, table, text)) + list(call_problems(layer, without_comments(text))):
            problems.append("%s:%d: %s" % (shown, number, problem))
    return problems, count


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    options = parser.parse_args()
    problems, count = check(os.path.realpath(options.root))
    for problem in problems:
        print(problem)
    print("%d files, %d problems" % (count, len(problems)))
    return 1 if problems or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
