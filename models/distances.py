"""Exact nearest neighbours in flat memory: chunks of a gallery go by, each query keeps its k best.

Cosine distance is 1 - cos, in [0, 2]; Hamming distance is the number of differing bits of packed
codes. Both become one matrix product: of unit rows, and of bits as -1 and +1, where
``(L - q.x) / 2`` counts the differing ones exactly. Sets of visual words are compared by selective
match kernels, in [0, 1], by way of an inverted file (`models.aggregation.rows`).
"""

from typing import Any, Final, Literal

import numpy as np

from models.aggregation import rows as visual_words

Array = np.ndarray[Any, np.dtype[Any]]
Metric = Literal["cosine", "hamming", "asmk"]

BEYOND: Final = np.uint64(0x7F800000FFFFFFFF)
"""The rank of a place that no row has taken yet: at an infinite distance, behind all others."""
_CACHED: Final = 2**16
"""Words that are compared at once, half a megabyte."""
_FARTHEST: Final = np.finfo(np.float32).max


def prepared(vectors: Array, metric: Metric) -> Array:
    """Stored rows (N, W) as float32 rows whose inner products give the distance.

    Unit vectors (N, W) for cosine (a zero row stays zero, at distance 1 from all); for Hamming -1
    and +1 (N, 8 W). Visual words stay as they are.

    Raises:
        ValueError: not a matrix, a value is NaN or infinite, no row of visual words, or codes
            whose words are meant.
    """
    if vectors.ndim != 2:
        raise ValueError(f"Vectors must be (N, W) but are {vectors.shape}.")
    if metric == "asmk":
        visual_words.slot_length(vectors)
        return vectors
    if metric == "hamming":
        return np.unpackbits(vectors, axis=1).astype(np.float32) * 2 - 1
    if vectors.dtype == np.uint8:
        raise ValueError("Codes have no cosine, what they stand for has one: decode them first.")
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    norms = np.sqrt(np.einsum("nw,nw->n", rows, rows))
    broken = int((~np.isfinite(norms)).sum())
    if broken:
        raise ValueError(f"{broken} of {len(rows)} vectors hold NaN or infinite values.")
    return np.asarray(rows / np.where(norms > 0, norms, 1)[:, None])


def directions_of(codes: Array) -> Array:
    """Packed binary CODES (N, W) as unit vectors (N, 8 W): each bit is a step to one of two sides.

    Real-valued queries are compared with them by the cosine, which puts codes in the order of
    ``q.b``, b of -1 and +1: the query's numbers are not rounded to bits (Gordo, Perronnin, Gong,
    Lazebnik, "Asymmetric Distances for Binary Embeddings", 2014, equation 11; the idea is that of
    Jegou, Douze, Schmid, "Product Quantization for Nearest Neighbor Search", 2011).
    """
    steps = prepared(codes, "hamming")
    return np.asarray(steps / np.float32(max(1, steps.shape[1])) ** 0.5, dtype=np.float32)


def between(queries: Array, rows: Array, metric: Metric) -> Array:
    """Distances (Q, N) float32 between `prepared` QUERIES and ROWS."""
    if metric == "asmk":
        return visual_words.apart(queries, rows)
    apart = np.asarray(queries @ rows.T, dtype=np.float32)  # (Q, N), made anew once: it is large
    np.subtract(np.float32(1 if metric == "cosine" else queries.shape[1]), apart, out=apart)
    if metric == "hamming":
        apart /= 2
    return np.maximum(apart, np.float32(0), out=apart)


def of_pairs(one: Array, other: Array, metric: Metric) -> Array:
    """Distances (N,) float32 between `prepared` rows ONE and those in their places in OTHER."""
    if metric == "asmk":
        return visual_words.apart_in_pairs(one, other)
    alike = np.einsum("nw,nw->n", one, other)
    apart = 1 - alike if metric == "cosine" else (one.shape[1] - alike) / 2
    return np.asarray(np.maximum(apart, 0), dtype=np.float32)


