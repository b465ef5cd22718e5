"""Exact nearest neighbours in flat memory: chunks of a gallery go by, each query keeps its k best.

Cosine distance is 1 - cos, in [0, 2]; Hamming distance is the number of differing bits of packed
codes. Both become one matrix product: of unit rows, and of bits as -1 and +1, where
``(L - q.x) / 2`` counts the differing ones exactly.
"""

from typing import Any, Final, Literal

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Metric = Literal["cosine", "hamming"]

NONE: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
"""A place in the ranking that no row has taken yet: farther than any row."""


def prepared(vectors: Array, metric: Metric) -> Array:
    """Stored rows (N, W) as float32 rows whose inner products give the distance.

    Unit vectors (N, W) for cosine (a zero row stays zero, at distance 1 from all); for Hamming -1
    and +1 (N, 8 W).

    Raises:
        ValueError: not a matrix, or a value is NaN or infinite.
    """
    if vectors.ndim != 2:
        raise ValueError(f"Vectors must be (N, W) but are {vectors.shape}.")
    if metric == "hamming":
        return np.unpackbits(vectors, axis=1).astype(np.float32) * 2 - 1
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    norms = np.sqrt(np.einsum("nw,nw->n", rows, rows))
    broken = int((~np.isfinite(norms)).sum())
    if broken:
        raise ValueError(f"{broken} of {len(rows)} vectors hold NaN or infinite values.")
    return np.asarray(rows / np.where(norms > 0, norms, 1)[:, None])


def between(queries: Array, rows: Array, metric: Metric) -> Array:
    """Distances (Q, N) float32 between `prepared` QUERIES and ROWS."""
    products = queries @ rows.T
    apart = 1 - products if metric == "cosine" else (queries.shape[1] - products) / 2
    return np.asarray(np.maximum(apart, np.float32(0)), dtype=np.float32)


class Nearest:
    """The k nearest gallery rows of each query, exact, whatever the number of rows that went by.

    A row's rank is decided by its distance and, where that ties, by a number that the caller gives
    it, so that the answer does not depend on the order in which the rows lie. Distance and tie are
    kept as one 64-bit number: non-negative float32 order like their bits.

    Args:
        queries: Q.
        k: neighbours kept.
    """

    def __init__(self, queries: int, k: int) -> None:
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}.")
        self.seen = 0
        self._orders: Array = np.full((queries, k), NONE)
        self._rows: Array = np.full((queries, k), -1, dtype=np.int64)  # row << 1 | mark

    def see(
        self,
        apart: Array,
        ties: Array | None = None,
        excluded: Array | None = None,
        marks: Array | None = None,
    ) -> None:
        """Let one chunk of the gallery go by; the first row ever seen is number 0.

        Args:
            apart: (Q, C) float32 distances, none negative.
            ties: (C,) uint32, who comes first at equal distance; the row's number if None.
            excluded: (Q, C) bool, rows that are no answer to a query, e.g. its own picture.
            marks: (Q, C) bool, what is to be remembered of a row, e.g. that it is relevant.
        """
        numbers = np.arange(self.seen, self.seen + apart.shape[1])
        self.seen += apart.shape[1]
        orders = apart.view(np.uint32).astype(np.uint64) << np.uint64(32)
        orders |= (numbers if ties is None else ties).astype(np.uint64)
        if excluded is not None:
            orders[excluded] = NONE
        # once some chunks went by few rows are near enough for any query, so few are sorted
        passing = np.flatnonzero((orders < self._orders.max(axis=1, keepdims=True)).any(axis=0))
        rows = np.broadcast_to(numbers[passing] << 1, (len(apart), len(passing)))
        self._keep(orders[:, passing], rows if marks is None else rows | marks[:, passing])

    def found(self) -> tuple[Array, Array, Array]:
        """Row numbers, distances and marks, (Q, k) each, nearest first; -1, inf, False for none."""
        order = np.argsort(self._orders, axis=1, kind="stable")
        apart = (self._orders >> np.uint64(32)).astype(np.uint32).view(np.float32)
        apart = np.take_along_axis(apart, order, axis=1)
        rows = np.take_along_axis(self._rows, order, axis=1)
        there = rows >= 0
        return (
            np.where(there, rows >> 1, -1),
            np.where(there, apart, np.float32(np.inf)),
            there & (rows & 1).astype(bool),
        )

    def _keep(self, orders: Array, rows: Array) -> None:
        """Merge candidates, (Q, C) orders and rows, into what is kept."""
        k = self._orders.shape[1]
        merged = np.concatenate([self._orders, orders], axis=1)
        numbers = np.concatenate([self._rows, rows], axis=1)
        best = np.argpartition(merged, k - 1, axis=1)[:, :k]
        self._orders = np.take_along_axis(merged, best, axis=1)
        self._rows = np.where(self._orders == NONE, -1, np.take_along_axis(numbers, best, axis=1))
