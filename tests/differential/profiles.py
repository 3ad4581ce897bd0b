"""Random profiles: a world (mappings, functions, locations, stacks) and several profiles of it, so that bases cancel.

Everything is drawn from the random source given, nothing from time or place. Not here: bytes (pprofproto.py) and
command lines (commands.py).
"""

import names
from pprofproto import Profile

DROP_FRAMES = ["runtime\\..*", "malloc|calloc|operator new.*", "main.*", ".*::.*", "(", "a|A", "do_.*"]
KEEP_FRAMES = ["runtime\\.panic", "runtime\\.call[0-9]*", ".*", "malloc", ")"]


class World:
    """What the profiles of one case have in common."""

    def __init__(self, rng, sources):
        self.rng = rng
        self.sources = sources  # names of source files that exist in the directory of the case
        self.size = rng.choice([0.4, 1, 1, 1, 1, 2, 6])
        self.pool = self._pool()
        self.mappings = self._mappings()
        self.functions = self._functions()
        self.locations = self._locations()
        self.stacks = self._stacks()
        self.text_labels, self.number_labels = self._labels()
        self.sample_types = list(rng.choice(names.SAMPLE_TYPES))
        if rng.random() < 0.012 and len(self.sample_types) > 1:
            self.sample_types.append(self.sample_types[0])
        # Some profiles have values of one size (so that sorting meets ties), some a long tail (so that trimming cuts).
        self.tail = rng.choice([0, 0.3, 2, 4, 7])
        self.negative = rng.choice([0, 0, 0, 0, 0.1, 0.5])
        self.zero = rng.choice([0, 0, 0.05, 0.3])

    def _pool(self):
        rng = self.rng
        groups = rng.sample([names.GO, names.CPP, names.RUST, names.JAVA, names.C, names.ODD], rng.choice([1, 1, 2, 3, 6]))
        pool = [name for group in groups for name in group]
        if rng.random() < 0.15:
            pool += ["pkg%d.(*T).m%d" % (rng.randrange(9), i) for i in range(200)]
        return pool

    def _mappings(self):
        rng = self.rng
        out = []
        address = rng.choice([0x400000, 0x555555554000, 0x1000])
        for i in range(rng.choice([0, 1, 1, 1, 1, 2, 3, 5])):
            size = rng.choice([0x1000, 0x20000, 0x1234, 0])
            flags = rng.choice([(1, 1, 1, 1), (1, 1, 1, 0), (1, 0, 0, 0), (0, 0, 0, 0), (1, 1, 1, 1), (1, 1, 1, 1), (0, 1, 1, 1)])
            build_id = rng.choice(["", "", "abcdef0123456789", "%040x" % rng.getrandbits(160), "a"])
            out.append({"id": i + 1, "start": address, "limit": address + size, "offset": rng.choice([0, 0, 0x1000, 0x2345]),
                        "file": rng.choice(names.MAPPINGS[:3] + names.MAPPINGS), "build_id": build_id, "flags": flags})
            address += size + rng.choice([0, 0x1000, 0x7f0000000000 - 0x555555554000])
        if out and rng.random() < 0.05:
            out.append(dict(out[0], id=len(out) + 1, start=0xffffffff81000000, limit=0xffffffffa0000000, offset=0xffffffff81000000,
                            file="[kernel.kallsyms]_stext"))
        if rng.random() < 0.05:
            out.append({"id": len(out) + 1, "start": 0, "limit": rng.choice([0, 2 ** 64 - 1]), "offset": 0, "file": "", "build_id": "",
                        "flags": (0, 0, 0, 0)})
        return out

    def _functions(self):
        rng = self.rng
        out = []
        files = rng.sample(names.FILES, rng.randint(1, 8)) + self.sources * rng.choice([0, 1, 3])
        for i in range(max(1, int(rng.randint(3, 40) * self.size))):
            name = rng.choice(self.pool)
            system_name = rng.choice([name, name, name, "", "_Z" + name])
            if system_name.startswith("_ZF"):
                system_name = name  # no compiler's mangling; demanglers differ on what "_ZF..." could mean
            start = rng.choice([0, 0, rng.randint(1, 40)])
            out.append({"id": i + 1, "name": name, "system_name": system_name, "file": rng.choice(files), "start_line": start})
            if rng.random() < 0.08:  # one function twice, told apart by one field or by none
                twin = dict(out[-1])
                twin["start_line"] += rng.choice([0, 1])
                twin["file"] = rng.choice([twin["file"], rng.choice(files)])
                out.append(twin)
        return out

    def _line(self):
        rng = self.rng
        index = rng.randrange(len(self.functions))
        start = self.functions[index]["start_line"]
        line = rng.choice([0, rng.randint(1, 40), rng.randint(1, 40), start + rng.randint(0, 20), start + rng.randint(0, 3)])
        return (index, line, rng.choice([0, 0, 0, rng.randint(1, 80)]))

    def _locations(self):
        rng = self.rng
        out = []
        inlining = rng.choice([0, 0.1, 0.4])
        unsymbolized = rng.choice([0, 0, 0, 0.1, 0.9])
        with_addresses = rng.random() < 0.85
        for i in range(max(2, int(rng.randint(4, 60) * self.size))):
            mapping = rng.choice(self.mappings) if self.mappings and rng.random() < 0.93 else None
            address = 0
            if with_addresses and rng.random() < 0.97:
                address = rng.randrange(0x1000, 0x9000)
                if mapping and rng.random() < 0.97:
                    address = mapping["start"] + rng.randrange(max(1, min(mapping["limit"] - mapping["start"], 0x5000)))
            count = 0 if rng.random() < unsymbolized else 1
            while count and rng.random() < inlining and count < 6:
                count += 1
            out.append({"id": i + 1, "mapping": mapping["id"] if mapping else 0, "address": address,
                        "lines": [self._line() for _ in range(count)], "folded": rng.random() < 0.03})
        return out

    def _stacks(self):
        """Stacks share their upper part with an earlier one, as real ones do; some are recursive, empty or deep."""
        rng = self.rng
        indices = range(len(self.locations))
        deepest = rng.choice([3, 6, 12, 12, 30]) if rng.random() < 0.96 else rng.choice([150, 600])
        out = []
        for _ in range(max(1, int(rng.choice([1, 5, 20, 60, 120]) * self.size))):
            stack = [rng.choice(indices) for _ in range(rng.randint(1, deepest))]
            if out and rng.random() < 0.6:
                stack = stack[:rng.randint(1, 3)] + rng.choice(out)[-rng.randint(1, deepest):]
            if rng.random() < 0.1:
                stack = stack[:3] * rng.randint(2, 4) + stack[3:]
            if rng.random() < 0.01:
                stack = []
            out.append(stack)
        return out

    def _labels(self):
        rng = self.rng
        texts = rng.sample(names.TEXT_KEYS, rng.choice([0, 1, 1, 2, 3]))
        numbers = rng.sample(names.NUMBER_KEYS, rng.choice([0, 0, 1, 1, 2, 3]))
        values = rng.sample(names.TEXT_VALUES, rng.randint(1, 6))
        return [(key, values) for key in texts], numbers

    def value(self):
        rng = self.rng
        if rng.random() < self.zero:
            return 0
        value = int(10 ** rng.uniform(0, self.tail)) * rng.choice([1, 1, 10, 1000]) if self.tail else rng.randint(1, 3)
        return -value if rng.random() < self.negative else value

    def labels(self):
        rng = self.rng
        out = []
        for key, values in self.text_labels:
            if rng.random() < 0.6:
                out += [(key, rng.choice(values)) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
        for key, units in self.number_labels:
            if rng.random() < 0.6:
                out += [(key, self.number(), rng.choice(units)) for _ in range(rng.choice([1, 1, 1, 2]))]
        if rng.random() < 0.2:
            rng.shuffle(out)
        return out

    def number(self):
        rng = self.rng
        return rng.choice([0, 1, 2, 16, 512, 1024, 4096, 65536, 1 << 20, 1000, 1500000, -5, rng.randrange(1 << 30)])


def _samples(world, profile, share):
    rng = world.rng
    kinds = len(profile.sample_types)
    scale = rng.choice([1, 1, 1, 1000, 1000000]) if kinds > 1 else 1
    for stack in world.stacks:
        if rng.random() > share:
            continue
        for _ in range(rng.choice([1, 1, 1, 1, 2, 3])):
            first = world.value()
            values = [first] + [first * scale if rng.random() < 0.5 else world.value() * scale for _ in range(kinds - 1)]
            profile.samples.append({"locations": [world.locations[i]["id"] for i in stack], "values": values,
                                    "labels": world.labels()})


def _renumber(world, profile):
    """Ids are dense in most profiles, but nothing asks for it."""
    rng = world.rng
    if rng.random() < 0.8:
        function_ids = {i: i + 1 for i in range(len(profile.functions))}
    else:
        ids = rng.sample(range(1, 10 * len(profile.functions) + 5), len(profile.functions))
        function_ids = dict(enumerate(ids))
        if rng.random() < 0.3:
            function_ids[0] = 2 ** 40 + 7
    for i, function in enumerate(profile.functions):
        function["id"] = function_ids[i]
    for location in profile.locations:
        location["lines"] = [(function_ids[index], line, column) for index, line, column in location["lines"]]
    if rng.random() < 0.15:
        step = rng.choice([2, 1000, 2 ** 33])
        for location in profile.locations:
            location["id"] *= step
        for sample in profile.samples:
            sample["locations"] = [number * step for number in sample["locations"]]
    if rng.random() < 0.1:
        profile.locations.reverse()
    if rng.random() < 0.1:
        rng.shuffle(profile.functions)


def _header(world, profile):
    rng = world.rng
    if rng.random() < 0.8:
        profile.time_ns = rng.choice([1506718679257237370, 1700000000000000000, 1, 1600000000 * 10 ** 9 + rng.randrange(10 ** 9), -5])
    if rng.random() < 0.7:
        profile.duration_ns = rng.choice([10 ** 10, 2002 * 10 ** 6, 61 * 10 ** 9, 3605 * 10 ** 9, 1, 1500, 36 * 10 ** 12, rng.randrange(10 ** 11)])
    profile.period_type = rng.choice([None, *names.PERIOD_TYPES]) if rng.random() < 0.012 else world.period_type
    profile.period = rng.choice([0, 1, 10000000, 524288, rng.randrange(10 ** 9)])
    if rng.random() < 0.5:
        profile.comments = [rng.choice(names.COMMENTS) for _ in range(rng.randint(1, 4))]
    if rng.random() < 0.3:
        profile.default_sample_type = rng.choice([rng.choice(profile.sample_types)[0], rng.choice(profile.sample_types)[0], "missing"])
    if rng.random() < 0.15:
        profile.doc_url = rng.choice(names.DOC_URLS)
    if rng.random() < 0.12:
        profile.drop_frames = rng.choice(DROP_FRAMES)
        profile.keep_frames = rng.choice(["", *KEEP_FRAMES])


def _vary(world, profile):
    """What differs between profiles of one program: columns and units."""
    rng = world.rng
    if rng.random() < 0.06 and len(profile.sample_types) > 1:
        if rng.random() < 0.5:
            profile.sample_types = profile.sample_types[:-1]
        else:
            profile.sample_types = profile.sample_types[::-1]
    if rng.random() < 0.08:
        other = {"nanoseconds": "ms", "bytes": "kb", "ms": "us", "kilobytes": "B"}
        if rng.random() < 0.1:
            other["count"] = "frobs"
        profile.sample_types = [(name, other.get(unit, unit)) for name, unit in profile.sample_types]


def make_profiles(rng, count, sources):
    """(world, [Profile]): `count` profiles that know the same program."""
    world = World(rng, sources)
    world.period_type = rng.choice([None, *names.PERIOD_TYPES])
    share = rng.choice([1, 1, 0.8, 0.5]) if count > 1 else 1
    out = []
    for i in range(count):
        profile = Profile()
        profile.sample_types = list(world.sample_types)
        if i:
            _vary(world, profile)
        profile.mappings = [dict(mapping) for mapping in world.mappings]
        profile.functions = [dict(function) for function in world.functions]
        profile.locations = [dict(location) for location in world.locations]
        if i and profile.mappings and rng.random() < 0.3:  # the same program at another address
            shift = rng.choice([0x1000, 0x10000000])
            for mapping in profile.mappings:
                mapping["start"] = (mapping["start"] + shift) % 2 ** 64
                mapping["limit"] = (mapping["limit"] + shift) % 2 ** 64
            for location in profile.locations:
                location["address"] = (location["address"] + shift) % 2 ** 64
        _header(world, profile)
        _samples(world, profile, share)
        _renumber(world, profile)
        out.append(profile)
    return world, out


def break_profile(rng, profile):
    """Makes a profile that is hardly valid, or not at all; says how."""
    ways = [_few_values, _no_types, _huge_values, _bad_function, _bad_location, _twice, _bad_mapping, _bad_utf8, _control, _zero_id]
    way = rng.choice(ways)
    way(rng, profile)
    return way.__name__.lstrip("_")


def _few_values(rng, profile):
    if profile.samples:
        rng.choice(profile.samples)["values"].append(1)


def _no_types(rng, profile):
    profile.sample_types = []
    if rng.random() < 0.5:
        profile.samples = []


def _huge_values(rng, profile):
    for sample in profile.samples:
        sample["values"] = [rng.choice([2 ** 63 - 1, -2 ** 63, 2 ** 62, 2 ** 53 + 1, 1]) for _ in sample["values"]]


def _bad_function(rng, profile):
    rng.choice(profile.locations)["lines"] = [(rng.choice([0, 10 ** 6]), 1, 0)]


def _bad_location(rng, profile):
    if profile.samples:
        rng.choice(profile.samples)["locations"] = [10 ** 15]


def _twice(rng, profile):
    which = rng.choice([profile.locations, profile.functions, profile.mappings or profile.locations])
    which.append(dict(rng.choice(which)))


def _bad_mapping(rng, profile):
    rng.choice(profile.locations)["mapping"] = 77


def _bad_utf8(rng, profile):
    rng.choice(profile.functions)["name"] = b"bad\xff\xc3name\x80"


def _control(rng, profile):
    rng.choice(profile.functions)["name"] = "new\nline\x1b[31m\x01\x00end"


def _zero_id(rng, profile):
    rng.choice([profile.locations, profile.functions, profile.mappings or profile.locations])[0]["id"] = 0
