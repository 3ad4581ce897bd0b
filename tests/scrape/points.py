"""What engines need of /debug/pprof/ so that they scrape it unmodified, in eight points; each is a test of its own.

    points.py --library SO --program DEMO [--tool CPPROF] [--only pointN]
    points.py --go                          the same of a Go program, as far as its answers are those that ours follow

Not here: loops that go on for longer (loops.py), and what is in a profile (the tests of each page).
"""

import argparse
import http.server
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import engines
import pprof_read
import scrape_bed
from pprof_read import Stacks
from scrape_bed import Client, Skipped, c_target, go_target, require, wait_until

sys.path.insert(0, os.path.join(scrape_bed.HERE, "..", "differential"))
import oracle  # noqa: E402

PAGE = "/debug/pprof/"
SECOND = 10 ** 9
HEAP = [("alloc_objects", "count"), ("alloc_space", "bytes"), ("inuse_objects", "count"), ("inuse_space", "bytes")]
CONTENTION = [("contentions", "count"), ("delay", "nanoseconds")]
CPU = [("samples", "count"), ("cpu", "nanoseconds")]
WAIT = [("waits", "count"), ("delay", "nanoseconds")]
# Page: its sample types, and its period type.
TYPES = {
    "heap": (HEAP, ("space", "bytes")),
    "allocs": (HEAP, ("space", "bytes")),
    "goroutine": ([("goroutine", "count")], ("goroutine", "count")),
    "threadcreate": ([("threadcreate", "count")], ("threadcreate", "count")),
    "block": (CONTENTION, ("contentions", "count")),
    "mutex": (CONTENTION, ("contentions", "count")),
    "profile": (CPU, ("cpu", "nanoseconds")),
}
OUR_TYPES = {
    "threads": TYPES["goroutine"],
    "wait": (WAIT, ("waits", "count")),
    "delta_heap": TYPES["heap"],
    "delta_block": TYPES["block"],
    "delta_mutex": TYPES["mutex"],
}
DEBUG_TEXTS = {
    "heap": rb"heap profile: \d+: \d+ \[\d+: \d+\] @ heap/\d+\n",
    "allocs": rb"heap profile: \d+: \d+ \[\d+: \d+\] @ heap/\d+\n",
    "goroutine": rb"goroutine profile: total \d+\n\d+ @",
    "threadcreate": rb"threadcreate profile: total \d+\n",
    "block": rb"--- contention:\ncycles/second=\d+\n",
    "mutex": rb"--- (mutex|contention):\ncycles/second=\d+\n",
}
# A function of the demo that must be on the page, sooner or later.
FOUND = {"heap": "allocate", "allocs": "allocate", "goroutine": "in_convoy", "threadcreate": "breed", "block": "hold_lock", "mutex": "hold_lock",
         "profile": "spin", "threads": "in_convoy", "wait": "wait_for_input"}

POINTS = []
OF_GO = []


def point(function):
    POINTS.append(function)
    return function


def of_go(function):
    """Go's answers are like that."""
    OF_GO.append(function)
    return function


class Bed:
    def __init__(self, target, is_go=False, lines=False):
        self.target, self.is_go, self.lines = target, is_go, lines  # lines: the helper that knows them is there
        self.types = TYPES if is_go else {**TYPES, **OUR_TYPES}

    def path(self, page, seconds=1):
        return PAGE + page + ("?seconds=%d" % seconds if page == "profile" else "")

    def profile(self, page, query=""):
        """As read; the page may have a query."""
        path = self.path(page) if not query else PAGE + page + query
        answer = self.target.get(path)
        require(answer.status == 200, path, answer)
        try:
            return pprof_read.read(answer.body)
        except pprof_read.Malformed as problem:
            raise scrape_bed.Failed("%s: %s" % (path, problem)) from None


