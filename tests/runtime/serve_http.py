"""The HTTP server inside a host: Go's answers to the letter, several requests at once, and clients that mean harm.

    serve_http.py --library SO --programs DIR [--tool CPPROF] [WORD]

Each function below is a case; its docstring is its name. With WORD only the cases whose name has the word.
"""

import email.utils
import gzip
import html.parser
import os
import re
import resource
import socket
import sys
import tempfile
import time

import serve_bed
from serve_bed import Client, Failed, Host, Skipped, expect, request, require, wait_until

CASES = []
NOSNIFF = "X-Content-Type-Options"
TEXT = "text/plain; charset=utf-8"


def case(function):
    CASES.append(function)
    return function


# Go's answers


@case
def errors(bed):
    """statuses, texts and headers of errors are Go's"""
    wrong_seconds = 'invalid value for "seconds" - must be a positive integer\n'
    cases = (
        ("nope", 404, "Unknown profile\n"),
        ("profile?seconds=3601", 400, "profile duration exceeds the maximum of 3600 seconds\n"),
        ("profile?hz=1001", 400, 'invalid value for "hz" - must be an integer from 1 to 1000\n'),
        ("profile?labels=x", 400, 'invalid value for "labels" - must be thread\n'),
        ("mutex?current=1", 400, '"current" parameter is not supported for this profile type\n'),
        ("wait?current=1&seconds=1", 400, "seconds and current params are incompatible\n"),
        ("delta_heap?seconds=1", 400, '"seconds" parameter is not supported for this profile type\n'),
        ("trace", 404, "Unknown profile\n"),
        ("../../../etc/passwd", 404, "Unknown profile\n"),
        ("%2e%2e/%2e%2e/etc/passwd%00", 404, "Unknown profile\n"),
        ("heap?seconds=x&debug=1", 400, wrong_seconds),
        ("heap?seconds=-1", 400, wrong_seconds),
        ("heap?seconds=1&debug=1", 400, "seconds and debug params are incompatible\n"),
        ("heap?seconds=3601", 400, "profile duration exceeds the maximum of 3600 seconds\n"),
    )
    with Client(bed.host.address) as client:
        for path, status, body in cases:
            expect(client.ask("/debug/pprof/" + path), status, body, Content_Type=TEXT, X_Content_Type_Options="nosniff", X_Go_Pprof="1",
                   Content_Disposition=None)
        for path in ("/", "/debug", "/debug/pprofx", "/etc/passwd", "/debug/../debug/pprof/"):
            expect(client.ask(path), 404, "404 page not found\n", Content_Type=TEXT, X_Content_Type_Options="nosniff", X_Go_Pprof=None)
        expect(client.ask("/debug/pprof/heap", "DELETE"), 405, "Method Not Allowed\n", Allow="GET, HEAD")
        expect(client.ask("/debug/pprof/symbol", "PUT"), 405, "Method Not Allowed\n", Allow="GET, HEAD, POST")
        answer = client.ask("/debug/pprof?a=%22b&c=d")
        expect(answer, 301, '<a href="/debug/pprof/?a=%22b&amp;c=d">Moved Permanently</a>.\n\n', Location="/debug/pprof/?a=%22b&c=d",
               Content_Type="text/html; charset=utf-8")


@case
def profiles(bed):
    """types, names and forms of profiles are Go's"""
    with Client(bed.host.address) as client:
        for name in ("allocs", "block", "goroutine", "heap", "mutex", "threadcreate", "threads", "wait"):
            answer = client.ask("/debug/pprof/%s?gc=1&debug=nonsense" % name)
            expect(answer, 200, Content_Type="application/octet-stream", X_Content_Type_Options="nosniff", X_Go_Pprof=None,
                   Content_Encoding=None, Server=None, Content_Disposition='attachment; filename="%s"' % name)
            require(len(gzip.decompress(answer.body)) > 10, "a short profile:", answer)
            now = email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
            require(abs(now - time.time()) < 60, "Date:", answer)
            answer = client.ask("/debug/pprof/%s?debug=1" % name)
            expect(answer, 200, Content_Type=TEXT, X_Content_Type_Options="nosniff", Content_Disposition=None)
            word = {"allocs": "heap", "threads": "goroutine"}.get(name, name)
            begins = {"mutex": b"--- mutex:", "block": b"--- contention:", "wait": b"--- contention:"}.get(name, word.encode() + b" profile: ")
            require(answer.body.startswith(begins), "text of", name, answer)
        answer = client.ask("/debug/pprof/goroutine?debug=2")
        expect(answer, 200, Content_Type=TEXT)
        require(answer.body.startswith(b"goroutine "), "debug=2:", answer)


