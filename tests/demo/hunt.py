"""The hunt in C while the server runs (examples/hunt.sh) finds the leak of leaky.c: the wait, the stack and both lines, each with
the number of threads that it has leaked meanwhile; and nothing in healthy.c. If README.md has its transcript, that is what it
prints.

    EXAMPLES=directory/of/leaky hunt.py [--readme]      --readme writes the transcript into README.md anew
"""

import os
import re
import subprocess
import sys

import stage
from stage import TOP, after, require

SCRIPT = "examples/hunt.sh"
EXAMPLES = os.environ.get("EXAMPLES", os.path.join(TOP, "build", "examples"))
BLOCK_MIB = 10  # BLOCK_SIZE of leaky.c
EMPTY = "Showing nodes accounting for 0, 0% of 0 total\n      flat  flat%   sum%        cum   cum%\n"


def count_of_script():
    with open(os.path.join(TOP, SCRIPT), encoding="utf-8") as script:
        return re.search(r"^COUNT=(\d+)", script.read(), re.M)[1]


def listed(text, value, source):
    """The number of the source line that has this cumulative value."""
    line = re.search(r"^\s*\S+\s+%s\s+(\d+):\s*%s" % (re.escape(value), re.escape(source)), text, re.M)
    require(line, "list does not show %s beside `%s`:\n%s" % (value, source, text))
    return line[1]


def transcript_of(text):
    """Without what another build or another minute changes."""
    return "".join(line.replace(TOP + "/", "") for line in stage.shell_of(text).splitlines(keepends=True)
                   if not line.startswith(("Build ID:", "Time:")))


def finds_the_leak(cpprof, directory, readme):
    status, text, errors = stage.play(SCRIPT, directory, CPPROF=cpprof, EXAMPLES=EXAMPLES)
    require(status == 0 and not errors, "status %d, stderr %r, stdout ends in %r" % (status, errors[-600:], text[-600:]))
    threads, heap = text.split("\n# Is this what eats the memory?")
    count, bytes_shown = count_of_script(), "%sMB" % (int(count_of_script()) * BLOCK_MIB)
    row = re.search(r"cum%\n\s*(\S+) .*  (\S+)", after(threads, "top"))
    require(row and row.groups() == (count, "pthread_cond_wait"), "top's first row is not %s pthread_cond_wait:\n%s" % (count, threads))
    require(re.search(r"^\s*%s   pthread_cond_wait\n\s+chan_send( \(inline\))?\n\s+alloc2\n\s+(start_thread|\[libc\.so\.6\])\n" % count, after(threads, "traces"), re.M),
            "traces shows no stack with %s of alloc2 in chan_send:\n%s" % (count, threads))
    line = listed(after(threads, "list alloc2"), count, "chan_send(&results")
    row = re.search(r"cum%\n\s*(\S+) .*  (\S+)", after(heap, "top"))
    require(row and row.groups() == (bytes_shown, "alloc2"), "the heap's first row is not %s alloc2:\n%s" % (bytes_shown, heap))
    held_line = listed(after(heap, "list alloc2"), bytes_shown, "char *block = malloc")
    found = re.search(r"^# Found: .*$", heap, re.M)[0]
    require("leaky.c:%s " % line in found and "line %s " % held_line in found and count in found and bytes_shown in found, found)
    healthy = heap.partition("\n$ healthy &\n")[2]
    require(healthy.count(EMPTY) == 2, "healthy.c has a difference:\n%s" % healthy)
    require(not os.listdir(directory), "files are left: %s" % os.listdir(directory))
    if readme:
        stage.write_readme(SCRIPT, transcript_of(text))
    # Where libc has no debug symbols (package libc6-dbg) its own frames have no names.
    if "[libc.so.6]" not in text:
        stage.readme_agrees(SCRIPT, transcript_of(text))


def every_block_is_exact(cpprof, directory, _):
    """With CPPROF_HEAP_RATE=1 the heap profile has each block, and each byte of it."""
    settings = stage.environment(directory, CPPROF_HEAP_RATE="1")
    leaky = subprocess.Popen([os.path.join(EXAMPLES, "leaky"), "127.0.0.1:0", "7"], env=settings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             text=True)
    try:
        for line in leaky.stdout:
            if line == "leaked 7\n":
                break
        for index, unit, value in (("inuse_space", "B", 7 * (BLOCK_MIB << 20)), ("inuse_objects", "minimum", 7), ("alloc_objects", "minimum", 7)):
            done = subprocess.run([cpprof, "-top", "-unit=" + unit, "-sample_index=" + index, "pid:%d/heap" % leaky.pid], env=settings, cwd=directory,
                                  capture_output=True, text=True, check=False)
            row = re.search(r"^\s*(\d+)B?\s.*  alloc2$", done.stdout, re.M)
            require(row and int(row[1]) == value, "%s of alloc2 is not %d: %r %r" % (index, value, done.stdout, done.stderr))
    finally:
        leaky.kill()
        leaky.communicate()


def tells_of_trouble(_, directory, __):
    stage.tells_of_trouble(SCRIPT, directory, "failed: cpprof http://", EXAMPLES=EXAMPLES)


if __name__ == "__main__":
    if not os.access(os.path.join(EXAMPLES, "leaky"), os.X_OK):
        stage.oracle.skip("the examples are not built: say where they are with EXAMPLES")
    sys.exit(stage.main([finds_the_leak, every_block_is_exact, tells_of_trouble], __doc__.split("\n", maxsplit=1)[0]))
