"""Programs that take offence at what a library does inside them: they run as without it.

    harm.py --library libcpprof.so --tool cpprof --programs DIRECTORY
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from life_bed import PATIENCE, Skipped, require, run_cases  # noqa: E402


def unharmed(bed, how, **environment):
    program = os.path.join(os.path.dirname(bed.program), "harm")
    try:
        done = subprocess.run([program, how], env=bed.environment(True, **environment), cwd=bed.directory, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        require(False, "%s: it hangs" % how)
    require((done.returncode, done.stdout) == (0, "fine\n"), "%s: status %d, %r %r" % (how, done.returncode, done.stdout, done.stderr))


def everyday(bed):
    "ps, free, curl and their like, whose first malloc comes from inside libc's locale code, end"
    ran = 0
    for words in (["ps"], ["free"], ["uptime"], ["curl", "-s", "file:///etc/hostname"], ["gpg", "--version"], ["systemctl", "--version"]):
        try:
            done = subprocess.run(words, env=bed.environment(True, LANG="C.UTF-8"), cwd=bed.directory, stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=PATIENCE, check=False)
        except FileNotFoundError:
            continue
        except subprocess.TimeoutExpired:
            require(False, "%s hangs" % words[0])
        require(done.returncode == 0, "%s: status %d, %r" % (words[0], done.returncode, done.stderr))
        ran += 1
    if not ran:
        raise Skipped("none of them is here")


def filtered(bed):
    "a filter of system calls that kills for whatever the program does not do itself"
    for how in ("filter", "syscall", "strict"):
        for rate in ("524288", "1"):
            unharmed(bed, how, CPPROF_HEAP_RATE=rate)


if __name__ == "__main__":
    sys.exit(run_cases([everyday, filtered]))
