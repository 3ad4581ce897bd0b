"""Makes a case that differs smaller, as long as it still differs: fewer options, fewer samples, no labels.

Not here: telling whether it differs (run.py), which is handed in as a function.
"""

import os

import pprofproto


def _without_options(case, differs):
    """Drops arguments one by one, from the end."""
    at = len(case.arguments) - 1
    while at >= 0:
        smaller = case._replace(arguments=case.arguments[:at] + case.arguments[at + 1:])
        if differs(smaller):
            case = smaller
        at -= 1
    return case


def _without_script_lines(case, differs):
    lines = case.script.splitlines(keepends=True)
    at = len(lines) - 1
    while at >= 0:
        fewer = lines[:at] + lines[at + 1:]
        smaller = case._replace(script="".join(fewer))
        if fewer and differs(smaller):
            case, lines = smaller, fewer
        at -= 1
    return case


def _write(case, name):
    with open(os.path.join(case.directory, name), "wb") as out:
        out.write(pprofproto.encode(case.made[name]))


def _try(case, name, differs, field, value):
    """Sets a field of a profile, if the case still differs then."""
    profile = case.made[name]
    old = getattr(profile, field)
    setattr(profile, field, value)
    _write(case, name)
    if differs(case):
        return True
    setattr(profile, field, old)
    _write(case, name)
    return False


def _without_samples(case, name, differs):
    """Halves, quarters, ... of the samples go, as long as that can be."""
    profile = case.made[name]
    size = len(profile.samples) // 2
    while size:
        at = 0
        while at < len(profile.samples):
            if not _try(case, name, differs, "samples", profile.samples[:at] + profile.samples[at + size:]):
                at += size
        size //= 2


def _used(profile):
    """Only the locations and functions that samples use."""
    locations = {number for sample in profile.samples for number in sample["locations"]}
    kept = [location for location in profile.locations if location["id"] in locations]
    functions = {line[0] for location in kept for line in location["lines"]}
    return kept, [function for function in profile.functions if function["id"] in functions]


def _plain(case, name, differs):
    profile = case.made[name]
    for field, value in (("comments", []), ("drop_frames", ""), ("keep_frames", ""), ("doc_url", ""), ("time_ns", 0), ("duration_ns", 0),
                         ("default_sample_type", ""), ("samples", [dict(sample, labels=[]) for sample in profile.samples])):
        if getattr(profile, field) != value:
            _try(case, name, differs, field, value)
    kept, functions = _used(profile)
    _try(case, name, differs, "locations", kept) and _try(case, name, differs, "functions", functions)


def reduce_case(case, differs):
    case = _without_options(case, differs)
    if case.script:
        case = _without_script_lines(case, differs)
    for name in case.made:
        path = os.path.join(case.directory, name)
        with open(path, "rb") as data:
            original = data.read()
        _write(case, name)
        if not differs(case):  # it is the encoding that matters
            with open(path, "wb") as out:
                out.write(original)
            continue
        _without_samples(case, name, differs)
        _plain(case, name, differs)
        _without_samples(case, name, differs)
    return _without_options(case, differs)
