"""Strict doubles of the engines that scrape: what Grafana Alloy's pyroscope.scrape and Parca ask a target for, and what they refuse.

Facts read in their sources (Alloy 1.19, Parca 0.28, Pyroscope 2.2) and in google/pprof's profile package, which both
use to parse. Where an engine lets something pass that would show a wrong number later, these do not: values that fall, stacks that are
told apart by nothing an engine looks at.

Not here: the HTTP client and the loops (scrape_bed.py, loops.py), and what only we promise (points.py).
"""

import re

import pprof_read
from pprof_read import Malformed, Stacks


class Refused(Exception):
    """Why the engine does not take the answer."""


def refuse_unless(condition, *what):
    if not condition:
        raise Refused(" ".join(str(part)[:300] for part in what))


class Target:
    """One path that is asked again and again. `delta`: the sample types of which the engine takes differences; `window`: the
    profile is of a time span, not of an instant."""

    def __init__(self, name, path, seconds=False, delta=(), window=False):
        self.name, self.path, self.seconds, self.delta = name, path, seconds, delta
        self.window = window or seconds

    def url(self, seconds):
        return self.path + ("?seconds=%d" % seconds if self.seconds else "")


ALLOCATED = (("alloc_objects", "count"), ("alloc_space", "bytes"))
CONTENDED = (("contentions", "count"), ("delay", "nanoseconds"))
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*$")


def parsed(body):
    try:
        profile = pprof_read.read(body)
    except Malformed as problem:
        raise Refused("cannot be parsed: %s" % problem) from None
    check_valid(profile)
    return profile


def check_valid(profile):
    """What google/pprof's CheckValid demands."""
    types = len(profile.sample_types)
    refuse_unless(types or not profile.samples, "samples without sample types")
    known = {}
    for kind in ("mapping", "function", "location"):
        ids = [entry["id"] for entry in getattr(profile, kind + "s")]
        refuse_unless(0 not in ids, "a", kind, "has id 0")
        refuse_unless(len(set(ids)) == len(ids), "two", kind, "entries with one id")
        known[kind] = set(ids)
    for location in profile.locations:
        refuse_unless(location["mapping"] in known["mapping"] | {0}, "location", location["id"], "is in mapping", location["mapping"])
        for line in location["lines"]:
            refuse_unless(line[0] in known["function"], "location", location["id"], "has a line of function", line[0])
    for sample in profile.samples:
        refuse_unless(len(sample["values"]) == types, "a sample has", len(sample["values"]), "values for", types, "types")
        for at in sample["locations"]:
            refuse_unless(at in known["location"], "a sample has location", at)


def check_labels(profile):
    for sample in profile.samples:
        refuse_unless(len(sample["labels"]) <= 100, "a sample with", len(sample["labels"]), "labels")
        for label in sample["labels"]:
            refuse_unless(LABEL_NAME.match(label[0]), "the label key", repr(label[0]))


def check_stacks(profile):
    """Differences tell samples apart by addresses and labels: where these agree, so must the names."""
    stacks, seen = Stacks(profile), {}
    for sample in profile.samples:
        key, names = (stacks.addresses(sample), stacks.labels(sample)), stacks.names(sample)
        refuse_unless(seen.setdefault(key, names) == names, "one list of addresses for two stacks:", seen[key], names)


