"""What the library costs servers under load, all its defaults on: processor time for each request, of the plain server and of one that carries
the library, side by side.

In each round both are started anew, are warmed, and are then loaded in turns with the same number of requests. The round's ratio is that
of their CPU times, all processes of the server counted; the result is the median of the rounds' ratios with its interval. Where there are two
processors, the servers have one and whoever loads them another. Servers run on data and sockets of their own in a temporary
directory, unprivileged when started by root. Not here: requests a second, which measure the load generator as well.
"""

import glob
import os
import pwd
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

import tools
from bed import PATIENCE, Skip, compiled, preloaded

LIMIT = 1.03
ROUNDS_LEAST = 9
CLIENTS = 4
UNTIL_READY = 30
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


# --- processes --------------------------------------------------------------------------------------------------------------

def stat_fields(pid):
    """The fields after the name: state is the first."""
    with open("/proc/%d/stat" % pid, "rb") as file:
        return file.read().rpartition(b")")[2].split()


def family(root):
    """The process and all below it."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parents[int(name)] = int(stat_fields(int(name))[1])
            except (OSError, IndexError):
                continue
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def cpu_ns(root):
    """CPU time of a process and of all below it, also of those that are gone and were waited for."""
    total = 0
    for pid in family(root):
        try:
            total += time.clock_gettime_ns((~pid << 3) | 2)  # its CPU clock: clock_getcpuclockid(3)
            fields = stat_fields(pid)
        except (OSError, ValueError):
            continue
        total += (int(fields[13]) + int(fields[14])) * 1000000000 // TICKS_A_SECOND  # cutime, cstime
    return total


def processors():
    """Of the servers, and of whoever loads them; None: anywhere."""
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[-1], allowed[0]) if len(allowed) > 1 else (None, None)


def placed(words, processor):
    taskset = shutil.which("taskset")
    return [taskset, "-c", str(processor), *words] if taskset and processor is not None else words


def program(name, *more):
    path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", *more]))
    if not path:
        raise Skip("%s is not installed" % name)
    return path


def unprivileged():
    """Arguments of subprocess that leave root; some servers refuse to be root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def call(words, directory, who):
    """Runs it to its end; its output."""
    done = subprocess.run(words, env=preloaded(None), cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          timeout=PATIENCE, **who)
    if done.returncode:
        raise tools.Failure("%s: status %d: %s" % (" ".join(words), done.returncode, (done.stdout + done.stderr).strip()[-400:]))
    return done.stdout


# --- servers ------------------------------------------------------------------------------------------------------------------

class Server:
    """One running server. Its kinds say how it is prepared (once, in a directory of which each gets a copy), started and loaded."""

    END = signal.SIGTERM
    TURNS, SECONDS = 4, 0.6  # of both servers in a round, and how long one is loaded at a time

    def __init__(self, directory, library, on, off):
        self.directory, self.loader = directory, off
        command = self.words()
        with open(os.path.join(directory, "log"), "ab") as log:
            self.process = subprocess.Popen(placed(command, on), env=preloaded(library), cwd=directory, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, **unprivileged())
        try:
            self.wait_until_ready(command[0])
            with open("/proc/%d/maps" % self.process.pid, encoding="utf-8") as maps:
                if ("libcpprof" in maps.read()) != bool(library):
                    raise tools.Failure("the library is not where it should be: see /proc/PID/maps of the server")
        except BaseException:
            self.stop()
            raise

    def file(self, name):
        return os.path.join(self.directory, name)

    def said(self):
        with open(self.file("log"), encoding="utf-8", errors="replace") as log:
            return log.read().strip()[-400:]

    def wait_until_ready(self, name):
        end = time.monotonic() + UNTIL_READY
        while True:
            try:
                return self.touch()
            except (tools.Failure, OSError) as failure:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise tools.Failure("%s does not start: %s" % (name, self.said())) from failure
                time.sleep(0.05)

    def stop(self):
        self.process.send_signal(self.END)
        try:
            self.process.wait(UNTIL_READY)
        except subprocess.TimeoutExpired:
            for pid in reversed(family(self.process.pid)):
                os.kill(pid, signal.SIGKILL)
            self.process.wait()

    def load_by(self, words):
        return call(placed(words, self.loader), self.directory, {})

    def cost(self, requests):
        """Nanoseconds of CPU time for so many requests."""
        children = len(family(self.process.pid))
        start = cpu_ns(self.process.pid)
        self.load(requests)
        end = time.monotonic() + 2
        while len(family(self.process.pid)) > children and time.monotonic() < end:
            time.sleep(0.01)  # processes of its connections are about to end
        return cpu_ns(self.process.pid) - start

    @classmethod
    def prepare(cls, directory):
        """What is the same for all servers of a kind. Skip: something is not installed."""


