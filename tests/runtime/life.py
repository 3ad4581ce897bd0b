"""The process's life under the preloaded library: when it serves, and that nothing else about the process changes.

Each function below is a case; its docstring is its name. `life.py --library ... WORD` runs the cases whose name has the word.
The program under test is life_program.c, whose ways of living are its first argument.
"""

import errno
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import life_bed as beds  # noqa: E402
from life_bed import Skipped, is_served, require, serves, wait_until  # noqa: E402

CASES = []


def case(function):
    CASES.append(function)
    return function


def need_root():
    if os.geteuid() != 0:
        raise Skipped("needs root")


def plain_and_ours(bed, *way, **environment):
    """What the program prints without the library, and with it while it is served."""
    plain = bed.way(*way, preload=False).ready().end()
    program = bed.way(*way, **environment).ready()
    wait_until(lambda: serves(program.pid), "for an answer")
    return plain, program


@case
def single(bed):
    """a single-threaded program stays one for glibc, has no child to wait for, and is served"""
    program = bed.way("single", CPPROF_ADDR="127.0.0.1:0").ready()
    wait_until(lambda: serves(program.pid), "for an answer")
    require("cpprof" in beds.tasks(program.pid).values(), "no service thread: %r" % beds.tasks(program.pid))
    lines = program.end()
    require(lines == ["single 1", "waited -1", "errno 1", "ready", "single 1"], lines)
    require(program.stderr() == "", program.stderr())


@case
def exit_main(bed):
    """pthread_exit in main: the process ends with its last own thread"""
    program = bed.way("exit_main")
    require(program.end() == ["last 1"], program.lines)


@case
def descriptors(bed):
    """none of our descriptors is in the process's table, nor in its children's"""
    plain, program = plain_and_ours(bed, "descriptors", CPPROF_ADDR="127.0.0.1:0")
    fds = sorted(os.listdir("/proc/%d/fd" % program.pid))
    require(fds == ["0", "1", "2"], "descriptors of the program: %r" % fds)
    ours = program.end()
    require(ours == plain, "%r, without the library %r" % (ours, plain))


@case
def close_all(bed):
    """a program that closes all descriptors gets the numbers it would get, and stays served"""
    port = beds.free_port()
    plain, program = plain_and_ours(bed, "close_all", CPPROF_ADDR="127.0.0.1:%d" % port)
    require(serves(("127.0.0.1", port)), "nobody serves at the address")
    ours = program.end()
    require(ours == plain, "%r, without the library %r" % (ours, plain))


@case
def daemon(bed):
    """daemon(3): the child takes the address over when its parent has gone"""
    address = ("127.0.0.1", beds.free_port())
    program = bed.way("daemon", CPPROF_ADDR="%s:%d" % address).ready()
    wait_until(lambda: beds.who_listens(address) == program.pid, "for the parent at the address")
    program.process.stdin.close()
    child = bed.stray(program.value("daemon"))
    require(child != program.pid, "no daemon")
    wait_until(lambda: beds.who_listens(address) == child, "for the child at the address")
    require(serves(address) and serves(child), "the child does not answer")


@case
def fork(bed):
    """a fork child that waits serves at its own pid; one that does not leaves no trace"""
    program = bed.way("fork").ready()
    waiting, busy = program.value("waiting"), program.value("busy")
    wait_until(lambda: serves(waiting), "for the child that waits")
    require(serves(program.pid), "the parent does not answer")
    require(not is_served(busy), "the busy child is served")
    require(list(beds.tasks(busy).values()) == ["life_program"], "threads of the busy child: %r" % beds.tasks(busy))
    require([line for line in program.end() if line.startswith("status")] == ["status 0", "status 0"], program.lines)


@case
def address_freed(bed):
    """a fork child that never waits does not keep its parent's port"""
    address = ("127.0.0.1", beds.free_port())
    program = bed.way("fork", CPPROF_ADDR="%s:%d" % address).ready()
    waiting, busy = bed.stray(program.value("waiting")), bed.stray(program.value("busy"))
    wait_until(lambda: serves(waiting), "for the child that waits")
    os.kill(busy, signal.SIGSTOP)
    program.process.kill()
    program.process.wait()
    wait_until(lambda: beds.who_listens(address) == waiting, "for the other child at the address")


@case
def exec_chain(bed):
    """exec in the same process keeps it served, at the same address"""
    address = ("127.0.0.1", beds.free_port())
    program = bed.start("/bin/sh", "-c", 'exec "$0" exec', bed.program, CPPROF_ADDR="%s:%d" % address).ready()
    require(program.value("before") == program.pid, program.lines)
    wait_until(lambda: serves(program.pid) and serves(address), "for an answer")
    require(beds.who_listens(address) == program.pid, "another process has the address")
    program.end()


