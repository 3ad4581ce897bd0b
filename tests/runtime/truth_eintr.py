"""A program that bears no EINTR (threads_eintr.c) survives samples at 1,000 Hz and dumps at the same time.

    truth_eintr.py ... [--seconds N]      `./dev soak` gives ten minutes
"""

import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from threads_bed import Hammer, PATIENCE, Program, run  # noqa: E402
from truth_bed import Failed, fetch, profile_of, require  # noqa: E402

DUMPS = 50
# Samples and dumps are what is tested, not what names cost.
WITHOUT_NAMES = "names"


class Sampler:
    """CPU profiles at 1,000 Hz, one after the other, until the program has ended."""

    def __init__(self, pid):
        self.pid, self.samples, self.profiles, self.ended, self.problem = pid, 0, 0, False, None
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.ended = True
        self.thread.join()

    def run(self):
        while not self.ended:
            try:
                self.samples += profile_of(self.pid, "profile?seconds=1&hz=1000").total("samples")
                self.profiles += 1
            except Failed as problem:
                self.problem = problem
                return


def sampled(bed, disabled):
    seconds = max(bed.seconds, 4)
    with Program(bed, bed.program("threads_eintr"), int(seconds), 3, settings={"CPPROF_DISABLE": disabled}) as program:
        program.line("begun")
        status, index = fetch(program.process.pid, "")
        require(status == 200 and b"EINTR" not in index, "EINTR was seen already")
        with Sampler(program.process.pid) as sampler, Hammer(program, DUMPS) as hammer:
            output, error = program.process.communicate(timeout=seconds + PATIENCE)
            # The last answers may be cut off by the program's end.
            sampler.ended = True
        status = program.process.returncode
        require(status == 0, "status %d after %d samples, %d dumps: %s" % (status, sampler.samples, hammer.count, error.decode("utf-8", "replace")))
        require(sampler.profiles > 0 and sampler.samples > 100 and hammer.count > 0,
                "%d profiles, %d samples, %d dumps: %s, %s" % (sampler.profiles, sampler.samples, hammer.count, sampler.problem, hammer.problem))
        print("        %d samples, %d dumps, %s" % (sampler.samples, hammer.count, output.decode().strip()))


def by_perf(bed):
    """no call returns EINTR while the processor's time is sampled"""
    sampled(bed, WITHOUT_NAMES)


def by_timers(bed):
    """the same, sampled by timers"""
    sampled(bed, WITHOUT_NAMES + ",perf")


if __name__ == "__main__":
    run([by_perf, by_timers])