class Memcached(Server):
    @classmethod
    def prepare(cls, directory):
        program("memcached")
        compiled("memload.c")

    def words(self):
        return [program("memcached"), "-s", self.file("socket"), "-t", str(CLIENTS), "-U", "0"]

    def touch(self):
        self.load_by([compiled("memload.c"), self.file("socket"), "1", "fill"])

    def load(self, requests):
        self.load_by([compiled("memload.c"), self.file("socket"), str(CLIENTS * 4), str(requests)])


class Nginx(Server):
    CONFIGURATION = """daemon off; worker_processes 1; pid %(directory)s/pid; error_log %(directory)s/errors;
events { worker_connections 512; }
http { access_log %(directory)s/access; root %(directory)s; keepalive_requests 100000;
client_body_temp_path %(directory)s/t1; proxy_temp_path %(directory)s/t2; fastcgi_temp_path %(directory)s/t3;
uwsgi_temp_path %(directory)s/t4; scgi_temp_path %(directory)s/t5;
server { listen 127.0.0.1:%(port)d; location / { } } }
"""

    @classmethod
    def prepare(cls, directory):
        program("nginx")
        program("ab")
        with open(os.path.join(directory, "page.html"), "w", encoding="utf-8") as page:
            page.write("<p>page</p>\n" * 100)

    def words(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        with open(self.file("nginx.conf"), "w", encoding="utf-8") as file:
            file.write(self.CONFIGURATION % {"directory": self.directory, "port": self.port})
        return [program("nginx"), "-e", self.file("errors"), "-c", self.file("nginx.conf")]

    def touch(self):
        socket.create_connection(("127.0.0.1", self.port), timeout=5).close()

    def load(self, requests):
        text = self.load_by([program("ab"), "-q", "-k", "-c", str(CLIENTS * 2), "-n", str(requests), "http://127.0.0.1:%d/page.html" % self.port])
        counts = dict(re.findall(r"^(Complete|Failed|Non-2xx) (?:requests|responses):\s+(\d+)", text, re.M))
        if counts.get("Complete") != str(requests) or counts.get("Failed") != "0" or "Non-2xx" in counts:
            raise tools.Failure("ab had other answers than it should: %s" % counts)


class MariaDB(Server):
    STATEMENTS = ["SELECT v FROM t WHERE id = %d" % (i * 97 % 10000 + 1) for i in range(80)] + [
        "UPDATE t SET n = n + 1 WHERE id = %d" % (i * 89 % 10000 + 1) for i in range(20)]

    @classmethod
    def prepare(cls, directory):
        program("mariadbd")
        cls.client("mariadb-slap")
        call([program("mariadb-install-db"), "--no-defaults", "--datadir=" + os.path.join(directory, "data"), "--auth-root-authentication-method=normal",
              "--skip-test-db"], directory, unprivileged())
        with open(os.path.join(directory, "load.sql"), "w", encoding="utf-8") as file:
            file.write(";".join(cls.STATEMENTS))
        server = cls(directory, None, *processors())
        try:
            server.sql("CREATE DATABASE d; USE d; CREATE TABLE d.t (id INT PRIMARY KEY, n INT, v VARCHAR(100)) ENGINE=InnoDB;"
                       "INSERT INTO d.t SELECT seq, 0, REPEAT('v', 100) FROM seq_1_to_10000")
        finally:
            server.stop()

    @staticmethod
    def client(name):
        return [program(name), "--no-defaults", "--user=root"]

    def words(self):
        return [program("mariadbd"), "--no-defaults", "--datadir=" + self.file("data"), "--socket=" + self.file("socket"), "--pid-file=" + self.file("pid"),
                "--skip-networking", "--innodb-flush-log-at-trx-commit=0"]

    def sql(self, text):
        return self.load_by([*self.client("mariadb"), "--socket=" + self.file("socket"), "-N", "-e", text])

    def touch(self):
        self.sql("SELECT 1")

    def load(self, requests):
        self.load_by([*self.client("mariadb-slap"), "--socket=" + self.file("socket"), "--create-schema=d", "--no-drop", "--delimiter=;",
                      "--concurrency=%d" % CLIENTS, "--number-of-queries=%d" % requests, "--query=" + self.file("load.sql")])


class Postgres(Server):
    END = signal.SIGINT  # ends connections as well
    TURNS, SECONDS = 2, 1.5  # each connection is a process: let it live a while

    @classmethod
    def find(cls, name):
        return program(name, *sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True))

    @classmethod
    def prepare(cls, directory):
        cls.find("postgres")
        call([cls.find("initdb"), "--no-sync", "-D", os.path.join(directory, "data"), "-U", "postgres", "-A", "trust"], directory, unprivileged())
        server = cls(directory, None, *processors())
        try:
            server.load_by([*server.client(), "-i", "-q", "postgres"])
        finally:
            server.stop()

    def words(self):
        return [self.find("postgres"), "-D", self.file("data"), "-k", self.directory, "-c", "listen_addresses=", "-c", "fsync=off"]

    def client(self):
        return [self.find("pgbench"), "-h", self.directory, "-U", "postgres"]

    def touch(self):
        self.load_by([self.find("pg_isready"), "-q", "-h", self.directory])

    def load(self, requests):
        text = self.load_by([*self.client(), "-n", "-b", "select-only@4", "-b", "simple-update@1", "-c", str(CLIENTS), "-t", str(requests // CLIENTS), "postgres"])
        found = re.search(r"actually processed: (\d+)", text)
        if not found or int(found[1]) != requests // CLIENTS * CLIENTS:
            raise tools.Failure("pgbench did not do all: %s" % text.strip()[-300:])


# --- the job ------------------------------------------------------------------------------------------------------------------

def requests_for(server, seconds):
    """How many it answers in about this time, in hundreds."""
    requests = 1000
    while True:
        start = time.monotonic()
        server.load(requests)
        took = time.monotonic() - start
        if took > seconds / 4:
            return max(1000, round(requests * seconds / took / 400) * 400)
        requests *= 4


def one_round(kind, ways, seconds, requests):
    """(nanoseconds by way, requests) of one round."""
    servers, costs = {}, dict.fromkeys(ways, 0)
    try:
        for way, (directory, library) in ways.items():
            servers[way] = kind(directory, library, *processors())
        requests = requests or requests_for(servers["plain"], seconds)
        for server in servers.values():
            server.load(requests // 4)
        for turn in range(kind.TURNS):
            for way in sorted(ways, reverse=turn % 2 == 1):
                costs[way] += servers[way].cost(requests)
    finally:
        for server in servers.values():
            server.stop()
    return costs, requests


def measure(kind, options, report):
    rounds, seconds = (max(6, options.rounds), kind.SECONDS / 2) if options.quick else (max(ROUNDS_LEAST, options.rounds * 3), kind.SECONDS)
    with tempfile.TemporaryDirectory(prefix="cpprof-bench-") as top:
        os.chmod(top, 0o755)
        library = os.path.join(top, "libcpprof.so")  # a place where whoever the servers run as can read it
        shutil.copy(options.library, library)
        master = os.path.join(top, "master")
        os.mkdir(master)
        give_away(master)
        kind.prepare(master)
        ways, costs, requests = {}, [], 0
        for way in ("plain", "preloaded"):
            directory = os.path.join(top, way)
            shutil.copytree(master, directory, ignore=shutil.ignore_patterns(".s.*", "socket"))
            for path, folders, files in os.walk(directory):
                for name in (".", *folders, *files):
                    give_away(os.path.join(path, name))
            ways[way] = (directory, library if way == "preloaded" else None)
        for _ in range(rounds):
            cost, requests = one_round(kind, ways, seconds, requests)
            costs.append(cost)
    plain, ours = (statistics.median(cost[way] for cost in costs) / requests / kind.TURNS / 1e3 for way in ("plain", "preloaded"))
    report.line("CPU time for a request", "plain %.2f us, preloaded %.2f us (%d rounds of %d requests)" % (plain, ours, rounds, requests * kind.TURNS))
    report.interval("ratio", [cost["preloaded"] / cost["plain"] for cost in costs], "%.3f", LIMIT, by_upper_end=True)


def give_away(path):
    who = unprivileged()
    if who:
        os.chown(path, who["user"], who["group"], follow_symlinks=False)


def job_memcached(options, report):
    """gets and sets, 9 to 1"""
    measure(Memcached, options, report)


def job_nginx(options, report):
    """a page of 1 kB, by ab"""
    measure(Nginx, options, report)


def job_mariadb(options, report):
    """selects and updates of one row, 4 to 1, by mariadb-slap"""
    measure(MariaDB, options, report)


def job_postgres(options, report):
    """selects and updates of one row, 4 to 1, by pgbench"""
    measure(Postgres, options, report)


JOBS = {"server memcached": job_memcached, "server nginx": job_nginx, "server mariadb": job_mariadb, "server postgres": job_postgres}
