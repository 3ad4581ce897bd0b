"""A program that bears no EINTR survives 200 dumps a second.

    threads_eintr.py ... [--seconds N]      `./dev soak` gives ten minutes
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from threads_bed import Hammer, PATIENCE, Program, require, run  # noqa: E402

RATE = 200
# Dumps are what is tested, not what names cost.
WITHOUT_NAMES = {"CPPROF_DISABLE": "names"}


def no_eintr(bed):
    """no call returns EINTR because of us"""
    with Program(bed, bed.program("threads_eintr"), int(bed.seconds), settings=WITHOUT_NAMES) as program:
        program.line("begun")
        with Hammer(program, RATE) as hammer:
            output, error = program.process.communicate(timeout=bed.seconds + PATIENCE)
        status = program.process.returncode
        require(status == 0, "status %d after %d dumps: %s" % (status, hammer.count, error.decode("utf-8", "replace")))
        require(hammer.count > bed.seconds, "only %d dumps: %s" % (hammer.count, hammer.problem))
        print("%d dumps, %s" % (hammer.count, output.decode().strip()))


if __name__ == "__main__":
    run([no_eintr])
