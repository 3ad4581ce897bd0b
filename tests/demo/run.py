"""The hunt in profiles of a Go server (examples/leaky-go/demo.sh) finds the leak: status 0, the leaking line beside the count
that `top` shows, and neither a process nor a file left behind. If README.md has its transcript, that is what it prints.

    run.py              the test
    run.py --readme     writes the transcript into README.md anew
"""

import os
import re
import sys

import stage
from stage import after, require

SCRIPT = "examples/leaky-go/demo.sh"


def finds_the_leak(cpprof, directory, readme):
    status, text, errors = stage.play(SCRIPT, directory, CPPROF=cpprof)
    require(status == 0 and not errors, "status %d, stderr %r, stdout ends in %r" % (status, errors[-600:], text[-600:]))
    row = re.search(r"cum%\n\s*(-?\d+) .*  (\S+)", after(text, "top"))
    require(row, "top has no first row:\n%s" % text)
    count, name = row.groups()
    require(int(count) > 0 and name == "runtime.gopark", "top's first row is %s %s, not runtime.gopark" % (count, name))
    require(re.search(r"^\s*%s   runtime\.gopark\n(\s+\S+\n)*?\s+runtime\.chansend\n" % count, after(text, "traces"), re.M),
            "traces shows no stack with %s that goes through runtime.chansend" % count)
    line = re.search(r"^\s*\S+\s+(\S+)\s+(\d+):\s*outCh <- 0$", re.sub(r"^.*\s\.\s+\d+:.*$", "", after(text, "list alloc2"), flags=re.M), re.M)
    require(line and line[1] == count, "list does not show %s beside `outCh <- 0`" % count)
    last = text.rstrip().rpartition("\n")[2]
    require("leak/main.go:%s" % line[2] in last and count in last, "the last line does not name the leak: %r" % last)
    require(not os.listdir(directory), "files are left: %s" % os.listdir(directory))
    transcript = stage.shell_of(text)
    if readme:
        stage.write_readme(SCRIPT, transcript)
    stage.readme_agrees(SCRIPT, transcript)


def tells_of_trouble(_, directory, __):
    stage.tells_of_trouble(SCRIPT, directory, "failed: cpprof -top")


if __name__ == "__main__":
    sys.exit(stage.main([finds_the_leak, tells_of_trouble], __doc__.split("\n", maxsplit=1)[0]))
