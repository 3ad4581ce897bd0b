"""The doubles of the engines themselves: each refuses what the engine refuses, and all that a Go program with net/http/pprof serves
is to their liking.

    doubles.py
"""

import copy
import email.message
import sys
import tempfile
import time

import scrape_bed
from engines import Alloy, Deltas, ENGINES, Parca, Refused
from pprof_read import pprofproto
from scrape_bed import Client, go_target, require

CASES = []


def case(function):
    CASES.append(function)
    return function


class Made:
    """An answer that was never sent."""

    def __init__(self, body, status=200, kind="application/octet-stream"):
        self.status, self.reason, self.body, self.headers = status, "", body, email.message.Message()
        if kind:
            self.headers["Content-Type"] = kind


def good_profile():
    profile = pprofproto.Profile()
    profile.sample_types = [("contentions", "count"), ("delay", "nanoseconds")]
    profile.period_type, profile.period, profile.time_ns = ("contentions", "count"), 1, 1700000000 * 10 ** 9
    profile.mappings = [{"id": 1, "start": 4096, "limit": 8192, "offset": 0, "file": "/bin/x", "build_id": "ab", "flags": [False] * 4}]
    profile.functions = [{"id": i, "name": "f%d" % i, "system_name": "", "file": "f.c", "start_line": 0} for i in (1, 2)]
    profile.locations = [{"id": i, "mapping": 1, "address": 5000 + i, "lines": [(i, 7, 0)], "folded": 0} for i in (1, 2)]
    profile.samples = [{"locations": [1, 2], "values": [3, 4], "labels": [("lock", "0x1")]}, {"locations": [2], "values": [1, 1], "labels": []}]
    return profile


def encoded(profile, gzip=True):
    style = pprofproto.Style()
    style.gzip = gzip
    return pprofproto.encode(profile, style)


def verdict(engine, answer, target=None):
    """Why the engine refuses it; None: it does not."""
    try:
        engine.check(target or engine.DEFAULT[1], answer)
        return None
    except Refused as reason:
        return str(reason)


@case
def good():
    """what is right is taken, gzip'ed or not"""
    for engine in ENGINES:
        for gzip in (True, False):
            reason = verdict(engine, Made(encoded(good_profile(), gzip)))
            require(reason is None, engine.name, reason)


@case
def wrong_answers():
    """answers that hold no profile are refused"""
    body = encoded(good_profile())
    wrong = [(ENGINES, Made(body, status=404)), (ENGINES, Made(b"")), (ENGINES, Made(b"Unknown profile\n")), (ENGINES, Made(body[:-20])),
             (ENGINES, Made(encoded(good_profile(), False)[:-3])), (ENGINES, Made(b"\x1f\x8b rest")),
             (ENGINES, Made(b"--- contention:\ncycles/second=1\n")), ([Parca], Made(body, status=206)), ([Alloy], Made(body, kind=None)),
             ([Alloy], Made(body, kind="application/x-gzip")), ([Alloy], Made(b"<!DOCTYPE html><p>")), ([Alloy], Made(b'{"error": "no such page here"}'))]
    for engines, answer in wrong:
        for engine in engines:
            require(verdict(engine, answer), engine.name, "takes", answer.status, answer.headers.items(), answer.body[:40])


def set_at(path, value):
    """Changes one value of a profile: mutate("samples", 0, "values", [1])."""

    def mutate(profile):
        at = getattr(profile, path[0])
        for step in path[1:-1]:
            at = at[step]
        at[path[-1]] = value

    return mutate


def set_field(name, value):
    return lambda profile: setattr(profile, name, value)


def same_stack_twice(profile):
    """Two locations without an address, of two names: nothing but the name tells their stacks apart."""
    for location in profile.locations:
        location["address"] = location["mapping"] = 0
    profile.samples[0]["locations"], profile.samples[0]["labels"] = [1], []


