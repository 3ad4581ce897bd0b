"""Hard places: the library in a program under a filter of system calls that it has inherited, as nobody on read-only file systems,
without /proc, with hardly a descriptor or a queued signal allowed, and in programs that block signals or use them all. Everything that can work there does, and
what cannot says so in a line.
"""

import os
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from threads_bed import Failed, Skipped, run  # noqa: E402
from truth_bed import Asking, Program, require, wait_until  # noqa: E402

SETTINGS = {"CPPROF_BLOCK_RATE": "1", "CPPROF_WAIT_RATE": "1", "CPPROF_HEAP_RATE": "1"}
# What must be in which profile.
SEEN = {
    "block": ("places_locks", "contentions"),
    "mutex": ("places_unlocks", "contentions"),
    "wait": ("places_sleeps", "waits"),
    "heap": ("places_keeps", "inuse_objects"),
    "goroutine": ("places_stuck", "goroutine"),
}


class Place:
    """places_program, alive in that place."""

    def __init__(self, bed, place=(), program=(), settings=None):
        self.bed = bed
        settings = {**SETTINGS, **(settings or {})}
        if place:
            self.program = Program(bed, bed.program("places_enter"), *place, "--", bed.program("places_program"), *program, preload=False,
                                   settings={**settings, "PLACES_PRELOAD": bed.library})
        else:
            self.program = Program(bed, bed.program("places_program"), *program, settings=settings)

    def __enter__(self):
        try:
            self.program.line("ready")
        except Failed:
            if self.program.process.returncode == 77:
                raise Skipped("this place cannot be had here") from None
            raise
        self.pid = self.program.process.pid
        return self

    def __exit__(self, *unused):
        self.program.__exit__()

    def status(self):
        """(signals of its own profiler, nanoseconds of the thread that blocks signals)"""
        self.program.say()
        return tuple(map(int, self.program.line("status").split()))

    def check_waits(self):
        for name, (function, kind) in SEEN.items():
            wait_until(lambda: self.program.profile(name).total(kind, function) > 0, "for %s in %s" % (function, name))
            status, text = self.program.fetch(name + "?debug=1")
            require(status == 200 and text, "%s?debug=1: status %d" % (name, status))
        require(self.program.fetch("goroutine?debug=2")[0] == 200, "goroutine?debug=2")

    def cpu(self, hz=100, seconds=1):
        profile = self.program.profile("profile?seconds=%d&hz=%d" % (seconds, hz))
        require(profile.total("samples", "places_burns") > 0, "no sample of places_burns:\n%s" % profile.text())
        return profile

    def no_cpu(self):
        """It says why not, in one line."""
        status, body = self.program.fetch("profile?seconds=1")
        require(status >= 400 and body.endswith(b"\n") and body.count(b"\n") == 1 and len(body) > 20, "profile: status %d, %r" % (status, body[:300]))
        print("        %s" % body.decode().strip())

    def cpu_or_why(self, hz=100):
        """Samples, or why there are none."""
        status, _ = self.program.fetch("profile?seconds=1&hz=%d" % hz)
        if status == 200:
            self.cpu(hz)
        else:
            self.no_cpu()

    def end(self):
        """Nothing has been done to it."""
        self.program.finish()


def comments(profile):
    return "\n".join(profile.comments)


def without_perf(bed):
    """under a filter that forbids perf_event_open"""
    with Place(bed, ("no_perf",)) as place:
        place.check_waits()
        require("timer" in comments(place.cpu()), "the comments do not name the timers")
        place.check_waits()
        place.end()


def without_timers(bed):
    """under a filter that forbids timer_create"""
    with Place(bed, ("no_timers",)) as place:
        place.check_waits()
        # Where perf_event is forbidden too, there is nothing to sample by.
        place.cpu_or_why()
        place.end()


def filtered(bed):
    """under a filter that forbids perf_event_open, ptrace and timer_create"""
    with Place(bed, ("no_perf", "no_ptrace", "no_timers")) as place:
        place.check_waits()
        place.no_cpu()
        place.check_waits()
        place.end()


def filtered_nobody(bed):
    """the same, as nobody on read-only file systems"""
    copy_readable(bed)
    with Place(bed, ("read_only", "nobody", "no_perf", "no_ptrace", "no_timers")) as place:
        place.check_waits()
        place.no_cpu()
        place.end()


def killed(bed):
    """under a filter that ends the process for perf_event_open, ptrace or process_vm_readv"""
    with Place(bed, ("kills", "no_perf", "no_ptrace")) as place:
        place.check_waits()
        require("timer" in comments(place.cpu()), "the comments do not name the timers")
        place.check_waits()
        place.end()


def copy_readable(bed):
    """Programs and library go where everybody may read them."""
    if os.geteuid() != 0:
        raise Skipped("only root can become nobody")
    os.chmod(bed.directory, 0o755)
    for path in (bed.library, bed.tool, bed.program("places_enter"), bed.program("places_program")):
        shutil.copy(path, bed.directory)
    bed.programs = bed.directory
    bed.library, bed.tool = (os.path.join(bed.directory, os.path.basename(path)) for path in (bed.library, bed.tool))


