"""CPU profiles, waits and what is new since the last time, over HTTP and by the functions of cpprof.h: how they are asked for and what
the answers say of themselves. Whether the numbers are true is for others to test.

    serve_profiles.py --library SO --programs DIR [--tool CPPROF] [WORD]

Each function below is a case; its docstring is its name. With WORD only the cases whose name has the word.
"""

import contextlib
import ctypes
import os
import subprocess
import sys
import tempfile
import time

import serve_bed
from serve_bed import Client, Host, Skipped, expect, request, require, wait_until
from serve_profile import Profile

CASES = []
BINARY = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"
SESSIONS_MAX = 16
SECOND = 10 ** 9
WAIT_FOR_THREADS = 0x40000000  # __WALL


def case(function):
    CASES.append(function)
    return function


def profile_of(answer, file="profile"):
    expect(answer, 200, Content_Type=BINARY, Content_Disposition='attachment; filename="%s"' % file, X_Go_Pprof=None,
           X_Content_Type_Options="nosniff")
    return Profile(answer.body)


def told(host, line, *expected):
    """What the host says to it."""
    host.tell(line)
    said = host.line(line.split()[0].replace("_elsewhere", ""))[1:]
    require(said == [str(word) for word in expected], "%s: %r, expected %r" % (line, said, expected))


def start(host, rate, path, result=0, again=-16, in_force=None):
    """cpprof_cpu_rate and cpprof_cpu_start, twice: what the rate was before."""
    host.tell("start %d %s" % (rate, path))
    said = host.line("start")[1:]
    expected = [str(word) for word in (result, again, said[2], in_force or rate, "errno", 77)]
    require(said == expected, "start: %r, expected %r" % (said, expected))
    return int(said[2])


def armed(pid):
    """Timers and perf events of the process: what samples come from."""
    found = []
    try:
        with open("/proc/%d/timers" % pid, encoding="ascii") as timers:
            found += [line for line in timers if line.startswith("ID:")]
    except FileNotFoundError:
        pass  # a kernel without it
    for tid in os.listdir("/proc/%d/task" % pid):
        directory = "/proc/%d/task/%s/fd" % (pid, tid)
        try:
            found += [fd for fd in os.listdir(directory) if "perf_event" in os.readlink(directory + "/" + fd)]
        except FileNotFoundError:
            continue  # gone meanwhile
    return found


