"""Code that has been unloaded is not named any more, least of all after what lies in its place; and unloading works as without the library.
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from threads_bed import PATIENCE, run  # noqa: E402
from truth_bed import Asking, Program, require, wait_until  # noqa: E402

EVERYTHING = {"CPPROF_HEAP_RATE": "1", "CPPROF_BLOCK_RATE": "1", "CPPROF_WAIT_RATE": "1"}
GONE = "[unloaded code]"
# profile, its value, what makes it
PAGES = (("heap", "inuse_space", "leaks"), ("allocs", "alloc_space", "leaks"), ("block", "contentions", "waits"),
         ("threadcreate", "threadcreate", "creates"))


class Plugins(Program):
    def __init__(self, bed, **settings):
        super().__init__(bed, bed.program("unload_program"), settings=dict(EVERYTHING, **settings))
        self.directory = bed.programs

    def load(self, name):
        self.say("load " + os.path.join(self.directory, "unload_plugin_%s.so" % name))
        return int(self.line("loaded"))

    def call(self, function):
        self.say("call " + function)
        return int(self.line("result"))

    def unload(self):
        self.say("unload")
        require(int(self.line("unloaded")) == 0, "dlclose failed")

    def works(self, name):
        """{what: how much} of all that the plugin can do."""
        return {what: self.call("%s_%s" % (name, what)) for what in ("leaks", "waits", "creates")}


def check(program, expected, what, path=""):
    """{name or GONE: what it did}: exactly that is said on all pages."""
    for page, kind, work in PAGES:
        profile = program.profile(page + path)
        for name, done in expected.items():
            function = GONE if name == GONE else "%s_%s" % (name, work)
            have = profile.total(kind, function)
            if name == GONE:
                require(have >= done[work], "%s, %s: %d in unloaded code, not %d:\n%s" % (what, page, have, done[work], profile.text()))
            else:
                require(have == done[work], "%s, %s: %s has %d, not %d:\n%s" % (what, page, function, have, done[work], profile.text()))


def nothing():
    return dict.fromkeys(("leaks", "waits", "creates"), 0)


def together(*many):
    return {what: sum(one[what] for one in many) for what in many[0]}


def replaced(bed):
    """what one has done is not said of the other that lies in its place"""
    with Plugins(bed) as program:
        place = program.load("alpha")
        alpha = program.works("alpha")
        check(program, {"alpha": alpha, "beta": nothing()}, "loaded")
        program.unload()
        check(program, {"alpha": nothing(), "beta": nothing(), GONE: alpha}, "unloaded")
        require(program.load("beta") == place, "beta does not lie where alpha was")
        check(program, {"alpha": nothing(), "beta": nothing(), GONE: alpha}, "another in its place")
        beta = program.works("beta")
        check(program, {"alpha": nothing(), "beta": beta, GONE: alpha}, "the other has worked")
        program.unload()
        check(program, {"alpha": nothing(), "beta": nothing(), GONE: together(alpha, beta)}, "both have gone")
        program.finish()


def comes_back(bed):
    """one that comes back to its place has its name again, and new work is added to the old"""
    with Plugins(bed) as program:
        done, stacks = nothing(), []
        for _ in range(4):
            program.load("alpha")
            done = together(done, program.works("alpha"))
            check(program, {"alpha": done, "beta": nothing()}, "is back")
            stacks.append(len(program.profile("heap").of("alpha_leaks")))
            program.unload()
            check(program, {"alpha": nothing(), GONE: done}, "has gone")
        require(len(set(stacks)) == 1, "its stacks become more: %r" % stacks)
        program.finish()


def is_served(program):
    with open("/proc/net/unix", encoding="utf-8") as sockets:
        return "@cpprof/%d\n" % program.process.pid in sockets.read()


def without_waits(bed):
    """also where only the heap is profiled"""
    with Plugins(bed, CPPROF_DISABLE="threads") as program:
        program.load("alpha")
        leaked = [program.call("alpha_leaks")]
        # What serves is begun by an allocation, here, once the process has lived for a while.
        wait_until(lambda: is_served(program) or leaked.append(program.call("alpha_leaks")), "for a service")
        leaked = sum(leaked)
        require(program.profile("heap").total("inuse_space", "alpha_leaks") == leaked, "not all is there")
        program.unload()
        program.load("beta")
        profile = program.profile("heap")
        require(not profile.of("beta_leaks") and profile.total("inuse_space", GONE) >= leaked, "heap:\n" + profile.text())
        program.finish()


def difference(bed):
    """a difference over an unloading has what was added, and nothing else"""
    with Plugins(bed) as program:
        program.load("alpha")
        program.works("alpha")
        for page, kind, work in (("allocs", "alloc_space", "leaks"), ("block", "contentions", "waits")):
            asking = Asking(program, page + "?seconds=2")
            # The earlier half has been taken when the index answers: one piece of work at a time.
            program.fetch("")
            program.unload()
            program.load("beta")
            beta = program.call("beta_" + work)
            profile = asking.profile()
            require(profile.total(kind, "beta_" + work) == beta, "beta has %d:\n%s" % (beta, profile.text()))
            require(profile.total(kind, GONE) == 0 and not profile.of("alpha_" + work), "something else:\n" + profile.text())
            program.unload()
            program.load("alpha")
        program.finish()


def texts(bed):
    """the texts say so, too"""
    with Plugins(bed) as program:
        program.load("alpha")
        program.works("alpha")
        program.unload()
        program.load("beta")
        for page in ("heap", "block", "threadcreate"):
            status, body = program.fetch(page + "?debug=1")
            text = body.decode()
            require(status == 200 and GONE in text, "%s does not speak of unloaded code:\n%s" % (page, text[:3000]))
            require("beta_" not in text and "alpha_" not in text, "%s names what was not there:\n%s" % (page, text[:3000]))
        program.finish()


def kinds(bed):
    """every kind of unloading works as it does without the library"""
    plugins = [os.path.join(bed.programs, "unload_plugin_%s.so" % name) for name in ("alpha", "beta")]
    plugins.append(bed.compiled("unload_chain.cpp", "unload_chain.so", "-O1", "-shared", "-fPIC", '-DOTHER="%s"' % plugins[0]))
    program = bed.compiled("unload_kinds.cpp", "unload_kinds", "-std=c++17", "-O1", "-g", "-ldl")
    answers = []
    for more in ({}, {"LD_PRELOAD": bed.library}, {"LD_PRELOAD": bed.library, "CPPROF_DISABLE": "all"}):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CPPROF_")}
        done = subprocess.run([program] + plugins, env=dict(environment, **more), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)
        answers.append((done.returncode, done.stdout.decode()))
    require(answers[0][0] == 0 and answers[0][1].count("\n") >= 12, "the program itself fails: %d\n%s" % answers[0])
    for answer in answers[1:]:
        require(answer == answers[0], "status %d\n%s\ninstead of status %d\n%s" % (answer + answers[0]))


def many_times(bed):
    """a thousand unloadings cost little, and nothing grows"""
    with Plugins(bed) as program:
        path = os.path.join(bed.programs, "unload_plugin_alpha.so")
        program.say("cost %s 500" % path)
        program.line("cost")
        before = program.fetch("")[0]
        program.say("cost %s 500" % path)
        print("        ns for each dlclose that unloads, and that does not: " + program.line("cost"))
        require(before == 200 and program.fetch("")[0] == 200, "the index does not answer")
        require(not any("unloaded files" in comment for comment in program.profile("heap").comments), "something was lost")
        program.finish()


if __name__ == "__main__":
    run([replaced, comes_back, without_waits, difference, texts, kinds, many_times])