@point
def point1(bed):
    """every path is served, has on it what the program does, and is taken by the engines"""
    for page in bed.types:
        require(bed.target.get(bed.path(page)).status == 200, page)
        if function := FOUND.get(page):
            kind = bed.types[page][0][0][0]
            wait_until(lambda: Stacks(bed.profile(page)).total(kind, function), "for %s on %s" % (function, page))
    with Client(bed.target.address) as client:
        answer = client.ask(PAGE)
        require(answer.status == 200 and answer.headers["Content-Type"].startswith("text/html"), "the index:", answer)
        for page in bed.types:
            require(page.startswith("delta_") or b"%s?" % page.encode() in answer.body, page, "is not on the index")
        require(b"demo" in client.ask(PAGE + "cmdline").body, "the command line")
        require(client.ask(PAGE + "symbol").body == b"num_symbols: 1\n", "symbol")
        trace = client.ask(PAGE + "trace?seconds=1")
        require(trace.body.startswith(b"go 1.") if trace.status == 200 else trace.headers.get("X-Go-Pprof") == "1", "trace:", trace)
        for engine in engines.ENGINES:
            for target in engine.DEFAULT + getattr(engine, "DELTAS", ()):
                try:
                    engine.check(target, client.ask(target.url(1)))
                except engines.Refused as reason:
                    raise scrape_bed.Failed("%s refuses %s: %s" % (engine.name, target.path, reason)) from None


