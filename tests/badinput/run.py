"""Bad input from local files and the local system: one clear line, status 2, nothing overwritten, no crash.

Each function below is a case; its docstring is its name. `run.py WORD` runs the cases whose name has the word. Bad answers of
HTTP servers are tested with fetching.
"""

import http.server
import os
import random
import resource
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bed as beds  # noqa: E402
from bed import Failed, Skipped, clear_error, require, small_bytes  # noqa: E402
import oracle  # noqa: E402
from pprofproto import compress, field_bytes, tag, varint  # noqa: E402

CASES = []


def case(function):
    CASES.append(function)
    return function


def with_asan(bed):
    """AddressSanitizer reserves terabytes, so limits and peaks of memory say nothing there."""
    with open(bed.cpprof, "rb") as binary:
        return b"__asan_init" in binary.read()


# Damaged files


@case
def truncated_gzip(bed):
    """a gzip file cut short, at several places"""
    data = small_bytes()
    for size in (2, 9, 11, len(data) // 2, len(data) - 8, len(data) - 1):
        bed.write("cut.pb.gz", data[:size])
        clear_error(bed.run("-top", "cut.pb.gz"), r"^cut\.pb\.gz: decompressing profile: ")


@case
def damaged_gzip(bed):
    """a gzip file with a wrong checksum, wrong bytes, or something behind it"""
    data = bytearray(small_bytes())
    data[-6] ^= 0x55
    bed.write("sum.pb.gz", data)
    clear_error(bed.run("-top", "sum.pb.gz"), r"^sum\.pb\.gz: decompressing profile: ")
    data = bytearray(small_bytes())
    data[10:30] = b"\xff" * 20
    bed.write("bytes.pb.gz", data)
    clear_error(bed.run("-top", "bytes.pb.gz"), r"^bytes\.pb\.gz: decompressing profile: ")
    bed.write("tail.pb.gz", small_bytes() + b"trailing garbage")
    clear_error(bed.run("-top", "tail.pb.gz"), r"^tail\.pb\.gz: decompressing profile: ")


@case
def garbage(bed):
    """text, random bytes, an ELF file, an HTML page"""
    for name, data in (("text", b"this is not a profile\n" * 50), ("random", random.Random(7).randbytes(5000)),
                       ("page.html", b"<html><body>404</body></html>"), ("zeros", bytes(4096))):
        bed.write(name, data)
        clear_error(bed.run("-top", name), r"^%s: parsing profile: " % name.replace(".", r"\."))
    clear_error(bed.run("-top", "/bin/true"), r"^/bin/true: parsing profile: ")


@case
def empty(bed):
    """an empty file, and an empty file in gzip"""
    bed.write("empty", b"")
    clear_error(bed.run("-top", "empty"), r"^empty: .*empty input file")
    bed.write("empty.gz", compress(b""))
    clear_error(bed.run("-top", "empty.gz"), r"^empty\.gz: .*empty input file")


@case
def wrong_wire_types(bed):
    """known fields with another wire type, and wire types that do not exist"""
    good = small_bytes(gzip=False)
    for number in (1, 2, 3, 4, 5, 6, 11):
        bed.write("p", good + tag(number, 0) + varint(5))
        clear_error(bed.run("-top", "p"), "^p: parsing profile: ")
    for number in (7, 8, 9, 10, 12, 14):
        bed.write("p", good + tag(number, 1) + bytes(8))
        clear_error(bed.run("-top", "p"), "^p: parsing profile: ")
    for wire in (3, 4, 6, 7):
        bed.write("p", good + tag(30, wire) + varint(5))
        clear_error(bed.run("-top", "p"), "^p: parsing profile: ")


@case
def out_of_range(bed):
    """string indices, ids and counts that lead nowhere"""
    good = small_bytes(gzip=False)
    strings = (field_bytes(1, tag(1, 0) + varint(9999)), field_bytes(5, tag(1, 0) + varint(9) + tag(2, 0) + varint(1 << 40)),
               tag(14, 0) + varint((1 << 64) - 1), tag(13, 0) + varint(1 << 31))
    for extra in strings:
        bed.write("p", good + extra)
        clear_error(bed.run("-top", "p"), "^p: (parsing profile|malformed profile)")
    ids = (field_bytes(2, tag(1, 0) + varint(99) + field_bytes(2, varint(1) + varint(1))),
           field_bytes(4, tag(1, 0) + varint(9) + field_bytes(4, tag(1, 0) + varint(99))),
           field_bytes(4, tag(1, 0) + varint(1)), field_bytes(4, tag(3, 0) + varint(1)),
           field_bytes(2, tag(1, 0) + varint(1) + field_bytes(2, varint(1) * 3)), field_bytes(2, tag(1, 0) + varint(1)))
    for extra in ids:
        bed.write("p", good + extra)
        clear_error(bed.run("-top", "p"), "^p: malformed profile: ")


@case
def glued(bed):
    """two profiles in one file"""
    data = small_bytes(gzip=False, time_ns=5)
    bed.write("p", data + data)
    clear_error(bed.run("-top", "p"), "^p: .*concatenated profiles detected")


@case
def length_prefix(bed):
    """a field that says it is 10 GB long, plain and in gzip, at every level; memory stays small"""
    huge = varint(10 << 30)
    good = small_bytes(gzip=False)
    inner = (tag(6, 2) + huge + b"x", tag(2, 2) + huge, field_bytes(2, tag(1, 2) + huge + b"\1"), field_bytes(4, tag(4, 2) + huge),
             tag(99, 2) + huge, tag(2, 2) + varint((1 << 64) - 1), tag(2, 2) + b"\xff" * 10 + b"\1", field_bytes(2, b"\x08" + b"\xff" * 11))
    for extra in inner:
        for data in (good + extra, compress(good + extra), extra):
            bed.write("p", data)
            result = bed.run("-top", "p")
            clear_error(result, "^p: ")
            require(with_asan(bed) or result.peak_kb < 100 * 1024, result, "used %d kB" % result.peak_kb)


@case
def gzip_bomb(bed):
    """a few MB that inflate to many GB end at a ceiling, with one line, even where memory is short"""
    if with_asan(bed):
        raise Skipped("AddressSanitizer does not run under a memory limit")
    zeros = tag(99, 2) + varint((16 << 20) - 6)
    member = compress(zeros + bytes((16 << 20) - len(zeros)))
    bed.write("bomb.pb.gz", member * 400)
    gigabyte = 1 << 30
    result = bed.run("-top", "bomb.pb.gz", limit=lambda: resource.setrlimit(resource.RLIMIT_AS, (gigabyte, gigabyte)))
    clear_error(result, r"bomb\.pb\.gz|memory")


@case
def mutations(bed):
    """600 random damages to a good profile: an answer or an error, never a crash"""
    rng = random.Random(42)
    good = small_bytes(gzip=False, samples=6)
    for i in range(600):
        data = bytearray(good)
        for _ in range(rng.choice([1, 1, 2, 5])):
            at = rng.randrange(len(data))
            kind = rng.randrange(4)
            if kind == 0:
                data[at] = rng.randrange(256)
            elif kind == 1:
                del data[at:at + rng.choice([1, 2, 8, 40])]
            elif kind == 2:
                data[at:at] = rng.randbytes(rng.choice([1, 2, 9]))
            else:
                data[at] ^= 1 << rng.randrange(8)
            data = data or bytearray(b"\0")
        bed.write("p", data)
        result = bed.run(rng.choice(["-raw", "-traces", "-tree", "-tags", "-proto"]), "-symbolize=none", "p")
        require(result.status in (0, 2), result, "mutation %d" % i)
        require(result.status == 0 or result.lines, result, "mutation %d fails in silence" % i)


# Things that are not regular files


@case
def missing(bed):
    """a source that does not exist, alone, beside a good one, and as base"""
    bed.write("good", small_bytes())
    clear_error(bed.run("-top", "nosuch.pb.gz"), r"^nosuch\.pb\.gz: .*no such file or directory")
    result = bed.run("-top", "nosuch.pb.gz", "good")
    require(result.status == 0 and b"main.work" in result.stdout, result, "the good one should be shown")
    require("Fetched 1 source profiles out of 2" in result.lines, result, "the count should be told")
    clear_error(bed.run("-top", "-base=nosuch.pb.gz", "good"), r"^nosuch\.pb\.gz: .*no such file or directory")


@case
def directory(bed):
    """a directory as source"""
    os.mkdir(bed.path("dir"))
    clear_error(bed.run("-top", "dir"), "^dir: .*is a directory")


@case
def fifo(bed):
    """a FIFO as source: read to its end as a pipe is; garbage or nothing in it is told like a file's"""
    for data, expected in ((small_bytes(), None), (b"garbage", "^fifo: parsing profile: "), (b"", "^fifo: .*empty input file")):
        if os.path.exists(bed.path("fifo")):
            os.unlink(bed.path("fifo"))
        os.mkfifo(bed.path("fifo"))
        writer = threading.Thread(target=lambda data=data: bed.write("fifo", data), daemon=True)
        writer.start()
        result = bed.run("-top", "fifo")
        if expected:
            clear_error(result, expected)
        else:
            require(result.status == 0 and b"main.work" in result.stdout, result, "the profile should be read")


@case
def unreadable(bed):
    """a file without permission to read"""
    if os.geteuid() == 0:
        raise Skipped("root may read everything")
    os.chmod(bed.write("secret", small_bytes()), 0)
    clear_error(bed.run("-top", "secret"), "^secret: .*permission denied")


@case
def device(bed):
    """/dev/null, /dev/zero is not read for ever"""
    clear_error(bed.run("-top", "/dev/null"), "^/dev/null: .*empty input file")


# The command line


@case
def bad_regexps(bed):
    """a bad regular expression, in every option that takes one, and `-output` untouched"""
    bed.write("good", small_bytes())
    bed.write("out", b"precious")
    for option in ("focus", "ignore", "hide", "show", "show_from", "prune_from", "tagfocus", "tagignore", "tagshow", "taghide"):
        clear_error(bed.run("-top", "-output=out", "-%s=a(b" % option, "good"), r"parsing %s regexp: .*missing closing \): `a\(b`" % option)
    for option in ("list", "peek"):
        clear_error(bed.run("-%s=a[" % option, "-output=out", "good"), "parsing argument regexp a.*missing closing ]")
    for expression in ("a**", "(?=x)", "\\8", "x{1001}", "a{2,1}", "[z-a]", "(" * 2000 + ")" * 2000):
        clear_error(bed.run("-top", "-output=out", "-focus", expression, "good"), "parsing focus regexp: |expression nests too deeply")
    require(bed.read("out") == b"precious", "out", "the output file was touched")


@case
def slow_regexp(bed):
    """a regular expression that makes a backtracking engine run for ever"""
    profile = beds.small_profile()
    profile.functions[1]["name"] = "a" * 3000 + "b"
    bed.write("good", beds.pprofproto.encode(profile))
    result = bed.run("-top", "-focus=^(a|a?)+$", "good")
    require(result.status == 0, result, "the report should be made")
    require(any("Focus expression matched no samples" in line for line in result.lines), result, "no match should be told")


@case
def bad_options(bed):
    """values that an option cannot have"""
    bed.write("good", small_bytes())
    for options, expected in ((["-sample_index=7"], r"sample_index 7 is outside the range \[0\.\.1\]"),
                              (["-sample_index=zz"], r'sample_index "zz" must be one of: \[samples cpu\]'), (["-divide_by=0"], "zero divisor specified"),
                              (["-normalize"], "must have base profile to normalize by"), (["-peek=nosuch"], "no matches found for regexp: nosuch"),
                              (["-base=a", "-diff_base=b"], "-base and -diff_base flags cannot both be specified")):
        report = [] if options[0].startswith("-peek") else ["-top"]
        clear_error(bed.run(*report, *options, "good"), "^cpprof: .*" + expected)


@case
def no_source(bed):
    """no source at all: usage, then the reason"""
    result = bed.run("-top")
    require(result.status == 2 and result.lines[-1] == "cpprof: no profile source specified", result, "the last line should say why")


# Output


@case
def full_device(bed):
    """a full disk (/dev/full) behind stdout and behind -output"""
    bed.write("good", small_bytes())
    for report in ("-top", "-traces", "-raw", "-proto"):
        with open("/dev/full", "wb") as full:
            clear_error(bed.run(report, "-symbolize=none", "good", stdout=full), "^cpprof: .*no space left on device")
        result = bed.run(report, "-symbolize=none", "-output=/dev/full", "good")
        result.lines = [line for line in result.lines if not line.startswith("Generating report in")]
        clear_error(result, "^cpprof: .*/dev/full.*no space left on device")


@case
def full_disk(bed):
    """a full file system: the old output file and the saved profiles survive"""
    mount = bed.path("small")
    os.mkdir(mount)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", mount], capture_output=True, check=False).returncode:
        raise Skipped("may not mount a file system")
    try:
        bed.write("good", small_bytes(samples=3000))
        bed.write("small/out", b"precious")
        bed.write("small/filler", bytes(48 * 1024))
        result = bed.run("-traces", "-output=small/out", "good")
        result.lines = [line for line in result.lines if not line.startswith("Generating report in")]
        clear_error(result, "no space left on device")
        require(bed.read("small/out") == b"precious", result, "the old output file is lost")
        require(sorted(os.listdir(mount)) == ["filler", "out"], result, "left behind: %s" % os.listdir(mount))
    finally:
        subprocess.run(["umount", mount], check=False)


@case
def output_nowhere(bed):
    """-output in a directory that does not exist, and a directory as output"""
    bed.write("good", small_bytes())
    for output, expected in (("nosuch/out", "no such file or directory"), (".", "is a directory")):
        result = bed.run("-top", "-output=" + output, "good")
        result.lines = [line for line in result.lines if not line.startswith("Generating report in")]
        clear_error(result, "^cpprof: .*" + expected)


@case
def closed_pipe(bed):
    """`| head`: the reader goes away; status 0 and silence"""
    bed.write("good", small_bytes(samples=20000))
    for report in ("-traces", "-raw", "-proto"):
        process = subprocess.Popen([bed.cpprof, report, "-symbolize=none", "good"], cwd=bed.directory, env=bed.environment(), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdout.read(10)
        process.stdout.close()
        errors = process.stderr.read()
        process.stderr.close()
        if process.wait(beds.TIME_LIMIT) != 0 or errors:
            raise Failed("cpprof %s | head: status %d, stderr %r" % (report, process.returncode, errors[:300]))


@case
def closed_stdout(bed):
    """stdout closed from the start: silence or a reason, and the source is not mistaken for it"""
    bed.write("good", small_bytes())
    result = bed.run("-top", "-symbolize=none", "good", limit=lambda: os.close(1))
    if result.status:
        clear_error(result, "^cpprof: .*bad file descriptor")
    require(bed.read("good") == small_bytes(), result, "the source was written to")


class _Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(small_bytes())

    def log_message(self, *_):
        pass


def serving():
    server = http.server.HTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, "http://127.0.0.1:%d/debug/pprof/heap" % server.server_address[1]


@case
def unwritable_tmpdir(bed):
    """PPROF_TMPDIR cannot be used: told, the next directory is taken, the report is made"""
    bed.write("file", b"precious")
    server, url = serving()
    try:
        result = bed.run("-top", "-symbolize=none", url, PPROF_TMPDIR=bed.path("file/below"), HOME=bed.directory)
        require(result.status == 0 and b"main.work" in result.stdout, result, "the report should be made")
        told = [line for line in result.lines if "Could not use temp dir" in line and "file/below" in line]
        require(len(told) == 1, result, "one line should tell of the directory")
        saved = [line for line in result.lines if line.startswith("Saved profile in " + bed.path("pprof/"))]
        require(len(saved) == 1 and os.path.exists(saved[0][len("Saved profile in "):]), result, "should be saved in the next directory")
        result = bed.run("-top", "-symbolize=none", url, PPROF_TMPDIR=bed.path("file/a"), HOME=bed.path("file"), TMPDIR=bed.path("file"))
        told = [line for line in result.lines if "Could not use temp dir" in line]
        require(len(told) == 3, result, "each directory should be told of")
        shown = result.status == 0 and b"main.work" in result.stdout
        require(shown or result.status == 2 and result.lines[-1].startswith("cpprof: "), result, "a report, or a reason")
        require(bed.read("file") == b"precious", result, "a file was overwritten")
    finally:
        server.shutdown()
        server.server_close()


@case
def saving_twice(bed):
    """saving never overwrites: the counter goes on, a damaged file of that name stays"""
    os.mkdir(bed.path("saved"))
    bed.write("saved/pprof.server.samples.cpu.001.pb.gz", b"precious")
    server, url = serving()
    try:
        for number in (2, 3):
            result = bed.run("-top", "-symbolize=none", url)
            require(any(line.endswith(".samples.cpu.%03d.pb.gz" % number) for line in result.lines), result, "should be number %d" % number)
        require(bed.read("saved/pprof.server.samples.cpu.001.pb.gz") == b"precious", result, "a saved profile was overwritten")
    finally:
        server.shutdown()
        server.server_close()


# Sources and binaries


@case
def missing_source_file(bed):
    """`list` of a function whose source file is not here: said in the report, status 0"""
    bed.write("good", small_bytes())
    result = bed.run("-list=main.work", "good")
    require(result.status == 0, result, "status should be 0")
    require(b"ROUTINE" in result.stdout and b"server.c" in result.stdout and result.stdout.count(b"Error:") == 1, result, "one Error: line in the report")


def unsymbolized(file, build_id):
    return {"functions": [], "locations": [{"id": i, "mapping": 1, "address": 0x400000 + 16 * i, "lines": [], "folded": False} for i in (1, 2)],
            "mappings": [{"id": 1, "start": 0x400000, "limit": 0x500000, "offset": 0, "file": file, "build_id": build_id, "flags": (0, 0, 0, 0)}]}


@case
def other_binary(bed):
    """a binary that is not the one profiled (build ids differ): one line, addresses instead of names, status 0"""
    bed.write("prof", small_bytes(**unsymbolized("/opt/server", "00112233445566778899aabbccddeeff00112233")))
    result = bed.run("-top", "-addresses", "/bin/true", "prof")
    require(result.status == 0 and b"0000000000400020 [true]" in result.stdout, result, "addresses should be shown")
    require(sum("mismatch" in line for line in result.lines) == 1, result, "one line should tell of the mismatch")


@case
def no_debug_info(bed):
    """a stripped binary and one that is gone: addresses, one reason, status 0"""
    bed.write("prof", small_bytes(**unsymbolized("/nonexistent/server", "")))
    result = bed.run("-top", "-addresses", "prof")
    require(result.status == 0 and b"0000000000400020 [server]" in result.stdout, result, "addresses should be shown")
    require(sum("/nonexistent/server" in line for line in result.lines) == 1, result, "one line should tell of the binary")
    bed.write("prof2", small_bytes(**unsymbolized("/bin/true", "")))
    result = bed.run("-top", "prof2")
    require(result.status == 0, result, "status should be 0")


@case
def odd_binary(bed):
    """a text file, a cut ELF file, a core of zeros given as binary"""
    bed.write("prof", small_bytes(**unsymbolized("/opt/server", "")))
    with open("/bin/true", "rb") as data:
        elf = data.read()
    for name, content in (("cut", elf[:3000]), ("header", elf[:64]), ("holes", elf[:64] + bytes(4000))):
        bed.write(name, content)
        result = bed.run("-top", name, "prof")
        require(result.status in (0, 2), result, "status should be 0 or 2")


def main():
    cpprof = oracle.ours_or_skip()
    return beds.run_cases(CASES, lambda directory: beds.Bed(cpprof, directory), sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
