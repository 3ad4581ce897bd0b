"""What a program may expect of the calls that we wrap holds with the library, and while it is dumped all the time."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from threads_bed import Hammer, Program, require, run  # noqa: E402

RATE = 200


def compare(bed, path):
    plain = subprocess.run([path], stdout=subprocess.PIPE, check=True).stdout.decode()
    require("ok " in plain and "WRONG" not in plain, "without the library:\n%s" % plain)
    with Program(bed, path) as program:
        require(program.end() == plain, "with the library it is different")
    with Program(bed, path, settings={"CPPROF_DISABLE": "names"}) as program:
        with Hammer(program, RATE):
            output = program.process.communicate()[0].decode()
        require(output == plain, "while it is dumped it says\n%s" % output)


def c_program(bed):
    """cancellation, jumps, exits, kinds of locks, errno, syscall"""
    compare(bed, bed.program("waits_semantics"))


def exceptions(bed):
    """C++ exceptions through waits and cleanup"""
    compare(bed, bed.compiled("waits_throw.cpp", "waits_throw", "-O2", "-fnon-call-exceptions"))


if __name__ == "__main__":
    run([c_program, exceptions])
