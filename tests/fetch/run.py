"""Fetching end to end: the built program against servers of every kind, and beside it the reference, where that is installed.

Each function below is a case; its docstring is its name. `run.py WORD` runs the cases whose name has the word. The servers
are in servers.py.
"""

import os
import shutil
import socket
import stat
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "badinput"))
import servers  # noqa: E402
from bed import Bed, Skipped, require, run_cases  # noqa: E402
import oracle  # noqa: E402

CASES = []
CLOSING = "cpprof: failed to fetch any source profiles"
REFERENCE = oracle.find_reference()[0]


def case(function):
    CASES.append(function)
    return function


def run(bed, *arguments, **environment):
    return bed.run("-top", "-symbolize=none", *arguments, **environment)


def as_reference(bed, result, arguments, environment):
    """The reference's status is ours, and each of its lines is how one of ours begins: ours may add what to do."""
    if not REFERENCE:
        return
    theirs = Bed(REFERENCE, bed.directory).run("-top", "-symbolize=none", *arguments, **environment)
    lines = [line.replace("pprof: ", "cpprof: ") if line.startswith("pprof: ") else line for line in theirs.lines]
    require(theirs.status == result.status and len(lines) == len(result.lines), result, "the reference said %s" % theirs)
    for expected, line in zip(lines, result.lines):
        require(line.startswith(expected), result, "the reference said %r" % expected)


def fails(bed, source, reason, *options, told=None, like_reference=True, **environment):
    """The source cannot be had, for exactly this reason; {url} in it is the source."""
    result = run(bed, *options, source, **environment)
    told = "Fetching profile over HTTP from " + source if told is None else told
    expected = told.split("\n") if told else []
    expected += ["%s: %s" % (source, reason.replace("{url}", source)), CLOSING]
    require(result.lines == expected, result, "should say %r" % expected)
    require(result.status == 2 and not result.stdout, result, "status should be 2, and no report")
    if like_reference:
        as_reference(bed, result, options + (source,), environment)
    return result


def works(bed, *arguments, **environment):
    """The report is made and the profile saved."""
    result = run(bed, *arguments, **environment)
    require(result.status == 0 and b"main.work" in result.stdout, result, "the report should be made")
    saved = [line for line in result.lines if line.startswith("Saved profile in ")]
    require(len(saved) == 1 and os.path.isfile(saved[0][len("Saved profile in "):]), result, "the profile should be saved")
    return result


def told(result, count, line):
    require(result.lines.count(line) == count, result, "should say %d times %r" % (count, line))


def closed_port():
    """A port of 127.0.0.1 where nobody listens. Bound, but not listening, so nobody else gets it."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    return holder, holder.getsockname()[1]


# Good answers


@case
def plain(bed):
    """http://, with and without the scheme; what is said, and under which names it is saved"""
    with servers.plain() as server:
        for number, source in enumerate((server.url + "/profile", server.url[len("http://"):] + "/profile"), 1):
            result = works(bed, source)
            path = bed.path("saved/pprof.server.samples.cpu.%03d.pb.gz" % number)
            require(result.lines == ["Fetching profile over HTTP from %s/profile" % server.url, "Saved profile in " + path], result, "wrong lines")
        require(stat.S_IMODE(os.stat(bed.path("saved")).st_mode) == 0o755 & ~_umask(), result, "wrong mode of the directory")
        result = run(bed, path)
        require(result.status == 0 and not result.lines and b"main.work" in result.stdout, result, "what was saved should be readable, and not be saved again")
        require(server.asked[0][2].get("Accept-Encoding") == "gzip", result, "gzip should be asked for")


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@case
def default_path(bed):
    """a URL without a path asks for /debug/pprof/profile"""
    with servers.plain() as server:
        for end in ("", "/"):
            result = works(bed, server.url + end)
            told(result, 1, "Fetching profile over HTTP from %s/debug/pprof/profile" % server.url)
        require([ask[1] for ask in server.asked] == ["/debug/pprof/profile"] * 2, result, "asked for %s" % server.asked)
        works(bed, ":%d/profile" % server.server_address[1])


@case
def file_wins(bed):
    """a file whose name reads like a URL is the file"""
    with servers.plain() as server:
        name = server.url[len("http://"):]
        bed.write(name, servers.PROFILE)
        result = run(bed, name)
        require(result.status == 0 and not result.lines and not server.asked, result, "should be read as a file")


