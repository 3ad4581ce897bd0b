"""The demonstration (examples/leaky-go/demo.sh) finds the leak: status 0, the leaking line beside the count that `top` shows,
and neither a process nor a file left behind. The transcript in README.md is what it prints.

    run.py              the test
    run.py --readme     writes the transcript into README.md anew
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
DEMO = os.path.join(TOP, "examples", "leaky-go", "demo.sh")
TIME_LIMIT = 120
TRANSCRIPT = re.compile(r"(<!-- From here: .*? -->\n```\n)(.*?)(```\n<!-- To here\. -->\n)", re.S)


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


def play(cpprof, directory):
    """(status, stdout, stderr) of the demonstration, run from another directory, in a session of its own."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": directory, "TMPDIR": directory, "TZ": "UTC", "CPPROF": cpprof}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        if name in os.environ:
            environment[name] = os.environ[name]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen([DEMO], cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, start_new_session=True)
        try:
            status = process.wait(TIME_LIMIT)
        except subprocess.TimeoutExpired:
            for left in processes_of(process.pid):
                os.kill(left, 9)
            process.wait()
            raise Failed("it did not end within %d s" % TIME_LIMIT) from None
        left = processes_of(process.pid)
        require(not left, "processes are left: %s" % left)
        out.seek(0)
        errors.seek(0)
        return status, out.read().decode("utf-8"), errors.read().decode("utf-8", "backslashreplace")


def after(text, prompt):
    """What was printed after the line with the prompt, up to the next prompt."""
    parts = text.split("\n(pprof) %s\n" % prompt)
    require(len(parts) > 1, "`%s` was not run" % prompt)
    return parts[1].split("\n(pprof) ")[0]


def transcript(text):
    """The part for README.md: the shell on the goroutine profiles, without the explanations between."""
    start = text.index("$ cpprof -base ")
    lines = text[start:text.index("$ cpprof -base ", start + 1)].split("\n")
    lines = [line for line in lines if line and not line.startswith("# ")]
    return "\n".join("\n" + line if line.startswith("(pprof) ") else line for line in lines) + "\n"


def readme_agrees(text):
    with open(README, encoding="utf-8") as readme:
        written = TRANSCRIPT.search(readme.read())
    require(written, "README.md has no transcript")
    require(written[2] == transcript(text), "README.md has another transcript than the demonstration prints; tests/demo/run.py --readme writes it")


def write_readme(text):
    with open(README, encoding="utf-8") as readme:
        content = readme.read()
    content = TRANSCRIPT.sub(lambda found: found[1] + transcript(text) + found[3], content)
    with open(README, "w", encoding="utf-8") as readme:
        readme.write(content)


def finds_the_leak(cpprof, directory):
    status, text, errors = play(cpprof, directory)
    require(status == 0 and not errors, "status %d, stderr %r, stdout ends in %r" % (status, errors[-600:], text[-600:]))
    row = re.search(r"cum%\n\s*(-?\d+) .*  (\S+)", after(text, "top"))
    require(row, "top has no first row:\n%s" % text)
    count, name = row.groups()
    require(int(count) > 0 and name == "runtime.gopark", "top's first row is %s %s, not runtime.gopark" % (count, name))
    require(re.search(r"^\s*%s   runtime\.gopark\n(\s+\S+\n)*?\s+runtime\.chansend\n" % count, after(text, "traces"), re.M),
            "traces shows no stack with %s that goes through runtime.chansend" % count)
    line = re.search(r"^\s*\S+\s+(\S+)\s+(\d+):\s*outCh <- 0$", re.sub(r"^.*\s\.\s+\d+:.*$", "", after(text, "list alloc2"), flags=re.M), re.M)
    require(line and line[1] == count, "list does not show %s beside `outCh <- 0`" % count)
    last = text.rstrip().rpartition("\n")[2]
    require("leak/main.go:%s" % line[2] in last and count in last, "the last line does not name the leak: %r" % last)
    require(not os.listdir(directory), "files are left: %s" % os.listdir(directory))
    return text


def tells_of_trouble(directory):
    """No program, a program that fails: a reason and a failure, not half a hunt."""
    for cpprof, reason in ((os.path.join(directory, "nosuch"), "there is no program"), ("/bin/false", "failed: cpprof -top")):
        status, _, errors = play(cpprof, directory)
        require(status != 0 and reason in errors, "with CPPROF=%s: status %d, stderr %r" % (cpprof, status, errors))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--readme", action="store_true", help="write the transcript into README.md")
    options = parser.parse_args()
    cpprof = oracle.ours_or_skip()
    try:
        with tempfile.TemporaryDirectory() as directory:
            text = finds_the_leak(cpprof, directory)
            if options.readme:
                write_readme(text)
            readme_agrees(text)
            tells_of_trouble(directory)
    except Failed as reason:
        print("FAIL: %s" % reason)
        return 1
    print("the demonstration finds the leak")
    return 0


if __name__ == "__main__":
    sys.exit(main())
