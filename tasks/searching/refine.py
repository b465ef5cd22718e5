"""What is done with the rows that were found before they are an answer: a radius, variety."""

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.indexes import VECTOR, vectors_of
from models.distances import Metric, between, prepared

First = Callable[[int], pa.Table]
"""The first rows that a search finds, so many of them, or all where there are no more."""

ROUNDING: Final = 1e-6
"""How far apart two equal vectors may seem."""
FEWEST: Final = 64
"""Rows that are looked at first where near-duplicates are left out."""
MOST: Final = 100_000
"""Rows that are looked at at most."""


def within(found: pa.Table, radius: float) -> pa.Table:
    """The rows of FOUND at a distance of RADIUS at most."""
    return found.filter(pc.less_equal(found["_distance"], pa.scalar(radius, pa.float32())))


def varied(first: First, wanted: int, apart: float, metric: Metric) -> pa.Table:
    """The first WANTED rows of which no two are at a distance of APART or less.

    Gone through as they stand: a row is left out where one that stands before it, and was not left
    out itself, is that near. More and more rows are looked at until enough are left.

    Args:
        first: finds them, with their descriptors.
        wanted: how many; fewer are left where `MOST` rows, or all, do not have so many.
        apart: the greatest distance of two rows that show the same.
        metric: of the index.
    """
    size = max(FEWEST, 4 * wanted)
    while True:
        found = first(size)
        kept = distinct(found, wanted, apart, metric)
        if len(kept) == wanted or len(found) < size or size >= MOST:
            return found.take(pa.array(kept, pa.int64()))
        size = min(4 * size, MOST)


def distinct(found: pa.Table, wanted: int, apart: float, metric: Metric) -> list[int]:
    """The places of the first WANTED rows of FOUND that are farther than APART from each other."""
    rows = prepared(vectors_of(found[VECTOR]), metric)
    left = np.ones(len(rows), bool)
    kept: list[int] = []
    bound = np.float32(apart + (0 if metric == "hamming" else ROUNDING))
    while len(kept) < wanted and left.any():
        place = int(np.argmax(left))  # the first that is left
        kept.append(place)
        left[place] = False
        rest = np.flatnonzero(left)
        left[rest[between(rows[place][None], rows[rest], metric)[0] <= bound]] = False
    return kept