@case
def command_line(bed):
    """cmdline is argv, joined by zero bytes"""
    with open("/proc/%d/cmdline" % bed.host.pid, "rb") as command:
        expected = command.read()[:-1]
    with Client(bed.host.address) as client:
        answer = client.ask("/debug/pprof/cmdline")
        expect(answer, 200, Content_Type=TEXT, X_Content_Type_Options="nosniff")
        require(answer.body == expected, expected, "expected:", answer)


def text_address(pid):
    """An address in the host's own main()."""
    with open("/proc/%d/auxv" % pid, "rb") as auxv:
        data = auxv.read()
    pairs = {int.from_bytes(data[i:i + 8], "little"): int.from_bytes(data[i + 8:i + 16], "little") for i in range(0, len(data), 16)}
    return pairs[9]  # AT_ENTRY: _start


@case
def symbols(bed):
    """symbol takes GET and POST, with a length, in chunks, and after 100 Continue"""
    entry = text_address(bed.host.pid)
    expected = re.compile(rb"num_symbols: 1\n(0x%x [^\n]+\n)\1\Z" % entry)
    words = b"0x%x+%d" % (entry, entry)
    with Client(bed.host.address) as client:
        expect(client.ask("/debug/pprof/symbol"), 200, "num_symbols: 1\n", Content_Type=TEXT)
        expect(client.ask("/debug/pprof/symbol?rubbish+0x+0"), 200, "num_symbols: 1\n")
        got = [client.ask("/debug/pprof/symbol?" + words.decode())]
        got.append(client.ask("/debug/pprof/symbol", "POST", "Content-Length: %d\r\n" % len(words), words))
        chunks = b"1\r\n0\r\n%x;x=y\r\n%s\r\n0\r\nT: t\r\n\r\n" % (len(words) - 1, words[1:])
        got.append(client.ask("/debug/pprof/symbol", "POST", "Transfer-Encoding: chunked\r\n", chunks))
        client.send(request("/debug/pprof/symbol", "POST", "Expect: 100-continue\r\nContent-Length: %d\r\n" % len(words)))
        require(client.read_head()[1:] == (100, "Continue", {}), "100 Continue expected")
        client.send(words)
        got.append(client.answer())
        for answer in got:
            expect(answer, 200, Content_Type=TEXT, Content_Disposition=None)
            require(expected.match(answer.body), "symbols:", answer)
        limit = b"0x1+" * (1 << 18)
        expect(client.ask("/debug/pprof/symbol", "POST", "Content-Length: %d\r\n" % len(limit), limit), 200, "num_symbols: 1\n")
        expect(client.ask("/debug/pprof/cmdline", "GET", "Content-Length: 2\r\n", b"ab"), 200)


@case
def heads(bed):
    """HEAD is answered at once, by headers alone"""
    with Client(bed.host.address) as client:
        for path, kind in (("heap", "application/octet-stream"), ("goroutine?debug=1", TEXT), ("", "text/html; charset=utf-8"),
                           ("heap?seconds=3600", "application/octet-stream"), ("cmdline", TEXT), ("symbol", TEXT),
                           ("profile", "application/octet-stream"), ("delta_block", "application/octet-stream"), ("wait?debug=1", TEXT)):
            expect(client.ask("/debug/pprof/" + path, "HEAD"), 200, Content_Type=kind)
        expect(client.ask("/debug/pprof/heap?seconds=0", "HEAD"), 400, X_Go_Pprof="1", Content_Length="57")
        expect(client.ask("/debug/pprof/cmdline"), 200)