def check_shape(profile, hz):
    require(profile.types == [("samples", "count"), ("cpu", "nanoseconds")], "sample types", profile.types)
    require(profile.period_type == ("cpu", "nanoseconds") and profile.period == SECOND // hz, "period", profile.period_type, profile.period)
    require(abs(profile.time_ns / SECOND - time.time()) < 60, "time_nanos", profile.time_ns)


@case
def cpu_profile(bed):
    """profile: types, period and duration are Go's; debug means nothing"""
    told(bed.host, "burn 1500", 0)
    with Client(bed.host.address) as client:
        begun = time.monotonic()
        profile = profile_of(client.ask("/debug/pprof/profile?seconds=1&debug=1"))
        lasted = time.monotonic() - begun
    told(bed.host, "burned", 0)
    check_shape(profile, 100)
    require(SECOND <= profile.duration_ns <= lasted * SECOND, "duration_nanos", profile.duration_ns, "lasted", lasted)
    require(profile.total(0, "burn_here") > 0, "no samples of the burner:", profile.samples)
    require(not any(labels for _, _, labels in profile.samples), "labels that nobody asked for:", profile.samples)
    require(profile.comments, "no comments")
    with Client(bed.host.address) as client:
        expect(client.ask("/debug/pprof/profile", "HEAD"), 200, Content_Type=BINARY, Content_Disposition='attachment; filename="profile"')


@case
def two_at_once(bed):
    """two CPU profiles at once, each as it was asked for, while all other pages are served"""
    pages = ("", "cmdline", "symbol", "heap", "allocs?debug=1", "goroutine?debug=2", "threads", "threadcreate", "block?debug=1", "mutex", "wait",
             "block?current=1", "delta_mutex")
    told(bed.host, "burn 4000", 0)
    with Client(bed.host.address) as slow, Client(bed.host.address) as fast, Client(bed.host.address) as other:
        slow.send(request("/debug/pprof/profile?seconds=3"))
        fast.send(request("/debug/pprof/profile?seconds=2&hz=500&labels=thread"))
        turns, end = 0, time.monotonic() + 2
        while turns < 3 or time.monotonic() < end:
            for page in pages:
                expect(other.ask("/debug/pprof/" + page), 200)
            turns += 1
        fast_profile, slow_profile = profile_of(fast.answer()), profile_of(slow.answer())
    told(bed.host, "burned", 0)
    check_shape(slow_profile, 100)
    check_shape(fast_profile, 500)
    require(fast_profile.duration_ns >= 2 * SECOND and slow_profile.duration_ns >= 3 * SECOND, "durations", fast_profile.duration_ns,
            slow_profile.duration_ns)
    require(slow_profile.total(1, "burn_here") > 0, "no samples of the burner:", slow_profile.samples)
    require(fast_profile.total(1, "burn_here", thread="burner") == fast_profile.total(1, "burn_here") > 0, "labels:", fast_profile.samples)
    require(not any("thread" in labels for _, _, labels in slow_profile.samples), "labels that nobody asked for:", slow_profile.samples)
    wait_until(lambda: not armed(bed.host.pid), "still armed: %r" % armed(bed.host.pid))
    bed.host.is_well()


@case
def client_leaves(bed):
    """when their clients leave, CPU profiles end at once, and sampling with the last of them"""
    clients = [Client(bed.host.address) for _ in range(SESSIONS_MAX)]
    for client in clients:
        client.send(request("/debug/pprof/profile?seconds=3000"))
    told(bed.host, "burn 500", 0)
    with Client(bed.host.address) as one_more:
        wait_until(lambda: refused(bed.host), "more than %d at once" % SESSIONS_MAX)
        require(armed(bed.host.pid), "nothing is armed")
        for client in clients[::2]:
            client.socket.close()
        for client in clients[1::2]:
            client.reset()
        wait_until(lambda: not armed(bed.host.pid), "still armed")
        profile_of(one_more.ask("/debug/pprof/profile?seconds=1"))
    told(bed.host, "burned", 0)


def refused(host):
    """One more is refused at once; else it is given up."""
    with Client(host.address) as client:
        client.socket.settimeout(0.5)
        try:
            answer = client.ask("/debug/pprof/profile?seconds=3000")
        except TimeoutError:
            return False
    require(answer.status == 500 and answer.body.startswith(b"Could not enable CPU profiling: ") and answer.body.count(b"\n") == 1, answer)
    require(answer.headers["X-Go-Pprof"] == "1" and answer.headers["Content-Type"] == TEXT, answer)
    return True


@case
def own_connection(bed):
    """cpprof_http serves a CPU profile, too, and a client that leaves ends it"""
    bed.host.tell("http")
    with Client(bed.host.own) as client:
        profile = profile_of(client.ask("/debug/pprof/profile?seconds=1&hz=250"))
        check_shape(profile, 250)
        require(profile.duration_ns >= SECOND, "duration", profile.duration_ns)
    require(bed.host.line("http")[1:] == ["0", "errno", "77", "flags", "same"], "cpprof_http")
    bed.host.tell("http")
    client = Client(bed.host.own)
    client.send(request("/debug/pprof/profile?seconds=3000"))
    wait_until(lambda: armed(bed.host.pid), "nothing is armed")
    client.reset()
    require(bed.host.line("http")[1] == "0", "a client that has gone")
    wait_until(lambda: not armed(bed.host.pid), "still armed")


def read(path):
    with open(path, "rb") as file:
        return Profile(file.read())


@case
def functions(bed):
    """cpprof_cpu_start and _stop write a profile while others ask for theirs; one at a time; errno stays"""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "out")
        told(bed.host, "stop", -3, "errno", 77)
        told(bed.host, "burn 2500", 0)
        start(bed.host, 200, path)
        with Client(bed.host.address) as client:
            asked = profile_of(client.ask("/debug/pprof/profile?seconds=1"))
        told(bed.host, "stop", 0, "errno", 77)
        profile = read(path)
        check_shape(profile, 200)
        require(SECOND <= profile.duration_ns, "duration_nanos", profile.duration_ns)
        require(profile.total(1, "burn_here") >= asked.total(1, "burn_here") > 0, "burner:", asked.samples, profile.samples)
        require(start(bed.host, 0, path, in_force=200) == -22, "a rate of 0")
        told(bed.host, "stop_elsewhere", 0, "errno", 77)
        told(bed.host, "burned", 0)
        check_shape(read(path), 200)
        require(start(bed.host, 1001, "/dev/full", in_force=200) == -22, "a rate of 1001")
        told(bed.host, "stop", -28, "errno", 77)  # ended all the same
        told(bed.host, "stop", -3, "errno", 77)
    wait_until(lambda: not armed(bed.host.pid), "still armed")


