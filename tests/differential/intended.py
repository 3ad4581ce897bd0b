"""The differences from the reference that are meant, each with its reason. Everything else is a mistake of ours.

An entry sees both results (status, stdout, stderr, files) and says whether it explains the difference.
"""

import re


def _reference_crashed(reference, ours):
    """The reference ends with a Go panic; we print one line instead (or simply do the work)."""
    crashed = any(line.startswith((b"panic:", b"fatal error:")) for line in reference.stderr.splitlines())
    return crashed and ours.status in (0, 2)


def _usage_wording(reference, ours):
    """The usage text is worded by us; status and the first line must agree."""
    if b"usage:" not in reference.stderr.lower() or reference.status != ours.status or reference.stdout != ours.stdout:
        return False
    first = reference.stderr.splitlines()[0]
    return first in ours.stderr.splitlines() or first.lower().startswith(b"usage:")


_ADDRESSES = re.compile(rb"incompatible sample types \[.*\] and \[.*\]")


def _prints_addresses(reference, ours):
    """The reference prints the addresses of its objects where the sample types should stand."""
    one, two = (_ADDRESSES.sub(b"incompatible sample types", result.stderr) for result in (reference, ours))
    return one == two and one != reference.stderr and reference._replace(stderr=b"") == ours._replace(stderr=b"")


_INCOMPATIBLE = re.compile(rb"(incompatible types: \{.*) 0 0\} (\{.*) 0 0\}$", re.M)
_PERIOD_TYPES = re.compile(rb"(incompatible period types )&\{(.*) (.*) 0 0\} and &\{(.*) (.*) 0 0\}$", re.M)


def _prints_internal_fields(reference, ours):
    """Of types that cannot be merged the reference prints two internal numbers too."""
    expected = _INCOMPATIBLE.sub(rb"\1} \2}", reference.stderr)
    expected = _PERIOD_TYPES.sub(rb"\1\2/\3 and \4/\5", expected)
    return expected != reference.stderr and reference._replace(stderr=expected) == ours


SOURCES_HINT = re.compile(rb"^\d+ source files? w(as|ere) not found; say where the sources are with source_path \(and trim_path\)$")


_LIMIT = re.compile(rb"(?<![0-9])-?9223372036854775808(?![0-9])")


def _reaches_the_limit(reference, ours):
    """A sum has become -2^63, which has no absolute value: what is trimmed then is an accident."""
    return reference.status == ours.status and all(_LIMIT.search(result.stdout) for result in (reference, ours))


def _asks_for_the_default_path(reference, ours):
    """A source without a path: ours asks for /debug/pprof/profile, and fails in other words."""
    asks = [b"/debug/pprof/profile" in result.stderr for result in (reference, ours)]
    return asks == [False, True] and ours._replace(stderr=b"") == reference._replace(stderr=b"")


_ACCOUNTED = re.compile(rb"^Showing nodes accounting for (.*)$", re.M)


def _trims_twice(reference, ours, arguments):
    """Where nodes are left out the reference trims file names again; a name that gets shorter again takes its node along."""
    trims = any(re.match("--?(trim_path|source_path)=", argument) for argument in arguments)
    accounted = [_ACCOUNTED.findall(result.stdout + result.files) for result in (reference, ours)]
    return trims and reference.status == ours.status == 0 and accounted[0] != accounted[1]


def _shows_source_path(reference, ours):
    """`o` lists source_path, too, where it is set."""
    lines = [line for line in ours.stderr.split(b"\n") if not line.startswith(b"  source_path  ")]
    return len(lines) < len(ours.stderr.split(b"\n")) and ours._replace(stderr=b"\n".join(lines)) == reference


_SOURCE_LIKE_OPTION = re.compile(rb"^-.* is taken as a source: options go in front of the first source$")


def _says_where_options_go(reference, ours):
    """`cpprof FILE -top`: our one more line says what the reader has mistaken."""
    hints = [line for line in ours.stderr.split(b"\n") if _SOURCE_LIKE_OPTION.match(line)]
    lines = [line for line in ours.stderr.split(b"\n") if line not in hints and not SOURCES_HINT.match(line)]
    return hints and b"\n".join(lines) == reference.stderr and ours._replace(stderr=b"") == reference._replace(stderr=b"")


def _says_where_sources_are_looked_for(reference, ours):
    """`list` without source files: our one line on stderr says which options help."""
    lines = [line for line in ours.stderr.split(b"\n") if not SOURCES_HINT.match(line)]
    return b"\n".join(lines) == reference.stderr and ours._replace(stderr=b"") == reference._replace(stderr=b"")


DIFFERENCES = [("the default path of a URL", _asks_for_the_default_path),
               ("a hint that options go first", _says_where_options_go),
               ("a sum at the limit of 64 bits", _reaches_the_limit),
               ("`o` shows source_path", _shows_source_path),
               ("the reference prints internal fields", _prints_internal_fields),
               ("a hint where source files are looked for", _says_where_sources_are_looked_for),
               ("the reference prints memory addresses", _prints_addresses),
               ("the reference crashes", _reference_crashed), ("usage text in our words", _usage_wording)]


def explain(reference, ours, arguments=()):
    """Why the two results may differ, or None."""
    if _trims_twice(reference, ours, arguments):
        return "the reference trims file names twice, and loses nodes"
    for reason, holds in DIFFERENCES:
        if holds(reference, ours):
            return reason
    return None
