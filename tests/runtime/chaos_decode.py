"""A strict reader of profile.proto for the chaos test, small enough to run a hundred times: whatever is wrong with a profile is a ValueError.

It shares no code with cpprof. Layout: https://github.com/google/pprof, proto/profile.proto.
"""

import gzip


def fields(data):
    """(number, value): an int of a varint, bytes of a length-delimited field; profile.proto has no others."""
    at, end = 0, len(data)
    while at < end:
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 2:
            length, at = varint(data, at)
            if at + length > end:
                raise ValueError("field %d is cut off" % number)
            value, at = data[at:at + length], at + length
        else:
            raise ValueError("field %d of wire type %d" % (number, wire))
        yield number, value


def varint(data, at):
    number = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("a number without an end")
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number & 0xFFFFFFFFFFFFFFFF, at


def signed(number):
    return number - (1 << 64) if number >> 63 else number


def numbers(value):
    """A repeated number, packed or one of many."""
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        number, at = varint(value, at)
        found.append(number)
    return found


class Sample:
    def __init__(self, data):
        self.locations, self.values, self.labels = [], [], []
        for number, value in fields(data):
            if number == 1:
                self.locations += numbers(value)
            elif number == 2:
                self.values += map(signed, numbers(value))
            elif number == 3:
                self.labels.append(dict(fields(value)))


class Profile:
    def __init__(self, body):
        if body[:2] != b"\x1f\x8b":
            raise ValueError("not a gzip file: %r" % body[:40])
        strings, types, comments, self.samples = [], [], [], []
        lines, names, mappings, used = {}, {}, set(), set()
        self.time_ns = self.duration_ns = self.period = 0
        for number, value in fields(gzip.decompress(body)):
            if number == 1:
                types.append(dict(fields(value)))
            elif number == 2:
                self.samples.append(Sample(value))
            elif number == 3:
                mappings.add(self.once(dict(fields(value))[1], mappings))
            elif number == 4:
                identity, functions, mapping = 0, [], 0
                for part, of in fields(value):
                    if part == 1:
                        identity = of
                    elif part == 2:
                        mapping = of
                    elif part == 4:
                        functions.append(dict(fields(of)).get(1, 0))
                lines[self.once(identity, lines)] = functions
                used.add(mapping)
            elif number == 5:
                function = dict(fields(value))
                names[self.once(function.get(1, 0), names)] = function.get(2, 0)
            elif number == 6:
                strings.append(value.decode("utf-8"))
            elif number == 9:
                self.time_ns = value
            elif number == 10:
                self.duration_ns = value
            elif number == 12:
                self.period = value
            elif number == 13:
                comments += numbers(value)
        if not strings or strings[0]:
            raise ValueError("the first string is not empty")
        if used - mappings - {0}:
            raise ValueError("mappings that do not exist: %r" % (used - mappings))
        self.types = [(strings[kind.get(1, 0)], strings[kind.get(2, 0)]) for kind in types]
        self.comments = [strings[index] for index in comments]
        self.stacks = {}
        for location, functions in lines.items():
            self.stacks[location] = [strings[names[function]] for function in functions]
        self.check(strings)

    @staticmethod
    def once(identity, known):
        if identity == 0 or identity in known:
            raise ValueError("id %d is 0 or there twice" % identity)
        return identity

    def check(self, strings):
        if not self.types or not self.time_ns:
            raise ValueError("no sample types, or no time")
        for sample in self.samples:
            if len(sample.values) != len(self.types):
                raise ValueError("%d values for %d types" % (len(sample.values), len(self.types)))
            for location in sample.locations:
                if location not in self.stacks:
                    raise ValueError("location %d does not exist" % location)
            for label in sample.labels:
                if not strings[label.get(1, 0)]:
                    raise ValueError("a label without a name")

    def total(self, kind, function=None):
        """The sum of the values of this type, of the samples whose stack has the function."""
        index = [name for name, unit in self.types].index(kind)
        return sum(sample.values[index] for sample in self.samples
                   if function is None or any(function in self.stacks[location] for location in sample.locations))
