"""What a ranking is worth: the field's measures as functions of relevance, apart from ranking.

Letters: Q queries, k ranks, L + 1 distinct distances of an L-bit code, R relevant gallery items of
a query. A measure returns one value a query, NaN where the query has no relevant item: `mean`
leaves these out and counts them. Names carry their normalisation (``map@100[min]``), because the
three in use differ by up to 3.6 on one ranking.

Hamming distances take few values, so most of a ranking of codes is ties, and the order within them
is nobody's merit. The ``expected_`` functions give the exact expectation over all orders of the
ties from histograms over distances, (Q, L + 1), which need no ranking at all.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Normalisation = Literal["min", "hits", "R"]


@dataclass(frozen=True)
class Mean:
    """A measure's mean over the queries that have relevant items, and how many had none."""

    value: float
    queries: int
    skipped: int


def mean(values: Array) -> Mean:
    """The mean of VALUES (Q,) without the NaN ones, which are counted; NaN where none is left."""
    kept = values[~np.isnan(values)]
    value = float(kept.mean()) if kept.size else math.nan
    return Mean(value, int(kept.size), int(values.size - kept.size))


def average_precision(hits: Array, relevant: Array, normalisation: Normalisation) -> Array:
    """Sum of P(i) rel_i over the first k ranks, divided by what NORMALISATION says; (Q,) in [0, 1].

    Args:
        hits: (Q, k) bool, whether the item at each rank is relevant; False past a ranking's end.
        relevant: (Q,) int, R: relevant items in the whole gallery.
        normalisation: "min" divides by min(k, R) (Google Landmarks v2, Kaggle), "R" by R
            (pytorch-metric-learning; all ranks given it is ``map[all]``), "hits" by the relevant
            items found (Lin 2015, most hashing papers; it may fall when a ranking gets better).
    """
    ranks = np.arange(1, hits.shape[1] + 1)
    found = np.cumsum(hits, axis=1)  # (Q, k)
    total = (hits * found / ranks).sum(axis=1)
    return _normalised(total, hits.sum(axis=1), relevant, hits.shape[1], normalisation)


def precision_at(hits: Array, relevant: Array, k: int) -> Array:
    """Share of relevant items among the first K ranks, (Q,); a shorter ranking counts as misses."""
    return without_empty(hits[:, :k].sum(axis=1) / k, relevant)


def cmc_at(hits: Array, relevant: Array, k: int) -> Array:
    """1 where one of the first K ranks is relevant, else 0, (Q,): metric learning's "recall@K"."""
    return without_empty(hits[:, :k].any(axis=1).astype(float), relevant)


def reciprocal_rank(hits: Array, relevant: Array) -> Array:
    """1 / rank of the first relevant item, (Q,); 0 where the k ranks hold none."""
    first = hits.argmax(axis=1) + 1
    return without_empty(np.where(hits.any(axis=1), 1.0 / first, 0.0), relevant)


def ndcg_at(
    gains: Array, ideal: Array, k: int, gain: Literal["exponential", "linear"] = "exponential"
) -> Array:
    """Normalised discounted cumulative gain at K, (Q,) in [0, 1] (Järvelin and Kekäläinen, 2002).

    Args:
        gains: (Q, >= k) graded relevance at each rank, 0 past a ranking's end.
        ideal: (Q, >= k) the gallery's highest grades of each query, descending.
        k: ranks counted.
        gain: "exponential" 2**g - 1, or "linear" g.
    """

    def discounted(grades: Array) -> Array:
        worth = np.exp2(grades[:, :k]) - 1 if gain == "exponential" else grades[:, :k]
        return np.asarray((worth / np.log2(np.arange(2, worth.shape[1] + 2))).sum(axis=1))

    best = discounted(ideal)
    return np.where(best > 0, discounted(gains) / np.where(best > 0, best, 1), np.nan)


def overlap(found: Array, truth: Array) -> Array:
    """Share of TRUTH's items that FOUND also names, (Q,); both (Q, k) of distinct ids, -1 for none.

    Of an approximate search against the exact one it is the recall; of two versions' answers,
    1 - overlap is the churn.
    """
    shared = ((found[:, :, None] == truth[:, None, :]) & (truth >= 0)[:, None, :]).sum(axis=(1, 2))
    held = (truth >= 0).sum(axis=1)
    return np.where(held > 0, shared / np.maximum(held, 1), np.nan)


def recall_within(found: Array, truth: Array, slack: float = 0.0) -> Array:
    """Share of answers as near as the exact ones, (Q,): recall where distances tie.

    Args:
        found: (Q, k) distances of an approximate search, inf past its end.
        truth: (Q, k) distances of the exact one, ascending, inf past its end.
        slack: distances no further apart are the same.
    """
    held = np.isfinite(truth).sum(axis=1)
    last = np.where(np.isfinite(truth), truth, -np.inf).max(axis=1)
    near = (found <= last[:, None] + slack).sum(axis=1)
    return np.where(held > 0, np.minimum(near, held) / np.maximum(held, 1), np.nan)


