"""The CPU profile of programs whose answer is known: it must say so, and leave the program as it was."""

import math
import resource

from cpu_bed import Fetching, CpuProfile, LocalConnection, fetch, sampler_is_armed, tell, wait_until, work
from threads_bed import Skipped, require, run

TIMERS = {"CPPROF_DISABLE": "perf"}
TICK_NS = 10e6  # the longest that a kernel has


def profile_of(bed, mode, hz=1000, seconds=2, arguments=(), settings=None, query=""):
    """A profile of the program in this mode, and what it says at its end."""
    with work(bed, mode, *arguments, settings=settings) as program:
        program.line("ready")
        profile = CpuProfile(bed, fetch(program, seconds, hz, query))
        return profile, program.end()


def check_split(bed, hz, settings):
    with work(bed, "split", settings=settings) as program:
        program.line("ready")
        profile = CpuProfile(bed, fetch(program, 3, hz))
        spent = tell(program, "split")
    if profile.uses_perf() == (settings is not None):
        raise Skipped("no perf_event here")
    profile.must_add_up()
    # Samples that are told apart: one for each period, or each tick.
    grain = 1e9 / hz if profile.uses_perf() else max(1e9 / hz, TICK_NS)
    names = ("half", "third", "fifth")
    samples = sum(profile.cum.get(name, 0) for name in names) / grain
    require(samples > 0, "no samples: %s" % profile.comments)
    for name, nanoseconds in zip(names, spent):
        truth = nanoseconds / sum(spent)
        share = profile.cum.get(name, 0) / (samples * grain)
        bound = 5 * math.sqrt(truth * (1 - truth) / samples) + 0.02
        require(abs(share - truth) <= bound, "%s: %.3f instead of %.3f +- %.3f" % (name, share, truth, bound))


def split_perf_100(bed):
    """three functions at 100 Hz, perf_event"""
    check_split(bed, 100, None)


def split_perf_1000(bed):
    """three functions at 1000 Hz, perf_event"""
    check_split(bed, 1000, None)


def split_timers_100(bed):
    """three functions at 100 Hz, timers"""
    check_split(bed, 100, TIMERS)


def split_timers_1000(bed):
    """three functions at 1000 Hz, timers"""
    check_split(bed, 1000, TIMERS)


def short_lives(bed):
    """threads that live for milliseconds are in the profile with all their time"""
    for settings in (None, TIMERS):
        profile, _ = profile_of(bed, "births", settings=settings)
        profile.must_add_up()
        profile.must_have("short_life", 0.8)
        require(profile.cum["short_life"] > profile.flat.get("[unknown]", 0), "no stacks: %s" % profile.report("-top"))


def raw_clone(bed):
    """a thread that libc knows nothing of"""
    for settings in (None, TIMERS):
        profile, _ = profile_of(bed, "raw", settings=settings)
        profile.must_add_up()
        profile.must_have("raw_spin", 0.8)


def deaf(bed):
    """a thread that blocks all signals: [signals blocked], with its start routine"""
    for settings in (None, TIMERS):
        profile, _ = profile_of(bed, "deaf", settings=settings)
        profile.must_add_up()
        profile.must_have("[signals blocked]", 0.9)
        profile.must_have("deaf", 0.9)
        require("[signals blocked]: " in profile.comments, profile.comments)


def moody(bed):
    """a thread that blocks all signals now and then: as much time is [signals blocked] as it did"""
    for hz, settings in ((1000, None), (100, TIMERS)):
        with work(bed, "moody", settings=settings) as program:
            program.line("ready")
            profile = CpuProfile(bed, fetch(program, 4, hz))
            blocked, not_blocked, _ = tell(program, "split")
        profile.must_add_up()
        truth, share = blocked / (blocked + not_blocked), profile.share("[signals blocked]")
        # The profile may begin and end in the middle of a spell.
        bound = 0.05 + 0.3e9 / profile.total
        require(abs(share - truth) <= bound, "%.3f instead of %.3f +- %.3f\n%s" % (share, truth, bound, profile.comments))
        profile.must_have("moody", 0.9)


def limits(bed):
    """few descriptors, few pending signals: timers where need be, and nothing is lost"""
    for limit, count in ((resource.RLIMIT_SIGPENDING, 100), (resource.RLIMIT_NOFILE, 8)):
        with work(bed, "split") as program:
            program.line("ready")
            resource.prlimit(program.process.pid, limit, (count, count))
            profile = CpuProfile(bed, fetch(program, 2, 1000))
            program.end()
        profile.must_add_up()
        profile.must_have("split", 0.9)


