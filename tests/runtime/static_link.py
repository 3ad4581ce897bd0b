"""The static library: a program that has it linked in, beside a zlib of its own, is served and profiled as with the shared one.

    static_link.py --library libcpprof.so --tool cpprof --programs DIRECTORY
"""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from life_bed import PATIENCE, require, run_cases, wait_until  # noqa: E402


def tool(bed, *words):
    done = subprocess.run([bed.tool, *words], env=bed.environment(False), cwd=bed.directory, capture_output=True, text=True,
                          timeout=2 * PATIENCE, check=False)
    return done.stdout + done.stderr


def linked_in(bed):
    "threads and heap of a program with libcpprof.a in it"
    program = os.path.join(os.path.dirname(bed.program), "static_link")
    needed = subprocess.run(["readelf", "-d", program], capture_output=True, text=True, check=True).stdout
    require("libcpprof" not in needed, "it was linked with the shared library")
    process = bed.start(program, "127.0.0.1:0", "5", preload=False)
    wait_until(lambda: "leaked 5" in process.lines or process.process.poll() is not None, "for five leaks: %r %r" % (process.lines, process.stderr()))
    found = re.search(r"http://[^ ]*/debug/pprof/", "\n".join(process.lines))
    require(found, "it does not say where it serves: %r" % process.lines)
    threads = tool(bed, "-traces", found[0] + "goroutine")
    require(re.search(r" 5 +pthread_cond_wait\n +chan_send( \(inline\))?\n +alloc2\n", threads), "threads:\n" + threads)
    heap = tool(bed, "-top", found[0] + "heap")
    require(re.search(r" 50MB .* alloc2\n", heap), "heap:\n" + heap)


if __name__ == "__main__":
    sys.exit(run_cases([linked_in]))