def words_of(codes: Array) -> Array:
    """Packed CODES (N, W) uint8 as (N, ceil(W / 8)) uint64, filled up with zeros."""
    width = -(-codes.shape[1] // 8) * 8
    filled = np.zeros((len(codes), width), np.uint8)
    filled[:, : codes.shape[1]] = codes
    return filled.view(np.uint64)


def differing(queries: Array, rows: Array) -> Array:
    """Hamming distances (Q, N) between `words_of` QUERIES and ROWS, in the least unsigned integers.

    Bits are counted by the processor, in pieces that its cache holds: for 64 bits a third of the
    time of the matrix product, and an eighth of its memory.
    """
    width = queries.shape[1]
    apart = np.zeros((len(queries), len(rows)), np.min_scalar_type(64 * width))
    step = max(1, _CACHED // max(1, len(queries)))
    for start in range(0, len(rows), step):
        here = slice(start, start + step)
        for word in range(width):
            different = queries[:, word, None] ^ rows[None, here, word]
            apart[:, here] += np.bitwise_count(different)
    return apart


class Nearest:
    """The k nearest gallery rows of each query, exact, whatever the number of rows that went by.

    A row's rank is decided by its distance and, where that ties, by a number that the caller gives
    it, so that the answer does not depend on the order in which the rows lie. The two are kept as
    one 64-bit number, for non-negative float32 order like their bits.

    Args:
        queries: Q.
        k: neighbours kept.
    """

    def __init__(self, queries: int, k: int) -> None:
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}.")
        self.k = k
        self.seen = 0
        self._ranks: Array = np.full((queries, k), BEYOND)
        self._rows: Array = np.full((queries, k), -1, np.int64)
        self._marks: Array = np.zeros((queries, k), bool)

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
        if excluded is not None:
            apart = np.where(excluded, np.float32(np.inf), apart)
        bound = _distances(self._ranks[:, -1])
        if apart.shape[1] > self.k:  # few rows are near enough, and only those are sorted
            bound = np.minimum(bound, np.partition(apart, self.k - 1, axis=1)[:, self.k - 1])
        bound = np.minimum(bound, _FARTHEST)[:, None]
        query, column = np.divmod(np.flatnonzero(apart <= bound), apart.shape[1])
        ranks = apart[query, column].view(np.uint32).astype(np.uint64) << np.uint64(32)
        ranks |= (numbers if ties is None else ties)[column].astype(np.uint64)
        there = np.zeros(len(query), bool) if marks is None else marks[query, column]
        self._merge(query, ranks, numbers[column], there)

    def found(self) -> tuple[Array, Array, Array]:
        """Row numbers, distances and marks, (Q, k) each, nearest first; -1, inf, False for none."""
        return self._rows, _distances(self._ranks), self._marks

    def _merge(self, query: Array, ranks: Array, rows: Array, marks: Array) -> None:
        """Keep the k nearest of those kept and of new ones, which are given one by one."""
        held = self._ranks < BEYOND
        query = np.concatenate([np.nonzero(held)[0], query])
        columns = [
            np.concatenate([kept[held], new])
            for kept, new in ((self._ranks, ranks), (self._rows, rows), (self._marks, marks))
        ]
        order = np.argsort(columns[0], kind="stable")
        small = np.uint16 if len(held) < 2**16 else np.int64  # numpy sorts 16 bits by radix
        order = order[np.argsort(query[order].astype(small), kind="stable")]
        query = query[order]
        starts = np.searchsorted(query, np.arange(len(held)))
        place = np.arange(len(query)) - starts[query]  # among those of its query
        near = place < self.k
        where = query[near], place[near]
        for column, found, none in zip(
            columns, (self._ranks, self._rows, self._marks), (BEYOND, -1, False), strict=True
        ):
            found[:] = none
            found[where] = column[order[near]]


def _distances(ranks: Array) -> Array:
    """The distances in RANKS."""
    return np.asarray((ranks >> np.uint64(32)).astype(np.uint32).view(np.float32))
