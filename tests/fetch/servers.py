"""The servers that profiles are fetched from: good ones, and all kinds of bad ones, in this process on 127.0.0.1.

Not here: the cases (run.py).
"""

import base64
import contextlib
import gzip
import http.server
import os
import socketserver
import ssl
import subprocess
import sys
import threading
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "badinput"))
import bed as beds  # noqa: E402

PROFILE = beds.small_bytes()
UNSYMBOLIZED = beds.small_bytes(
    functions=[], locations=[{"id": i, "mapping": 1, "address": 0x400000 + 16 * i, "lines": [], "folded": False} for i in (1, 2)],
    mappings=[{"id": 1, "start": 0x400000, "limit": 0x500000, "offset": 0, "file": "/nonexistent/server", "build_id": "", "flags": (0, 0, 0, 0)}])
HTML = b"<!DOCTYPE html>\n<html><head><title>Log in</title></head></html>\n"


class Handler(http.server.BaseHTTPRequestHandler):
    """The first part of the path says how to behave; the server remembers what it was asked."""

    def do_GET(self):
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        path = urllib.parse.urlsplit(self.path).path
        name = path.strip("/").split("/")[0]
        behave = getattr(self, "answer_" + name.replace("-", "_"), None) or self.answer_missing
        behave(path)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        if not self.path.endswith("/symbol"):
            return self.answer_missing(self.path)
        names = b"".join(b"%s\tname_%d\n" % (word, i) for i, word in enumerate(body.split(b"+"), 1))
        return self.reply(200, b"num_symbols: 1\n" + names.replace(b"\t", b" "), {"Content-Type": "text/plain"})

    def do_CONNECT(self):
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        self.reply(403, b"not through here")

    def reply(self, status, body=b"", headers=(), length=None):
        self.send_response(status)
        for header, value in dict(headers).items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def raw(self, data):
        self.wfile.write(data)
        self.close_connection = True

    def answer_profile(self, _):
        self.reply(200, PROFILE, {"Content-Type": "application/octet-stream"})

    answer_debug = answer_profile

    def answer_pprof(self, _):
        self.reply(200, UNSYMBOLIZED)

    answer_nosymbols = answer_pprof

    def answer_encoded(self, _):
        if "gzip" not in self.headers.get("Accept-Encoding", ""):
            return self.reply(406)
        return self.reply(200, gzip.compress(beds.small_bytes(gzip=False)), {"Content-Encoding": "gzip"})

    def answer_html(self, _):
        self.reply(200, HTML, {"Content-Type": "text/html; charset=utf-8"})

    def answer_text(self, _):
        self.reply(200, b"It works!\n", {"Content-Type": "text/plain"})

    def answer_nothing(self, _):
        self.reply(200)

    def answer_missing(self, _):
        self.reply(404, b"no such page", {"Content-Type": "text/plain"})

    def answer_unknown(self, _):
        self.reply(404, b"Unknown profile\n", {"Content-Type": "text/plain; charset=utf-8", "X-Go-Pprof": "1"})

    def answer_unknown_page(self, _):
        self.reply(404, HTML, {"Content-Type": "text/html", "X-Go-Pprof": "1"})

    def answer_busy(self, _):
        self.reply(500, b"Could not enable CPU profiling: cpu profiling already in use\n", {"Content-Type": "text/plain", "X-Go-Pprof": "1"})

    def answer_moved(self, path):
        """/moved/N: N redirects and then the profile."""
        left = int(path.rsplit("/", 1)[1])
        self.reply(302, headers={"Location": "/moved/%d" % (left - 1) if left > 1 else "/profile"})

    def answer_loop(self, _):
        self.reply(302, headers={"Location": "/loop"})

    def answer_moved_nowhere(self, _):
        self.reply(302)

    def answer_moved_to_ftp(self, _):
        self.reply(302, headers={"Location": "ftp://127.0.0.1/x"})

    def answer_elsewhere(self, _):
        self.reply(302, headers={"Location": self.server.elsewhere})

    def answer_cut(self, _):
        self.reply(200, PROFILE[:100], length=1000)

    def answer_cut_chunks(self, _):
        self.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(PROFILE) + PROFILE[:100])

    def answer_hang_up(self, _):
        self.raw(b"")

    def answer_ssh(self, _):
        self.raw(b"SSH-2.0-OpenSSH_9.2p1\r\n")

    def answer_never(self, _):
        self.server.closing.wait()

    def answer_stall(self, _):
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + PROFILE[:100])
        self.server.closing.wait()

    def answer_secret(self, _):
        wanted = "Basic " + base64.b64encode(b"user:p@ss word").decode()
        if self.headers.get("Authorization") == wanted:
            return self.answer_profile(_)
        return self.reply(401, b"who are you?", {"WWW-Authenticate": "Basic realm=x"})

    def answer_secret_moved(self, _):
        self.reply(302, headers={"Location": "/secret"})

    def log_message(self, *_):
        pass

    def address_string(self):
        return "client"


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        """A client that goes away is what many cases are about."""

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server_address[1]


class LocalServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        pass


@contextlib.contextmanager
def running(server):
    server.asked, server.closing, server.elsewhere = [], threading.Event(), ""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def plain():
    return running(Server(("127.0.0.1", 0), Handler))


def local(path):
    return running(LocalServer(path, Handler))


def secure(certificate, key, client_ca=None):
    """With a client_ca the client must show a certificate signed by it."""
    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    # The handshake belongs to the connection's thread, not to the one that accepts.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return running(server)


def make_certificate(directory, name, subject_alt_name="IP:127.0.0.1"):
    """A self-signed pair NAME.crt, NAME.key; returns their paths."""
    certificate, key = os.path.join(directory, name + ".crt"), os.path.join(directory, name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=" + name, "-addext", "subjectAltName=" + subject_alt_name, "-keyout", key, "-out", certificate], check=True,
                   capture_output=True)
    return certificate, key
