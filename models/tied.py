"""Measures of relevant or not, exact over all orders of tied items, beyond those of `metrics`.

Letters as in `models.metrics`. At a level of n items of which r are relevant, with N items and P
relevant ones before it, the item at place i of the level is relevant with probability r / n, and
then (i - 1)(r - 1)/(n - 1) relevant ones are expected before it within the level.
"""

import math

import numpy as np

from models.levels import Array, Levels
from models.metrics import harmonic, without_empty


def trapezoid_average_precision(levels: Levels) -> Array:
    """Average precision by trapezoids, (Q,) in [0, 1], as revisitop measures (Radenovic, 2018).

    With p(i) the share of relevant items among the first i, each relevant item at rank i adds
    (p(i - 1) + p(i)) / 2, where p(0) is 1, to a sum that is divided by R. Junk has to be left out
    before. revisitop: ``compute_ap``.
    """
    counts, hits = levels.counts, levels.hits
    before = np.cumsum(counts, axis=1) - counts  # N
    found = np.cumsum(hits, axis=1) - hits  # P
    table = harmonic(int(counts.sum(axis=1).max(initial=0)))
    here = table[before + counts] - table[before]  # sum of 1 / (N + i)
    slope = np.where(counts > 1, (hits - 1) / np.maximum(counts - 1, 1), 0.0)
    upper = (found + 1) * here + slope * (counts - (before + 1) * here)
    above = table[np.maximum(before + counts - 1, 0)] - table[np.maximum(before - 1, 0)]
    later = found * above + slope * (counts - before * above)  # sum of 1 / (N + i - 1), N > 0
    lower = np.where(before > 0, later, 1 + slope * (counts - 1))
    total = (hits / np.maximum(counts, 1) * (upper + lower) / 2).sum(axis=1)
    return without_empty(total / np.maximum(levels.relevant, 1), levels.relevant)


def precision_within_answers(levels: Levels, k: int) -> Array:
    """Relevant items among the first K', as a share of K', (Q,): revisitop's precision at K.

    K' is K, or the rank of the last relevant item where all of them come sooner. The last of r
    among n tied items stands at place m with probability C(m - 1, r - 1) / C(n, r).
    """
    counts, hits = levels.counts, levels.hits
    before = np.cumsum(counts, axis=1) - counts
    inside = np.clip(k - before, 0, counts)
    expected = (inside * hits / np.maximum(counts, 1)).sum(axis=1)  # relevant ones within K
    values = np.full(len(counts), np.nan)
    for query, total in enumerate(levels.relevant.tolist()):
        if not total:
            continue
        last = int(np.flatnonzero(hits[query])[-1])
        start, n, r = (int(of[query, last]) for of in (before, counts, hits))
        sooner, share = 0.0, 0.0
        for place in range(r, min(n, k - start) + 1):
            chance = math.comb(place - 1, r - 1) / math.comb(n, r)
            sooner += chance
            share += chance * total / (start + place)
        values[query] = share + (expected[query] - total * sooner) / k
    return values


def recall_at(levels: Levels, k: int) -> Array:
    """Share of the relevant items that the first K ranks hold, (Q,)."""
    before = np.cumsum(levels.counts, axis=1) - levels.counts
    inside = np.clip(k - before, 0, levels.counts)
    found = (inside * levels.hits / np.maximum(levels.counts, 1)).sum(axis=1)
    return without_empty(found / np.maximum(levels.relevant, 1), levels.relevant)


def precision_within(levels: Levels, radius: int) -> Array:
    """Share of relevant items among those within Hamming distance RADIUS, (Q,); of none, 0."""
    returned = levels.counts[:, : radius + 1].sum(axis=1)
    right = levels.hits[:, : radius + 1].sum(axis=1)
    return without_empty(right / np.maximum(returned, 1), levels.relevant)


def coverage_within(levels: Levels, radius: int) -> Array:
    """1 for a query with an item within Hamming distance RADIUS, else 0, (Q,)."""
    returned = levels.counts[:, : radius + 1].sum(axis=1)
    return without_empty((returned > 0).astype(float), levels.relevant)


def global_average_precision(nearest: Array, right: Array, answered: Array) -> Array:
    """What each query adds to M times GAP, (Q,); NaN without an answer, so that the mean is GAP.

    GAP = (1/M) sum over i of P(i) rel_i (Weyand et al., CVPR 2020): the first answers of all
    queries stand in one ranking, the surest first; P(i) is the share of right ones among the first
    i. M is the number of queries that have an answer; the others take a rank and are never right.

    Args:
        nearest: (Q,) distances of the first answers; inf: none is given. Ties stand in this order.
        right: (Q,) the probability that the first answer is right, 0 or 1 where nothing ties.
        answered: (Q,) bool, whether the query has an answer.
    """
    order = np.argsort(nearest, kind="stable")
    order = order[np.isfinite(nearest[order])]
    chance = right[order]
    sooner = np.cumsum(chance) - chance
    # independent of each other, so E[rel_i P(i)] is p_i (1 + sum of p_j before) / i
    values = np.zeros(len(nearest))
    values[order] = chance * (1 + sooner) / np.arange(1, len(order) + 1)
    return np.where(answered, values, np.nan)