@case
def fork(bed):
    """a profile is its process's: a fork child has begun none, and may take its own"""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "out")
        told(bed.host, "burn 1000", 0)
        start(bed.host, 100, path)
        for _ in range(5):
            told(bed.host, "fork", 0)
        told(bed.host, "burned", 0)
        told(bed.host, "stop", 0, "errno", 77)
        require(read(path).total(0, "burn_here") > 0, "the parent's samples")


@contextlib.contextmanager
def standing_still(tid):
    """One thread is stopped, and no other."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    seize, interrupt, detach = 0x4206, 0x4207, 17
    if libc.ptrace(seize, tid, None, None) != 0:
        raise Skipped("ptrace: %s" % os.strerror(ctypes.get_errno()))
    try:
        require(libc.ptrace(interrupt, tid, None, None) == 0, "ptrace: interrupt")
        os.waitpid(tid, WAIT_FOR_THREADS)
        yield
    finally:
        libc.ptrace(detach, tid, None, None)


@case
def service_stands_still(bed):
    """what the service thread has not come to within two seconds fails, and is not done later"""
    tids = os.listdir("/proc/%d/task" % bed.host.pid)
    tid = next(int(tid) for tid in tids if serve_bed.read_text("/proc/%d/task/%s/comm" % (bed.host.pid, tid)) == "cpprof\n")
    with standing_still(tid):
        start(bed.host, 100, "/dev/null", -1, -1)
    bed.host.is_well()
    require(not armed(bed.host.pid), "it was done later:", armed(bed.host.pid))
    start(bed.host, 100, "/dev/null")
    told(bed.host, "stop", 0, "errno", 77)


@case
def new_allocations(bed):
    """delta_heap: what was allocated since the last answer, whoever asked; what is in use is not subtracted; HEAD asks for nothing"""
    with Client(bed.host.address) as client:
        def ask(name="delta_heap", file="heap.pprof.gz"):
            return profile_of(client.ask("/debug/pprof/" + name), file)

        def kept(profile):
            return [profile.total(index, "keep_here") for index in range(4)]

        told(bed.host, "keep 5", 1)
        first = ask()
        require(first.types[0] == ("alloc_objects", "count") and first.types[3] == ("inuse_space", "bytes"), first.types)
        require(kept(first) == [5, 5000, 5, 5000], "first:", kept(first))
        told(bed.host, "keep 7", 1)
        expect(client.ask("/debug/pprof/delta_heap", "HEAD"), 200, Content_Disposition='attachment; filename="heap.pprof.gz"')
        second, third = ask(), ask()
        require(kept(second) == [7, 7000, 12, 12000], "second:", kept(second))
        require(kept(third) == [0, 0, 12, 12000], "third:", kept(third))
        require(first.duration_ns > 0 and second.duration_ns > 0, "durations", first.duration_ns, second.duration_ns)
        require(second.duration_ns < third.time_ns - first.time_ns + SECOND, "duration of the second", second.duration_ns)
        require(kept(ask("heap", "heap")) == [12, 12000, 12, 12000], "heap itself")


@case
def waits_in_progress(bed):
    """current=1 has the waits that last, with their age and the lock's name; the profile itself has them when they have ended"""
    with Client(bed.host.address) as client:
        def ask(query, file):
            return profile_of(client.ask("/debug/pprof/block" + query), file)

        ask_new = lambda: profile_of(client.ask("/debug/pprof/delta_block"), "block.pprof.gz")
        ask_new()
        told(bed.host, "hold the_lock", 0, 0)
        wait_until(lambda: ask("?current=1", "block-current").total(0, "wait_here"), "no wait in progress")
        now = ask("?current=1", "block-current")
        require(now.types == [("contentions", "count"), ("delay", "nanoseconds")], now.types)
        require(now.total(0, "wait_here", lock_name="the_lock") == 1, "waiting:", now.samples)
        ages = [labels.get("age", 0) for _, names, labels in now.samples if "wait_here" in names]
        require(len(ages) == 1 and ages[0] > 0, "ages:", now.samples)
        require(ask("", "block").total(0, "wait_here") == 0 and ask_new().total(0, "wait_here") == 0, "it is in the sums already")
        text = client.ask("/debug/pprof/block?debug=1&current=1")
        expect(text, 200, Content_Type=TEXT)
        require(b"\n# " in text.body and b"wait_here" in text.body, "the text has no waits in progress:", text)
        told(bed.host, "let_go", 0)
        after = ask("", "block")
        require(after.total(0, "wait_here", lock_name="the_lock") == 1, "afterwards:", after.samples)
        require(after.total(1, "wait_here") >= ages[0], "delay", after.total(1, "wait_here"), "age", ages[0])
        new = ask_new()
        require(new.total(0, "wait_here") == 1 and new.duration_ns > 0, "delta_block:", new.samples)
        told(bed.host, "name another_name", 0)  # which makes it no other lock
        named_anew = ask_new()
        require(not any("wait_here" in names for _, names, _ in named_anew.samples), "twice in delta_block:", named_anew.samples)
        require(ask("", "block").total(0, "wait_here", lock_name="another_name") == 1, "the new name")
        require(ask("?current=1", "block-current").total(0, "wait_here") == 0, "still waiting")
        profile_of(client.ask("/debug/pprof/mutex?seconds=1"), "mutex-delta")
        require(profile_of(client.ask("/debug/pprof/mutex"), "mutex").total(1, "hold") > 0, "the holder is not charged")