def own_itimer(bed):
    """a program with ITIMER_PROF and a handler of its own keeps both"""
    for settings in (None, TIMERS):
        profile, output = profile_of(bed, "itimer", settings=settings)
        ticks, due, kept = (int(word) for word in output.split()[1:4])
        require(kept == 1, "handler or timer are not the program's any more")
        require(ticks >= due * 0.5, "%d ticks instead of %d" % (ticks, due))
        profile.must_have("split", 0.8)


def open_mask(bed):
    """a thread that lets signals through only while it waits sees no EINTR of ours"""
    for settings in (None, TIMERS):
        _, output = profile_of(bed, "open_mask", settings=settings)
        waits, interrupted = (int(word) for word in output.split()[1:3])
        require(waits > 10 and interrupted == 0, "%d of %d waits were interrupted" % (interrupted, waits))


def small_stack(bed):
    """a handler on a small stack of its own has it for itself"""
    for settings in (None, TIMERS):
        profile, output = profile_of(bed, "small_stack", settings=settings)
        require(output.strip() == "kept", "it said %r" % output)
        profile.must_have("signalled", 0.5)


def kernel_time(bed):
    """time in the kernel is the thread's, with a stack or as [kernel]"""
    for settings in (None, TIMERS):
        profile, _ = profile_of(bed, "kernel", settings=settings)
        profile.must_add_up()
        profile.must_have("read_zeros", 0.9)


def two_rates(bed):
    """two profiles at once, each with its rate"""
    with work(bed, "split") as program:
        program.line("ready")
        with Fetching(bed, program, 4, 50) as slow:
            with Fetching(bed, program, 2, 1000) as fast:
                pass
        program.end()
    for each, hz in ((slow.profile, 50), (fast.profile, 1000)):
        each.must_add_up()
        each.must_have("split", 0.9)
        require(" %d Hz" % hz in each.comments, each.comments)
    require("another profile sampled at 1000 Hz" in slow.profile.comments, slow.profile.comments)
    require("another profile" not in fast.profile.comments, fast.profile.comments)


def client_leaves(bed):
    """the client leaves: everything is disarmed"""
    with work(bed, "split") as program:
        program.line("ready")
        pid = program.process.pid
        require(not sampler_is_armed(pid), "armed before anyone has asked")
        connection = LocalConnection(pid)
        connection.request("GET", "/debug/pprof/profile?seconds=3000")
        wait_until(lambda: sampler_is_armed(pid), "never armed")
        connection.close()
        wait_until(lambda: not sampler_is_armed(pid), "still armed")
        CpuProfile(bed, fetch(program, 1, 1000)).must_have("split", 0.5)
        require(not sampler_is_armed(pid), "still armed after the end")
        program.end()


def forks(bed):
    """children are not disturbed, and the parent's profile goes on"""
    for settings in (None, TIMERS):
        profile, _ = profile_of(bed, "fork", settings=settings)
        profile.must_have("split", 0.5)


def plugin(bed):
    """code that is loaded while the program runs"""
    profile, _ = profile_of(bed, "plugin", arguments=(bed.program("libcpu_plugin.so"),))
    profile.must_add_up()
    profile.must_have("plugin_spin", 0.7)


def execs(bed):
    """a program that executes another one while it is sampled"""
    for turn in range(20):
        with work(bed, "exec", settings=TIMERS if turn % 4 == 3 else None) as program:
            program.line("ready")
            connection = LocalConnection(program.process.pid)
            connection.request("GET", "/debug/pprof/profile?seconds=3000&hz=1000")
            wait_until(lambda: sampler_is_armed(program.process.pid), "never armed")
            output = program.end()
            connection.close()
        require("new program" in output, "turn %d: %r" % (turn, output))


def labels(bed):
    """labels=thread: names and numbers of threads"""
    profile, _ = profile_of(bed, "split", hz=200, query="&labels=thread")
    traces = profile.report("-traces")
    require("thread:  cpu_work" in traces and "tid:" in traces, traces)
    plain, _ = profile_of(bed, "split", hz=200)
    require("tid:" not in plain.report("-traces"), "labels that nobody has asked for")


run([split_perf_100, split_perf_1000, split_timers_100, split_timers_1000, short_lives, raw_clone, deaf, moody, limits, own_itimer, open_mask, small_stack,
     kernel_time, two_rates, client_leaves, forks, plugin, execs, labels])