@case
def children(bed):
    """vfork and exec, posix_spawn, a raw clone, system(): same results, no child of ours, no signal"""
    plain, program = plain_and_ours(bed, "children")
    require(program.end() == plain, "%r, without the library %r" % (program.lines, plain))


@case
def drop(bed):
    """setgroups, setresgid, setuid: the service thread drops what the program drops, and goes on serving"""
    need_root()
    address = ("127.0.0.1", beds.free_port())
    program = bed.way("drop", CPPROF_ADDR="%s:%d" % address).ready()
    require(program.lines == ["groups 0", "gid 0", "uid 0", "ready"], program.lines)
    wait_until(lambda: serves(program.pid) and serves(address), "for an answer")
    require("cpprof" in beds.tasks(program.pid).values(), "no service thread")
    for key in ("Uid", "Gid", "Groups", "CapPrm", "CapEff"):
        lines = beds.status_lines(program.pid, key)
        require(len(lines) == 1, "threads differ: %r" % lines)
    require(beds.status_lines(program.pid, "Uid") == {"Uid: 65534 65534 65534 65534"}, beds.status_lines(program.pid, "Uid"))
    program.end()


@case
def toggle(bed):
    """seteuid there and back, many times"""
    need_root()
    program = bed.way("toggle").ready()
    require(program.values("failures") == [0], program.lines)
    require(beds.status_lines(program.pid, "Uid") == {"Uid: 0 0 0 0"}, beds.status_lines(program.pid, "Uid"))
    wait_until(lambda: serves(program.pid), "for an answer")
    program.end()


@case
def system_call_filter(bed):
    """a program that installs a system call filter is left alone by it: the service has ended before"""
    program = bed.way("filter")
    program.ready()
    require(program.value("filter") == 0, program.lines)
    require(list(beds.tasks(program.pid).values()) == ["life_program"], beds.tasks(program.pid))
    program.end()


@case
def namespaces(bed):
    """unshare(CLONE_NEWUSER), refused to a process with two threads, works as without us"""
    plain, program = plain_and_ours(bed, "unshare")
    require(program.end() == plain, "%r, without the library %r" % (program.lines, plain))


def sampled(bed, way, **settings):
    """The program, while a CPU profile of it is taken, as it goes on; and the profile."""
    program = bed.way(way, **settings).ready()
    wait_until(lambda: serves(program.pid), "for an answer")
    profile = beds.CpuProfile(program.pid)
    wait_until(lambda: beds.is_sampled(program.pid), "for the sampler")
    program.tell()
    return program, profile


@case
def sampled_filter(bed):
    """a system call filter, installed while a CPU profile is taken: sampling has ended before, and nothing of it comes later"""
    for disabled in ("", "perf"):
        program, profile = sampled(bed, "sampled_filter", CPPROF_DISABLE=disabled)
        require(profile.ended() == b"", "an answer of a profile that has not ended")
        require(program.value("filter") == 0 and program.value("spun") == 1, program.lines)
        require(not beds.is_sampled(program.pid), "still sampled")
        program.end()


@case
def sampled_unshare(bed):
    """unshare(CLONE_NEWUSER) while a CPU profile is taken: it works, the profile ends, and another may begin"""
    plain = bed.way("sampled_unshare", preload=False).ready()
    plain.tell()
    plain_lines = plain.end()
    program, profile = sampled(bed, "sampled_unshare")
    require(profile.ended() == b"", "an answer of a profile that has not ended")
    program.value("unshare")
    wait_until(lambda: serves(program.pid), "for an answer afterwards")
    again = beds.CpuProfile(program.pid)
    wait_until(lambda: beds.is_sampled(program.pid), "for the sampler afterwards")
    require(program.end() == plain_lines, "%r, without the library %r" % (program.lines, plain_lines))
    again.ended()


@case
def sampled_exec(bed):
    """exec while CPU profiles are taken a thousand times a second: no signal of ours reaches the new program"""
    for disabled in ("", "perf"):
        program = bed.way("sampled_exec", 15, CPPROF_DISABLE=disabled)
        asked = 0
        while program.process.poll() is None:
            if is_served(program.pid):
                asked += 1
                beds.CpuProfile(program.pid).ended()
        require(program.end()[-1] == "left 0" and program.values("left") == list(range(15, -1, -1)), program.lines)
        require(asked >= 10, "profiles: %d" % asked)


@case
def files(bed):
    """a program that reads files and computes gets no thread"""
    program = bed.way("files")
    program.await_line("spinning")
    require(list(beds.tasks(program.pid).values()) == ["life_program"], beds.tasks(program.pid))
    require(not is_served(program.pid), "it is served")
    program.end()


