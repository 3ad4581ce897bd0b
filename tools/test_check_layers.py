"""The layer check finds what it is there for: each bad file is one that it must name, and a good tree passes."""

import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_layers  # noqa: E402

TABLE = "base:\nprofile: base | zlib\nreport: base profile\ncli: base profile report\n"
GOOD = {"src/base/a.h": "", "src/profile/p.h": '#include "base/a.h"\n', "src/report/r.c": '#include "profile/p.h"\n/* open(2) */ "open()";\n',
        "src/cli/main.c": '#include "report/r.h"\nint main(void) { return open("x", 0); }\n', "src/report/r.h": ""}
BAD = {
    "include upwards": ("src/profile/bad.c", '#include "report/r.h"\n', "profile may include base"),
    "include without layer": ("src/profile/bad.c", '#include "p.h"\n', "write it from src/"),
    "include by ..": ("src/profile/bad.c", '#include "../base/a.h"\n', "write it from src/"),
    "missing header": ("src/profile/bad.c", '#include "base/none.h"\n', "does not exist"),
    "report opens": ("src/report/bad.c", 'int f(void) { return fopen ("x", "r") != 0; }\n', "report/ opens nothing"),
    "library prints": ("src/base/bad.c", 'void f(void) { printf("x"); }\n', "only cli/ prints"),
    "unknown layer": ("src/extra/bad.c", "", "no line in"),
}


def tree(directory, files):
    for name, text in dict(files, **{"cmake/layers.txt": TABLE}).items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def main():
    failed = []
    with tempfile.TemporaryDirectory() as directory:
        tree(directory, GOOD)
        problems, count = check_layers.check(directory)
        if problems or count != len(GOOD):
            failed.append("a good tree: %s" % problems)
    for name, (path, text, expected) in BAD.items():
        with tempfile.TemporaryDirectory() as directory:
            tree(directory, dict(GOOD, **{path: text}))
            problems, _ = check_layers.check(directory)
            if len(problems) != 1 or not problems[0].startswith(path) or expected not in problems[0]:
                failed.append("%s: %s" % (name, problems))
    for problem in failed:
        print("failed: " + problem)
    print("%d cases, %d failed" % (len(BAD) + 1, len(failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
