"""threadcreate: how many threads each place has made, and how many of them live."""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from threads_bed import Program, require, run  # noqa: E402

ROUNDS = 50
# function -> threads made in a round
MADE = {"make_joined": 3, "make_detached": 1, "make_detached_later": 2, "make_thrd": 1}


def counts(text):
    """(function of the program, state) -> threads."""
    found = {}
    for group in text.split("\n\n"):
        count = re.search(r"^(\d+) @", group, re.M)
        state = re.search(r'"state":"(\w+)"', group)
        if not count or not state:
            continue
        for function in re.findall(r"^#\t0x[0-9a-f]+\t(make_\w+)\+", group, re.M):
            key = (function, state[1])
            found[key] = found.get(key, 0) + int(count[1])
            break
    return found


def every_way(bed):
    """threads are counted by the place that made them"""
    with Program(bed, bed.program("threads_life"), ROUNDS) as program:
        made = int(program.line("made ").split()[0])
        text = program.get("/debug/pprof/threadcreate?debug=1")
        total = int(re.match(r"threadcreate profile: total (\d+)", text)[1])
        require(total == made, "total %d of %d" % (total, made))
        expected = {(function, "ended"): ROUNDS * each for function, each in MADE.items()}
        expected[("make_staying", "live")] = 5
        expected[("make_unjoined", "ended")] = 3
        found = counts(text)
        require(found == expected, "%s\nis not\n%s" % (found, expected))
        program.end()


if __name__ == "__main__":
    run([every_way])
