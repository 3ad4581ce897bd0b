"""Real Go servers on free ports of 127.0.0.1, each with a directory of its own, ended by their process id.

Not here: what is asked of them (run.py).
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))


class Unavailable(Exception):
    """Why a server cannot be run here."""


def _die_with_parent():
    """Should this test be killed, its servers end too."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running server: `address` is host:port, `functions` an expression that some of its own functions match."""

    def __init__(self, name, directory, command, address, functions, stdin=None):
        self.name, self.address, self.functions = name, address, functions
        self.log = os.path.join(directory, "log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, cwd=directory, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE if stdin else log,
                                            stderr=log, env=dict(os.environ, GOMAXPROCS="2", HOME=directory), preexec_fn=_die_with_parent)

    def wait(self, seconds=30):
        """Until the index page answers."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen("http://%s/debug/pprof/cmdline" % self.address, timeout=2):
                    return self
            except OSError:
                time.sleep(0.1)
        with open(self.log, "rb") as log:
            tail = log.read()[-500:].decode("utf-8", "replace")
        self.stop()
        raise Unavailable("%s did not begin to serve: %s" % (self.name, tail))

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


def start_prometheus(directory):
    program = shutil.which("prometheus")
    if not program:
        raise Unavailable("prometheus is not installed (Debian package prometheus)")
    address = "127.0.0.1:%d" % free_port()
    with open(os.path.join(directory, "prometheus.yml"), "w", encoding="utf-8") as config:
        config.write("global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: self\n    static_configs:\n      - targets: ['%s']\n" % address)
    command = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=" + address, "--log.level=error"]
    return Server("prometheus", directory, command, address, "scrape|tsdb").wait()


def start_etcd(directory):
    program = shutil.which("etcd")
    if not program:
        raise Unavailable("etcd is not installed (Debian package etcd-server)")
    address = "127.0.0.1:%d" % free_port()
    client, peer = "http://" + address, "http://127.0.0.1:%d" % free_port()
    command = [program, "--name=only", "--data-dir=data", "--listen-client-urls=" + client, "--advertise-client-urls=" + client,
               "--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=only=" + peer, "--enable-pprof",
               "--logger=zap", "--log-level=error"]
    return Server("etcd", directory, command, address, "raft|etcd").wait()


def start_ours(directory, go):
    if not go:
        raise Unavailable("Go is not installed, so the server in tests/real/server cannot be built")
    program = os.path.join(directory, "realserver")
    built = subprocess.run([go, "build", "-o", program, "."], cwd=os.path.join(HERE, "server"), capture_output=True, text=True, check=False,
                           env=dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="-mod=mod", GOWORK="off"))
    if built.returncode:
        raise Unavailable("tests/real/server cannot be built: " + built.stderr[-300:])
    server = Server("realserver", directory, [program], "", "main\\.", stdin=subprocess.PIPE)
    server.address = server.process.stdout.readline().decode().split()[-1]
    return server.wait()