@case
def seconds(bed):
    """-seconds is put into every URL, replacing what is there; the query is sorted and written afresh"""
    with servers.plain() as server:
        result = works(bed, "-seconds=3", server.url + "/profile?z=1&seconds=9&a=%7e&a=b+c")
        require(result.lines[:2] == ["Fetching profile over HTTP from %s/profile?a=~&a=b+c&seconds=3&z=1" % server.url, "Please wait... (3s)"],
                result, "wrong lines")
        require(server.asked[-1][1] == "/profile?a=~&a=b+c&seconds=3&z=1", result, "asked for %s" % server.asked)
        result = works(bed, "-seconds=3665", server.url + "/profile")
        told(result, 1, "Please wait... (1h1m5s)")
        result = works(bed, server.url + "/profile?seconds=9")
        require(not any("Please wait" in line for line in result.lines), result, "seconds of the URL are not waited for")


@case
def encoded(bed):
    """Content-Encoding: gzip"""
    with servers.plain() as server:
        works(bed, server.url + "/encoded")


@case
def redirects(bed):
    """ten requests are made, not eleven; a redirect to nowhere and to another scheme"""
    with servers.plain() as server:
        works(bed, server.url + "/moved/9")
        require(len(server.asked) == 10, None, "%d requests" % len(server.asked))
        for path, hop in (("/moved/10", "/profile"), ("/loop", "/loop")):
            fails(bed, server.url + path, 'http fetch: Get "%s%s": stopped after 10 redirects' % (server.url, hop), like_reference=False)
        fails(bed, server.url + "/moved-nowhere", "server response: 302 Found")
        fails(bed, server.url + "/moved-to-ftp",
              'http fetch: Get "ftp://127.0.0.1/x": unsupported protocol scheme "ftp": use http, https or https+insecure')


@case
def basic_auth(bed):
    """user and password of the URL are sent, also after a redirect to the same server, and never shown"""
    with servers.plain() as server, servers.plain() as other:
        host = server.url[len("http://"):]
        for source in ("http://user:p%40ss%20word@" + host, "user:p%40ss%20word@" + host):
            for path in ("/secret", "/secret-moved"):
                result = works(bed, source + path)
                told(result, 1, "Fetching profile over HTTP from http://user:***@%s%s" % (host, path))
        fails(bed, server.url + "/secret", "server response: 401 Unauthorized")
        server.elsewhere = other.url + "/profile"
        works(bed, "http://user:p%40ss%20word@" + host + "/elsewhere")
        require("Authorization" not in other.asked[-1][2], None, "the password was sent to another server")
        for path in ("/missing", "/cut", "/hang-up"):
            result = run(bed, "http://user:pa55@" + host + path)
            require(result.status == 2 and "pa55" not in result.stderr, result, "the password is shown")
            require(any(line.startswith("http://user:***@" + host) for line in result.lines), result, "the source should be named")


@case
def several(bed):
    """several sources at once: the good ones are merged, the bad one is told of, and one file is saved"""
    with servers.plain() as server:
        good = [server.url + "/profile?n=%d" % i for i in range(20)]
        result = works(bed, *good, server.url + "/missing")
        told(result, 1, server.url + "/missing: server response: 404 Not Found")
        told(result, 1, "Fetched 20 source profiles out of 21")
        require(len(server.asked) == 21, result, "%d requests" % len(server.asked))
        bed.write("old", servers.PROFILE)
        result = run(bed, "-base=old", server.url + "/profile")
        require(result.status == 0 and any(line.startswith("Saved") for line in result.lines), result, "the difference should be saved")
        result = run(bed, "-base=" + server.url + "/missing", "old")
        require(result.status == 2 and result.lines[-1] == "cpprof: failed to fetch any base profiles", result, "the base is missing")


# Bad answers


@case
def statuses(bed):
    """404 and 500, from a pprof handler and from others"""
    with servers.plain() as server:
        fails(bed, server.url + "/missing", "server response: 404 Not Found")
        fails(bed, server.url + "/unknown", "server response: 404 Not Found - Unknown profile")
        fails(bed, server.url + "/unknown-page", "server response: 404 Not Found")
        fails(bed, server.url + "/busy",
              "server response: 500 Internal Server Error - Could not enable CPU profiling: cpu profiling already in use")