WRONG = [
    ("a value is missing", ENGINES, set_at(("samples", 0, "values"), [3])),
    ("a location that is not there", ENGINES, set_at(("samples", 0, "locations"), [1, 9])),
    ("a location 0", ENGINES, set_at(("samples", 0, "locations"), [0, 1])),
    ("location id 0", ENGINES, set_at(("locations", 0, "id"), 0)),
    ("a location id twice", ENGINES, set_at(("locations", 0, "id"), 2)),
    ("a mapping that is not there", ENGINES, set_at(("locations", 0, "mapping"), 2)),
    ("a function that is not there", ENGINES, set_at(("locations", 0, "lines"), [(3, 0, 0)])),
    ("a line of no function", ENGINES, set_at(("locations", 0, "lines"), [(0, 5, 0)])),
    ("no sample types", ENGINES, set_field("sample_types", [])),
    ("an empty label key", ENGINES, set_at(("samples", 0, "labels"), [("", "x")])),
    ("text that is no UTF-8", ENGINES, set_at(("functions", 0, "name"), b"caf\xe9")),
    ("gaps in the ids of mappings", [Parca], lambda profile: (set_at(("mappings", 0, "id"), 2)(profile), set_at(("locations", 0, "mapping"), 2)(profile),
                                                              set_at(("locations", 1, "mapping"), 2)(profile))),
    ("functions out of order", [Parca], lambda profile: profile.functions.reverse()),
    ("locations out of order", [Parca], lambda profile: profile.locations.reverse()),
    ("no time", [Parca], set_field("time_ns", 0)),
    ("an instant that lasts", [Parca], set_field("duration_ns", 5)),
    ("no period type", [Parca], set_field("period_type", None)),
    ("too few executableInfo", [Parca], lambda profile: (set_field("comments", ["executableInfo=3;0;0"])(profile),
                                                         profile.mappings.append(dict(profile.mappings[0], id=2)))),
    ("nameless and outside of its mapping", [Parca], lambda profile: (set_at(("locations", 0, "lines"), [])(profile),
                                                                      set_at(("locations", 0, "address"), 9000)(profile))),
    ("nothing to call a location by", [Parca], lambda profile: (set_at(("locations", 0, "lines"), [])(profile),
                                                                set_at(("locations", 0, "address"), 0)(profile))),
    ("a sample type with a dash", [Alloy], set_at(("sample_types", 0), ("con-tentions", "count"))),
    ("other sample types", [Alloy], set_at(("sample_types", 1), ("delay", "microseconds"))),
    ("a stack that only its names tell apart", [Alloy], same_stack_twice),
    ("101 labels", ENGINES, set_at(("samples", 0, "labels"), [("k%d" % i, "x") for i in range(101)])),
    ("2,501 sets of labels", [Alloy], lambda profile: profile.samples.extend(
        {"locations": [1], "values": [1, 1], "labels": [("lock", "0x%x" % i)]} for i in range(2, 2502))),
    ("a stack of 1,001 frames", [Alloy], set_at(("samples", 0, "locations"), [1] * 1001)),
]


@case
def wrong_profiles():
    """profiles with one thing wrong are refused"""
    for what, engines, mutate in WRONG:
        profile = good_profile()
        mutate(profile)
        for engine in engines:
            require(verdict(engine, Made(encoded(profile))), engine.name, "takes a profile with", what)
    window = copy.deepcopy(good_profile())
    require(verdict(Parca, Made(encoded(window)), Parca.DEFAULT[4]), "a window of no duration is taken")
    window.duration_ns = 10 ** 9
    require(verdict(Parca, Made(encoded(window)), Parca.DEFAULT[4]) is None, "a window is refused")


@case
def falling():
    """differences: the first answer gives none, equal ones none, and sums that fall are refused"""
    deltas, profile = Deltas(Alloy.DEFAULT[1]), good_profile()
    require(deltas.add(profile) is None, "something before the second")
    profile.time_ns += 1
    require(deltas.add(profile) == {}, "no change is a difference")
    profile.time_ns += 1
    profile.samples[0]["values"] = [5, 9]
    require(list(deltas.add(profile).values()) == [[2, 5]], "the difference")
    profile.time_ns += 1
    profile.samples[0]["values"] = [5, 8]
    try:
        deltas.add(profile)
    except Refused:
        return
    raise scrape_bed.Failed("sums that fall are taken")


@case
def of_go():
    """everything a Go program serves by default is taken, with differences that do not fall"""
    with tempfile.TemporaryDirectory() as directory, go_target(directory) as go, Client(go.address) as client:
        asked = 0
        for engine in ENGINES:
            for target in engine.DEFAULT:
                deltas = Deltas(target) if target.delta else None
                for _ in range(2):
                    answer = client.ask(target.url(1))
                    reason = verdict(engine, answer, target)
                    require(reason is None, engine.name, "refuses Go's", target.path, reason)
                    asked += 1
                    if deltas:
                        deltas.add(engine.check(target, answer))
                        time.sleep(0.1)
        return "%d answers" % asked


if __name__ == "__main__":
    sys.exit(scrape_bed.run(CASES))
