"""profile.proto written by hand: a plain model and an encoder that can be as odd as the format allows.

It shares no code with either tool under test, so a misreading of the format cannot cancel out. Not here: what is put
into a profile (profiles.py). Layout: https://github.com/google/pprof, proto/profile.proto.
"""

import gzip
import io


class Profile:
    """Plain lists and dicts; strings are Python strings (or bytes, for text that is not UTF-8)."""

    def __init__(self):
        self.sample_types = []  # (type, unit)
        self.samples = []  # dict: locations [id], values [int], labels [(key, text)|(key, number, unit)]
        self.mappings = []  # dict: id start limit offset file build_id flags(4 bools)
        self.locations = []  # dict: id mapping address lines [(function id, line, column)] folded
        self.functions = []  # dict: id name system_name file start_line
        self.comments = []
        self.drop_frames = self.keep_frames = ""
        self.time_ns = self.duration_ns = self.period = 0
        self.period_type = None
        self.default_sample_type = ""
        self.doc_url = ""


class Style:
    """How a profile is put into bytes. Without a random source: the plainest way."""

    def __init__(self, rng=None):
        self.rng = rng
        self.gzip = True
        self.packed = "always"  # always, never, mixed
        self.shuffle = False  # top-level fields of different numbers interleaved
        self.unknown_fields = False
        self.extra_strings = False  # unused and repeated entries in the string table
        self.zeros = False  # zero scalars written, although they need not be
        if rng:
            self.gzip = rng.random() < 0.8
            self.packed = rng.choice(["always", "always", "never", "mixed"])
            self.shuffle = rng.random() < 0.2
            self.unknown_fields = rng.random() < 0.15
            self.extra_strings = rng.random() < 0.2
            self.zeros = rng.random() < 0.15


def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(0x80 | number & 0x7F)
        number >>= 7
    out.append(number)
    return bytes(out)


def tag(field, wire):
    return varint(field << 3 | wire)


def field_bytes(field, data):
    return tag(field, 2) + varint(len(data)) + data


class Encoder:
    def __init__(self, style):
        self.style = style
        self.strings = [b""]
        self.index = {b"": 0}

    def string(self, text):
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        style = self.style
        if style.extra_strings and data and style.rng.random() < 0.1:
            self.strings.append(b"unused \xc3\xa9 %d" % len(self.strings))
            self.strings.append(data)
            self.index[data] = len(self.strings) - 1
        if data not in self.index:
            self.index[data] = len(self.strings)
            self.strings.append(data)
        return self.index[data]

    def number(self, field, value):
        """A scalar; proto3 leaves zeros out."""
        if not value and not self.style.zeros:
            return b""
        return tag(field, 0) + varint(int(value))

    def numbers(self, field, values):
        style = self.style
        packed = style.packed == "always" or style.packed == "mixed" and style.rng.random() < 0.5
        if not values:
            return b""
        if not packed:
            return b"".join(tag(field, 0) + varint(value) for value in values)
        if style.packed == "mixed" and len(values) > 2 and style.rng.random() < 0.3:
            cut = style.rng.randrange(1, len(values))
            return (field_bytes(field, b"".join(map(varint, values[:cut]))) + tag(field, 0) + varint(values[cut])
                    + field_bytes(field, b"".join(map(varint, values[cut + 1:]))))
        return field_bytes(field, b"".join(map(varint, values)))

    def unknown(self):
        """A field that no version of the format has, of a random wire type; often nothing."""
        style = self.style
        if not style.unknown_fields or style.rng.random() < 0.7:
            return b""
        field = style.rng.choice([20, 99, 1000, 2000000])
        return style.rng.choice([tag(field, 0) + varint(style.rng.getrandbits(40)), tag(field, 1) + b"12345678",
                                 tag(field, 5) + b"1234", field_bytes(field, b"\x08\x01whatever"),
                                 field_bytes(field, b"")])

    def value_type(self, pair):
        return self.number(1, self.string(pair[0])) + self.number(2, self.string(pair[1])) + self.unknown()

    def label(self, label):
        out = self.number(1, self.string(label[0]))
        if len(label) == 2:
            return out + self.number(2, self.string(label[1])) + self.unknown()
        return out + self.number(3, label[1]) + self.number(4, self.string(label[2]))

    def sample(self, sample):
        parts = [self.numbers(1, sample["locations"]), self.numbers(2, sample["values"])]
        parts += [field_bytes(3, self.label(label)) for label in sample["labels"]]
        if self.style.shuffle and self.style.rng.random() < 0.5:
            parts.reverse()
            labels = [part for part in parts[:-2]]
            parts = labels[::-1] + parts[-2:]
        return b"".join(parts) + self.unknown()

    def mapping(self, mapping):
        out = (self.number(1, mapping["id"]) + self.number(2, mapping["start"]) + self.number(3, mapping["limit"])
               + self.number(4, mapping["offset"]) + self.number(5, self.string(mapping["file"]))
               + self.number(6, self.string(mapping["build_id"])) + self.unknown())
        return out + b"".join(self.number(7 + i, flag) for i, flag in enumerate(mapping["flags"]))

    def line(self, line):
        return self.number(1, line[0]) + self.number(2, line[1]) + self.number(3, line[2]) + self.unknown()

    def location(self, location):
        out = (self.number(1, location["id"]) + self.number(2, location["mapping"])
               + self.number(3, location["address"]))
        out += b"".join(field_bytes(4, self.line(line)) for line in location["lines"])
        return out + self.number(5, location["folded"]) + self.unknown()

    def function(self, function):
        return (self.number(1, function["id"]) + self.number(2, self.string(function["name"]))
                + self.number(3, self.string(function["system_name"])) + self.number(4, self.string(function["file"]))
                + self.number(5, function["start_line"]) + self.unknown())

    def fields(self, profile):
        """[(field number, encoded field)] in the order of the field numbers, strings last but one."""
        out = [(1, field_bytes(1, self.value_type(pair))) for pair in profile.sample_types]
        out += [(2, field_bytes(2, self.sample(sample))) for sample in profile.samples]
        out += [(3, field_bytes(3, self.mapping(mapping))) for mapping in profile.mappings]
        out += [(4, field_bytes(4, self.location(location))) for location in profile.locations]
        out += [(5, field_bytes(5, self.function(function))) for function in profile.functions]
        tail = [(7, self.number(7, self.string(profile.drop_frames))),
                (8, self.number(8, self.string(profile.keep_frames))), (9, self.number(9, profile.time_ns)),
                (10, self.number(10, profile.duration_ns))]
        if profile.period_type:
            tail.append((11, field_bytes(11, self.value_type(profile.period_type))))
        tail.append((12, self.number(12, profile.period)))
        tail.append((13, self.numbers(13, [self.string(comment) for comment in profile.comments])))
        tail.append((14, self.number(14, self.string(profile.default_sample_type))))
        tail.append((15, self.number(15, self.string(profile.doc_url))))
        out += [(6, field_bytes(6, string)) for string in self.strings]
        out += [(99, self.unknown()) for _ in range(3)]
        return out + tail


