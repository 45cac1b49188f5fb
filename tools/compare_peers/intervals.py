"""Medians with intervals that assume no distribution, as src/measure/statistics.h has them."""
import math
from statistics import median


def binomial_half_cdf(count, most):
    """P(Binomial(count, 1/2) <= most)."""
    return sum(math.comb(count, k) for k in range(most + 1)) / 2 ** count if most >= 0 else 0.0


def median_interval(samples, alpha=0.05):
    """(median, low, high); low and high are None where so few samples bound nothing.

    Of n samples the median lies between the k-th smallest and the k-th largest, unless fewer than
    k fell on one side of it: 2 * P(Binomial(n, 1/2) < k).
    """
    if not samples:
        return None, None, None
    ordered = sorted(samples)
    count = len(ordered)
    rank = 0
    while rank < count // 2 and 2 * binomial_half_cdf(count, rank) <= alpha:
        rank += 1
    if rank == 0:
        return median(ordered), None, None
    return median(ordered), ordered[rank - 1], ordered[count - rank]


def median_of(values):
    values = [value for value in values if value is not None]
    return median(values) if values else None