@case
def not_a_profile(bed):
    """a page or a text with status 200 is shown; an empty answer"""
    with servers.plain() as server:
        fails(bed, server.url + "/html", "parsing profile: unrecognized profile format (the server sent text/html: "
              '"<!DOCTYPE html> <html><head><title>Log in</title></head></html>"; is the address right?)')
        fails(bed, server.url + "/text",
              'parsing profile: unrecognized profile format (the server sent text/plain: "It works!"; is the address right?)')
        result = run(bed, server.url + "/nothing")
        require(result.status == 2 and result.lines[1].startswith(server.url + "/nothing: parsing profile: empty input file"), result, "empty answer")


@case
def cut(bed):
    """connections that end early: in the body, in a chunk, before the answer; something that is not HTTP"""
    with servers.plain() as server:
        fails(bed, server.url + "/cut", "unexpected EOF: the server closed the connection after 100 of 1000 bytes; fetch it again")
        fails(bed, server.url + "/cut-chunks", "unexpected EOF: the server closed the connection after 100 bytes, before the end; fetch it again")
        fails(bed, server.url + "/hang-up", 'http fetch: Get "{url}": EOF: the server closed the connection without an answer')
        fails(bed, server.url + "/ssh", 'http fetch: Get "{url}": malformed HTTP response: is that the right port?', like_reference=False)


@case
def timeouts(bed):
    """a server that never answers, and one that stops in the middle: the limit is -timeout and 5 s"""
    with servers.plain() as server:
        never, stall = server.url + "/never", server.url + "/stall"
        result = run(bed, "-timeout=1", never, stall)
        limit = ": not done after 6s; -timeout allows more"
        told(result, 1, '%s: http fetch: Get "%s": context deadline exceeded (Client.Timeout exceeded while awaiting headers)%s' % (never, never, limit))
        told(result, 1, "%s: context deadline exceeded (Client.Timeout or context cancellation while reading body)%s" % (stall, limit))
        require(result.status == 2 and result.lines[-1] == CLOSING, result, "should fail")


@case
def unreachable(bed):
    """nobody listens; no such host; a scheme that is not HTTP; no URL and no file"""
    holder, port = closed_port()
    with holder:
        fails(bed, "http://127.0.0.1:%d/profile" % port, 'http fetch: Get "{url}": dial tcp 127.0.0.1:%d: connect: connection refused' % port)
    fails(bed, "http://nosuch.invalid/profile", 'http fetch: Get "{url}": dial tcp: lookup nosuch.invalid: no such host', like_reference=False)
    fails(bed, "ftp://127.0.0.1/x", 'http fetch: Get "{url}": unsupported protocol scheme "ftp": use http, https or https+insecure')
    for source in ("localhost", "nosuch/file", "file:///nosuch/file"):
        fails(bed, source, "stat {url}: no such file or directory", told="")
    fails(bed, ".", "read .: is a directory", told="")


# TLS, proxies, local sockets


def need_openssl():
    if not shutil.which("openssl"):
        raise Skipped("no openssl")


@case
def tls(bed):
    """https with an unknown authority, with -tls_ca, with https+insecure, under another name; plain HTTP behind https"""
    need_openssl()
    certificate, key = servers.make_certificate(bed.directory, "server")
    with servers.secure(certificate, key) as server, servers.plain() as plain_server:
        host = server.url[len("http://"):]
        url = "https://%s/profile" % host
        unknown = ('http fetch: Get "{url}": tls: failed to verify certificate: x509: certificate signed by unknown authority; '
                   "name it with -tls_ca, or use https+insecure://")
        fails(bed, url, unknown)
        works(bed, "-tls_ca=server.crt", url)
        result = works(bed, "https+insecure://%s/profile" % host)
        told(result, 1, "Fetching profile over HTTP from https+insecure://%s/profile" % host)
        works(bed, "https+insecure://%s/moved/1" % host)
        behind = plain_server.url.replace("http://", "https://") + "/profile"
        fails(bed, behind, 'http fetch: Get "{url}": http: server gave HTTP response to HTTPS client; use http://',
              like_reference=False)
    certificate, key = servers.make_certificate(bed.directory, "other", "DNS:other.example")
    with servers.secure(certificate, key) as server:
        url = server.url.replace("http://", "https://") + "/profile"
        result = run(bed, "-tls_ca=other.crt", url)
        require(result.status == 2 and "tls: failed to verify certificate: " in result.lines[1], result, "the certificate is for another name")