@point
@of_go
def point2(bed):
    """sample types and periods are spelled as Go's; allocs is heap with another sample type in front"""
    for page, (types, period) in bed.types.items():
        profile = bed.profile(page)
        require(profile.sample_types == types, page, profile.sample_types)
        require(profile.period_type == period and profile.period > 0, page, profile.period_type, profile.period)
        if page in ("block", "mutex", "goroutine", "threads", "threadcreate", "wait"):
            require(profile.period == 1, page, "has period", profile.period)
    require(bed.profile("profile").period == SECOND // 100, "100 samples a second")
    if not bed.is_go:
        require(bed.profile("profile", "?seconds=1&hz=250").period == SECOND // 250, "hz=250")
    require(bed.profile("allocs").default_sample_type == "alloc_space", "allocs")
    require(bed.profile("heap").default_sample_type in ("", "inuse_space"), "heap")


@point
@of_go
def point3(bed):
    """headers of profiles, of texts and of errors; a text with 200 only where debug asks for it"""
    with Client(bed.target.address) as client:
        for page in bed.types:
            for query, suffix in (("", ""), ("?seconds=1", "-delta")):
                if page.startswith("delta_") and query:
                    continue
                answer = client.ask(bed.path(page) if not query else PAGE + page + query)
                name = page + suffix if page != "profile" else page
                require(answer.status == 200, page, query, answer)
                for header, value in (("Content-Type", "application/octet-stream"), ("X-Content-Type-Options", "nosniff"), ("Content-Encoding", None)):
                    require(answer.headers.get(header) == value, page, query, header, answer)
                attached = answer.headers.get("Content-Disposition", "")
                require(attached == 'attachment; filename="%s"' % name or page.startswith("delta_") and attached, page, query, attached)
                require(answer.body.startswith(b"\x1f\x8b"), page, query, answer)
        for page, text in DEBUG_TEXTS.items():
            answer = client.ask(PAGE + page + "?debug=1")
            require(answer.status == 200 and answer.headers["Content-Type"] == "text/plain; charset=utf-8", page, answer)
            require(re.match(text, answer.body), page, answer)
        require(re.match(rb"goroutine \d+ \[", client.ask(PAGE + "goroutine?debug=2").body), "goroutine?debug=2")
        for path in ("nope", "heap?seconds=x", "heap?seconds=-1", "heap?seconds=1&debug=1", "mutex?seconds=x"):
            answer = client.ask(PAGE + path)
            require(answer.status // 100 == 4 and answer.headers["Content-Type"].startswith("text/plain"), path, answer)
            require(answer.headers.get("X-Go-Pprof") == "1" and 0 < len(answer.body) < 200, path, answer)


def in_background(function, *arguments):
    """A thread and the list that will hold its result."""
    result = []
    thread = threading.Thread(target=lambda: result.append(function(*arguments)))
    thread.start()
    return thread, result


def timed(bed, path):
    """The answer, when it was asked for, when it was there."""
    begun = time.monotonic()
    answer = bed.target.get(path)
    return answer, begun, time.monotonic()


def windows(bed):
    """A CPU profile of 4 s, within it one of 1 s, a difference, and every other page; the three profiles, and whether each was
    answered when its time was over, not when another's was."""
    asked = ((bed.path("profile", 4), 4), (bed.path("profile", 1), 1), (PAGE + "allocs?seconds=1", 1))
    running = [in_background(timed, bed, asked[0][0])]
    time.sleep(0.5)
    running += [in_background(timed, bed, path) for path, _ in asked[1:]]
    for page in bed.types:
        if page != "profile":
            require(bed.target.get(PAGE + page).status == 200, page, "beside a CPU profile")
    served, ends, profiles = time.monotonic(), [], []
    for (thread, result), (path, seconds) in zip(running, asked):
        thread.join()
        require(result, path, "failed")
        answer, begun, ended = result[0]
        require(answer.status == 200, answer)
        require(ended - begun >= seconds, path, "done after", ended - begun, "seconds")
        ends.append(ended)
        profiles.append(pprof_read.read(answer.body))
    return profiles, served < ends[0] and ends[1] < ends[0]


@point
def point4(bed):
    """seconds=N lasts N seconds and keeps nobody waiting; two CPU windows share their samples"""
    # A machine that stands still for a while mixes the order up once, but not every time.
    for _ in range(3):
        (outer_profile, inner_profile, delta_profile), in_order = windows(bed)
        if in_order:
            break
    require(in_order, "other pages, or the window within, were answered only after the CPU profile")
    samples = [Stacks(profile).total("samples") for profile in (outer_profile, inner_profile)]
    require(0 < samples[1] <= samples[0], "samples of the window within, and of the one around it:", samples[1], samples[0])
    require(Stacks(outer_profile).total("cpu", "spin") > 0, "the processor's work is not in the profile")
    sums = Stacks(bed.profile("allocs")).total("alloc_space")
    changed = Stacks(delta_profile).total("alloc_space")
    require(0 < changed < sums, "allocated in a second:", changed, "of", sums)
    for page in ("block", "mutex", "heap", "wait", "goroutine"):
        answer, begun, ended = timed(bed, PAGE + page + "?seconds=1")
        require(answer.status == 200 and ended - begun >= 1, page, ended - begun, answer)
        pprof_read.read(answer.body)
    first, second = (Stacks(bed.profile("delta_heap")).total("alloc_space") for _ in range(2))
    require(first > 0 and 0 <= second < sums, "delta_heap:", first, "then", second, "of", sums)


@point
@of_go
def point5(bed):
    """every profile has its time; instants last 0, CPU profiles and differences do not"""
    for page in bed.types:
        before, begun = time.time_ns(), time.monotonic_ns()
        profile = bed.profile(page)
        after, ended = time.time_ns(), time.monotonic_ns()
        if page.startswith("delta_"):
            require(profile.time_ns > 0 and profile.duration_ns > 0, page, profile.time_ns, profile.duration_ns)
            continue
        require(before - SECOND <= profile.time_ns <= after, page, "has time", profile.time_ns, "asked between", before, after)
        if page == "profile":
            require(0.9 * SECOND <= profile.duration_ns <= ended - begun, page, "lasts", profile.duration_ns)
        else:
            require(profile.duration_ns == 0, page, "lasts", profile.duration_ns)
            profile = bed.profile(page, "?seconds=1")
            require(profile.time_ns > after - SECOND, page, "?seconds=1 has time", profile.time_ns)
            require(0.9 * SECOND <= profile.duration_ns <= time.monotonic_ns() - ended, page, "?seconds=1 lasts", profile.duration_ns)


@point
def point6(bed):
    """ids are 1, 2, 3..., string 0 is empty, all text is UTF-8 though names and paths are not, and the reference reads it"""
    reference, _ = oracle.find_reference()
    queries = [(page, "") for page in bed.types] + [(page, "?seconds=1") for page in bed.types if not page.startswith("delta_")]
    queries += [("profile", "?seconds=1&labels=thread"), ("wait", "?current=1"), ("block", "?current=1")]
    names, labels = set(), set()
    with tempfile.TemporaryDirectory() as directory:
        for page, query in queries:
            answer = bed.target.get(PAGE + page + query if query else bed.path(page))
            body = answer.body
            require(answer.status == 200, page, query, answer)
            try:
                profile = pprof_read.read(body)
            except pprof_read.Malformed as problem:
                raise scrape_bed.Failed("%s%s: %s" % (page, query, problem)) from None
            require(profile.strings[0] == "", page, "has string 0", profile.strings[0])
            for kind in ("mapping", "function", "location"):
                ids = [entry["id"] for entry in getattr(profile, kind + "s")]
                require(ids == list(range(1, len(ids) + 1)), page, kind, ids[:20])
            require(not any("-" in kind for kind, _ in profile.sample_types), page, profile.sample_types)
            names.update(mapping["file"] for mapping in profile.mappings)
            labels.update(label[:2] for sample in profile.samples for label in sample["labels"])
            if reference:
                path = os.path.join(directory, "profile")
                with open(path, "wb") as out:
                    out.write(body)
                read = subprocess.run([reference, "-raw", path], env=dict(os.environ, PPROF_TMPDIR=directory), capture_output=True, check=False)
                require(read.returncode == 0, page + query, "is refused by the reference:", read.stderr)
    require(any("\ufffd" in name for name in names), "the path that is no UTF-8 is on no mapping:", names)
    require(("lock_name", "convoy") in labels, "the lock's name is no label:", sorted(labels, key=str))
    require(any(key == "lock_name" and text.startswith("qu") for key, text in labels), "the name that is no UTF-8 is no label")
    return "read by the reference" if reference else "the reference is not installed"


def notes_of(path):
    """The build id as readelf tells it."""
    readelf = shutil.which("readelf")
    if not readelf:
        raise Skipped("no readelf")
    text = subprocess.run([readelf, "-n", path], capture_output=True, check=False).stdout.decode("utf-8", "replace")
    found = re.search(r"Build ID: ([0-9a-f]+)", text)
    return found[1] if found else ""


def mapped(pid):
    """(start, end, offset, path) of the code in memory."""
    with open("/proc/%d/maps" % pid, "rb") as maps:
        for line in maps:
            found = re.match(rb"([0-9a-f]+)-([0-9a-f]+) ..x. ([0-9a-f]+) \S+ \d+ *(.*)\n", line)
            if found:
                yield int(found[1], 16), int(found[2], 16), int(found[3], 16), os.fsdecode(found[4])


@point
def point7(bed):
    """mappings have file, build id and offset as the system tells them, and flags that are true"""
    places = list(mapped(bed.target.pid))
    flagged = set()
    for page in bed.types:
        profile = bed.profile(page)
        functions = {function["id"]: function for function in profile.functions}
        for mapping in profile.mappings:
            code = [place for place in places if mapping["start"] <= place[0] and place[1] <= mapping["limit"]]
            require(code, page, mapping, "is nowhere in memory")
            require(all(place[2] - mapping["offset"] == place[0] - mapping["start"] for place in code), page, mapping, "has another offset:", code)
            if code[0][3].startswith("/"):
                require(mapping["file"] == os.fsencode(code[0][3]).decode("utf-8", "replace"), page, mapping, code)
                require(mapping["build_id"] == notes_of(code[0][3]), page, mapping, "has another build id")
            inside = [location for location in profile.locations if location["mapping"] == mapping["id"]]
            require(all(mapping["start"] <= location["address"] < mapping["limit"] for location in inside), page, mapping, "has locations outside")
            lines = [line for location in inside for line in location["lines"]]
            has_functions, has_files, has_lines, _ = mapping["flags"]
            require(not has_functions or all(location["lines"] for location in inside) and all(functions[line[0]]["name"] for line in lines),
                    page, mapping, "has locations without a function")
            require(not has_files or all(functions[line[0]]["file"] for line in lines), page, mapping, "has functions without a file")
            require(not has_lines or all(line[1] > 0 for line in lines), page, mapping, "has locations without a line")
            if inside and has_functions and has_files and has_lines:
                flagged.add(os.path.basename(mapping["file"]))
            known = {functions[line[0]]["name"]: (os.path.basename(functions[line[0]]["file"]), line[1]) for line in lines}
            for name in {"spin", "hold_lock", "allocate"} & set(known):
                if bed.lines:
                    require(known[name][0] == "demo.c" and known[name][1] > 0, page, name, "is at", known[name])
    require(not bed.lines or "demo" in flagged, "the demo has lines, and no mapping says so:", flagged)


@point
def point8(bed):
    """symbol answers GET and POST, as go tool pprof asks for names that a profile lacks"""
    stacks = Stacks(bed.profile("goroutine"))
    wanted = {location["address"]: stacks.functions[location["lines"][0][0]] for location in stacks.profile.locations
              if location["address"] and location["lines"]}
    require("consume" in wanted.values(), "addresses of the threads:", wanted)
    joined = "+".join("0x%x" % address for address in wanted)
    with Client(bed.target.address) as client:
        got, posted = client.ask(PAGE + "symbol?" + joined), client.ask(PAGE + "symbol", method="POST", body=joined)
    for answer in (got, posted):
        require(answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain"), answer)
        head, *lines = answer.body.decode("utf-8").splitlines()
        require(head == "num_symbols: 1", answer)
        told = {int(line.split(" ", 1)[0], 16): line.split(" ", 1)[1] for line in lines}
        require(set(told) <= set(wanted), "addresses that nobody asked for", told)
        for address, name in wanted.items():
            require(told.get(address) == name, hex(address), name, "is", told.get(address))
    require(got.body == posted.body, "GET and POST differ:", got, posted)
    reference, why = oracle.find_reference()
    if not reference:
        return "go tool pprof: " + why
    with Nameless(bed.target.address) as nameless, tempfile.TemporaryDirectory() as directory:
        asked = subprocess.run([reference, "-symbolize=remote", "-traces", "http://%s:%d%sgoroutine" % (*nameless.server_address, PAGE)],
                               env=dict(os.environ, PPROF_TMPDIR=directory), capture_output=True, text=True, errors="replace", check=False)
    require(asked.returncode == 0 and "consume" in asked.stdout, "the reference, by symbol:", asked.stdout[-500:], asked.stderr[-500:])
    return "and the reference by it"


class Nameless(http.server.ThreadingHTTPServer):
    """Passes requests on, and takes the names out of profiles."""

    def __init__(self, address):
        super().__init__(("127.0.0.1", 0), Forward)
        self.target = address
        self.thread = threading.Thread(target=self.serve_forever)

    def __enter__(self):
        self.thread.start()
        return super().__enter__()

    def __exit__(self, *unused):
        self.shutdown()
        self.thread.join()
        super().__exit__(*unused)


class Forward(http.server.BaseHTTPRequestHandler):
    def log_message(self, *unused):
        pass

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with Client(self.server.target) as client:
            answer = client.ask(self.path, method=self.command, body=body or None)
        body = answer.body
        if body.startswith(b"\x1f\x8b"):
            profile = pprof_read.read(body)
            profile.functions = []
            for location in profile.locations:
                location["lines"] = []
            for mapping in profile.mappings:
                mapping["flags"] = [False] * 4
            body = pprof_read.pprofproto.encode(profile)
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


def check_ours(options):
    with tempfile.TemporaryDirectory() as directory:
        # No UTF-8, as the path of a program may be.
        odd = os.path.join(os.fsencode(directory), b"caf\xe9")
        os.mkdir(odd)
        program = shutil.copy(os.fsencode(options.program), os.path.join(odd, b"demo"))
        settings = {"CPPROF_HELPER": os.path.abspath(options.tool)} if options.tool else {}

        with c_target(options.library, program, CPPROF_HEAP_RATE="65536", **settings) as target:
            chosen = [case for case in POINTS if options.only in (None, case.__name__)]
            status = scrape_bed.run(chosen, Bed(target, lines=bool(options.tool)))
            ended = target.end()
        if ended:
            print("FAILED  the target's status is", ended)
        return 1 if ended else status


def check_go():
    with tempfile.TemporaryDirectory() as directory:
        try:
            with go_target(directory) as target:
                return scrape_bed.run(OF_GO, Bed(target, is_go=True))
        except Skipped as reason:
            print("skipped:", reason)
            return 77


def main():
    parser = argparse.ArgumentParser()
    for name in ("library", "program", "tool"):
        parser.add_argument("--" + name)
    parser.add_argument("--only", choices=[case.__name__ for case in POINTS])
    parser.add_argument("--go", action="store_true")
    options = parser.parse_args()
    try:
        return check_go() if options.go else check_ours(options)
    except scrape_bed.Failed as problem:
        print("FAILED ", problem)
        return 1


if __name__ == "__main__":
    sys.exit(main())
