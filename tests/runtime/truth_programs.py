"""The known wait of real programs, under `cpprof run`: the page names it.

Each function at the end is a case, named after the program; --only NAME runs one. Those that are not installed are skipped. Not here: that
they run as they would without us (programs.py).
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import programs_bed as beds  # noqa: E402
import programs  # noqa: E402
from life_bed import PATIENCE, Failed, free_port, require, serves, wait_until  # noqa: E402
from truth_bed import profile_of  # noqa: E402


class Run:
    """A program started by `cpprof run`, until the end of the block."""

    def __init__(self, bed):
        self.way = beds.Way(bed, beds.RUN)

    def __enter__(self):
        return self.way

    def __exit__(self, *unused):
        self.way.clean()


def named(profile, kind, *functions, **labels):
    """The rows of which each function's name is a part of some frame's; there must be one."""
    rows = [row for row in profile.of(None, **labels) if all(any(function in frame for frame in row.functions) for function in functions)]
    require(rows, "no wait %s in %s:\n%s" % (labels, functions, profile.text()))
    return sum(row.values[kind] for row in rows)


def memcached(bed):
    """memcached: five threads idle in their event loops, its maintainers in a sleep and on conditions"""
    server, port = beds.need("memcached"), free_port()
    with Run(bed) as way:
        process = way.start(server, "-l", "127.0.0.1", "-p", port, "-U", 0, "-t", 4, *(["-u", "nobody"] if os.geteuid() == 0 else []))
        wait_until(lambda: programs.listens(port) or process.process.poll() is not None, "for memcached")
        programs.load_memcached(port)
        wait_until(lambda: serves(process.pid), "for the service")
        idle = profile_of(process.pid, "wait?current=1")
        require(named(idle, "waits", "event_base_loop", call="epoll_wait") == 5, "not five event loops:\n%s" % idle.text())
        ended = profile_of(process.pid, "wait")
        named(ended, "delay", "event_base_loop", call="epoll_wait")
        sleeps = [row for row in ended.rows + idle.rows if row.labels.get("call") in ("usleep", "nanosleep")]
        require(sleeps, "its maintainer does not sleep:\n%s" % ended.text())
        named(profile_of(process.pid, "block?current=1"), "contentions", call="pthread_cond_wait")
        process.process.terminate()
        process.end()


PYTHON_SCRIPT = """
import sys, threading
stop = False
def spin():
    n = 0
    while not stop: n += 1
threads = [threading.Thread(target=spin) for _ in range(2)]
for thread in threads: thread.start()
print("ready", flush=True)
sys.stdin.read()
stop = True
for thread in threads: thread.join()
"""


def python3(bed):
    """python3: two threads fight for the interpreter's lock"""
    python = beds.need("python3")
    with Run(bed) as way:
        process = way.start(python, "-c", PYTHON_SCRIPT)
        process.await_line("ready")
        wait_until(lambda: serves(process.pid), "for the service")
        block = profile_of(process.pid, "block?seconds=2")
        # The function that takes it has no name in a stripped interpreter, but the loop that wants it has.
        delay = named(block, "delay", "PyEval_Eval", call="pthread_cond_timedwait")
        require(delay >= 0.5 * block.total("delay"), "the interpreter's lock is not what they wait for:\n%s" % block.text())
        # Of two threads one runs: that each waits about half of the time holds however slow the machine is.
        require(delay >= 0.5e9, "%d ns in two seconds:\n%s" % (delay, block.text()))
        require(process.end().startswith("status 0\n"), process.errors())


