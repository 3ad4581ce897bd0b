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


DIFFERENCES = [("the reference prints memory addresses", _prints_addresses),
               ("the reference crashes", _reference_crashed), ("usage text in our words", _usage_wording)]


def explain(reference, ours):
    """Why the two results may differ, or None."""
    for reason, holds in DIFFERENCES:
        if holds(reference, ours):
            return reason
    return None
