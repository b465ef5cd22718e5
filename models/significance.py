"""What chance explains: intervals of a mean over queries, and the paired test of two systems.

Queries are a sample of those that will come. Where two systems answered the same queries, what
matters is the difference of each query: the queries themselves differ far more than systems do.
Letters as in `models.metrics`; values of queries without a relevant item are NaN and left out.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

ALPHA: Final = 0.05
"""A difference that chance gives less often than this is called proven."""
RESAMPLES: Final = 1000
FLIPS: Final = 10_000
EXACT: Final = 14
"""Differing queries up to which all 2**n ways to flip them are counted."""
ROUNDING: Final = 1e-9
"""Values no further apart are the same: sums of many numbers in another order."""
AT_ONCE: Final = 2**22
"""Numbers that are drawn at once: 32 MB, whatever the number of queries."""


@dataclass(frozen=True)
class Difference:
    """How far two systems are apart on the same queries.

    Args:
        mean: of the first less the second, over the queries that both have a value of.
        low: lower end of its 95 % interval.
        high: upper end.
        p: the probability of a mean at least so far from 0, were the systems no different.
        queries: that both have a value of.
    """

    mean: float
    low: float
    high: float
    p: float
    queries: int

    @property
    def proven(self) -> bool:
        """Whether chance gives such a difference less often than `ALPHA`."""
        return self.p < ALPHA


def difference(ours: Array, theirs: Array) -> Difference | None:
    """How far OURS is from THEIRS, (Q,) each of the same queries; None where none has both."""
    apart = ours - theirs
    apart = apart[~np.isnan(apart)]
    if not apart.size:
        return None
    low, high = bootstrap_interval(apart)
    return Difference(float(apart.mean()), low, high, randomisation_test(apart), int(apart.size))


def bootstrap_interval(
    values: Array, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the mean of VALUES (Q,) over resampled queries (Efron, 1979).

    For two systems on the same queries give it the differences. NaN values are left out;
    (NaN, NaN) where none is left. Memory is `AT_ONCE` numbers, however many queries there are.
    """
    kept = values[~np.isnan(values)]
    if not kept.size:
        return math.nan, math.nan
    lots = np.random.default_rng(seed)
    means = np.concatenate(
        [
            kept[lots.integers(0, kept.size, (rows, kept.size))].mean(axis=1)
            for rows in _blocks(resamples, kept.size)
        ]
    )
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def randomisation_test(differences: Array, flips: int = FLIPS, seed: int = 0) -> float:
    """The probability of a mean as far from 0 as that of DIFFERENCES (Q,), were there none.

    If two systems are no different, each query's values might as well have come the other way
    round. So the signs are flipped at random, and the means counted that are as far from 0 as the
    one that was seen: Fisher's test, which Smucker, Allan and Carterette (CIKM 2007) recommend for
    retrieval. Two-sided. All ways to flip are counted where at most `EXACT` queries differ; else
    the observed way counts as one of those drawn, so that p is never 0 (Phipson and Smyth, 2010).
    """
    kept = differences[~np.isnan(differences)]
    kept = kept[abs(kept) > ROUNDING]  # flipped or not, a query on which both agree says nothing
    if not kept.size:
        return 1.0
    # what differs by rounding alone is as far, also where nearly all cancels out
    seen = abs(kept.sum()) - 1e-12 * abs(kept).sum()
    if kept.size <= EXACT:
        ways = np.arange(2**kept.size)[:, None] >> np.arange(kept.size) & 1
        return float((abs((1 - 2 * ways) @ kept) >= seen).mean())
    lots = np.random.default_rng(seed)
    width = -(-kept.size // 8)
    as_far = 0
    for rows in _blocks(flips, kept.size):
        bytes_ = lots.integers(0, 256, (rows, width), np.uint8)
        down = np.unpackbits(bytes_, axis=1, count=kept.size)  # (rows, Q), 1 where flipped
        as_far += int((abs(kept.sum() - 2 * (down @ kept)) >= seen).sum())
    return (as_far + 1) / (flips + 1)


def _blocks(rows: int, width: int) -> Iterator[int]:
    """ROWS in parts of which each, WIDTH wide, is at most `AT_ONCE` numbers."""
    step = max(1, AT_ONCE // width)
    for start in range(0, rows, step):
        yield min(step, rows - start)