class Sql:
    """A session of the client that comes with the server."""

    def __init__(self, client, socket):
        self.process = subprocess.Popen([client, "--no-defaults", "-S", socket, "-u", "root", "-N", "-n", "--batch", "test"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def send(self, statement):
        self.process.stdin.write(statement + ";\n")
        self.process.stdin.flush()

    def ask(self, statement):
        """Its answer, or that of the statement before that has not been read yet."""
        self.send(statement)
        return self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        require(line, "the client ended with %s" % self.process.poll())
        return line.strip()

    def clean(self):
        self.process.kill()
        self.process.communicate()


def start_mariadb(way, server, installer):
    """The server's process, and its socket. It refuses to be run by root."""
    data, socket = way.path("data"), way.path("socket")
    user = "nobody" if os.geteuid() == 0 else None
    identity = {"user": user, "group": "nogroup", "extra_groups": []} if user else {}
    done = subprocess.run([installer, "--no-defaults", "--datadir=" + data, "--auth-root-authentication-method=normal", "--skip-test-db"], cwd="/",
                          capture_output=True, text=True, check=False, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, **identity)
    require(done.returncode == 0, "the database cannot be made: %s%s" % (done.stdout, done.stderr))
    os.mkdir(os.path.join(data, "test"))
    if user:
        os.chmod(os.path.join(data, "test"), 0o777)
    process = way.start(server, "--no-defaults", "--datadir=" + data, "--socket=" + socket, "--skip-networking", "--skip-log-bin",
                        "--innodb-buffer-pool-size=8M", "--innodb-flush-log-at-trx-commit=0", "--pid-file=" + way.path("pid"), user=user)
    wait_until(lambda: os.path.exists(socket) or process.process.poll() is not None, "for mariadbd")
    process.require_alive()
    return process, socket


def conflict(pid, holder, waiter, take, want, give, functions):
    """One session waits for what another has: it is seen while it does, and counted afterwards, once."""
    for statement in take:
        require(holder.ask(statement + "; select 'done'") == "done", statement)
    waiter.send(want)
    page = "block?current=1"

    def rows():
        profile = profile_of(pid, page)
        return [row for row in profile.rows if all(any(function in frame for frame in row.functions) for function in functions)]

    try:
        row = wait_until(rows, "for a wait in %s" % (functions,))[0]
    except Failed as problem:
        raise Failed("%s:\n%s" % (problem, profile_of(pid, page).text())) from problem
    for statement in give:
        require(holder.ask(statement + "; select 'done'") == "done", statement)
    waiter.answer()
    wait_until(lambda: not rows(), "for the end of the wait in %s" % (functions,))
    block = profile_of(pid, "block")
    waited = named(block, "delay", *functions)
    require(waited >= row.labels["age"], "%s: %d ns, of which %d before its end" % (functions, waited, row.labels["age"]))
    print("        %.1f ms in %s" % (waited / 1e6, " < ".join(row.functions[:8])))


def mariadb(bed):
    """mariadbd: one session waits for another's lock on a table, and on a row"""
    server, installer, client = beds.need("mariadbd", "mariadb-install-db", "mariadb")
    with Run(bed) as way:
        process, socket = start_mariadb(way, server, installer)
        holder, waiter = Sql(client, socket), Sql(client, socket)
        try:
            holder.send("create table t(i int primary key, v int) engine=innodb")
            require(holder.ask("insert into t values (1, 1), (2, 2); select 'made'") == "made", "no table")
            pid = wait_until(lambda: process.pid if serves(process.pid) else 0, "for the service")
            conflict(pid, holder, waiter, ["lock tables t write"], "select count(*) from t", ["unlock tables"], ("MDL_context::acquire_lock",))
            conflict(pid, holder, waiter, ["begin", "update t set v = 7 where i = 1"], "select v from t where i = 1 for update", ["commit"],
                     ("handler::ha_index_read", "do_command"))
            # A wait that the statement itself asks for.
            require(holder.ask("select sleep(0.25)") == "0", "sleep")
            slept = named(profile_of(pid, "block"), "delay", "Item_func_sleep::val_int", "do_command")
            require(slept >= 0.25e9, "%d ns in sleep" % slept)
        finally:
            holder.clean()
            waiter.clean()
        process.process.terminate()
        require(process.process.wait(PATIENCE) == 0, "status %s: %s" % (process.process.returncode, process.errors()[-2000:]))


if __name__ == "__main__":
    sys.exit(beds.run([memcached, python3, mariadb]))