class Page(html.parser.HTMLParser):
    """Links and text. Elements must be closed in their turn, but those that need not be."""

    def __init__(self, text):
        super().__init__()
        self.links, self.text, self.open = [], "", []
        self.feed(text)
        self.close()
        require(not self.open, "left open:", self.open)

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name == "href"]
        if tag not in ("br", "p"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("br", "p"):
            require(self.open and self.open.pop() == tag, "closed out of turn:", tag)

    def handle_data(self, data):
        self.text += data


@case
def index_page(bed):
    """the index has Go's table and links, the process's facts, and says what is off and why"""
    with tempfile.TemporaryDirectory() as directory:
        name = "serve_host <b>&'\""
        host = Host(bed.library, serve_bed.copy_program(bed.program, directory, name), {"CPPROF_DISABLE": "heap,signals"})
        try:
            with Client(host.address) as client:
                answer = client.ask("/debug/pprof/?debug=1")
                expect(answer, 200, Content_Type="text/html; charset=utf-8", X_Content_Type_Options="nosniff")
                text = answer.body.decode("utf-8")
                page = Page(text)
                rows = re.findall(r"<tr><td>(\d+)</td><td><a href='(\w+)\?debug=1'>(\w+)</a></td></tr>", text)
                names = [row[1] for row in rows]
                require(names == sorted(names) and {"allocs", "block", "cmdline", "goroutine", "heap", "mutex", "profile", "symbol",
                                                    "threadcreate", "wait"} <= set(names), "rows:", rows)
                require(int(dict((row[1], row[0]) for row in rows)["goroutine"]) >= 2, "threads:", rows)
                require("<title>/debug/pprof/</title>" in text and "goroutine?debug=2" in page.links, "page:", text)
                for word in ("pid%d" % host.pid, name, "%s:%d" % host.address, "CPPROF_DISABLE", "not in this version", "requests served",
                             "block, mutex: on", "1000000 nanoseconds", "CPPROF_BLOCK_RATE", "wait: on", "CPPROF_WAIT_RATE", "profile (CPU): off: "):
                    require(word in page.text, word, "is not on the page:", page.text)
                for link in page.links:
                    if "seconds=" not in link and "profile" not in link:
                        expect(client.ask("/debug/pprof/" + link), 200)
        finally:
            host.end()


# Connections


@case
def versions(bed):
    """HTTP/1.0 closes unless asked, 1.1 stays unless asked, each answered in its version"""
    with Client(bed.host.address) as client:
        client.send("GET /debug/pprof/cmdline HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = client.answer()
        require(answer.version == "HTTP/1.0" and answer.headers["Connection"] == "keep-alive", answer)
        client.send("GET /debug/pprof/cmdline HTTP/1.0\n\n")
        answer = client.answer()
        require(answer.version == "HTTP/1.0" and client.ended(), answer)
    with Client(bed.host.address) as client:
        require("Connection" not in client.ask("/debug/pprof/cmdline").headers, "HTTP/1.1 stays")
        answer = client.ask("/debug/pprof/cmdline", headers="Connection: close\r\n")
        require(answer.headers["Connection"] == "close" and client.ended(), answer)


@case
def pipelining(bed):
    """requests that were sent at once are answered in order"""
    paths = ["cmdline", "nope", "heap?debug=1", "goroutine?seconds=1", "symbol", "heap?seconds=0"] * 5
    with Client(bed.host.address) as client:
        client.send(b"".join(request("/debug/pprof/" + path) for path in paths))
        statuses = [client.answer().status for _ in paths]
        require(statuses == [200, 404, 200, 200, 200, 400] * 5, statuses)
    with Client(bed.host.address) as client:  # as netcat does
        client.send(request("/debug/pprof/cmdline") * 3)
        client.socket.shutdown(socket.SHUT_WR)
        require([client.answer().status for _ in range(3)] == [200] * 3 and client.ended(), "after a half-close")


@case
def deltas(bed):
    """differences are taken at once, as many as there are, and others are served meanwhile"""
    clients = [Client(bed.host.address) for _ in range(40)]
    begun = time.monotonic()
    for number, client in enumerate(clients):
        client.send(request("/debug/pprof/%s?seconds=2" % ("heap", "goroutine", "allocs", "threadcreate")[number % 4]))
    bed.host.is_well()
    answers = [client.answer() for client in clients]
    lasted = time.monotonic() - begun
    for number, answer in enumerate(answers):
        name = ("heap", "goroutine", "allocs", "threadcreate")[number % 4]
        expect(answer, 200, Content_Type="application/octet-stream", Content_Disposition='attachment; filename="%s-delta"' % name)
        gzip.decompress(answer.body)
    require(lasted >= 2, "too early:", lasted)
    require(lasted < 40, "one after the other:", lasted)
    for client in clients:
        client.socket.close()


@case
def hanging_up_cancels(bed):
    """a client that hangs up gives its place back"""
    clients = [Client(bed.host.address) for _ in range(64)]
    for client in clients:
        client.send(request("/debug/pprof/goroutine?seconds=3000"))
    with Client(bed.host.address) as client:
        wait_until(lambda: client.ask("/debug/pprof/goroutine?debug=1").status == 500, "64 at once, and one more, are served")
        answer = client.ask("/debug/pprof/heap")
        expect(answer, 500, "too many requests at once\n", X_Go_Pprof="1", Content_Type=TEXT)
        expect(client.ask("/debug/pprof/"), 200)
        for other in clients:
            other.socket.close()
        wait_until(lambda: client.ask("/debug/pprof/goroutine?debug=1").status == 200, "places are not given back")


@case
def host_header(bed):
    """on loopback the Host header must be an address, or localhost"""
    with Client(bed.host.address) as client:
        for host in ("127.0.0.1:%d" % bed.host.address[1], "localhost", "[::1]:80", ""):
            expect(client.ask("/debug/pprof/cmdline", host=host), 200)
        for host in ("evil.example", "localhost.evil.example:80", "127.0.0.1.evil.example"):
            answer = client.ask("/debug/pprof/cmdline", host=host)
            expect(answer, 403, X_Go_Pprof="1", Content_Type=TEXT)
            require(b"Host header" in answer.body, answer)


@case
def local_socket(bed):
    """the local socket serves the process's user and root, and nobody else"""
    address = "\0cpprof/%d" % bed.host.pid
    with Client(address) as client:
        expect(client.ask("/debug/pprof/cmdline", host="any.name"), 200)
    if os.geteuid() != 0:
        raise Skipped("only root can ask as somebody else")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgid(65534)
            os.setuid(65534)
            with Client(address) as client:
                try:
                    client.send(request("/debug/pprof/cmdline"))
                    status = 0 if client.ended() else 2
                except BrokenPipeError:
                    status = 0
        finally:
            os._exit(status)
    require(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "another user was served")


# Hostile clients


def goes_wrong(bed, data, *statuses):
    """The bytes get such an answer, or (0) none, and the connection ends."""
    with Client(bed.host.address) as client:
        try:
            client.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            status = client.answer().status
        except (Failed, ConnectionResetError):
            status = 0
        require(status in statuses, "status", status, "for", data[:100])
        require(client.ended(), "it goes on after", data[:100])
    bed.host.is_well()


@case
def garbage(bed):
    """what is no HTTP is refused"""
    head = b"POST /debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\n"
    for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n", b"\0" * 100 + b"\n", b"GET /\0 HTTP/1.1\r\n\r\n", b"\n" * 9000,
                 b"GET /debug/pprof/ HTTP/1.1\r\n\r\n", b"SSH-2.0-OpenSSH\r\n", b"GET /%zz HTTP/1.1 \r\n\r\n", head + b"Content-Length: -5\r\n\r\n",
                 head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", head + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
                 head + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n", head + b" folded: x\r\n\r\n", os.urandom(100000) + b"\n\n"):
        goes_wrong(bed, data, 400, 431, 417)
    goes_wrong(bed, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)


@case
def too_much(bed):
    """heads and bodies over the limit are refused, with an answer that arrives"""
    goes_wrong(bed, b"GET /" + b"a" * (1 << 20), 431)
    goes_wrong(bed, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * (1 << 20), 431)
    goes_wrong(bed, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200000, 431)
    head = b"POST /debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\n"
    goes_wrong(bed, head + b"Content-Length: 18446744073709551617\r\n\r\n", 413)
    goes_wrong(bed, head + b"Content-Length: 2000000\r\n\r\n" + b"x" * 2000000, 413)
    goes_wrong(bed, head + b"Transfer-Encoding: chunked\r\n\r\n10000\r\n" + b"x" * 65536 + b"\r\n" + b"fffffffff\r\n", 413)
    goes_wrong(bed, head + b"Transfer-Encoding: chunked\r\n\r\n10000\r\n" + (b"x" * 65536 + b"\r\n10000\r\n") * 20, 413)


@case
def idle_connections(bed):
    """1,000 idle connections do not keep anybody out"""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        raise Skipped("no 1,200 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1200 if hard == resource.RLIM_INFINITY else hard, hard))
    clients = [Client(bed.host.address) for _ in range(500)]
    for _ in range(500):
        clients.append(Client(bed.host.address))
        clients[-1].send("GET /debug")
    for _ in range(5):
        bed.host.is_well()
    for client in clients:
        client.socket.close()
    bed.host.is_well()


@case
def no_descriptors(bed):
    """when descriptors run out, idle connections make room and nobody is turned away"""
    limits = resource.prlimit(bed.host.pid, resource.RLIMIT_NOFILE, (20, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        clients = [Client(bed.host.address) for _ in range(60)]
        for client in clients:
            client.send(request("/debug/pprof/cmdline"))
        for client in clients:
            expect(client.answer(), 200)
        for client in clients:
            client.socket.close()
    finally:
        resource.prlimit(bed.host.pid, resource.RLIMIT_NOFILE, limits)
    bed.host.is_well()


@case
def slow_reader(bed):
    """a client that does not read is waited for, alone, and gets everything in the end"""
    count = 20000
    one = request("/debug/pprof/cmdline")
    with Client(bed.host.address, receive_buffer=4096) as client:
        client.socket.setblocking(False)
        pending, stuck = one * count, 0
        while pending and stuck < 20:
            try:
                pending = pending[client.socket.send(pending):]
                stuck = 0
            except BlockingIOError:
                stuck += 1
                time.sleep(0.02)
        bed.host.is_well()
        client.socket.settimeout(serve_bed.PATIENCE)
        for left in range(count, 0, -1):
            expect(client.answer(), 200)
            if pending and left % 50 == 0:
                pending = pending[client.socket.send(pending[:len(one) * 10]):]
    bed.host.is_well()


@case
def resets(bed):
    """a connection reset in the middle of anything, SIGPIPE at its default, does no harm"""
    pieces = (b"", b"GET /deb", request("/debug/pprof/heap"), request("/debug/pprof/goroutine?debug=2") * 50, request("/debug/pprof/heap?seconds=5"),
              request("/debug/pprof/symbol", "POST", "Content-Length: 1000\r\n") + b"0x1+", request("/debug/pprof/cmdline") * 1000)
    for turn in range(70):
        client = Client(bed.host.address, receive_buffer=4096)
        client.send(pieces[turn % len(pieces)])
        if turn % 2:
            time.sleep(0.005)
        client.reset()
    bed.host.is_well()


@case
def half_a_head(bed):
    """half a request gets 408 in the end"""
    with Client(bed.host.address) as client:
        client.send("GET /debug/pprof/ HT")
        expect(client.answer(), 408, "408 Request Timeout\n", Connection="close")
        require(client.ended(), "it goes on")


# The functions of cpprof.h


@case
def one_connection(bed):
    """cpprof_http serves the connection it is given, and leaves descriptor and errno alone"""
    bed.host.tell("http")
    with Client(bed.host.own) as client:
        expect(client.ask("/debug/pprof/heap", host="any.name"), 200, Content_Disposition='attachment; filename="heap"')
        expect(client.ask("/debug/pprof/goroutine?seconds=1"), 200, Content_Disposition='attachment; filename="goroutine-delta"')
        expect(client.ask("/debug/pprof/nope"), 404)
    require(bed.host.line("http")[1:] == ["0", "errno", "77", "flags", "same"], "cpprof_http")
    bed.host.tell("http")
    client = Client(bed.host.own)
    client.send(request("/debug/pprof/goroutine?seconds=3000"))
    client.reset()
    require(bed.host.line("http")[1] == "0", "a client that has gone")


@case
def written_profiles(bed):
    """cpprof_write writes what the endpoints serve"""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "out")
        for name, debug, begins in (("heap", 0, b"\x1f\x8b"), ("allocs", 0, b"\x1f\x8b"), ("threadcreate", 1, b"threadcreate profile: "),
                                    ("block", 0, b"\x1f\x8b"), ("mutex", 1, b"--- mutex:"), ("wait", 1, b"--- contention:"),
                                    ("goroutine", 2, b"goroutine "), ("goroutine", 1, b"goroutine profile: ")):
            bed.host.tell("write %s %d %s" % (name, debug, path))
            require(bed.host.line("write")[1:] == ["0", "errno", "77"], name)
            with open(path, "rb") as out:
                require(out.read().startswith(begins), name, debug)
        bed.host.tell("write nope 0 %s" % path)
        require(bed.host.line("write")[1] == "-2", "an unknown profile")
        bed.host.tell("write profile 0 %s" % path)
        require(bed.host.line("write")[1] == "-22", "the CPU's, which takes its time")


@case
def no_traces(bed):
    """after all that: no descriptor of the host's more, little memory more, an end as usual"""
    wait_until(lambda: bed.host.descriptors() <= bed.descriptors, "descriptors: %d, then %d" % (bed.descriptors, bed.host.descriptors()))
    grown = bed.host.resident_kb() - bed.resident_kb
    require(grown < 32 * 1024, "grown by %d kB" % grown)
    require(bed.host.end() == 0, "the host's status")


if __name__ == "__main__":
    sys.exit(serve_bed.run_cases(CASES))
