"""Profiles of real Go servers, fetched by us: every report of the saved profile equals the reference's, byte for byte.

The servers: Debian's prometheus and etcd, and tests/real/server built on the spot; those that are not here are skipped with
a reason. Also compared: what both tools save and say when the very same answer is served to them.
"""

import collections
import concurrent.futures
import difflib
import glob
import gzip
import http.server
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "differential"))
import intended  # noqa: E402
import oracle  # noqa: E402
import servers  # noqa: E402

PROFILES = ["profile?seconds=1", "heap", "goroutine", "allocs", "block", "mutex", "threadcreate"]
REPORTS = [["-top"], ["-text"], ["-tree"], ["-peek=."], ["-traces"], ["-list=FUNCTIONS"], ["-raw"], ["-proto"], ["-topproto"], ["-comments"], ["-tags"]]
OPTIONS = [[], ["-cum", "-lines"], ["-addresses", "-nodecount=30"], ["-files", "-noinlines"], ["-filefunctions", "-sample_index=0"],
           ["-focus=FUNCTIONS", "-relative_percentages"], ["-ignore=runtime", "-nodefraction=0.05", "-edgefraction=0.02"],
           ["-show_from=FUNCTIONS", "-trim=false"], ["-hide=^runtime\\.", "-unit=auto", "-mean"], ["-tagroot=tenant", "-tagfocus=tenant=alpha|beta"],
           ["-tagleaf=bytes", "-tagfocus=bytes=1kb:", "-unit=kb"]]

RERUNS = 40  # an order that the reference leaves to chance shows itself in one of these

Answer = collections.namedtuple("Answer", "status stdout stderr")


def unzip(data):
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


