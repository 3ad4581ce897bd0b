"""A profile as it was served, into the plain model of tests/differential/pprofproto.py; strict, as the parsers are that refuse
a profile.

Not here: what must hold of a profile (engines.py). Layout: https://github.com/google/pprof, proto/profile.proto.
"""

import gzip
import os
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "differential"))
import pprofproto  # noqa: E402

VARINT, BYTES = 0, 2


class Malformed(ValueError):
    """It is no profile.proto."""


def require(condition, *what):
    if not condition:
        raise Malformed(" ".join(str(part) for part in what))


def fields(data):
    """(field number, wire type, value), in order."""
    at = 0
    while at < len(data):
        try:
            key, at = pprofproto.read_varint(data, at)
            number, wire = key >> 3, key & 7
            require(number > 0, "field number 0")
            require(wire in (VARINT, BYTES), "field", number, "has wire type", wire)
            value, at = pprofproto.read_varint(data, at)
        except IndexError:
            raise Malformed("ends within a number") from None
        if wire == BYTES:
            require(at + value <= len(data), "ends within field", number)
            value, at = data[at:at + value], at + value
        yield number, wire, value


def signed(number):
    return number - (1 << 64) if number >> 63 else number


def numbers(wire, value):
    """A repeated number, packed or not."""
    if wire == VARINT:
        return [value]
    out, at = [], 0
    while at < len(value):
        try:
            number, at = pprofproto.read_varint(value, at)
        except IndexError:
            raise Malformed("ends within a packed number") from None
        out.append(number)
    return out


class Message:
    """The fields of a message: scalars (the last one holds), strings of bytes, repeated numbers."""

    def __init__(self, data):
        self.found = {}
        for number, wire, value in fields(data):
            self.found.setdefault(number, []).append((wire, value))

    def scalar(self, number):
        values = self.found.get(number, [(VARINT, 0)])
        require(all(wire == VARINT for wire, _ in values), "field", number, "is no number")
        return values[-1][1]

    def messages(self, number):
        values = self.found.get(number, [])
        require(all(wire == BYTES for wire, _ in values), "field", number, "is no message")
        return [value for _, value in values]

    def repeated(self, number):
        return [one for wire, value in self.found.get(number, []) for one in numbers(wire, value)]


class Reader:
    def __init__(self, data):
        self.top = Message(data)
        self.strings = []
        for value in self.top.messages(6):
            try:
                self.strings.append(value.decode("utf-8"))
            except UnicodeDecodeError:
                raise Malformed("a string is not valid UTF-8: %r" % value) from None

    def string(self, index):
        require(index < len(self.strings), "string", index, "of", len(self.strings))
        return self.strings[index]

    def value_type(self, data):
        message = Message(data)
        return self.string(message.scalar(1)), self.string(message.scalar(2))

    def label(self, data):
        message = Message(data)
        key, text = self.string(message.scalar(1)), message.scalar(2)
        if text:
            return key, self.string(text)
        return key, signed(message.scalar(3)), self.string(message.scalar(4))

    def sample(self, data):
        message = Message(data)
        return {"locations": message.repeated(1), "values": [signed(value) for value in message.repeated(2)],
                "labels": [self.label(label) for label in message.messages(3)]}

    def mapping(self, data):
        message = Message(data)
        return {"id": message.scalar(1), "start": message.scalar(2), "limit": message.scalar(3), "offset": message.scalar(4),
                "file": self.string(message.scalar(5)), "build_id": self.string(message.scalar(6)),
                "flags": [bool(message.scalar(7 + flag)) for flag in range(4)]}

    def location(self, data):
        message = Message(data)
        lines = [Message(line) for line in message.messages(4)]
        return {"id": message.scalar(1), "mapping": message.scalar(2), "address": message.scalar(3), "folded": message.scalar(5),
                "lines": [(line.scalar(1), signed(line.scalar(2)), signed(line.scalar(3))) for line in lines]}

    def function(self, data):
        message = Message(data)
        return {"id": message.scalar(1), "name": self.string(message.scalar(2)), "system_name": self.string(message.scalar(3)),
                "file": self.string(message.scalar(4)), "start_line": signed(message.scalar(5))}

    def profile(self):
        top, profile = self.top, pprofproto.Profile()
        profile.strings = self.strings
        profile.sample_types = [self.value_type(data) for data in top.messages(1)]
        profile.samples = [self.sample(data) for data in top.messages(2)]
        profile.mappings = [self.mapping(data) for data in top.messages(3)]
        profile.locations = [self.location(data) for data in top.messages(4)]
        profile.functions = [self.function(data) for data in top.messages(5)]
        profile.drop_frames, profile.keep_frames = self.string(top.scalar(7)), self.string(top.scalar(8))
        profile.time_ns, profile.duration_ns = signed(top.scalar(9)), signed(top.scalar(10))
        period_type = top.messages(11)
        profile.period_type = self.value_type(period_type[-1]) if period_type else None
        profile.period = signed(top.scalar(12))
        profile.comments = [self.string(index) for index in top.repeated(13)]
        profile.default_sample_type, profile.doc_url = self.string(top.scalar(14)), self.string(top.scalar(15))
        return profile


def uncompressed(data):
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as problem:
        raise Malformed("gzip: %s" % problem) from None


def read(data):
    """A pprofproto.Profile, with the string table as `strings`. Raises Malformed."""
    data = uncompressed(data)
    require(data, "an empty message")
    return Reader(data).profile()


class Stacks:
    """The samples of a profile by what their frames are called."""

    def __init__(self, profile):
        self.profile = profile
        self.functions = {function["id"]: function["name"] for function in profile.functions}
        self.locations = {location["id"]: location for location in profile.locations}

    def names(self, sample):
        """Leaf first; inlined frames before those they are in."""
        return tuple(self.functions[line[0]] for at in sample["locations"] for line in self.locations[at]["lines"])

    def addresses(self, sample):
        return tuple(self.locations[at]["address"] for at in sample["locations"])

    def labels(self, sample):
        return tuple(sorted(sample["labels"], key=str))

    def total(self, kind, function=None):
        """Of that sample type over the stacks in which the function occurs (all)."""
        index = [name for name, _ in self.profile.sample_types].index(kind)
        return sum(sample["values"][index] for sample in self.profile.samples if function is None or function in self.names(sample))
