"""What a program may expect of the calls that we wrap holds with the library, and while it is dumped all the time."""

import difflib
import itertools
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from threads_bed import Hammer, Program, require, run  # noqa: E402

RATE = 200


SETTINGS = (
    {},
    {"CPPROF_BLOCK_RATE": "1", "CPPROF_WAIT_RATE": "1"},  # every wait is recorded
    {"CPPROF_BLOCK_RATE": "0", "CPPROF_WAIT_RATE": "0"},
)


def difference(plain, other):
    lines = difflib.unified_diff(plain.split("\n"), other.split("\n"), "plain", "with the library", lineterm="", n=0)
    return "\n".join(itertools.islice(lines, 20))


def same(bed, path, judges_itself=True):
    """Without the library and with it, in several settings, the program says the same."""
    plain = subprocess.run([path], stdout=subprocess.PIPE, check=True).stdout.decode()
    require(plain and (not judges_itself or ("ok " in plain and "WRONG" not in plain)), "without the library:\n%s" % plain)
    for settings in SETTINGS:
        with Program(bed, path, settings=settings) as program:
            output = program.end()
            require(output == plain, "with %s it is different:\n%s" % (settings or "the library", difference(plain, output)))
    return plain


def compare(bed, path):
    """And while it is dumped all the time."""
    plain = same(bed, path)
    with Program(bed, path, settings={"CPPROF_DISABLE": "names"}) as program:
        with Hammer(program, RATE):
            output = program.process.communicate()[0].decode()
        require(output == plain, "while it is dumped it says\n%s" % output)


def c_program(bed):
    """cancellation, jumps, exits, kinds of locks, errno, syscall"""
    compare(bed, bed.program("waits_semantics"))


def kinds(bed):
    """every kind of lock, in every state, by every form, with clocks and times good and bad"""
    same(bed, bed.program("waits_kinds"), judges_itself=False)


def contended(bed):
    """locks that are waited for: owners that die, waiters that go away, handlers, forks, memory that goes"""
    compare(bed, bed.program("waits_contended"))


def old_conditions(bed):
    """conditions of programs from before glibc 2.3.2"""
    same(bed, bed.program("waits_old_cond"))


def exceptions(bed):
    """C++ exceptions through waits and cleanup"""
    compare(bed, bed.compiled("waits_throw.cpp", "waits_throw", "-O2", "-fnon-call-exceptions"))


if __name__ == "__main__":
    run([c_program, kinds, contended, old_conditions, exceptions])