@case
def no_signals(bed):
    """CPPROF_DISABLE=signals: no CPU profile, and the answers say so"""
    host = Host(bed.library, bed.program, {"CPPROF_DISABLE": "signals"})
    try:
        require(refused(host), "it is not refused")
        require(start(host, 50, "/dev/null", -1, -1) == 100, "the rate if none was set")
        told(host, "stop", -3, "errno", 77)
    finally:
        require(host.end() == 0, "the host's status")


@case
def system_call_filter(bed):
    """a profile that was begun by cpprof_cpu_start ends, with what it has, before a filter of system calls is installed"""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "out")
        for disabled in ("", "perf"):
            host = Host(bed.library, bed.program, {"CPPROF_DISABLE": disabled})
            try:
                start(host, 1000, path)
                told(host, "filter", 0)
                require(not armed(host.pid), "still armed:", armed(host.pid))
                told(host, "stop", 0, "errno", 77)
                require(read(path).total(1, "burn_here") > 0, "no samples")
                start(host, 100, path, -1, -1)
            finally:
                require(host.end() == 0, "the host's status")


SILENT = """
import ctypes
library = ctypes.CDLL(None)
print([library.cpprof_cpu_rate(500), library.cpprof_cpu_start(1), library.cpprof_cpu_stop(), library.cpprof_cpu_stop(),
       library.cpprof_lock_name(None, b"x"), library.cpprof_write(b"profile", 1, 0)])
"""


@case
def disabled(bed):
    """CPPROF_DISABLE=all: the functions do nothing, and say that all is well"""
    environment = dict(os.environ, LD_PRELOAD=bed.library, CPPROF_DISABLE="all")
    done = subprocess.run([sys.executable, "-c", SILENT], env=environment, stdout=subprocess.PIPE, timeout=serve_bed.PATIENCE, check=False)
    require((done.returncode, done.stdout) == (0, b"[0, 0, 0, 0, 0, 0]\n"), done)


@case
def no_traces(bed):
    """after all that: no descriptor of the host's more, nothing armed, an end as usual"""
    bed.host.is_well()
    require(not armed(bed.host.pid), armed(bed.host.pid))
    wait_until(lambda: bed.host.descriptors() <= bed.descriptors + 1, "descriptors: %d, then %d" % (bed.descriptors, bed.host.descriptors()))
    require(bed.host.end() == 0, "the host's status")


if __name__ == "__main__":
    sys.exit(serve_bed.run_cases(CASES, {"CPPROF_HEAP_RATE": "1", "CPPROF_BLOCK_RATE": "1", "CPPROF_WAIT_RATE": "1"}))