@case
def client_certificate(bed):
    """-tls_cert and -tls_key"""
    need_openssl()
    certificate, key = servers.make_certificate(bed.directory, "server")
    servers.make_certificate(bed.directory, "client")
    with servers.secure(certificate, key, bed.path("client.crt")) as server:
        url = server.url.replace("http://", "https://") + "/profile"
        works(bed, "-tls_ca=server.crt", "-tls_cert=client.crt", "-tls_key=client.key", url)
        result = run(bed, "-tls_ca=server.crt", url)
        require(result.status == 2 and len(result.lines) == 3 and "http" in result.lines[1], result, "no certificate was shown")
        pair = 'http fetch: Get "{url}": could not load certificate/key pair specified by -tls_cert and -tls_key: '
        result = run(bed, "-tls_ca=server.crt", "-tls_cert=client.crt", "-tls_key=server.key", url)
        require(result.status == 2 and pair.replace("{url}", url) in result.lines[1], result, "the pair does not fit")


@case
def tls_options(bed):
    """wrong -tls_* are told of at the first request, whatever its scheme"""
    need_openssl()
    servers.make_certificate(bed.directory, "client")
    bed.write("nothing", b"no pem\n")
    pair = "could not load certificate/key pair specified by -tls_cert and -tls_key: "
    with servers.plain() as server:
        for options, reason in (
                (["-tls_cert=client.crt"], "-tls_cert is specified, so -tls_key must also be specified"),
                (["-tls_key=client.key"], "-tls_key is specified, so -tls_cert must also be specified"),
                (["-tls_cert=nosuch", "-tls_key=client.key"], pair + "open nosuch: no such file or directory"),
                (["-tls_cert=client.crt", "-tls_key=nosuch"], pair + "open nosuch: no such file or directory"),
                (["-tls_cert=nothing", "-tls_key=client.key"], pair + "tls: failed to find any PEM data in certificate input"),
                (["-tls_cert=client.crt", "-tls_key=nothing"], pair + "tls: failed to find any PEM data in key input"),
                (["-tls_ca=nosuch"], "could not load CA specified by -tls_ca: open nosuch: no such file or directory")):
            fails(bed, server.url + "/profile", 'http fetch: Get "{url}": ' + reason, *options)
        require(not server.asked, None, "the server was asked")
        bed.write("file", servers.PROFILE)
        result = run(bed, "-tls_cert=nosuch", "file")
        require(result.status == 0 and not result.lines, result, "files do not care")


@case
def proxies(bed):
    """HTTP_PROXY, HTTPS_PROXY and NO_PROXY; the loopback is never proxied"""
    with servers.plain() as proxy, servers.plain() as server:
        for name in ("HTTP_PROXY", "http_proxy"):
            works(bed, "http://profiled.example/profile?x=1", **{name: proxy.url})
            require(proxy.asked[-1][:2] == ("GET", "http://profiled.example/profile?x=1"), None, "the proxy was asked %s" % proxy.asked)
        works(bed, "http://profiled.example/profile", HTTP_PROXY=proxy.url.replace("http://", "http://me:pw@"))
        require(proxy.asked[-1][2].get("Proxy-Authorization") == "Basic bWU6cHc=", None, "the proxy got no password")
        asked = len(proxy.asked)
        works(bed, server.url + "/profile", HTTP_PROXY=proxy.url)
        result = run(bed, "http://profiled.invalid/profile", HTTP_PROXY=proxy.url, NO_PROXY="x.example, .invalid")
        require(result.status == 2 and "lookup profiled.invalid: no such host" in result.lines[1], result, "NO_PROXY was not heeded")
        require(len(proxy.asked) == asked, result, "the proxy was asked")
        url = "https://profiled.example/profile"
        fails(bed, url, 'http fetch: Get "{url}": the proxy refused the connection with status 403', HTTPS_PROXY=proxy.url, like_reference=False)
        require(proxy.asked[-1][:2] == ("CONNECT", "profiled.example:443"), None, "the proxy was asked %s" % proxy.asked)
    holder, port = closed_port()
    with holder:
        fails(bed, "http://profiled.example/x", 'http fetch: Get "{url}": proxyconnect tcp: dial tcp 127.0.0.1:%d: connect: connection refused' % port,
              HTTP_PROXY="127.0.0.1:%d" % port)
    fails(bed, "http://profiled.example/x",
          'http fetch: Get "{url}": refusing to use HTTP_PROXY value in CGI environment: a client\'s header may have set it; unset REQUEST_METHOD',
          HTTP_PROXY="127.0.0.1:1", REQUEST_METHOD="GET", like_reference=False)


