"""The few statistics that the benchmarks need: an interval for a median, and chi-square's distribution.

No packages besides Python's own are used, so these are written out; test_stats.py checks them against printed tables.
"""

import math
import statistics


def median_ranks(count, confidence=0.95):
    """(low, high), counted from 0: between these values of a sorted sample lies the median of what it was drawn from, at this
    confidence or better, whatever its distribution (the sign test turned round). None: too few values for any."""
    if count < 1:
        return None
    below, low = 0.0, -1  # the chance of at most `low` values below the median
    for successes in range(count // 2 + 1):
        below += math.comb(count, successes) / 2 ** count
        if 2 * below > 1 - confidence:
            break
        low = successes
    return None if low < 0 else (low, count - 1 - low)


def median_interval(values, confidence=0.95):
    """(median, lower end, upper end); the ends are the smallest and the largest value where there are too few for an interval."""
    ordered = sorted(values)
    low, high = median_ranks(len(ordered), confidence) or (0, len(ordered) - 1)
    return statistics.median(ordered), ordered[low], ordered[high]


def gamma_below(shape, x):
    """The lower incomplete gamma function, regularised: P(shape, x). By its series left of the hump, by the continued fraction
    of its complement right of it, where each converges fast."""
    if x <= 0:
        return 0.0
    scale = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1:
        term = total = 1 / shape
        divisor = shape
        while abs(term) > abs(total) * 1e-15:
            divisor += 1
            term *= x / divisor
            total += term
        return total * scale
    tiny = 1e-300
    b = x + 1 - shape
    c, d = 1 / tiny, 1 / b
    fraction, i = d, 0
    while True:
        i += 1
        a = -i * (i - shape)
        b += 2
        d = a * d + b
        d = 1 / (d if abs(d) > tiny else tiny)
        c = b + a / c
        c = c if abs(c) > tiny else tiny
        fraction *= d * c
        if abs(d * c - 1) < 1e-15:
            return 1 - scale * fraction


def chi_square_below(freedom, x):
    """The share of chi-square values with so many degrees of freedom that lie below x."""
    return gamma_below(freedom / 2, x / 2)


def chi_square_point(freedom, share=0.99):
    """The value that this share of them lies below."""
    low, high = 0.0, freedom + 10.0
    while chi_square_below(freedom, high) < share:
        high *= 2
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        if chi_square_below(freedom, middle) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def chi_square(weights, truth, count):
    """How far the shares of `weights` are from those of `truth`, as so many independent observations would be: len - 1 degrees of
    freedom. `weights` need not be counts: a sample may stand for more than one period."""
    found, true = sum(weights), sum(truth)
    if not found or not true:
        return math.inf
    return count * sum((weight / found - part / true) ** 2 / (part / true) for weight, part in zip(weights, truth))