class Alloy:
    """pyroscope.scrape, its deltas, and what Pyroscope refuses of what it forwards."""

    name = "alloy"
    interval, timeout = 15, 10
    agent = "Alloy/v1.19.0"
    DEFAULT = (Target("memory", "/debug/pprof/allocs", delta=ALLOCATED), Target("block", "/debug/pprof/block", delta=CONTENDED),
               Target("goroutine", "/debug/pprof/goroutine"), Target("mutex", "/debug/pprof/mutex", delta=CONTENDED),
               Target("process_cpu", "/debug/pprof/profile", seconds=True))
    # Off unless asked for: profile.godeltaprof_memory, _block and _mutex.
    DELTAS = (Target("godeltaprof_memory", "/debug/pprof/delta_heap", window=True),
              Target("godeltaprof_block", "/debug/pprof/delta_block", window=True),
              Target("godeltaprof_mutex", "/debug/pprof/delta_mutex", window=True))

    @staticmethod
    def seconds(interval):
        return max(1, interval - 1)

    @classmethod
    def limit(cls, target, interval):
        """Seconds until it gives up."""
        return cls.timeout + (interval - 1 if target.seconds else 0)

    @classmethod
    def check(cls, target, answer):
        """The profile. Raises Refused."""
        refuse_unless(answer.status // 100 == 2, "status", answer.status, answer.body[:200])
        refuse_unless(answer.body, "an empty answer")
        kind = answer.headers.get("Content-Type", "")
        refuse_unless(kind.startswith("application/octet-stream"), "Content-Type", repr(kind))
        start = answer.body.lstrip(b" \t\r\n")[:9].lower()
        refuse_unless(not start.startswith((b"<!d", b"<h", b"<b", b"<t")), "HTML:", answer.body[:50])
        refuse_unless(start[:1] not in (b"{", b"["), "JSON:", answer.body[:50])
        refuse_unless(len(answer.body) > 2, "too short")
        refuse_unless(answer.body.startswith(b"\x1f\x8b") or answer.body[0] & 7 < 6, "neither gzip nor protobuf:", answer.body[:16].hex())
        profile = parsed(answer.body)
        cls.check_pyroscope(profile, len(pprof_read.uncompressed(answer.body)))
        if target.delta:
            check_stacks(profile)
            refuse_unless(set(target.delta) <= set(profile.sample_types), "no sample types", target.delta, "in", profile.sample_types)
            refuse_unless(len(profile.sample_types) <= 4, "more values than differences are taken of")
        return profile

    @staticmethod
    def check_pyroscope(profile, size):
        refuse_unless(size <= 4 << 20, size, "bytes")
        refuse_unless(len(profile.samples) <= 16000, len(profile.samples), "samples")
        refuse_unless(profile.strings and profile.strings[0] == "", "string 0 is", profile.strings[:1])
        refuse_unless(all(len(text) <= 65535 for text in profile.strings), "a long string")
        for kind, unit in profile.sample_types:
            refuse_unless(kind and unit and "-" not in kind, "sample type", kind, unit)
        # Each set of text labels is a series of each sample type, and a tenant may have 5,000 unless its operator allows more.
        texts = {tuple(label for label in sample["labels"] if len(label) == 2) for sample in profile.samples}
        refuse_unless(len(texts) * len(profile.sample_types) <= 5000, len(texts), "sets of labels")
        for sample in profile.samples:
            refuse_unless(len(sample["locations"]) <= 1000, "a stack of", len(sample["locations"]))
        check_labels(profile)


class Deltas:
    """Alloy's differences between one answer and the next: by addresses and labels; the first gives none."""

    def __init__(self, target):
        self.kinds, self.last, self.time_ns = target.delta, None, 0

    def add(self, profile):
        """{(addresses, labels): differences}, None at first. Raises Refused if a sum has fallen."""
        stacks, sums = Stacks(profile), {}
        columns = [profile.sample_types.index(kind) for kind in self.kinds]
        for sample in profile.samples:
            key = stacks.addresses(sample), stacks.labels(sample)
            old = sums.get(key, [0] * len(columns))
            sums[key] = [value + sample["values"][column] for value, column in zip(old, columns)]
        last, self.last = self.last, sums
        before, self.time_ns = self.time_ns, profile.time_ns
        if last is None:
            return None
        refuse_unless(profile.time_ns > before, "time_nanos", before, "then", profile.time_ns)
        totals = [[sum(values[i] for values in table.values()) for i in range(len(columns))] for table in (last, sums)]
        refuse_unless(all(old <= new for old, new in zip(*totals)), "sums of", self.kinds, "fall:", *totals)
        differences = {key: [new - old for new, old in zip(values, last.get(key, [0] * len(columns)))] for key, values in sums.items()}
        return {key: values for key, values in differences.items() if any(values)}


class Parca:
    """The scraper and the store behind it."""

    name = "parca"
    interval = 10
    agent = "conprof/0.28.0"
    DEFAULT = tuple(Target(target.name, target.path, seconds=target.seconds) for target in Alloy.DEFAULT)

    @staticmethod
    def seconds(interval):
        return interval

    @staticmethod
    def limit(target, interval):
        return interval + 3

    @classmethod
    def check(cls, target, answer):
        """The profile. Raises Refused."""
        refuse_unless(answer.status == 200, "status", answer.status, answer.body[:200])
        refuse_unless(answer.body, "an empty answer")
        profile = parsed(answer.body)
        refuse_unless(profile.strings and profile.strings[0] == "", "string 0 is", profile.strings[:1])
        for kind in ("mapping", "function", "location"):
            ids = [entry["id"] for entry in getattr(profile, kind + "s")]
            refuse_unless(ids == list(range(1, len(ids) + 1)), kind, "ids are not 1, 2, 3 ...:", ids[:20])
        check_labels(profile)
        infos = [comment for comment in profile.comments if comment.startswith("executableInfo=")]
        refuse_unless(len(infos) in (0, len(profile.mappings)), len(profile.mappings), "mappings,", len(infos), "executableInfo")
        for info in infos:
            refuse_unless(re.match(r"executableInfo=(0x)?[0-9a-f]+(;(0x)?[0-9a-f]+;(0x)?[0-9a-f]+)?$", info), info)
        cls.check_times(target, profile)
        cls.check_addresses(profile)
        return profile

    @staticmethod
    def check_times(target, profile):
        """A profile is stored at its own time, and its series has `:delta` in its name when it lasted."""
        refuse_unless(profile.time_ns > 0, "time_nanos is", profile.time_ns)
        refuse_unless(profile.duration_ns > 0 if target.window else profile.duration_ns == 0, "duration_nanos is", profile.duration_ns)
        refuse_unless(profile.period_type and all(profile.period_type), "no period type")

    @staticmethod
    def check_addresses(profile):
        """What has no name is looked up by build id and address, made relative to the file by the mapping; code that a program makes itself
        is in none."""
        mappings = {mapping["id"]: mapping for mapping in profile.mappings}
        for location in profile.locations:
            if location["lines"]:
                continue
            refuse_unless(location["address"], "location", location["id"], "has neither lines nor an address")
            mapping = mappings.get(location["mapping"])
            inside = not mapping or mapping["start"] <= location["address"] < mapping["limit"]
            refuse_unless(inside, hex(location["address"]), "is outside of", mapping)


ENGINES = (Alloy, Parca)