@case
def local_sockets(bed):
    """-unix: a socket in the file system and an abstract one; nobody behind it; a proxy does not matter"""
    with servers.local(bed.path("sock")) as server:
        works(bed, "-unix=sock", "http://program/profile", HTTP_PROXY="http://127.0.0.1:1")
        require(server.asked[-1][2]["Host"] == "program", None, "wrong host")
    fails(bed, "http://program/profile", 'http fetch: Get "{url}": dial unix nosuch: connect: no such file or directory', "-unix=nosuch",
          like_reference=False)
    name = "cpprof-test-%d" % os.getpid()
    with servers.local("\0" + name):
        works(bed, "-unix=@" + name, "http://program/profile")
    result = run(bed, "-unix=" + "x" * 200, "http://program/profile")
    require(result.status == 2 and "longer than a local socket's name can be" in result.lines[1], result, "the name is too long")


@case
def symbols_by_post(bed):
    """a profile without names is symbolized by the server it came from; its refusal ends the run"""
    with servers.plain() as server:
        result = bed.run("-top", server.url + "/pprof/heap")
        require(result.status == 0 and b"name_1" in result.stdout, result, "the server should be asked for names")
        method, path, headers, body = server.asked[-1]
        require((method, path) == ("POST", "/pprof/symbol") and body.startswith(b"0x4000"), result, "asked %s" % server.asked)
        require(headers["Content-Type"] == "application/octet-stream", result, "wrong type")
        result = bed.run("-top", server.url + "/nosymbols")
        require(result.status == 2 and result.lines[-1] == "cpprof: http post %s/symbolz: server response: 404 Not Found" % server.url, result,
                "the refusal should be told")


# Files


@case
def perf_files(bed):
    """files of perf record are converted by perf_to_profile, and its absence is told"""
    bed.write("perf.data", b"PERFILE2" + bytes(100))
    told_first = "Converting perf.data to a profile.proto... (May take a few minutes)"
    failed = "failed to convert perf.data file. Try github.com/google/perf_data_converter: "
    fails(bed, "perf.data", failed + 'exec: "perf_to_profile": executable file not found in $PATH', told=told_first, PATH=bed.path("nosuch"))
    os.mkdir(bed.path("bin"))
    bed.write("profile", servers.PROFILE)
    for script, works_out in (('#!/bin/sh\n[ "$1 $2 $3 $5" = "-i perf.data -o -f" ] && cat profile > "$4"\n', True), ("#!/bin/sh\nexit 3\n", False)):
        bed.write("bin/perf_to_profile", script.encode())
        os.chmod(bed.path("bin/perf_to_profile"), 0o755)
        search = bed.path("bin") + ":/usr/bin:/bin"
        if works_out:
            result = run(bed, "perf.data", PATH=search)
            require(result.status == 0 and b"main.work" in result.stdout and result.lines == [told_first], result, "should be converted")
        else:
            fails(bed, "perf.data", failed + "exit status 3", told=told_first, PATH=search)
    require(not [name for name in os.listdir(bed.directory) if name.startswith("pprof_")], None, "a temporary file is left")


@case
def pipes(bed):
    """standard input and a named pipe are read to their end; "-" is a file like any other"""
    result = bed.run("-top", "-symbolize=none", "/dev/stdin", stdin=servers.PROFILE)
    require(result.status == 0 and b"main.work" in result.stdout, result, "standard input")
    os.mkfifo(bed.path("pipe"))
    writer = subprocess.Popen([sys.executable, "-c", "import sys; open('pipe', 'wb').write(sys.stdin.buffer.read())"], cwd=bed.directory,
                              stdin=subprocess.PIPE)
    writer.stdin.write(servers.PROFILE)
    writer.stdin.close()
    result = run(bed, "pipe")
    writer.wait()
    require(result.status == 0 and b"main.work" in result.stdout, result, "a named pipe")
    bed.write("-", servers.PROFILE)
    result = run(bed, "-")
    require(result.status == 0 and b"main.work" in result.stdout, result, "a file named -")


@case
def endless_device(bed):
    """/dev/zero: refused after a while, not read for ever"""
    result = run(bed, "/dev/zero")
    require(result.status == 2 and result.lines[0].startswith("/dev/zero: read /dev/zero: more than 67108864 bytes"), result, "should be refused")


def main():
    program = os.path.abspath(os.environ.get("CPPROF", "")) if os.environ.get("CPPROF") else None
    if not program or not os.access(program, os.X_OK):
        oracle.skip("CPPROF does not name the built program")
    if not REFERENCE:
        print("no reference to compare with")
    return run_cases(CASES, lambda directory: Bed(program, directory), sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