@case
def allocates(bed):
    """a program that computes and allocates, and never waits, is served after a while"""
    program = bed.way("allocate", CPPROF_HEAP_RATE="65536")
    wait_until(lambda: serves(program.pid) or program.process.poll() is not None, "for an answer")
    require(program.process.poll() is None, "it ended before it was served")
    program.end()


@case
def disabled(bed):
    """CPPROF_DISABLE=all: no thread, no socket"""
    program = bed.way("single", CPPROF_DISABLE="all", CPPROF_ADDR="127.0.0.1:0").ready()
    require(list(beds.tasks(program.pid).values()) == ["life_program"], beds.tasks(program.pid))
    require(not is_served(program.pid), "it is served")
    program.end()


@case
def follow(bed):
    """programs that child processes execute carry the library, and with CPPROF_FOLLOW=0 they do not"""
    for value, wanted in (("1", True), ("0", False)):
        program = bed.way("child_program", CPPROF_FOLLOW=value)
        child = program.value("child")
        program.await_line("ready")
        require(is_served(child) == wanted, "CPPROF_FOLLOW=%s: the child's program is served: %s" % (value, not wanted))
        wait_until(lambda: serves(program.pid), "for the parent")
        program.end()


@case
def bad_address(bed):
    """CPPROF_ADDR that is no address: one line, once, and the local socket"""
    program = bed.way("child_program", CPPROF_ADDR="nonsense:99999")
    child = program.value("child")
    program.await_line("ready")
    wait_until(lambda: serves(program.pid) and serves(child), "for an answer")
    program.end()
    lines = program.stderr().splitlines()
    require(len(lines) == 1 and lines[0].startswith("cpprof: CPPROF_ADDR=nonsense:99999 is no address: use "), lines)


@case
def open_address(bed):
    """an address that others can reach is announced once, and only on the standard error that was there at start"""
    program = bed.way("single", CPPROF_ADDR="0.0.0.0:0").ready()
    wait_until(lambda: serves(program.pid), "for an answer")
    program.end()
    line = program.stderr()
    require(line.startswith("cpprof: serving /debug/pprof/ on 0.0.0.0:") and line.endswith(", open to whoever can reach it\n"), line)


@case
def unix_address(bed):
    """CPPROF_ADDR=unix:PATH: for the owner alone; a file that a dead server left is replaced"""
    path = os.path.join(bed.directory, "x.sock")
    for _ in range(2):
        program = bed.way("single", CPPROF_ADDR="unix:" + path).ready()
        wait_until(lambda: os.path.exists(path) and serves(path), "for an answer")
        require(os.stat(path).st_mode & 0o777 == 0o600, "mode %o" % os.stat(path).st_mode)
        program.end()


@case
def other_users(bed):
    """the local socket answers its owner and root, nobody else"""
    need_root()
    program = bed.way("single").ready()
    wait_until(lambda: serves(program.pid), "for an answer")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            status = 3 if beds.get(program.pid) else 0
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    require(status == 0, "another user was answered" if status == 3 else "status %d" % status)
    program.end()


API = """
import ctypes, sys
library = ctypes.CDLL(None)
def serve(address):
    return library.cpprof_serve(address)
def where():
    text = ctypes.create_string_buffer(64)
    library.cpprof_address(text, 64)
    return text.value.decode()
print("local", serve(None) == 0 and where() == "")
print("bad", serve(b"nonsense"))
print("first", serve(b"127.0.0.1:0"))
first = where()
print("same", serve(first.encode()), where() == first)
print("taken", serve(sys.argv[1].encode()))
print("second", serve(b"127.0.0.1:0"), where() != first)
print("at", first, where())
print("ready", flush=True)
sys.stdin.read()
"""


@case
def serve_function(bed):
    """cpprof_serve: several addresses, wrong ones, one that is taken"""
    port = beds.free_port()
    holder = bed.way("single", CPPROF_ADDR="127.0.0.1:%d" % port).ready()
    wait_until(lambda: serves(("127.0.0.1", port)), "for the other one")
    program = bed.start("python3", "-c", API, "127.0.0.1:%d" % port, PATH=os.environ["PATH"]).ready()
    require(program.lines[:6] == ["local True", "bad %d" % -errno.EINVAL, "first 0", "same 0 True", "taken %d" % -errno.EADDRINUSE,
                                  "second 0 True"], program.lines)
    for address in program.lines[6].split()[1:]:
        host, got = address.split(":")
        require(serves((host, int(got))) and beds.who_listens((host, int(got))) == program.pid, "no answer at " + address)
    for one in (program, holder):
        one.end()


if __name__ == "__main__":
    sys.exit(beds.run_cases(CASES))
