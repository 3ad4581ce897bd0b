"""Reads a served profile: profile.proto, far enough to say what is in it. The format: proto/profile.proto of github.com/google/pprof.

Not here: whether it is right.
"""

import gzip


def _varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return number, at


def _fields(data):
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 2:
            size, at = _varint(data, at)
            yield key >> 3, data[at:at + size]
            at += size
        elif key & 7 == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        else:
            raise ValueError("wire type %d" % (key & 7))


def _signed(value):
    return value - (1 << 64) if value >> 63 else value


def _numbers(value):
    """Of a repeated field, packed or not."""
    if isinstance(value, int):
        return [value]
    numbers, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        numbers.append(number)
    return numbers


class Profile:
    """types: [(type, unit)]; samples: [(values, functions from the leaf, labels)]."""

    def __init__(self, compressed):
        strings, types, samples, locations, functions, comments = [], [], [], {}, {}, []
        self.period_type, self.period, self.time_ns, self.duration_ns = ("", ""), 0, 0, 0
        period_type = b""
        for field, value in _fields(gzip.decompress(compressed)):
            if field == 1:
                types.append(dict(_fields(value)))
            elif field == 2:
                samples.append(list(_fields(value)))
            elif field == 4:
                parts = list(_fields(value))
                locations[dict(parts)[1]] = [dict(_fields(part))[1] for number, part in parts if number == 4]
            elif field == 5:
                parts = dict(_fields(value))
                functions[parts[1]] = parts.get(2, 0)
            elif field == 6:
                strings.append(value.decode())
            elif field == 9:
                self.time_ns = value
            elif field == 10:
                self.duration_ns = value
            elif field == 11:
                period_type = value
            elif field == 12:
                self.period = value
            elif field == 13:
                comments += _numbers(value)
        pair = lambda parts: (strings[parts.get(1, 0)], strings[parts.get(2, 0)])
        self.types = [pair(parts) for parts in types]
        self.period_type = pair(dict(_fields(period_type)))
        self.comments = [strings[number] for number in comments]
        self.samples = [self._sample(fields, strings, locations, functions) for fields in samples]

    @staticmethod
    def _sample(fields, strings, locations, functions):
        values, names, labels = [], [], {}
        for field, value in fields:
            if field == 1:
                for location in _numbers(value):
                    names += [strings[functions[function]] for function in locations[location]]
            elif field == 2:
                values += [_signed(number) for number in _numbers(value)]
            elif field == 3:
                label = dict(_fields(value))
                labels[strings[label[1]]] = strings[label[2]] if label.get(2) else _signed(label.get(3, 0))
        return values, names, labels

    def total(self, index, function=None, **labels):
        """The sum of the values of this index, of samples with the function and the labels."""
        return sum(values[index] for values, names, found in self.samples
                   if (function is None or function in names) and all(found.get(key) == value for key, value in labels.items()))