class Comparison:
    """Both tools, a directory for the saved profiles, and the count."""

    def __init__(self, reference, ours, directory):
        self.reference, self.ours, self.directory = reference, ours, directory
        self.identical, self.different, self.unstable = 0, 0, 0
        self.lock = threading.Lock()

    def run(self, tool, arguments, saved="saved"):
        """PATH has no objdump and the like: the reference would start them for every report."""
        environment = {"PATH": os.path.join(self.directory, "no-tools"), "HOME": self.directory, "TZ": "UTC",
                       "PPROF_TMPDIR": os.path.join(self.directory, saved), "ASAN_OPTIONS": "detect_leaks=0"}
        done = subprocess.run([tool, *arguments], cwd=os.path.join(HERE, "server"), env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=120, check=False)
        errors = done.stderr.replace(b"cpprof: ", b"pprof: ").replace(environment["PPROF_TMPDIR"].encode(), b"SAVED")
        lines = [line for line in errors.splitlines() if not intended.SOURCES_HINT.match(line)]
        return Answer(done.returncode, unzip(done.stdout), sorted(lines))

    def compare(self, what, arguments):
        reference, ours = self.run(self.reference, arguments), self.run(self.ours, arguments)
        same = reference == ours
        unstable = not same and any(self.run(self.reference, arguments) != reference for _ in range(RERUNS))
        with self.lock:
            self.identical += same
            self.unstable += unstable
            if not same and not unstable:
                self.report(what, arguments, reference, ours)

    def compare_all(self, what, command_lines):
        """Two at a time: most of the time is the reference's start."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda arguments: self.compare(what, arguments), command_lines))

    def report(self, what, arguments, reference, ours):
        self.different += 1
        print("DIFFERENT %s: cpprof %s" % (what, " ".join(map(shlex.quote, arguments))))
        if reference.status != ours.status:
            print("    status: reference %s, ours %s" % (reference.status, ours.status))
        one, two = (b"\n".join(answer.stderr + [answer.stdout]).decode("utf-8", "backslashreplace").split("\n") for answer in (reference, ours))
        for line in list(difflib.unified_diff(one, two, "reference", "cpprof", lineterm="", n=1))[:16]:
            print("    " + line[:200])


def fetch(comparison, url, saved):
    """Our tool fetches and saves; the path of the saved profile, or None with a message."""
    directory = os.path.join(comparison.directory, saved)
    before = set(glob.glob(directory + "/*"))
    answer = comparison.run(comparison.ours, ["-top", "-symbolize=none", url], saved)
    new = sorted(set(glob.glob(directory + "/*")) - before)
    if answer.status or len(new) != 1:
        comparison.different += 1
        print("DIFFERENT %s: our fetch ends with status %s, %d files saved: %r" % (url, answer.status, len(new), answer.stderr[-3:]))
        return None
    return new[0]


def compare_reports(comparison, server, kind, path):
    lines = [[word.replace("FUNCTIONS", server.functions) for word in [*report, *options, "-symbolize=none"]] + [path]
             for report in REPORTS for options in OPTIONS]
    lines += [[report, path] for report in ("-top", "-raw")]
    comparison.compare_all("%s %s" % (server.name, kind), lines)


def compare_bases(comparison, server, kind, first, second):
    lines = [[report, "-symbolize=none", *options, second] for report in ("-top", "-tree", "-traces", "-raw", "-proto", "-tags")
             for options in (["-base=" + first], ["-diff_base=" + first], ["-diff_base=" + first, "-normalize"])]
    lines.append(["-raw", "-symbolize=none", first, second])
    comparison.compare_all("%s %s, two profiles" % (server.name, kind), lines)


class Replay:
    """Serves one recorded answer to whoever asks."""

    def __init__(self, body):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "application/octet-stream")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def compare_saved(comparison, server, kind):
    """The same answer to both tools: the same words, the same file name, the same bytes in it (after gunzip)."""
    with urllib.request.urlopen("http://%s/debug/pprof/%s" % (server.address, kind), timeout=30) as answer:
        replay = Replay(answer.read())
    what = "%s %s, saved" % (server.name, kind)
    place = "%s-%s" % (server.name, kind.split("?")[0])
    try:
        arguments = ["-raw", "-symbolize=none", "http://%s/debug/pprof/%s" % (replay.address, kind.split("?")[0])]
        reference = comparison.run(comparison.reference, arguments, "reference-" + place)
        ours = comparison.run(comparison.ours, arguments, "ours-" + place)
    finally:
        replay.stop()
    if reference != ours:
        comparison.report(what, arguments, reference, ours)
        return
    files = [sorted(glob.glob(os.path.join(comparison.directory, tool + "-" + place, "*"))) for tool in ("reference", "ours")]
    names = [[os.path.basename(path) for path in paths] for paths in files]
    contents = [[unzip(open(path, "rb").read()) for path in paths] for paths in files]
    if names[0] == names[1] and contents[0] == contents[1] and len(names[0]) == 1:
        comparison.identical += 1
    else:
        comparison.different += 1
        print("DIFFERENT %s: %s and %s%s" % (what, names[0], names[1], "" if names[0] != names[1] else ", other content"))


def examine(comparison, server):
    for kind in PROFILES:
        url = "http://%s/debug/pprof/%s" % (server.address, kind)
        first = fetch(comparison, url, "saved")
        if first:
            compare_reports(comparison, server, kind, first)
        if kind in ("heap", "goroutine"):
            second = fetch(comparison, url, "saved")
            if first and second:
                compare_bases(comparison, server, kind, first, second)
        compare_saved(comparison, server, kind)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    reference, ours = oracle.reference_or_skip(), oracle.ours_or_skip()
    starters = {"prometheus": servers.start_prometheus, "etcd": servers.start_etcd,
                "realserver": lambda directory: servers.start_ours(directory, oracle.find_go())}
    different = examined = 0
    for name, start in starters.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        with tempfile.TemporaryDirectory(prefix="cpprof-real-") as directory:
            try:
                server = start(directory)
            except servers.Unavailable as reason:
                print("skipped %s: %s" % (name, reason))
                continue
            comparison = Comparison(reference, ours, directory)
            try:
                examine(comparison, server)
            finally:
                server.stop()
            examined += 1
            different += comparison.different
            print("%s: %d identical, %d reference-unstable, %d different" % (name, comparison.identical, comparison.unstable, comparison.different))
            sys.stdout.flush()
    if not examined:
        oracle.skip("none of the servers could be run")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
