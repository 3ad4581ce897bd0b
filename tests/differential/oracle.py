"""Finds the two programs that are compared: the reference (google/pprof at the pinned version) and ours.

Not here: running them (run.py) or installing the reference (`./dev deps --oracle`).
"""

import os
import shutil
import subprocess
import sys

MODULE = "github.com/google/pprof"
PINNED = "v0.0.0-20260709232956-b9395ee17fa0"
SKIP = 77


def skip(reason):
    """Ends the test as ctest's "skipped", with the reason that a reader needs."""
    print("skipped: " + reason)
    sys.exit(SKIP)


def find_go():
    go = shutil.which("go") or "/usr/local/go/bin/go"
    return go if os.access(go, os.X_OK) else None


def _candidates():
    if os.environ.get("CPPROF_ORACLE"):
        yield os.environ["CPPROF_ORACLE"]
        return
    on_path = shutil.which("pprof")
    if on_path:
        yield on_path
    go = find_go()
    if go:
        answer = subprocess.run([go, "env", "GOPATH"], capture_output=True, text=True, check=False)
        if answer.returncode == 0 and answer.stdout.strip():
            yield os.path.join(answer.stdout.strip(), "bin", "pprof")
    yield os.path.expanduser("~/go/bin/pprof")


def _version(path):
    """The module line inside the binary; read from its bytes, so that Go is not needed for it."""
    with open(path, "rb") as binary:
        data = binary.read()
    needle = b"mod\t" + MODULE.encode() + b"\t"
    at = data.find(needle)
    if at < 0:
        return None
    return data[at + len(needle):at + len(needle) + 80].split(b"\t")[0].decode("ascii", "replace")


def find_reference():
    """(path, None), or (None, why there is none)."""
    seen = []
    for path in _candidates():
        if not os.access(path, os.X_OK):
            continue
        version = _version(path)
        if version == PINNED:
            return os.path.realpath(path), None
        seen.append("%s is version %s" % (path, version))
    if seen:
        return None, "the reference must be %s %s, but %s" % (MODULE, PINNED, "; ".join(seen))
    return None, "the reference is not installed (go install %s@%s, or `./dev deps --oracle`)" % (MODULE, PINNED)


def reference_or_skip():
    path, why = find_reference()
    if not path:
        skip(why)
    return path


def find_ours():
    """Our binary: $CPPROF, else the builds beside this tree, newest first."""
    if os.environ.get("CPPROF"):
        return os.path.realpath(os.environ["CPPROF"])
    top = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
    builds = [os.path.join(top, "build", kind, "cpprof") for kind in ("bin", "dev/bin", "release/bin", "asan/bin")]
    builds = [path for path in builds if os.access(path, os.X_OK)]
    return max(builds, key=os.path.getmtime) if builds else None


def ours_or_skip():
    path = find_ours()
    if not path or not os.access(path, os.X_OK):
        skip("cpprof is not built (set CPPROF to its path)")
    return path