def expected_average_precision(
    counts: Array, hits: Array, k: int | Array | None, normalisation: Normalisation
) -> Array:
    """Expected `average_precision` at K over all orders of tied items, (Q,).

    With n items of which r relevant at a distance, N items and P relevant before it, and m of the
    n within the cutoff, a distance adds

        r/n * sum over i = 1..m of [P + 1 + (i - 1)(r - 1)/(n - 1)] / (N + i).

    Args:
        counts: (Q, L + 1) int, gallery items at each distance.
        hits: (Q, L + 1) int, the relevant ones of them.
        k: ranks counted, of all queries or (Q,) of each; None for all.
        normalisation: as of `average_precision`; "hits" divides by the expected number of hits.
    """
    items = counts.sum(axis=1)
    longest = int(items.max(initial=0))
    limit = np.asarray(longest if k is None else k)
    before = np.cumsum(counts, axis=1) - counts  # N
    hits_before = np.cumsum(hits, axis=1) - hits  # P
    inside = np.clip(limit.reshape(-1, 1) - before, 0, counts)  # m
    table = harmonic(longest)
    inverse = table[before + inside] - table[before]  # sum of 1 / (N + i)
    slope = np.where(counts > 1, (hits - 1) / np.maximum(counts - 1, 1), 0.0)
    growth = slope * (inside - (before + 1) * inverse)
    share = hits / np.maximum(counts, 1)
    total = (share * ((hits_before + 1) * inverse + growth)).sum(axis=1)
    found = (share * inside).sum(axis=1)
    return _normalised(total, found, hits.sum(axis=1), limit, normalisation)


def expected_precision_at(counts: Array, hits: Array, k: int | Array) -> Array:
    """Expected `precision_at` K over all orders of tied items, (Q,); arguments as above."""
    limit = np.asarray(k).reshape(-1, 1)
    inside = np.clip(limit - (np.cumsum(counts, axis=1) - counts), 0, counts)
    found = (inside * hits / np.maximum(counts, 1)).sum(axis=1)
    return without_empty(found / np.maximum(limit[:, 0], 1), hits.sum(axis=1))


def expected_cmc_at(counts: Array, hits: Array, k: int) -> Array:
    """Probability over all orders of tied items that the first K ranks hold a relevant one, (Q,).

    1 - C(n - r, m) / C(n, m) at the nearest distance with relevant items, m of it within K.
    """
    values = np.full(len(counts), np.nan)
    for query, (before, n, r) in _first_relevant(counts, hits):
        m = min(max(k - before, 0), n)
        values[query] = 1 - math.comb(n - r, m) / math.comb(n, m)
    return values


def expected_reciprocal_rank(counts: Array, hits: Array, k: int | None = None) -> Array:
    """Expected `reciprocal_rank` within K ranks (None: all) over all orders of tied items, (Q,).

    The first of r relevant among n tied items stands at place i with probability
    C(n - i, r - 1) / C(n, r), built up by its ratio from place to place.
    """
    values = np.full(len(counts), np.nan)
    for query, (before, n, r) in _first_relevant(counts, hits):
        places = np.arange(1, n - r + 2)
        ratios = (n - places[:-1] - r + 1) / (n - places[:-1])
        chance = r / n * np.concatenate([[1.0], np.cumprod(ratios)])
        ranks = before + places
        values[query] = (chance / ranks)[ranks <= (k or ranks[-1])].sum()
    return values


def without_empty(values: Array, relevant: Array) -> Array:
    """VALUES (Q,) of the queries with RELEVANT (Q,) items, NaN for the others."""
    return np.where(relevant > 0, values, np.nan)


def harmonic(n: int) -> Array:
    """The sum of 1 / i over i = 1..m, for m from 0 to at least N, float64."""
    return _harmonic(1 << max(n, 1).bit_length())


@lru_cache(maxsize=2)
def _harmonic(n: int) -> Array:
    return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n + 1))])


def _normalised(
    total: Array, found: Array, relevant: Array, k: int | Array, normalisation: Normalisation
) -> Array:
    if normalisation == "hits":
        by = found
    elif normalisation == "min":
        by = np.minimum(relevant, k)
    elif normalisation == "R":
        by = relevant
    else:
        raise ValueError(f"Unknown normalisation {normalisation!r}: choose from hits, min, R.")
    return without_empty(np.where(by > 0, total / np.where(by > 0, by, 1), 0.0), relevant)


def _first_relevant(counts: Array, hits: Array) -> list[tuple[int, tuple[int, int, int]]]:
    """Of each query with relevant items: N, n and r at the nearest distance that holds one."""
    before = np.cumsum(counts, axis=1) - counts
    nearest = (hits > 0).argmax(axis=1)
    return [
        (int(q), (int(before[q, d]), int(counts[q, d]), int(hits[q, d])))
        for q, d in enumerate(nearest)
        if hits[q, d] > 0
    ]