def nobody(bed):
    """as nobody on read-only file systems"""
    copy_readable(bed)
    with Place(bed, ("read_only", "nobody"), settings={"CPPROF_HELPER": bed.tool}) as place:
        place.check_waits()
        place.cpu()
        place.check_waits()
        place.end()


def without_proc(bed):
    """where /proc is empty, as after a chroot"""
    with Place(bed, ("no_proc",)) as place:
        place.check_waits()
        place.cpu()
        place.end()


def few_descriptors(bed):
    """32 descriptors for more threads than that"""
    with Place(bed, ("nofile=32",), ("crowd=40",)) as place:
        place.check_waits()
        profile = place.cpu(1000)
        require(profile.total("samples", "places_crowd") > 0, "no sample of places_crowd:\n%s" % profile.text())
        place.check_waits()
        place.end()


def no_queued_signals(bed):
    """no signal may be queued"""
    with Place(bed, ("sigpending=0",), ("crowd=4",)) as place:
        place.check_waits()
        place.cpu_or_why(1000)
        place.check_waits()
        place.end()


def few_queued_signals(bed):
    """six signals may be queued, for more threads than that"""
    with Place(bed, ("sigpending=6",), ("crowd=20", "blocks_signals")) as place:
        place.check_waits()
        for _ in range(2):
            status, _ = place.program.fetch("profile?seconds=2&hz=1000")
            if status != 200:
                place.no_cpu()
        place.check_waits()
        place.end()


def flooded(bed):
    """the user's queue of signals fills up while it is sampled"""
    for turn in range(3):
        with Place(bed, ("sigpending=20000",), ("crowd=4", "fills_queue")) as place:
            place.check_waits()
            asking = Asking(place.program, "profile?seconds=2&hz=1000")
            time.sleep(0.4 + 0.15 * turn)
            place.program.say()
            # What is sampled from then on is another matter.
            asking.profile()
            place.program.line("status")
            place.check_waits()
            place.end()


def deaf(bed, settings=None):
    with Place(bed, program=("blocks_signals",), settings=settings) as place:
        place.check_waits()
        for hz in (100, 1000):
            before = place.status()[1]
            profile = place.cpu(hz, 2)
            spent = place.status()[1] - before
            blocked = profile.total("cpu", "[signals blocked]")
            print("        %d Hz: %.0f of at most %.0f ms in [signals blocked]" % (hz, blocked / 1e6, spent / 1e6))
            # Asked before and after, so what it has spent is more than in the profile's own two seconds.
            require(0.2 * spent <= blocked <= spent * 1.1 + 50e6, "[signals blocked] has %d of %d ns:\n%s" % (blocked, spent, profile.text()))
            require(not profile.of("places_deaf"), "a stack of the thread that blocks signals:\n%s" % profile.text())
        # While it sleeps its stack can be read.
        wait_until(lambda: place.program.profile("goroutine").of("[no answer]"), "for a dump without the answer of the deaf thread")
        place.end()


def blocked_signals(bed):
    """a thread that blocks all signals: its time is there, without its stack"""
    deaf(bed)


def blocked_signals_timers(bed):
    """the same, sampled by timers"""
    deaf(bed, {"CPPROF_DISABLE": "perf"})


def own_profiler(bed, settings=None):
    with Place(bed, program=("own_profiler",), settings=settings) as place:
        place.check_waits()
        before = place.status()[0]
        profile = place.cpu(1000)
        during = place.status()[0] - before
        require(during > 0, "no SIGPROF arrived at the program's own handler while it was sampled")
        print("        %d samples of ours, %d signals of its own" % (profile.total("samples"), during))
        place.end()


def own_profiler_perf(bed):
    """a program with SIGPROF and ITIMER_PROF of its own"""
    own_profiler(bed)


def own_profiler_timers(bed):
    """the same, sampled by timers"""
    own_profiler(bed, {"CPPROF_DISABLE": "perf"})


def own_realtime(bed):
    """a program with a handler for every real-time signal: they stay its own"""
    with Place(bed, program=("own_realtime",)) as place:
        place.check_waits()
        place.cpu_or_why(1000)
        place.check_waits()
        place.end()


def own_urgent(bed):
    """a program with a handler for SIGURG: it stays its own"""
    with Place(bed, program=("own_urgent",)) as place:
        place.check_waits()
        place.cpu(1000)
        place.check_waits()
        place.end()


def own_all(bed):
    """a program with a handler for SIGURG and every real-time signal: there is nothing to sample by"""
    with Place(bed, program=("own_realtime", "own_urgent")) as place:
        place.check_waits()
        place.no_cpu()
        place.check_waits()
        place.end()


def signals_off(bed):
    """signals switched off: no processor time, and the page says so"""
    with Place(bed, settings={"CPPROF_DISABLE": "signals"}) as place:
        place.check_waits()
        place.no_cpu()
        place.end()


if __name__ == "__main__":
    run([without_perf, without_timers, filtered, filtered_nobody, killed, nobody, without_proc, few_descriptors, no_queued_signals,
         few_queued_signals, flooded, blocked_signals, blocked_signals_timers, own_profiler_perf, own_profiler_timers, own_realtime, own_urgent, own_all,
         signals_off])
