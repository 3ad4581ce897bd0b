"""Processor time in what was loaded at run time: the profile names function, file and line, also when another library lies where the first one
was.
"""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from threads_bed import HERE, run  # noqa: E402
from truth_bed import Asking, Program, require  # noqa: E402

SOURCE = "truth_plugin.c"


def spinning_lines():
    """The first and the last line of the function's loop."""
    with open(os.path.join(HERE, SOURCE), encoding="utf-8") as source:
        lines = source.read().splitlines()
    last = next(number for number, line in enumerate(lines, 1) if "spins here" in line)
    return last - 2, last


def load(program, bed, name):
    program.say("load %s %s_spins" % (os.path.join(bed.programs, "truth_plugin_%s.so" % name), name))
    return int(program.line("loaded"), 16)


def unload(program):
    program.say("unload")
    return int(program.line("unloaded"))


def lines_of(profile, function):
    return {(os.path.basename(file), line) for row in profile.of(function) for name, file, line in row.lines if name == function}


def profile_with_lines(program, function):
    """Lines are found out by a helper, which is given up if it takes too long: then another time."""
    for _ in range(5):
        profile = program.profile("profile?seconds=1&hz=250")
        if all(line for _, line in lines_of(profile, function)):
            break
    return profile


def check_named(profile, name):
    """Most of all is in the plugin's function, and its lines are right."""
    function = name + "_spins"
    total, mine = profile.total("cpu"), profile.total("cpu", function)
    require(mine > 0 and mine >= total * 0.9, "%s has %d of %d ns:\n%s" % (function, mine, total, profile.text()))
    first, last = spinning_lines()
    require(lines_of(profile, function) <= {(SOURCE, line) for line in range(first, last + 1)}, "%s is at %s" % (function, lines_of(profile, function)))
    require(all("spinning_thread" in row for row in profile.of(function)), "not in spinning_thread:\n%s" % profile.text())


def settings(bed):
    return {"CPPROF_HELPER": bed.tool}


def two_plugins(bed):
    """each plugin is named while it runs, also one that lies where another was"""
    with Program(bed, bed.program("truth_plugins"), settings=settings(bed)) as program:
        places = []
        for name, other in (("alpha", "beta"), ("beta", "alpha"), ("alpha", "beta")):
            places.append(load(program, bed, name))
            profile = profile_with_lines(program, name + "_spins")
            check_named(profile, name)
            require(not profile.of(other + "_spins"), "%s is named, which is not there:\n%s" % (other, profile.text()))
            spent = unload(program)
            require(profile.total("cpu") <= spent * 1.1, "%d ns sampled, %d spent" % (profile.total("cpu"), spent))
        print("        at %s" % " ".join("%#x" % place for place in places))
        program.finish()


def unloaded_meanwhile(bed):
    """what is unloaded before the profile ends has lost its name, and is not booked to what lies there then"""
    with Program(bed, bed.program("truth_plugins"), settings=settings(bed)) as program:
        program.fetch("")
        asking = Asking(program, "profile?seconds=5&hz=250")
        places = [load(program, bed, "alpha")]
        time.sleep(3)
        spent_alpha = unload(program)
        places.append(load(program, bed, "beta"))
        time.sleep(0.2)
        program.say("rest")
        spent_beta = int(program.line("rested"))
        profile = asking.profile()
        total, alpha, beta = (profile.total("cpu", name) for name in (None, "alpha_spins", "beta_spins"))
        unloaded = profile.total("cpu", "[unloaded code]")
        print("        at %#x, %#x; beta %d of %d ns, unloaded %d of %d, total %d" % (*places, beta, spent_beta, unloaded, spent_alpha, total))
        require(not alpha, "alpha is named, which is not there:\n%s" % profile.text())
        # It may have begun before the profile did.
        require(spent_alpha * 0.3 <= unloaded <= (spent_alpha + spent_beta) * 1.1,
                "%d ns of unloaded code, alpha spent %d:\n%s" % (unloaded, spent_alpha, profile.text()))
        require(beta <= spent_beta * 1.1 + 20e6, "beta has %d ns, it spent %d; alpha %d:\n%s" % (beta, spent_beta, spent_alpha, profile.text()))
        program.finish()


if __name__ == "__main__":
    run([two_plugins, unloaded_meanwhile])
