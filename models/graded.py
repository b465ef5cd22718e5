"""Measures of graded relevance, exact over all orders of tied items.

Letters as in `models.metrics`; g is the grade of an item, such as the number of labels that it
shares with the query. At a level of n items that are worth W together, each place is worth W / n.
"""

from functools import lru_cache

import numpy as np

from models.levels import Array, Levels
from models.metrics import harmonic, without_empty

ICME: float = 0.01757
"""The factor of the MSR-Bing Grand Challenge, with which 25 excellent answers score 1."""


def exponential(levels: Levels) -> Array:
    """2**g - 1 for each grade g, (G + 1,)."""
    return np.exp2(np.arange(levels.grades.shape[1])) - 1


def linear(levels: Levels) -> Array:
    """Each grade itself, (G + 1,)."""
    return np.arange(levels.grades.shape[1], dtype=float)


def discounted_gain(levels: Levels, k: int, worth: Array) -> Array:
    """Expected DCG at K: the sum of worth / log2(i + 1) over ranks i, (Q,); NaN without relevant.

    Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques, TOIS 2002; with
    2**g - 1 as Burges et al., ICML 2005.
    """
    counts = levels.counts
    before = np.cumsum(counts, axis=1) - counts
    inside = np.clip(k - before, 0, counts)
    start = np.minimum(before, k)
    table = _discounts(k)
    each = levels.worth(worth) / np.maximum(counts, 1)
    total = (each * (table[start + inside] - table[start])).sum(axis=1)
    return without_empty(total, levels.relevant)


def normalised_gain(levels: Levels, k: int, worth: Array) -> Array:
    """Expected NDCG at K, (Q,) in [0, 1]: DCG as a share of that of the best order of all items."""
    best_first = levels.grades.sum(axis=2)[:, ::-1]  # (Q, G + 1) items, the highest grade first
    behind = np.minimum(np.cumsum(best_first, axis=1), k)
    table = _discounts(k)
    held = table[behind]
    ideal = (np.diff(held, axis=1, prepend=0.0) * worth[::-1]).sum(axis=1)
    return discounted_gain(levels, k, worth) / np.where(ideal > 0, ideal, 1)


def cumulative_gain(levels: Levels, k: int) -> Array:
    """ACG at K: the mean grade of the first K ranks, (Q,) (Zhao et al., DSRH, CVPR 2015)."""
    counts = levels.counts
    inside = np.clip(k - (np.cumsum(counts, axis=1) - counts), 0, counts)
    total = (levels.worth(linear(levels)) / np.maximum(counts, 1) * inside).sum(axis=1)
    return without_empty(total / k, levels.relevant)


def weighted_average_precision(levels: Levels, k: int) -> Array:
    """WAP at K: ACG at each relevant rank up to K, averaged over them, (Q,); 0 without any.

    Zhao et al., Deep Semantic Ranking Based Hashing, CVPR 2015. With grade sums G before and G_d at
    a level of n items, r of them relevant, place i of the level adds

        [G r/n + (i - 1) G_d (r - 1)/(n (n - 1)) + G_d/n] / (N + i)

    and the sum is divided by the expected number of relevant items.
    """
    counts, hits = levels.counts, levels.hits
    gains = levels.worth(linear(levels))
    before = np.cumsum(counts, axis=1) - counts  # N
    sooner = np.cumsum(gains, axis=1) - gains  # G
    inside = np.clip(k - before, 0, counts)
    table = harmonic(int(counts.sum(axis=1).max(initial=0)))
    inverse = table[before + inside] - table[before]
    share = hits / np.maximum(counts, 1)
    one = np.maximum(counts, 1)
    slope = np.where(counts > 1, gains * (hits - 1) / (one * np.maximum(counts - 1, 1)), 0.0)
    total = (sooner * share + gains / one) * inverse
    total += slope * (inside - (before + 1) * inverse)
    found = (share * inside).sum(axis=1)
    value = np.where(found > 0, total.sum(axis=1) / np.where(found > 0, found, 1), 0.0)
    return without_empty(value, levels.relevant)


def hierarchical_precision(levels: Levels, k: int) -> Array:
    """The gain of the first i as a share of the most there is, averaged over i up to K, (Q,).

    Hierarchical precision is Deng, Berg, Fei-Fei, Hierarchical Semantic Indexing for Large Scale
    Image Retrieval, CVPR 2011; its mean over the first ranks is the AHP of Barz and Denzler, WACV
    2019, whose program takes trapezoids instead, by which no ranking is worth more than 1 - 1 / K.
    """
    worth = linear(levels)
    found = _gains(levels.counts, levels.worth(worth), k)
    best_first = levels.grades.sum(axis=2)[:, ::-1]  # (Q, G + 1) items, the highest grade first
    ideal = _gains(best_first, best_first * worth[::-1], k)
    shares = np.cumsum(found, axis=1) / np.maximum(np.cumsum(ideal, axis=1), 1)
    return without_empty(shares.mean(axis=1), levels.relevant)


def _gains(counts: Array, totals: Array, k: int) -> Array:
    """The expected gain at each of the first K ranks, (Q, K); 0 behind the last item.

    COUNTS (Q, U) items at each level are worth TOTALS (Q, U) together.
    """
    behind = np.cumsum(counts, axis=1)
    each = totals / np.maximum(counts, 1)
    gains = np.zeros((len(counts), k))
    for query, ends in enumerate(behind):
        level = np.searchsorted(ends, np.arange(min(k, int(ends[-1]))), side="right")
        gains[query, : len(level)] = each[query, level]
    return gains


@lru_cache(maxsize=8)
def _discounts(k: int) -> Array:
    """The sum of 1 / log2(i + 1) over ranks 1 to n, for n from 0 to K, (K + 1,)."""
    return np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