def _interleave(fields, rng):
    """Fields of one number keep their order; which number comes next is random."""
    queues = {}
    for number, data in fields:
        queues.setdefault(number, []).append(data)
    for queue in queues.values():
        queue.reverse()
    out = []
    while queues:
        number = rng.choice(sorted(queues))
        for _ in range(min(len(queues[number]), rng.choice([1, 3, 50]))):
            out.append(queues[number].pop())
        if not queues[number]:
            del queues[number]
    return out


def encode_plain(profile, style):
    """The message without gzip."""
    fields = Encoder(style).fields(profile)
    if style.shuffle:
        return b"".join(_interleave(fields, style.rng))
    return b"".join(data for _, data in fields)


def compress(data, members=1):
    out = io.BytesIO()
    step = max(1, (len(data) + members - 1) // members)
    for start in range(0, max(len(data), 1), step):
        out.write(gzip.compress(data[start:start + step], compresslevel=1, mtime=0))
    return out.getvalue()


def encode(profile, style=None):
    style = style or Style()
    data = encode_plain(profile, style)
    if not style.gzip:
        return data
    return compress(data, 2 if style.rng and style.rng.random() < 0.05 else 1)


def read_varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return number, at


def _fields(data):
    """[(field number, value or bytes)]; raises IndexError or ValueError on what is no message."""
    at, out = 0, []
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 0:
            value, at = read_varint(data, at)
        elif key & 7 == 2:
            size, at = read_varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            raise ValueError("wire type %d" % (key & 7))
        out.append((key >> 3, value))
    return out


def dump(data):
    """A message as lines of text, to show what differs between two; numbers only, as the strings stand at the end."""
    lines = []
    for number, value in _fields(data):
        if isinstance(value, int) or number == 6:
            lines.append("%d: %s" % (number, value))
            continue
        inner = []
        for field, content in _fields(value):
            if isinstance(content, bytes):
                shown = content.hex(" ") if number == 2 and field < 3 else dict_text(_fields(content))
            else:
                shown = str(content - (1 << 64) if content >> 63 else content)
            inner.append("%d=%s" % (field, shown))
        lines.append("%d: %s" % (number, " ".join(inner)))
    return "\n".join(lines)


def dict_text(fields):
    return "{%s}" % " ".join("%s=%s" % field for field in fields)
