"""What the tests of the demonstrations share: one played in a session of its own, what it printed after a command, and the
transcript in README.md.

Not here: what a demonstration must show (run.py, hunt.py).
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "differential"))
import oracle  # noqa: E402

TOP = os.path.realpath(os.path.join(HERE, "..", ".."))
README = os.path.join(TOP, "README.md")
TIME_LIMIT = 120
TRANSCRIPT = r"(<!-- From here: what %s prints\. .*? -->\n```\n)(.*?)(```\n<!-- To here\. -->\n)"


class Failed(Exception):
    """What the demonstration did not do."""


def require(condition, what):
    if not condition:
        raise Failed(what)


def processes_of(session):
    """The live processes of a session, by the sixth field of their stat line."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, encoding="utf-8", errors="replace") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(name))
    return found


def environment(directory, **more):
    """What a demonstration is run with; `directory` is its home and takes its temporary files."""
    kept = {"PATH": "/usr/bin:/bin", "HOME": directory, "TMPDIR": directory, "TZ": "UTC"}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        if name in os.environ:
            kept[name] = os.environ[name]
    return {**kept, **more}


def play(script, directory, **settings):
    """(status, stdout, stderr) of the demonstration, run from another directory, in a session of its own."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen([os.path.join(TOP, script)], cwd=directory, env=environment(directory, **settings), stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=errors, start_new_session=True)
        late = False
        try:
            status = process.wait(TIME_LIMIT)
        except subprocess.TimeoutExpired:
            late = True
        left = processes_of(process.pid)
        for pid in left:
            os.kill(pid, 9)
        process.wait()
        require(not late, "it did not end within %d s" % TIME_LIMIT)
        require(not left, "processes are left: %s" % left)
        out.seek(0)
        errors.seek(0)
        return status, out.read().decode("utf-8"), errors.read().decode("utf-8", "backslashreplace")


def after(text, prompt):
    """What was printed after the line with the prompt, up to the next prompt."""
    parts = text.split("\n(pprof) %s\n" % prompt)
    require(len(parts) > 1, "`%s` was not run" % prompt)
    return parts[1].split("\n(pprof) ")[0]


def shell_of(text):
    """The part for README.md: the first shell, without the explanations between its commands."""
    start = text.index("$ cpprof -base ")
    lines = text[start:text.index("$ cpprof -base ", start + 1)].split("\n")
    lines = [line for line in lines if line and not line.startswith("# ")]
    return "\n".join("\n" + line if line.startswith("(pprof) ") else line for line in lines) + "\n"


def readme_agrees(script, transcript):
    """A transcript is as printed. One demonstration has one in README.md; which, README.md says itself."""
    with open(README, encoding="utf-8") as readme:
        content = readme.read()
    require(re.search(TRANSCRIPT % ".*?", content, re.S), "README.md has no transcript")
    written = re.search(TRANSCRIPT % re.escape(script), content, re.S)
    require(not written or written[2] == transcript,
            "README.md has another transcript than %s prints; the test's option --readme writes it" % script)


def write_readme(script, transcript):
    with open(README, encoding="utf-8") as readme:
        content = readme.read()
    content, count = re.subn(TRANSCRIPT % re.escape(script), lambda found: found[1] + transcript + found[3], content, flags=re.S)
    require(count == 1, "README.md has no place for it: <!-- From here: what %s prints. ... -->" % script)
    with open(README, "w", encoding="utf-8") as readme:
        readme.write(content)


def tells_of_trouble(script, directory, reason, **settings):
    """No program, a program that fails: a reason and a failure, not half a hunt."""
    for cpprof, message in ((os.path.join(directory, "nosuch"), "there is no program"), ("/bin/false", reason)):
        status, _, errors = play(script, directory, CPPROF=cpprof, **settings)
        require(status != 0 and message in errors, "with CPPROF=%s: status %d, stderr %r" % (cpprof, status, errors))


def main(cases, description):
    """Runs each case(cpprof, directory, readme) in an empty directory; the exit status."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--readme", action="store_true", help="write the transcript into README.md")
    options = parser.parse_args()
    cpprof = oracle.ours_or_skip()
    for case in cases:
        try:
            with tempfile.TemporaryDirectory() as directory:
                case(cpprof, directory, options.readme)
        except Failed as reason:
            print("FAIL: %s: %s" % (case.__name__, reason))
            return 1
    print("the demonstration finds the leak")
    return 0
